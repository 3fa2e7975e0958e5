"""What stands in one cell of a figure: tiles, bands or words; each knows how high it is for a width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from onnxviz.draw.figure.figure_parts import POINT, FigureArea, FigureImage, FigureMarks, Rectangle
from onnxviz.draw.figure.look import Look
from onnxviz.draw.grid import near_aspect
from onnxviz.draw.palette import Palette

MapPixels = npt.NDArray[np.uint8]

GAP = 0.05
"""Centimetres between two tiles."""

FRAME = 0.25 * POINT
"""The width of a line around maps that would melt into the paper."""

BAND, SHORTEST_BANDS, HIGHEST_BANDS = 0.12, 0.9, 6.0
"""Centimetres that a band is high, and the least and most that all bands of a cell are."""

# Centimetres between groups of bands.
_GROUP_GAP = 0.15

# How many of a map's values the gap between it and what stands beside it is wide, and that to the map before, which has
# to be clearly wider.
_GAP_BESIDE, _GAP_BEFORE = 0.3, 0.7

# The least, the wanted and the greatest width of a grid of tiles, in heights.
_ASPECTS = 0.75, 1.4, 3.0


def tile_columns(count: int, height: int, width: int) -> int:
    """Return how many tiles of this size go in a row: full rows where that can be, near to 1.4 : 1.

    >>> tile_columns(32, 9, 9), tile_columns(16, 9, 9), tile_columns(160, 9, 9), tile_columns(7, 9, 9)
    (8, 4, 16, 4)
    """
    whole = [columns for columns in range(1, count + 1) if count % columns == 0]
    aspects = {columns: columns**2 * width / (count * height) for columns in whole}
    fitting = [columns for columns in whole if _ASPECTS[0] <= aspects[columns] <= _ASPECTS[2]]
    if fitting:
        return min(fitting, key=lambda columns: abs(math.log(aspects[columns] / _ASPECTS[1])))
    return near_aspect(count, (height, width))


class Cell(Protocol):
    """One cell: a layer for an input."""

    def height(self, width: float, look: Look) -> float:
        """Return how high the cell is at a width."""
        ...

    def drawn(self, place: Rectangle, look: Look) -> FigureMarks:
        """Return its parts in their place."""
        ...

    def aside(self, look: Look) -> float:
        """Return how much room it needs at its left for numbers."""
        ...


@dataclass(frozen=True, slots=True)
class TileCell:
    """Maps side by side.

    Attributes:
        tiles: (H, W) indices or (H, W, 3) colours each, all of one size.
        colours: what the indices mean; None for red, green and blue.
        columns: tiles in a row.
        names: what stands above each tile; empty for nothing.
        framed: whether each has a line around it.
        largest: the most centimetres that a tile is wide or high.
        besides: indices (n, columns) of values that belong to each tile and lie nowhere on it, which stand at its left
            from the top on, as large as its own; empty for none.
        map_size: how many values each tile is high and wide, where `besides` are given.
    """

    tiles: Sequence[MapPixels]
    colours: Palette | None
    columns: int
    names: Sequence[str] = ()
    framed: bool = False
    largest: float = math.inf
    besides: Sequence[MapPixels] = ()
    map_size: tuple[int, int] = (1, 1)

    def aside(self, look: Look) -> float:
        """Return 0: tiles have no numbers at their left."""
        return 0.0

    def height(self, width: float, look: Look) -> float:
        """Return the height of all rows of tiles."""
        rows = -(-len(self.tiles) // self.columns)
        return rows * self._step(width, look)[0] - GAP

    def drawn(self, place: Rectangle, look: Look) -> FigureMarks:
        """Return the tiles, row by row; fewer than a row's width are centred where they are kept small."""
        tile_height, tile_width = self._tile(place.width)
        down, across = self._step(place.width, look)
        shift = (place.width - self.columns * across + GAP) / 2
        images, texts = [], []
        for number in range(len(self.tiles)):
            row, column = divmod(number, self.columns)
            left, top = place.left + shift + column * across, place.top + row * down
            if self._named(place.width, look):
                texts.append(look.note(self.names[number], left, top + look.small * POINT * 0.85))
                top += look.line(look.small)
            for values, shape in self._parts(number, Rectangle(left, top, tile_width, tile_height)):
                images.append(FigureImage(shape, values, self.colours))
        frames = [FigureArea(image.place.grown(FRAME), look.frame) for image in images] if self.framed else []
        return FigureMarks(tuple(frames), tuple(images), tuple(texts))

    def _parts(self, number: int, place: Rectangle) -> list[tuple[MapPixels, Rectangle]]:
        """Return a tile and what stands beside it, each with its place."""
        pixels = self.tiles[number]
        if not self.besides:
            return [(pixels, place)]
        beside, side = self.besides[number], place.height / self.map_size[0]
        width, columns = side * self.map_size[1], side * beside.shape[1]
        left = place.right - width
        own = Rectangle(left, place.top, width, place.height)
        return [
            (beside, Rectangle(left - side * _GAP_BESIDE - columns, place.top, columns, side * len(beside))),
            (pixels, own),
        ]

    @property
    def _values(self) -> tuple[float, float]:
        """How many values a tile is high and wide, with those beside it."""
        if self.besides:
            return self.map_size[0], self.map_size[1] + self.besides[0].shape[1] + _GAP_BESIDE + _GAP_BEFORE
        return self.tiles[0].shape[0], self.tiles[0].shape[1]

    def _tile(self, width: float) -> tuple[float, float]:
        """Return the height and the width of a tile."""
        rows, columns = self._values
        across = (width - (self.columns - 1) * GAP) / self.columns
        across = min(across, self.largest, self.largest * columns / rows)
        return across * rows / columns, across

    def _step(self, width: float, look: Look) -> tuple[float, float]:
        down, across = self._tile(width)
        return down + GAP + (look.line(look.small) if self._named(width, look) else 0.0), across + GAP

    def _named(self, width: float, look: Look) -> bool:
        """Return whether every name fits above its tile; else none stands there."""
        across = self._tile(width)[1]
        return bool(self.names) and all(look.width(name, look.small) <= across for name in self.names)


@dataclass(frozen=True, slots=True)
class BandCell:
    """Sequences, one band below the other.

    Attributes:
        bands: (C, L) indices into `colours`.
        colours: what the indices mean.
        framed: whether they have a line around them.
        starts: the bands at which a further group of them begins, which stands apart.
    """

    bands: MapPixels
    colours: Palette
    framed: bool = False
    starts: Sequence[int] = ()

    def aside(self, look: Look) -> float:
        """Return 0: bands have no numbers at their left."""
        return 0.0

    def height(self, width: float, look: Look) -> float:
        """Return the height of all bands."""
        return min(max(len(self.bands) * BAND, SHORTEST_BANDS), HIGHEST_BANDS)

    def drawn(self, place: Rectangle, look: Look) -> FigureMarks:
        """Return a picture of all bands, or of each group of them."""
        images, top = [], place.top
        gap = min(_GROUP_GAP, place.height / (4 * (len(self.starts) + 1)))
        room = place.height - gap * len(self.starts)
        for bands in np.split(self.bands, self.starts):
            height = room * len(bands) / len(self.bands)
            images.append(FigureImage(Rectangle(place.left, top, place.width, height), bands, self.colours))
            top += height + gap
        frames = [FigureArea(image.place.grown(FRAME), look.frame) for image in images] if self.framed else []
        return FigureMarks(tuple(frames), tuple(images))


@dataclass(frozen=True, slots=True)
class WordCell:
    """A cell that says why there is nothing in it."""

    words: str

    def aside(self, look: Look) -> float:
        """Return 0."""
        return 0.0

    def height(self, width: float, look: Look) -> float:
        """Return the height of a line."""
        return look.line(look.small)

    def drawn(self, place: Rectangle, look: Look) -> FigureMarks:
        """Return the words."""
        words = look.fitted(self.words, look.small, place.width)
        return FigureMarks(texts=(look.note(words, place.left, place.top + look.small * POINT),))

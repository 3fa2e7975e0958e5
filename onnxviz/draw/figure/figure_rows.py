"""A row of a figure: a layer for each input, with the same channels on the same scale in all of its cells.

conv, 96 channels, of 2 inputs, in the order of their deviation, the first 4:
  chosen   the 4 channels that vary most over both inputs
  limits   of these 4, over both inputs
  cells    2 x 4 tiles
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from onnxviz.draw.arrange import NOTHING, Arranged
from onnxviz.draw.bands import WIDTH, strongest
from onnxviz.draw.bars import vertical_limits
from onnxviz.draw.figure.cells import BandCell, Cell, MapPixels, PlotCell, TileCell, WordCell, tile_columns
from onnxviz.draw.filmstrip import choose_slices
from onnxviz.draw.header import ENDS
from onnxviz.draw.kinds import picture_kind
from onnxviz.draw.page import hatch
from onnxviz.draw.palette import HATCH_LINE, Palette, melts_into_page, palette
from onnxviz.draw.prepare import chosen_channels
from onnxviz.draw.quantise import quantise
from onnxviz.draw.scale import Limits, both_signs, limits, own_scale
from onnxviz.draw.statistics import channel_extremes, channel_statistics, not_finite
from onnxviz.draw.style import RANKED, Style
from onnxviz.errors import UsageError
from onnxviz.layout import Array

PICTURE = 2.2
"""The most centimetres that an input's picture is wide or high."""

LARGEST = 9.0
"""The same of a map."""

SIGNED = "gray"
"""The colormap that `auto` means for maps with both signs: zero is its middle, and it can be printed without colour."""

# MapPixels of the longer side of a tile that is hatched.
_HATCHED = 48


@dataclass(frozen=True, slots=True)
class RowStyle:
    """How the rows of a figure are drawn.

    Attributes:
        style: scale, colormap, theme, channels, order, top, and the tiles in a row.
        same_scale: draw all channels of a layer on one scale.
        percentile: the scale that all channels share leaves out this many percent of the magnitudes, from 0 to below
            50; None for a scale as the style says.
        numbers: write the number of its channel above each tile.
    """

    style: Style
    same_scale: bool = False
    percentile: float | None = None
    numbers: bool = False


@dataclass(frozen=True, slots=True)
class BarScale:
    """What a colour bar shows; equal ones of several rows are drawn once.

    Attributes:
        colormap: by name.
        low, high: the ends; (0, 1) where each channel has a scale of its own.
        words: what stands at the ends and in the middle in place of numbers; empty for numbers.
        gamma: the exponent of the colours.
    """

    colormap: str
    low: float
    high: float
    words: tuple[str, str, str] | None = None
    gamma: float = 1.0


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A row of cells.

    Attributes:
        head: what stands at its left.
        cells: one an input.
        channels: those that are drawn; empty for the pictures of inputs.
        count: how many the layer has.
        scale: of its colour bar; None for none.
        signs: which of `constant`, `NaN`, `inf` and `-inf` are drawn.
    """

    head: str
    cells: tuple[Cell, ...]
    channels: tuple[int, ...] = ()
    count: int = 0
    scale: BarScale | None = None
    signs: tuple[str, ...] = ()


def picture_row(head: str, pictures: Sequence[MapPixels | None]) -> FigureRow:
    """Return the row of the inputs themselves; one that is not a picture leaves its cell empty."""
    cells = (WordCell("") if one is None else TileCell((one,), None, 1, largest=PICTURE) for one in pictures)
    return FigureRow(head, tuple(cells))


def layer_row(head: str, arranged: Sequence[Arranged], how: RowStyle) -> FigureRow:
    """Return the row of a layer, of which each input gave one array.

    Raises:
        UsageError: The inputs gave different numbers of channels or kinds of maps, or the style names a channel or a
            scale that does not exist.
    """
    first = arranged[0]
    if first.kind == NOTHING:
        return FigureRow(head, tuple(WordCell(", ".join(one.notes)) for one in arranged))
    if len({(one.kind, len(one.values)) for one in arranged}) > 1:
        raise UsageError(f"the inputs give {head!r} different kinds of maps: draw one figure for each")
    kind = picture_kind(first)
    style = kind.style(how.style)
    chosen = _chosen([one.values for one in arranged], style)
    drawn = [one.values[chosen] for one in arranged]
    # All inputs as one, so that what is found holds for each.
    flat = np.concatenate([values.reshape(len(chosen), -1) for values in drawn], axis=1)
    if drawn[0].ndim == 1 or (drawn[0].ndim == 2 and first.values.shape[0] == 1):
        return _plots(head, drawn, flat, _Chosen(chosen, len(first.values)), replace(how, style=style))
    scale = _limits(flat, replace(how, style=style))
    # On a scale that channels share, a constant has its colour.
    constant = channel_extremes(flat).constant if scale.own else np.zeros(len(flat), np.bool_)
    colormap = (SIGNED if scale.diverging else "viridis") if style.colormap == "auto" else style.colormap
    painter = _Painter(drawn, scale, constant, colormap, kind.gamma, how)
    names = tuple(map(str, chosen.tolist())) if how.numbers else ()
    return FigureRow(
        head,
        painter.cells(names),
        tuple(chosen.tolist()),
        len(first.values),
        painter.bar,
        painter.signs,
    )


@dataclass(frozen=True, slots=True)
class _Chosen:
    numbers: npt.NDArray[np.intp]
    count: int


def _chosen(values: Sequence[Array], style: Style) -> npt.NDArray[np.intp]:
    """Return the channels that are drawn, the same for all inputs."""
    if style.order not in RANKED:
        return chosen_channels(values[0], style)
    if values[0].ndim == 1:
        # A vector has no deviation in space: its values go by their magnitude.
        style = replace(style, order="mean")
    return chosen_channels(np.concatenate([one.reshape(len(one), -1) for one in values], axis=1), style)


def _limits(flat: Array, how: RowStyle) -> Limits:
    """Return the scale of channels (C, n), with the values of all inputs together."""
    statistics, style = channel_statistics(flat), how.style
    found = limits(flat, statistics, style)
    if how.percentile is not None:
        ends = percentile_ends(flat, how.percentile)
    elif how.same_scale and found.own:
        ends = own_scale(flat, style).ends
    else:
        return found
    return limits(flat, statistics, replace(style, limits=ends)) if np.isfinite(ends).all() else found


def percentile_ends(values: Array, left_out: float) -> tuple[float, float]:
    """Return the ends of a scale that leaves out so many percent of the finite values.

    Values of both signs get a scale about 0, which leaves out the greatest magnitudes, the others one that leaves out
    as many at either end.

    >>> percentile_ends(np.arange(101.0), 1), percentile_ends(np.arange(-100.0, 101), 0)
    ((1.0, 99.0), (-100.0, 100.0))
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        return np.nan, np.nan
    if both_signs(float(finite.min()), float(finite.max())):
        reach = float(np.percentile(np.abs(finite), 100 - left_out))
        return -reach, reach
    low, high = np.percentile(finite, [left_out, 100 - left_out])
    return float(low), float(high)


def _plots(head: str, drawn: Sequence[Array], flat: Array, chosen: _Chosen, how: RowStyle) -> FigureRow:
    """Return vectors, or a single sequence an input, as bars on one axis."""
    scale = own_scale(flat, how.style)
    ends = vertical_limits(*(percentile_ends(flat, how.percentile) if how.percentile is not None else scale.ends))
    colormap = "viridis" if how.style.colormap == "auto" else how.style.colormap
    colours = palette(colormap, how.style.theme)
    names = tuple(map(str, chosen.numbers.tolist())) if how.numbers and drawn[0].ndim == 1 else ()
    cells = (
        PlotCell(values.reshape(-1).astype(np.float64), ends, colours, place == 0, names)
        for place, values in enumerate(drawn)
    )
    signs = tuple(not_finite(flat))
    return FigureRow(head, tuple(cells), tuple(chosen.numbers.tolist()), chosen.count, signs=signs)


@dataclass(frozen=True, slots=True)
class _Painter:
    """Maps of each input `(C, ...)`, with what their colours mean; `constant` are those to be hatched."""

    drawn: Sequence[Array]
    scale: Limits
    constant: npt.NDArray[np.bool_]
    colormap: str
    gamma: float
    how: RowStyle

    @property
    def bar(self) -> BarScale:
        if self.scale.own:
            return BarScale(self.colormap, 0.0, 1.0, ENDS[self.scale.mode])
        return BarScale(self.colormap, float(self.scale.low[0]), float(self.scale.high[0]), None, self.gamma)

    @property
    def signs(self) -> tuple[str, ...]:
        found = [sign for values in self.drawn for sign in not_finite(values)]
        return tuple(dict.fromkeys([*(["constant"] if self.constant.any() else []), *found]))

    def cells(self, names: tuple[str, ...]) -> tuple[Cell, ...]:
        if self.drawn[0].ndim == 2:
            return tuple(BandCell(self._bands(values), self._colours, self._framed) for values in self.drawn)
        return tuple(self._tiles(values, names) for values in self.drawn)

    @property
    def _colours(self) -> Palette:
        return palette(self.colormap, self.how.style.theme)

    @property
    def _framed(self) -> bool:
        return melts_into_page(self.colormap, self.how.style.theme, self.scale.diverging)

    def _tiles(self, values: Array, names: tuple[str, ...]) -> TileCell:
        columns = self.how.style.columns
        constant, scale, shown = self.constant, self.scale, values
        if values.ndim == 4:
            slices = choose_slices(values.shape[1], columns or 9)
            columns, repeated = len(slices), np.repeat(np.arange(len(values)), len(slices))
            shown, scale, constant = values[:, slices], scale.take(repeated), constant[repeated]
            names = tuple(f"{name} · {place}" for name in names for place in slices)
        maps = shown.reshape(-1, *shown.shape[-2:])
        indices = quantise(maps, scale, channel_extremes(maps), gamma=self.gamma)
        tiles = [_hatching(tile) if flat else tile for tile, flat in zip(indices, constant, strict=True)]
        # As many as suit the first input, so that all have a tile at the same place.
        columns = min(len(tiles), columns or tile_columns(len(tiles), *self.drawn[0].shape[-2:]))
        return TileCell(tiles, self._colours, columns, names, self._framed, LARGEST)

    def _bands(self, values: Array) -> MapPixels:
        shrink = -(-values.shape[1] // WIDTH)
        if shrink > 1:
            values = strongest(values, np.arange(0, values.shape[1], shrink))
        bands = quantise(values[:, None], self.scale, channel_extremes(values), gamma=self.gamma)[:, 0]
        bands[self.constant] = HATCH_LINE
        return bands


def _hatching(tile: MapPixels) -> MapPixels:
    """Return diagonal lines in the shape of a tile, the sign of a channel that is constant."""
    scale = _HATCHED / max(tile.shape)
    lines = np.empty([max(1, round(size * scale)) for size in tile.shape], np.uint8)
    hatch(lines, 10)
    return lines

"""A contact sheet: cells of small pictures, each with a histogram and a line of words below."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from onnxviz.draw.palette import Colour, Theme
from onnxviz.draw.patches import PatchPixels
from onnxviz.draw.text import face

GAP, MARGIN, HEADER = 14, 16, 58
_WORDS, _BAR, _TEXT = 34, 9, 11
_WIDTH = 1980
BAR_STEP = 3
"""Pixels of a bar, with the one that parts it from the next."""


@dataclass(frozen=True, slots=True)
class CellSize:
    """How large a cell is: patches of so many pixels, so many in a row."""

    patch: int
    side: int

    @classmethod
    def of(cls, count: int, patch: int) -> CellSize:
        """Return the size for so many patches."""
        return cls(patch, math.ceil(math.sqrt(count)))

    @property
    def width(self) -> int:
        """Pixels of its width; the patches have a pixel between them."""
        return self.side * (self.patch + 1) - 1

    @property
    def height(self) -> int:
        """Pixels of its height, with histogram and words."""
        return self.width + _WORDS

    @property
    def columns(self) -> int:
        """How many cells stand in a row of a sheet of about 2,000 pixels."""
        return max(1, _WIDTH // (self.width + GAP))

    @property
    def bars(self) -> int:
        """How many bars a histogram has."""
        return self.width // BAR_STEP

    def pixels(self, count: int) -> tuple[int, int]:
        """Return height and width of a sheet of so many cells."""
        columns, rows = min(self.columns, max(count, 4)), -(-count // self.columns)
        return HEADER + rows * (self.height + GAP), 2 * MARGIN - GAP + columns * (self.width + GAP)

    def corner(self, place: int) -> tuple[int, int]:
        """Return the row and the column of pixels where a cell begins."""
        row, column = divmod(place, self.columns)
        return HEADER + row * (self.height + GAP), MARGIN + column * (self.width + GAP)


@dataclass(frozen=True, slots=True, eq=False)
class SheetCell:
    """What a cell shows.

    Attributes:
        tiles: its patches, `(k, patch, patch, 3) uint8`, the strongest first.
        bars: the heights of the bars, 0 to 1.
        strong: the first and the last bar in the accent colour.
        number, value: below it, at the left.
        words: at the right, shortened where they do not fit, with `mark` behind them.
        is_pure: whether the words are in the accent colour.
    """

    tiles: npt.NDArray[np.uint8]
    bars: npt.NDArray[np.float64]
    strong: tuple[int, int]
    number: str
    value: str
    words: str = ""
    mark: str = ""
    is_pure: bool = False


def contact_sheet(title: tuple[str, str], cells: Sequence[SheetCell], size: CellSize, theme: Theme) -> bytes:
    """Return a sheet as a JPEG: a title, a line below it, and the cells."""
    height, width = size.pixels(len(cells))
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[0] = theme.background
    canvas[1:] = canvas[0]  # rows at once: pixel by pixel it takes 60 ms
    room = width - 2 * MARGIN
    _write(canvas, (26, MARGIN), face().fit(title[0], 17, room), 17, theme.ink)
    _write(canvas, (45, MARGIN), face().fit(title[1], 12, room), 12, dimmed(theme))
    for place, cell in enumerate(cells):
        top, left = size.corner(place)
        _draw_cell(canvas[top : top + size.height, left : left + size.width], cell, size, theme)
    out = io.BytesIO()
    # Photographs, not data: colours at half the resolution take two thirds of the bytes.
    Image.fromarray(canvas).save(out, "JPEG", quality=75)
    return out.getvalue()


def read_sheet(path: Path) -> PatchPixels:
    """Return the pixels of a sheet."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def in_rows(cells: Sequence[PatchPixels], background: Colour) -> Image.Image:
    """Return cells of one size in rows below each other."""
    height, width = cells[0].shape[:2]
    columns = min(len(cells), max(1, _WIDTH // (width + GAP)))
    rows = -(-len(cells) // columns)
    canvas = np.empty((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), np.uint8)
    canvas[:] = background
    for place, cell in enumerate(cells):
        row, column = divmod(place, columns)
        top, left = GAP + row * (height + GAP), GAP + column * (width + GAP)
        canvas[top : top + height, left : left + width] = cell
    return Image.fromarray(canvas)


@cache
def dimmed(theme: Theme) -> Colour:
    """Return the colour of words that matter less."""
    red, green, blue = (round(0.42 * back + 0.58 * ink) for back, ink in zip(theme.background, theme.ink, strict=True))
    return red, green, blue


def _draw_cell(canvas: PatchPixels, cell: SheetCell, size: CellSize, theme: Theme) -> None:
    step = size.patch + 1
    for rank, tile in enumerate(cell.tiles):
        row, column = divmod(rank, size.side)
        canvas[row * step : row * step + size.patch, column * step : column * step + size.patch] = tile
    bottom = size.width + 3 + _BAR
    canvas[bottom, : BAR_STEP * len(cell.bars) - 1] = theme.hatch_line
    plain = dimmed(theme)
    for bar, height in enumerate(np.rint(cell.bars * _BAR).astype(int).tolist()):
        colour = theme.accent if cell.strong[0] <= bar <= cell.strong[1] else plain
        canvas[bottom - height : bottom, BAR_STEP * bar : BAR_STEP * bar + 2] = colour
    _write_line(canvas, cell, size, theme)


def _write_line(canvas: PatchPixels, cell: SheetCell, size: CellSize, theme: Theme) -> None:
    letters, baseline = face(), size.height - 6
    _write(canvas, (baseline, 0), cell.number, _TEXT, theme.ink)
    second = max(26, round(letters.width(cell.number, _TEXT)) + 6)
    _write(canvas, (baseline, second), cell.value, _TEXT, dimmed(theme))
    if cell.words:
        room = size.width - second - letters.width(cell.value, _TEXT) - 6 - letters.width(cell.mark, _TEXT)
        text = letters.fit(cell.words, _TEXT, room) + cell.mark
        start = size.width - round(letters.width(text, _TEXT))
        _write(canvas, (baseline, start), text, _TEXT, theme.accent if cell.is_pure else dimmed(theme))


def _write(canvas: PatchPixels, at: tuple[int, int], text: str, size: int, colour: Colour) -> None:
    """Write a text onto pixels; `at` is the row of its baseline and its first column."""
    cover = face().coverage(text, size)
    top, left = at[0] - size, at[1]
    area = canvas[top : top + cover.shape[0], left : left + cover.shape[1]]
    part = cover[: area.shape[0], : area.shape[1], None].astype(np.float32) / 255
    area[:] = np.rint(area * (1 - part) + np.array(colour, np.float32) * part)

"""Where the maps of a montage stand: how far each is enlarged, how many are in a row, how many on a page."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from onnxviz.draw.style import Style
from onnxviz.errors import UsageError

PAGE = 2000
"""The longest side of a page, in pixels."""

# What is left of a page beside margins, header and labels.
_LARGEST = PAGE - 260
_ASPECT = 1.4
# How much a last row that is not full counts against an arrangement, in the logarithm of the aspect.
_RAGGED = 0.15
# (count, pixels): up to this many maps, the longer side comes near to this many pixels.
_TILES = ((1, 512), (4, 256), (48, 128), (160, 96), (math.inf, 64))
_THINNEST, _THIN_SHARE = 8, 8


@dataclass(frozen=True, slots=True)
class Tile:
    """A map as it stands on a page.

    Attributes:
        height, width: its pixels on the page.
        zoom: (down, across), how often each value is repeated.
        shrink: (down, across), how many values become one; 1 where zoom is more.
        gap: pixels between tiles.
    """

    height: int
    width: int
    zoom: tuple[int, int]
    shrink: tuple[int, int]
    gap: int

    @property
    def values(self) -> tuple[int, int]:
        """Rows and columns of values that are drawn."""
        return self.height // self.zoom[0], self.width // self.zoom[1]

    @property
    def enlarged(self) -> bool:
        """Whether any value takes more than one pixel."""
        return self.zoom != (1, 1)

    @property
    def words(self) -> str:
        """The zoom as a picture says it."""
        down, across = (f"{zoom}:{shrink}" for zoom, shrink in zip(self.zoom, self.shrink, strict=True))
        text = across if down == across else f"{across} across, {down} down"
        return text if self.shrink == (1, 1) else f"{text} area mean"


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the tiles stand on the pages.

    Attributes:
        columns: tiles in a row.
        rows: rows in all.
        page_rows: rows on a page; the last page may have fewer.
        step: (down, across), pixels from one tile to the next.
        tile: the size of each.
    """

    columns: int
    rows: int
    page_rows: int
    step: tuple[int, int]
    tile: Tile

    @property
    def pages(self) -> int:
        """How many pages there are."""
        return -(-self.rows // self.page_rows)

    @property
    def width(self) -> int:
        """Pixels from the first column to the end of the last."""
        return self.columns * self.step[1] - self.tile.gap

    def height(self, rows: int) -> int:
        """Return the pixels that rows take, with what stands below their tiles."""
        return rows * self.step[0] - self.tile.gap


def choose_tile(count: int, height: int, width: int, style: Style) -> Tile:
    """Return how maps of (height, width) are drawn: enlarged by whole factors, or shrunk by whole factors.

    The longer side comes near to the style's tile, else to 128 pixels, more where there are few maps and less where
    there are many. A larger map keeps its size up to a third of a page.

    >>> choose_tile(32, 7, 7, Style()).words, choose_tile(32, 149, 149, Style()).words
    ('18:1', '1:1')

    Raises:
        UsageError: the style's tile, columns or rows are less than 1, or the tile is larger than a page.
    """
    check_sizes(style)
    wanted, largest = _sizes(count, style)
    longer = max(height, width)
    factor = max(1, min(round(wanted / longer), _LARGEST // longer))
    by = 1
    if longer > largest:
        by = max(round(longer / wanted), math.ceil(longer / _LARGEST)) if style.tile else math.ceil(longer / largest)
    # A long thin map keeps what little it has on its short side, and is made thick enough to see.
    thin = max(_THINNEST, wanted // _THIN_SHARE)
    shrink = min(by, max(1, height // thin)), min(by, max(1, width // thin))
    rows, columns = -(-height // shrink[0]), -(-width // shrink[1])
    down, across = (max(factor, -(-min(thin, wanted) // values)) for values in (rows, columns))
    return Tile(rows * down, columns * across, (down, across), shrink, 2 if columns * across < 48 else 4)


def check_sizes(style: Style) -> None:
    """Raise UsageError for a tile, columns or rows below 1, and for a tile that is larger than a page."""
    for name in ("tile", "columns", "rows"):
        size = getattr(style, name)
        if size is not None and size < 1:
            raise UsageError(f"{name} must be 1 or more, not {size}")
    if style.tile is not None and style.tile > _LARGEST:
        raise UsageError(f"tile must be at most {_LARGEST}, which fills a page, not {style.tile}")


def arrange(count: int, tile: Tile, strip: int, style: Style, room: tuple[int, int]) -> Grid:
    """Return where `count` tiles stand, each with `strip` pixels below it, on pages with (height, width) of room.

    All pages but the last have the same number of rows.
    """
    step = tile.height + strip + tile.gap, tile.width + tile.gap
    most_rows, most_columns = (max(1, (space + tile.gap) // length) for space, length in zip(room, step, strict=True))
    columns = style.columns or (-(-count // style.rows) if style.rows else near_aspect(count, step))
    columns = max(1, min(columns, most_columns, count))
    rows = max(1, -(-count // columns))
    page_rows = min(style.rows or rows, most_rows, rows)
    if not style.rows:
        page_rows = -(-rows // -(-rows // page_rows))
    return Grid(columns, rows, page_rows, step, tile)


def near_aspect(count: int, step: tuple[int, int]) -> int:
    """Return the number of columns for a page of about 1.4 : 1; one that fills the last row is preferred.

    >>> near_aspect(32, (131, 116)), near_aspect(384, (94, 74))
    (8, 24)
    """
    columns = np.arange(1, count + 1)
    rows = -(-count // columns)
    aspect = (columns * step[1]) / (rows * step[0])
    empty = rows * columns - count
    return int(columns[np.argmin(np.abs(np.log(aspect / _ASPECT)) + 2 * empty / count + _RAGGED * (empty > 0))])


def _sizes(count: int, style: Style) -> tuple[int, int]:
    """Return the pixels that a map's longer side comes near to, and the most that it may have."""
    if style.tile:
        return min(style.tile, _LARGEST), min(style.tile * 3 // 2, _LARGEST)
    wanted, largest = next(size for most, size in _TILES if count <= most), PAGE // 3
    if style.columns or style.rows:
        # Many columns ask for small maps.
        room = max(1, (PAGE - 120) // max(style.columns or 1, style.rows or 1) - 6)
        wanted, largest = min(wanted, room), min(largest, room)
    return wanted, largest


def row_view(canvas: NDArray[np.uint8], grid: Grid, place: tuple[int, int], count: int) -> NDArray[np.uint8]:
    """Return `count` tiles of a row whose first has its corner at `place` (y, x), as a view of the canvas.

    The view has the shape (count, rows, down, width): broadcasting writes a row of pixels to all its repetitions.
    """
    strips = strip_view(canvas, grid, place, (count, grid.tile.height))
    # Cut one axis in two, which never copies.
    return strips.reshape(count, grid.tile.values[0], grid.tile.zoom[0], grid.tile.width)


def strip_view(
    canvas: NDArray[np.uint8], grid: Grid, place: tuple[int, int], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Return strips as wide as the tiles of a row, the first with its corner at `place` (y, x), as a view.

    `size` is how many there are and how many pixels each is high; the view has the shape (count, height, width).
    """
    (y, x), (count, height) = place, size
    # as_strided looks at no border.
    assert y + height <= canvas.shape[0] and x + count * grid.step[1] - grid.tile.gap <= canvas.shape[1]
    line, pixel = canvas.strides
    return as_strided(canvas[y:, x:], (count, height, grid.tile.width), (grid.step[1] * pixel, line, pixel))

"""Names of tokens, such as ids, along the sides of matrices: queries at the left, keys above, where there is room."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnxviz.draw.grid import Grid, Tile
from onnxviz.draw.page import Page
from onnxviz.draw.text import Face

SIZE = 10
"""The height of the names in pixels."""

ZOOM = 12
"""Pixels that a row or column has where it is named."""

MOST = 40
"""Tokens that are named at most."""

_LONGEST = 80
_GAP = 6


@dataclass(frozen=True, slots=True)
class TokenNames:
    """The names at the two sides of each matrix, empty where a side has none."""

    rows: Sequence[str] = ()
    columns: Sequence[str] = ()

    def side(self, letters: Face) -> int:
        """Return the pixels that the names take at a side, 0 where there are none."""
        names = (*self.rows, *self.columns)
        return min(_LONGEST, math.ceil(max(letters.width(name, SIZE) for name in names))) + _GAP + 2 if names else 0

    def draw(self, page: Page, grid: Grid, corner: tuple[int, int], tiles: tuple[int, int]) -> None:
        """Name the sides of so many rows and columns of tiles, the first with its corner at (y, x)."""
        (top, left), (down, across) = corner, grid.tile.zoom
        for row in range(tiles[0]):
            for place, name in enumerate(self.rows):
                y = top + row * grid.step[0] + (place + 0.5) * down + SIZE / 2 - 1
                page.text(left - _GAP, y, name, SIZE, 150, "r", _LONGEST)
        for column in range(tiles[1]):
            for place, name in enumerate(self.columns):
                x = left + column * grid.step[1] + (place + 0.5) * across
                page.upright(x, top - _GAP, name, SIZE, 150, _LONGEST)


def names_of_sides(names: Mapping[int, Sequence[str]], size: tuple[int, int], tile: Tile) -> TokenNames:
    """Return what names the sides of matrices of (rows, columns), as far as the tile leaves room for it."""
    if min(tile.zoom) < ZOOM:
        return TokenNames()
    return TokenNames(names.get(size[0], ()), names.get(size[1], ()))

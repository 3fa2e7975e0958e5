"""Where a contact sheet puts what."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from onnxviz.draw.contact_sheet import CellSize, SheetCell, contact_sheet, in_rows
from onnxviz.draw.palette import THEMES


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_patches_bars_and_words_lie_in_their_cell(theme: str) -> None:
    size, look = CellSize.of(9, 36), THEMES[theme]
    tiles = np.zeros((9, 36, 36, 3), np.uint8)
    tiles[4] = 255, 0, 0
    bars = np.zeros(size.bars)
    bars[[0, 20]] = 1
    cells = [SheetCell(tiles, bars, (20, 20), str(unit), "1.5", "chessboard", " 9", is_pure=True) for unit in range(20)]
    picture = np.asarray(Image.open(io.BytesIO(contact_sheet(("name", "line"), cells, size, look))))
    assert picture.shape[:2] == size.pixels(20)
    for place in (0, 15, 16, 19):
        top, left = size.corner(place)
        middle = picture[top + 37 + 18, left + 37 + 18].astype(int)
        assert np.abs(middle - (255, 0, 0)).max() < 12
        bar = picture[top + size.width + 6, left + 60].astype(int)
        assert np.abs(bar - look.accent).max() < 90
        line = picture[top + size.height - 16 : top + size.height - 4, left : left + size.width].astype(int)
        assert (np.abs(line - look.background).max(axis=2) > 60).any(axis=0)[-6:].any(), "words end at the right"
    assert np.abs(picture[-4:, -4:].astype(int) - look.background).max() < 12


@pytest.mark.parametrize(("count", "side"), [(1, 1), (4, 2), (5, 3), (9, 3), (16, 4)])
def test_how_many_patches_stand_in_a_row(count: int, side: int) -> None:
    assert CellSize.of(count, 36).side == side


def test_cells_in_rows() -> None:
    cells = [np.full((50, 100, 3), value, np.uint8) for value in range(20)]
    picture = in_rows(cells, (7, 7, 7))
    assert picture.size == (17 * 114 + 14, 2 * 64 + 14)
    assert picture.getpixel((14 + 114, 14 + 64)) == (18, 18, 18)

"""Filmstrips: which slices are drawn, and on which scale."""

from __future__ import annotations

import numpy as np
import pytest

from onnxviz.draw.filmstrip import choose_slices, draw_filmstrip, draw_steps
from onnxviz.draw.page import MARGIN, Page
from onnxviz.draw.palette import FRAME, LEVELS, NAN
from onnxviz.draw.prepare import prepare
from onnxviz.draw.style import Caption, Style

STEP = 128 + 4
BELOW = 15 + 5
CAPTION = Caption("conv3d", "Conv")


@pytest.fixture
def without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Page, "text", lambda *_, **__: None)


def tile_corners(maps: np.ndarray, style: Style, shape: tuple[int, int]) -> np.ndarray:
    """Return the first pixel of every tile, (rows, columns)."""
    rows, columns = shape
    return tiles(maps, style, rows)[:: STEP + BELOW, MARGIN::STEP][:rows, :columns]


def tiles(maps: np.ndarray, style: Style, rows: int) -> np.ndarray:
    """Return the page from so many rows of tiles on; bar and label are below each."""
    (drawing,) = draw_filmstrip(prepare(maps, CAPTION, style))
    image = np.asarray(drawing.image)
    return image[len(image) - MARGIN - rows * (STEP + BELOW) + 4 :]


@pytest.mark.parametrize(
    ("depth", "most", "slices"),
    [(1, 9, [0]), (3, 9, [0, 1, 2]), (17, 9, [0, 2, 4, 6, 8, 10, 12, 14, 16]), (10, 4, [0, 3, 6, 9]), (10, 1, [5])],
)
def test_slices_are_evenly_chosen(depth: int, most: int, slices: list[int]) -> None:
    assert choose_slices(depth, most) == slices


@pytest.mark.usefixtures("without_words")
def test_rows_are_channels_columns_are_slices_on_one_scale_a_channel() -> None:
    maps = np.zeros((2, 3, 8, 8), np.float32)
    maps[0] += np.array([0, 2, 4])[:, None, None]
    maps[1] += np.array([30, 20, 10])[:, None, None]
    half = LEVELS // 2 - 1
    assert tile_corners(maps, Style(tile=128), (2, 3)).tolist() == [[0, half, LEVELS - 1], [LEVELS - 1, half, 0]]


@pytest.mark.usefixtures("without_words")
def test_the_scale_is_that_of_all_slices_even_of_those_left_out() -> None:
    maps = np.zeros((1, 3, 8, 8), np.float32)
    maps[0, 2] = 1
    maps[0, 1] = 2
    corners = tile_corners(maps, Style(columns=2, tile=128), (1, 2))
    assert corners.tolist() == [[0, LEVELS // 2 - 1]]


def test_many_constant_channels_are_left_out_and_told() -> None:
    maps = np.random.default_rng(0).random((12, 2, 8, 8)).astype(np.float32)
    maps[:9] = 3
    (drawing,) = draw_filmstrip(prepare(maps, CAPTION, Style()))
    assert "live 3 of 12, constant ones not drawn" in drawing.text["Description"]
    for style in (Style(channels=tuple(range(12))), Style(top=12)):
        chosen = draw_filmstrip(prepare(maps, CAPTION, style))[0]
        assert "not drawn" not in chosen.text["Description"]
    (few,) = draw_filmstrip(prepare(maps[6:], CAPTION, Style()))
    assert "not drawn" not in few.text["Description"]
    assert chosen.image.height > drawing.image.height


def test_slices_of_one_sign_have_the_frames_of_their_colormap() -> None:
    # The whole volume has both signs, the three slices that are drawn have one: the scale is about zero all the same.
    maps = np.random.default_rng(0).random((1, 9, 8, 8)).astype(np.float32) + 0.1
    maps[0, 1] *= -1
    (drawing,) = draw_filmstrip(prepare(maps, CAPTION, Style(columns=3)))
    assert drawing.text["Colormap"] == "berlin"
    assert FRAME in np.asarray(drawing.image)


def test_the_slices_are_told() -> None:
    (drawing,) = draw_filmstrip(prepare(np.zeros((1, 20, 4, 4), np.float32), CAPTION, Style(columns=3)))
    assert drawing.text["Description"] == "Conv · rows are channels, columns are slices 0, 10, 19 of 20"


@pytest.mark.usefixtures("without_words")
def test_nan_is_seen_in_its_slice_only() -> None:
    maps = np.random.default_rng(0).random((1, 2, 8, 8)).astype(np.float32)
    maps[0, 1] = np.nan
    image = tiles(maps, Style(tile=128), 1)
    assert not (image[:, MARGIN : MARGIN + 128] == NAN).any()
    assert (image[:128, MARGIN + STEP : MARGIN + STEP + 128] == NAN).any()


def test_steps_are_columns_by_their_own_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    words: list[str] = []
    monkeypatch.setattr(Page, "text", lambda _page, _x, _y, text, *_, **__: words.append(text))
    maps = np.arange(2 * 3 * 8 * 8, dtype=np.float32).reshape(2, 3, 8, 8)
    (drawing,) = draw_steps(prepare(maps, Caption("body/conv", "Conv", first_step=16), Style(tile=128)))
    assert drawing.text["Description"] == "Conv · rows are channels, columns are steps"
    assert [word for word in words if " · 1" in word] == ["0 · 16", "0 · 17", "0 · 18", "1 · 16", "1 · 17", "1 · 18"]


def test_sixteen_steps_are_drawn_at_most() -> None:
    (drawing,) = draw_steps(prepare(np.zeros((1, 31, 4, 4), np.float32), CAPTION, Style()))
    assert "columns are steps 0, 2, 4, " in drawing.text["Description"]
    assert drawing.text["Description"].endswith(", 30 of 31")

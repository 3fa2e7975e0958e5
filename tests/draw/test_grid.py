"""Where tiles go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxviz.draw.grid import PAGE, arrange, choose_tile, near_aspect, row_view
from onnxviz.draw.style import Style
from onnxviz.errors import UsageError


@pytest.mark.parametrize(
    ("count", "height", "width", "style", "zoom", "shrink", "size"),
    [
        (32, 149, 149, Style(), (1, 1), (1, 1), (149, 149)),
        (32, 7, 7, Style(), (18, 18), (1, 1), (126, 126)),
        (64, 7, 7, Style(), (14, 14), (1, 1), (98, 98)),
        (1280, 7, 7, Style(), (9, 9), (1, 1), (63, 63)),
        (1, 4, 4, Style(), (128, 128), (1, 1), (512, 512)),
        (3, 112, 112, Style(), (2, 2), (1, 1), (224, 224)),
        (8, 640, 640, Style(), (1, 1), (1, 1), (640, 640)),
        (8, 2048, 1024, Style(), (1, 1), (4, 4), (512, 256)),
        (8, 149, 149, Style(tile=64), (1, 1), (2, 2), (75, 75)),
        (8, 14, 14, Style(tile=100), (7, 7), (1, 1), (98, 98)),
        (32, 149, 149, Style(columns=8), (1, 1), (1, 1), (149, 149)),
        (96, 149, 149, Style(columns=24), (1, 1), (3, 3), (50, 50)),
        (6, 1, 64, Style(), (16, 2), (1, 1), (16, 128)),
        (6, 3, 4000, Style(), (6, 1), (1, 7), (18, 572)),
        (6, 1, 1, Style(tile=5), (5, 5), (1, 1), (5, 5)),
    ],
)
def test_tiles(
    count: int,
    height: int,
    width: int,
    style: Style,
    zoom: tuple[int, int],
    shrink: tuple[int, int],
    size: tuple[int, int],
) -> None:
    tile = choose_tile(count, height, width, style)
    assert (tile.zoom, tile.shrink, (tile.height, tile.width)) == (zoom, shrink, size)
    assert tile.values == (-(-height // shrink[0]), -(-width // shrink[1]))


def test_the_zoom_in_words() -> None:
    assert choose_tile(32, 7, 7, Style()).words == "18:1"
    assert choose_tile(8, 2048, 1024, Style()).words == "1:4 area mean"
    assert choose_tile(6, 1, 64, Style()).words == "2:1 across, 16:1 down"


@pytest.mark.parametrize("style", [Style(tile=0), Style(columns=0), Style(rows=-1)])
def test_sizes_must_be_positive(style: Style) -> None:
    with pytest.raises(UsageError, match="must be 1 or more, not"):
        choose_tile(3, 4, 4, style)


def test_a_tile_is_no_larger_than_a_page() -> None:
    assert choose_tile(1, 870, 870, Style(tile=1740)).words == "2:1"
    with pytest.raises(UsageError, match="tile must be at most 1740"):
        choose_tile(1, 870, 870, Style(tile=1741))


def test_aspect() -> None:
    assert near_aspect(1, (10, 10)) == 1
    assert near_aspect(32, (149, 149)) == 7 or near_aspect(32, (149, 149)) == 8
    assert near_aspect(35, (10, 10)) == 7


def test_columns_and_rows_as_asked() -> None:
    tile = choose_tile(32, 100, 100, Style(columns=8, rows=4))
    grid = arrange(32, tile, 15, Style(columns=8, rows=4), (PAGE, PAGE))
    assert (grid.columns, grid.rows, grid.page_rows, grid.pages) == (8, 4, 4, 1)
    grid = arrange(32, tile, 15, Style(columns=8, rows=2), (PAGE, PAGE))
    assert (grid.columns, grid.page_rows, grid.pages) == (8, 2, 2)
    grid = arrange(32, tile, 15, Style(rows=2), (PAGE, PAGE))
    assert (grid.columns, grid.rows) == (16, 2)


def test_pages_have_equal_rows() -> None:
    tile = choose_tile(400, 64, 64, Style())
    grid = arrange(400, tile, 15, Style(), (400, 700))
    assert grid.columns == 10
    assert (grid.rows, grid.page_rows, grid.pages) == (40, 4, 10)


@given(
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.builds(
        Style,
        tile=st.none() | st.integers(1, 1740),
        columns=st.none() | st.integers(1, 100),
        rows=st.none() | st.integers(1, 100),
    ),
)
def test_every_tile_has_a_place_within_the_page(count: int, height: int, width: int, style: Style) -> None:
    tile = choose_tile(count, height, width, style)
    grid = arrange(count, tile, 20, style, (1800, 1900))
    assert grid.columns * grid.rows >= count > grid.columns * (grid.rows - 1)
    assert grid.page_rows * grid.pages >= grid.rows
    assert grid.width <= 1900
    assert grid.height(grid.page_rows) <= 1800 + 20
    assert 1 in (tile.zoom[0], tile.shrink[0])
    assert 1 in (tile.zoom[1], tile.shrink[1])


def test_a_row_is_written_through_its_view() -> None:
    tile = choose_tile(2, 2, 2, Style(tile=4))
    grid = arrange(2, tile, 1, Style(columns=2), (100, 100))
    canvas = np.zeros((6, 12), np.uint8)
    view = row_view(canvas, grid, (1, 1), 2)
    assert view.shape == (2, 2, 2, 4)
    view[:] = np.arange(1, 9).reshape(2, 2, 1, 2).repeat(2, axis=3)
    assert canvas.tolist() == [
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 1, 2, 2, 0, 0, 5, 5, 6, 6, 0],
        [0, 1, 1, 2, 2, 0, 0, 5, 5, 6, 6, 0],
        [0, 3, 3, 4, 4, 0, 0, 7, 7, 8, 8, 0],
        [0, 3, 3, 4, 4, 0, 0, 7, 7, 8, 8, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ]


def test_a_view_never_leaves_its_canvas() -> None:
    tile = choose_tile(2, 2, 2, Style(tile=4))
    grid = arrange(2, tile, 1, Style(columns=2), (100, 100))
    with pytest.raises(AssertionError):
        row_view(np.zeros((6, 10), np.uint8), grid, (1, 1), 2)

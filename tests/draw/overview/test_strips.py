"""The pictures of a row: their scale, and how they fill their boxes."""

from __future__ import annotations

import numpy as np
import pytest

from onnxviz.draw.overview import OverviewRow, summarise
from onnxviz.draw.overview.boxes import STRIP, TILE
from onnxviz.draw.overview.row import MapsLook
from onnxviz.draw.overview.strips import enlarged
from onnxviz.draw.overview.strips import tile_limits as limits_of_tiles
from onnxviz.draw.style import Caption, Style


def maps_look(row: OverviewRow) -> MapsLook:
    assert isinstance(row.look, MapsLook)
    return row.look


@pytest.mark.parametrize("channels", [1, 2, 7, 40])
@pytest.mark.parametrize("size", [(24, 160), (12, 160), (6, 80), (3, 80), (4, 2100), (2, 3), (40, 90), (300, 900)])
def test_wide_maps_stay_in_their_boxes(channels: int, size: tuple[int, int]) -> None:
    maps = np.random.default_rng(0).random((channels, *size)).astype(np.float32)
    look = maps_look(summarise(maps[None], "NCHW", Caption("conv", "Conv")))
    count = len(look.tiles) + 2 * (channels > 1)
    for tile in look.tiles:
        image = enlarged(np.zeros((*tile.shape, 3), np.uint8), look.boxes.size)
        assert image.height <= look.boxes.size[0]
        assert image.width <= look.boxes.size[1]
    if not look.boxes.usual:
        assert count <= look.boxes.lines * look.boxes.columns
        bottom, right = look.boxes.place(look.boxes.lines * look.boxes.columns - 1)
        assert bottom + look.boxes.size[0] <= TILE
        assert right + look.boxes.size[1] <= STRIP


def test_maps_of_text_lines_are_larger_than_a_tile() -> None:
    look = maps_look(summarise(np.random.default_rng(0).random((1, 16, 24, 160)), "NCHW", Caption("conv", "Conv")))
    assert enlarged(look.projection, look.boxes.size).size == (210, 32)


@pytest.mark.parametrize(
    ("style", "low", "high"),
    [
        (Style(), [0, 0, 5], [4, 2, 5]),
        (Style(scale="channel"), [0, 0, 5], [4, 2, 5]),
        (Style(scale="layer"), [0, 0, 0], [5, 5, 5]),
        (Style(scale="symmetric"), [-5, -5, -5], [5, 5, 5]),
        (Style(limits=(1, 2)), [1, 1, 1], [2, 2, 2]),
        (Style(scale="fixed:1,2"), [1, 1, 1], [2, 2, 2]),
    ],
)
def test_scales_of_tiles(steps: np.ndarray, style: Style, low: list[float], high: list[float]) -> None:
    row = summarise(steps, "NCHW", Caption("conv1", "Conv"))
    limits = limits_of_tiles(row, maps_look(row), style)
    assert (limits.low.tolist(), limits.high.tolist()) == (low, high)


def test_the_scale_of_a_layer_is_that_of_all_its_channels() -> None:
    maps = np.random.default_rng(0).random((1, 9, 4, 4)).astype(np.float32)
    maps[0, 8] = 50
    row = summarise(maps, "NCHW", Caption("conv1", "Conv"))
    assert 8 not in maps_look(row).top
    assert limits_of_tiles(row, maps_look(row), Style(scale="layer")).high[0] == 50


def test_tiles_of_a_signed_layer_have_zero_in_the_middle(steps: np.ndarray) -> None:
    steps[0, 0, 0, 0] = -9
    row = summarise(steps, "NCHW", Caption("conv1", "Conv"))
    found = limits_of_tiles(row, maps_look(row), Style())
    # All of them, those that have one sign alone as well.
    assert (found.low == -found.high).all()
    assert found.diverging


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        (7, 7, (112, 112)),
        (100, 100, (100, 100)),
        (64, 64, (112, 112)),
        (24, 80, (112, 34)),
        (1, 64, (112, 14)),
        (3, 64, (112, 15)),
        (1, 1, (112, 112)),
    ],
)
def test_maps_of_any_size_fill_a_tile(height: int, width: int, size: tuple[int, int]) -> None:
    image = enlarged(np.full((height, width, 3), 77, np.uint8), (TILE, TILE))
    assert image.size == size
    assert image.getextrema() == ((77, 77),) * 3


def test_a_map_between_two_factors_keeps_its_values_apart() -> None:
    colours = np.zeros((64, 64, 3), np.uint8)
    colours[:, 32:] = 200
    pixels = np.asarray(enlarged(colours, (TILE, TILE)))[:, :, 0]
    # Pixel 56 begins where value 32 does: 56 / 112 = 32 / 64.
    assert (pixels[:, :56] == 0).all()
    assert (pixels[:, 56:] == 200).all()

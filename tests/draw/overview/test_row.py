"""What is kept of a layer for its row."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from onnxviz.draw.overview import OverviewRow, summarise
from onnxviz.draw.overview.boxes import CURVE, SAMPLES, TILE
from onnxviz.draw.overview.row import MapsLook, VectorLook, shrink
from onnxviz.draw.projection import pca_rgb
from onnxviz.draw.style import Caption, Style


def maps_look(row: OverviewRow) -> MapsLook:
    assert isinstance(row.look, MapsLook)
    return row.look


def test_maps_are_summarised(steps: np.ndarray) -> None:
    row = summarise(steps, "NCHW", Caption("conv1", "Conv"))
    look = maps_look(row)
    assert (row.caption, row.kind, row.notes) == (Caption("conv1", "Conv"), "maps", ())
    assert (row.channels, row.live, row.irregular, row.range) == (3, 2, "", (0, 5))
    assert look.mean == pytest.approx(np.array([[5, 7], [9, 11]]) / 3)
    assert look.mean_range == pytest.approx((5 / 3, 11 / 3))
    assert look.top == (2, 1, 0)
    assert np.array_equal(look.tiles, steps[0, [2, 1, 0]])
    picture, share = pca_rgb(steps[0])
    assert np.array_equal(look.projection, picture)
    assert look.share == share
    assert row.curve is not None
    assert row.curve.points.tolist() == [2, 1, 0]
    assert (row.curve.greatest, row.curve.median) == (2, 1)


def test_only_small_arrays_are_kept() -> None:
    maps = np.random.default_rng(0).random((1, 300, 150, 100), np.float32)
    row = summarise(maps, "NCHW", Caption("conv1", "Conv"))
    assert row.curve is not None
    kept = [row.curve.points]
    kept += [value for value in dataclasses.asdict(maps_look(row)).values() if isinstance(value, np.ndarray)]
    assert sum(array.nbytes for array in kept) < 500_000
    assert not any(np.shares_memory(array, maps) for array in kept)
    assert maps_look(row).tiles.shape == (7, TILE, 75)
    assert len(row.curve.points) == CURVE


def test_the_mean_of_large_maps_is_their_area_mean() -> None:
    maps = np.zeros((1, 1, 2 * TILE, 2 * TILE), np.float32)
    maps[0, 0, 0, 0] = 4
    assert maps_look(summarise(maps, "NCHW", Caption("conv1", "Conv"))).mean[0, :2].tolist() == [1, 0]


def test_channels_are_ranked_by_deviation_not_by_strength() -> None:
    maps = np.zeros((1, 3, 4, 4), np.float32)
    maps[0, 0] = 100
    maps[0, 1, 0, 0] = 1
    maps[0, 2, 0, :2] = 1
    assert maps_look(summarise(maps, "NCHW", Caption("conv1", "Conv"))).top == (2, 1, 0)


def test_a_volume_is_shown_by_its_middle_slice() -> None:
    maps = np.zeros((1, 2, 5, 3, 3), np.float32)
    maps[0, :, 0, 0, 0] = 9
    maps[0, 1, 2, 0, 0] = 4
    row = summarise(maps, "NCDHW", Caption("conv3d", "Conv"))
    assert row.notes == ("slice 2 of 5",)
    assert (row.range, row.live) == ((0, 9), 2)
    assert maps_look(row).top == (1, 0)
    assert maps_look(row).tiles[0, 0, 0] == 4


def test_maps_in_steps_are_shown_by_the_last_step() -> None:
    maps = np.zeros((3, 1, 2, 4, 4), np.float32)
    maps[0, 0, :, 0, 0] = 9
    maps[2, 0, 1, 0, 0] = 4
    row = summarise(maps, "SNCHW", Caption("body/conv", "Conv", first_step=16))
    assert row.notes == ("step 18",)
    assert (row.range, row.live) == ((0, 9), 2)
    assert maps_look(row).tiles[0, 0, 0] == 4


def test_sequences_are_as_long_as_the_strip_and_keep_what_is_loud() -> None:
    waves = np.stack([np.tile([0.0, 0.5, -2, 1], 1000), np.tile([0.0, 1, 0, -1], 1000)]).astype(np.float32)
    look = maps_look(summarise(waves[None], "NCL", Caption("conv1d", "Conv")))
    assert look.tiles.shape == (2, 1, SAMPLES)
    assert look.projection.shape == (1, SAMPLES, 3)
    assert (look.tiles[0] == -2).all()
    short = maps_look(summarise(waves[None, :, :500], "NCL", Caption("conv1d", "Conv")))
    assert np.array_equal(short.tiles[:, 0], waves[:, :500])
    assert np.array_equal(short.mean[0], waves[:, :500].mean(axis=0))


def test_a_vector_keeps_its_bars_and_its_largest() -> None:
    row = summarise(np.array([[0.0, -3, 2, np.nan]]), "NC", Caption("fc", "Gemm"))
    assert isinstance(row.look, VectorLook)
    assert (row.channels, row.live, row.irregular, row.range) == (4, 3, "NaN in 1 of 4", (-3, 2))
    assert row.look.top == (2, 0, 1, 3)
    assert row.look.columns.high.tolist() == [0, 0, 2, 0]
    assert row.curve is not None
    assert row.curve.points.tolist() == [3, 2, 0, 0]


def test_no_values_are_a_row_all_the_same() -> None:
    row = summarise(np.zeros((1, 0, 4)), None, Caption("boxes", "NonMaxSuppression"))
    assert (row.kind, row.notes, row.look) == ("nothing", ("no values",), None)


def test_what_is_not_finite_does_not_count_in_the_mean() -> None:
    maps = np.ones((1, 2, 2, 2), np.float32)
    maps[0, 0, 0] = [np.nan, np.inf]
    maps[0, 1, 0, 0] = np.nan
    row = summarise(maps, "NCHW", Caption("conv1", "Conv"))
    assert np.array_equal(maps_look(row).mean, np.array([[np.nan, 1], [1, 1]]), equal_nan=True)
    assert row.irregular == "NaN in 2, inf in 1 of 2"


@pytest.mark.parametrize(
    ("shape", "shrunk"),
    [((5, 7), (5, 7)), ((224, 224), (112, 112)), ((224, 112), (112, 56)), ((1, 900), (1, 112)), ((20, 9000), (8, 112))],
)
def test_pictures_are_shrunk_to_a_tile(shape: tuple[int, int], shrunk: tuple[int, int]) -> None:
    assert shrink(np.zeros(shape, np.float32), (TILE, TILE)).shape == shrunk
    assert shrink(np.zeros((*shape, 3), np.uint8), (TILE, TILE)).shape == (*shrunk, 3)


def test_a_channel_without_a_finite_value_is_not_live(steps: np.ndarray) -> None:
    steps[0, 2] = np.nan
    assert summarise(steps, "NCHW", Caption("conv", "")).live == 1
    assert summarise(np.full((1, 32, 4, 4), np.nan), "NCHW", Caption("conv", "")).live == 0


@pytest.mark.parametrize(
    ("style", "shown"),
    [
        (Style(), (2, 1, 3, 0)),
        (Style(channels="0,1"), (1, 0)),
        (Style(top=2), (1, 0)),
        (Style(order="mean"), (3, 2, 1, 0)),
        (Style(order="mean", top=2), (3, 2)),
    ],
)
@pytest.mark.parametrize("layout", ["NCHW", "NCL"])
def test_an_overview_keeps_to_the_channels_and_the_order_that_are_asked_for(
    style: Style, shown: tuple[int, ...], layout: str
) -> None:
    maps = np.zeros((1, 4, 4, 4), np.float32)
    maps[0, 1, 0, 0], maps[0, 2, :2], maps[0, 3], maps[0, 3, 0, 0] = 1, 1, 9, 9.5
    maps = maps if layout == "NCHW" else maps.reshape(1, 4, 16)
    assert maps_look(summarise(maps, layout, Caption("conv", ""), style=style)).top == shown


def test_the_bars_of_an_overview_are_those_that_are_asked_for() -> None:
    vector = np.array([[4.0, -3, 2, 1]])
    row = summarise(vector, "NC", Caption("fc", ""), style=Style(channels="1,3", scale="symmetric"))
    assert isinstance(row.look, VectorLook)
    assert (row.look.top, row.look.values, row.look.ends) == ((3, 1), (1, -3), (-4, 4))
    assert row.look.columns.low.tolist() == [-3, 0]
    shared = summarise(vector, "NC", Caption("fc", ""), style=Style(limits=(-10, 20)))
    assert isinstance(shared.look, VectorLook)
    assert shared.look.ends == (-10, 20)

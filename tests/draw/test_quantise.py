"""Values to palette indices: by hand, then for every kind of number."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from onnxviz.draw.palette import LEVELS, NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY
from onnxviz.draw.quantise import quantise, quantise_into
from onnxviz.draw.scale import limits
from onnxviz.draw.statistics import channel_statistics
from onnxviz.draw.style import Style

TOP = LEVELS - 1
SPECIAL = (NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY)


def indices(maps: np.ndarray, mode: str = "channel", gamma: float = 1.0) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        statistics = channel_statistics(maps)
        return quantise(maps, limits(maps, statistics, Style(scale=mode)), statistics, gamma=gamma)


def test_by_hand() -> None:
    maps = np.array([[[0, 1], [2, 4]]], np.float32)
    assert indices(maps).tolist() == [[[0, 57], [115, 231]]]


def test_each_channel_reaches_both_ends() -> None:
    maps = np.random.default_rng(1).normal(size=(4000, 3, 3)).astype(np.float32)
    found = indices(maps).reshape(4000, -1)
    assert (found.min(axis=1) == 0).all()
    assert (found.max(axis=1) == TOP).all()


def test_zero_is_in_the_middle_of_a_symmetric_scale() -> None:
    maps = np.array([[[-3.0, 0.0], [1.5, 3.0]]])
    assert indices(maps, "symmetric").tolist() == [[[0, 115, 173, 231][:2], [173, 231]]]


def test_special_values_have_indices_of_their_own() -> None:
    maps = np.array([[[0, np.nan], [np.inf, -np.inf], [1, 0.5]]], np.float32)
    assert indices(maps).tolist() == [[[0, NAN], [POSITIVE_INFINITY, NEGATIVE_INFINITY], [TOP, 115]]]


def test_values_outside_a_fixed_scale_take_its_ends() -> None:
    maps = np.array([[[-9, 0], [1, 9]]], np.float32)
    assert indices(maps, "fixed:0,1").tolist() == [[[0, 0], [TOP, TOP]]]


def test_a_small_range_far_from_zero_keeps_its_steps() -> None:
    maps = (1e6 + np.arange(8).reshape(1, 2, 4) / 8).astype(np.float32)
    assert (np.diff(indices(maps).ravel()) > 30).all()
    wide = 1e12 + np.arange(8.0).reshape(1, 2, 4) / 8
    assert (np.diff(indices(wide).ravel()) > 30).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_and_denormal_ranges(dtype: type[np.floating]) -> None:
    huge = np.array([[[-1, 0, 1]]], dtype) * np.finfo(dtype).max
    tiny = np.array([[[0, 2, 4]]], dtype) * np.finfo(dtype).smallest_subnormal
    assert indices(huge).ravel().tolist() == pytest.approx([0, 115, TOP], abs=1)
    assert indices(tiny).ravel().tolist() == pytest.approx([0, 115, TOP], abs=1)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64, np.float16])
def test_whole_range_of_a_dtype(dtype: type[np.number]) -> None:
    ends: Any = np.finfo(dtype) if issubclass(dtype, np.floating) else np.iinfo(dtype)
    maps = np.array([[[ends.min, ends.max]]], dtype)
    assert indices(maps).ravel().tolist() == [0, TOP]


def test_booleans() -> None:
    assert indices(np.array([[[True, False]]])).ravel().tolist() == [TOP, 0]


def test_gamma_lifts_what_is_small() -> None:
    maps = np.array([[[0, 0.25, 1.0]]], np.float32)
    assert indices(maps, gamma=0.5).ravel().tolist() == [0, 115, TOP]


def test_shrinking_takes_means() -> None:
    maps = np.array([[[0, 4, 0, 0], [0, 0, 0, 4]]], np.float32)
    statistics = channel_statistics(maps)
    target = np.empty((1, 1, 2), np.uint8)
    quantise_into(target, maps, limits(maps, statistics, Style()), statistics, shrink=(2, 2))
    assert target.tolist() == [[[57, 57]]]


def test_a_mean_with_nan_is_nan() -> None:
    maps = np.array([[[np.nan, 1, 0, 2]]], np.float32)
    statistics = channel_statistics(maps)
    target = np.empty((1, 1, 2), np.uint8)
    quantise_into(target, maps, limits(maps, statistics, Style()), statistics, shrink=(1, 2))
    assert target.tolist() == [[[NAN, 115]]]


def test_writes_through_any_view_and_leaves_the_maps_alone() -> None:
    maps = np.arange(8, dtype=np.float32).reshape(2, 2, 2).transpose(0, 2, 1)
    before = maps.copy()
    canvas = np.full((4, 5), 99, np.uint8)
    view = canvas[1:3, :4].reshape(2, 2, 2).transpose(1, 0, 2)
    statistics = channel_statistics(maps)
    quantise_into(view, maps, limits(maps, statistics, Style()), statistics)
    assert (maps == before).all()
    assert view.tolist() == quantise(maps, limits(maps, statistics, Style())).tolist()


def test_many_blocks_give_what_one_gives() -> None:
    maps = np.random.default_rng(2).normal(size=(9, 200, 200)).astype(np.float32)
    maps[4, 3, 3] = np.nan
    whole = indices(maps)
    for channel in range(9):
        assert (indices(maps[channel : channel + 1])[0] == whole[channel]).all()


@settings(max_examples=200, deadline=None)
@given(
    maps=hnp.arrays(
        st.sampled_from([np.float16, np.float32, np.float64]),
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=5),
        elements=st.floats(width=16),
    )
    | hnp.arrays(
        st.sampled_from([np.float32, np.float64]),
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=4),
        elements=st.floats(width=32),
    )
    | hnp.arrays(
        st.sampled_from([np.int8, np.uint16, np.int64, np.bool_]),
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=4),
    ),
    mode=st.sampled_from(["auto", "channel", "layer", "percentile", "symmetric", "std", "fixed:-1,2"]),
)
def test_never_an_index_that_means_something_else(maps: np.ndarray, mode: str) -> None:
    found = indices(maps, mode)
    values = maps.astype(np.float64)
    assert (found[np.isfinite(values)] <= TOP).all()
    assert (found[np.isnan(values)] == NAN).all()
    assert (found[values == np.inf] == POSITIVE_INFINITY).all()
    assert (found[values == -np.inf] == NEGATIVE_INFINITY).all()
    for plane, row in zip(values, found.astype(int), strict=True):
        order = np.argsort(plane[np.isfinite(plane)], kind="stable")
        assert (np.diff(row[np.isfinite(plane)][order]) >= 0).all()


def test_each_axis_is_shrunk_by_its_own_factor() -> None:
    maps = np.arange(24, dtype=np.float32).reshape(1, 4, 6)
    statistics = channel_statistics(maps)
    indices = np.empty((1, 2, 2), np.uint8)
    quantise_into(indices, maps, limits(maps, statistics, Style()), None, shrink=(2, 3))
    means = maps.reshape(2, 2, 2, 3).mean(axis=(1, 3))
    assert np.abs(indices[0].astype(float) - means / 23 * 231).max() <= 1.5
    assert indices[0, 0, 0] < indices[0, 0, 1] < indices[0, 1, 0] < indices[0, 1, 1]

"""Statistics of channels, against numbers worked out by hand and against numpy in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from onnxviz.draw import bars, statistics
from onnxviz.draw.statistics import channel_extremes, channel_statistics, strongest_channels

HAND = np.array(
    [
        [[0, 2], [4, 6]],  # mean 3, deviation sqrt(5)
        [[-1, -1], [3, 3]],  # mean 1, deviation 2
        [[7, 7], [7, 7]],  # constant
    ],
    np.float32,
)


def test_statistics_by_hand() -> None:
    found = channel_statistics(HAND)
    assert found.minimum.tolist() == [0, -1, 7]
    assert found.maximum.tolist() == [6, 3, 7]
    assert found.mean.tolist() == [3, 1, 7]
    assert found.deviation.tolist() == pytest.approx([5**0.5, 2, 0])
    assert found.constant.tolist() == [False, False, True]
    assert found.range == (-1, 7)


def test_statistics_are_of_the_finite_values() -> None:
    maps = np.array([[[1, np.nan], [3, np.inf]], [[np.nan, np.nan], [np.nan, np.nan]], [[-np.inf, 2], [4, 6]]])
    found = channel_statistics(maps)
    assert found.minimum.tolist() == pytest.approx([1, np.nan, 2], nan_ok=True)
    assert found.mean.tolist() == pytest.approx([2, np.nan, 4], nan_ok=True)
    assert found.deviation.tolist() == pytest.approx([1, np.nan, (8 / 3) ** 0.5], nan_ok=True)
    assert found.nan.tolist() == [1, 4, 0]
    assert found.inf.tolist() == [1, 0, 1]
    assert not found.constant.any()
    assert found.irregular.all()
    assert found.range == (1, 6)


def test_what_rounding_leaves_of_a_constant_is_constant() -> None:
    noise = 0.1 + np.random.default_rng(0).normal(size=(1, 8, 8)) * 1e-9
    assert channel_statistics(noise).constant.all()
    assert not channel_statistics(noise - 0.1).constant.any()
    assert not channel_statistics(np.ones((3, 1, 1))).constant.any()


def test_statistics_survive_values_far_from_zero() -> None:
    maps = (1e6 + np.arange(64).reshape(1, 8, 8)).astype(np.float32)
    found = channel_statistics(maps)
    assert found.mean[0] == pytest.approx(1e6 + 31.5, abs=1e-3)
    assert found.deviation[0] == pytest.approx(np.arange(64).std(), rel=1e-6)


def test_statistics_of_values_whose_squares_overflow() -> None:
    found = channel_statistics(np.array([[3e38, -3e38]], np.float32))
    assert found.mean[0] == 0
    assert found.deviation[0] == pytest.approx(3e38, rel=1e-6)


DTYPES = [np.float16, np.float32, np.float64, np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64, np.bool_]


@pytest.mark.parametrize("dtype", DTYPES)
def test_statistics_of_every_dtype(dtype: type[np.generic]) -> None:
    maps = np.array([[[0, 1], [1, 1]], [[1, 1], [1, 1]]]).astype(dtype)
    found = channel_statistics(maps)
    assert found.minimum.tolist() == [0, 1]
    assert found.mean.tolist() == [0.75, 1]
    assert found.constant.tolist() == [False, True]


@settings(max_examples=150, deadline=None)
@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.float16]),
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=6),
        elements=st.floats(-100, 100, width=16) | st.sampled_from([np.nan, np.inf, -np.inf]),
    )
)
def test_statistics_agree_with_numpy(maps: np.ndarray) -> None:
    found, quick = channel_statistics(maps), channel_extremes(maps)
    for channel, values in enumerate(maps.astype(np.float64)):
        finite = values[np.isfinite(values)]
        expected = [finite.min(), finite.max(), finite.mean(), finite.std()] if finite.size else [np.nan] * 4
        got = [found.minimum[channel], found.maximum[channel], found.mean[channel], found.deviation[channel]]
        assert got == pytest.approx(expected, rel=1e-4, abs=1e-4, nan_ok=True)
        assert found.nan[channel] == np.isnan(values).sum()
        assert found.inf[channel] == np.isinf(values).sum()
    np.testing.assert_array_equal(quick.minimum, found.minimum)
    np.testing.assert_array_equal(quick.maximum, found.maximum)
    np.testing.assert_array_equal(quick.irregular, found.irregular)
    np.testing.assert_array_equal(quick.constant, found.constant)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)])
def test_no_values_have_no_range(shape: tuple[int, ...]) -> None:
    for found in (channel_statistics(np.empty(shape)), channel_extremes(np.empty(shape))):
        assert len(found.minimum) == shape[0]
        assert np.isnan(found.range).all()


@pytest.mark.parametrize("seed", range(4))
def test_the_strongest_of_millions_are_found_a_part_at_a_time(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(-9, 9, 1000).astype(float)  # many ties, of which those of the lowest index are kept
    values[random.integers(0, 1000, 40)] = np.nan
    magnitudes = np.nan_to_num(np.abs(values), nan=-1)
    found = channel_statistics(values)
    whole = np.sort(np.argsort(-magnitudes, kind="stable")[:50])
    greatest = sorted(range(1000), key=lambda place: (np.isnan(values[place]), -np.nan_to_num(values[place])))[:10]
    for size in (1 << 20, 64, 7):
        monkeypatch.setattr(statistics, "MOST_SORTED", size)
        monkeypatch.setattr(bars, "MOST_SORTED", size)
        assert strongest_channels(found, 50).tolist() == whole.tolist()
        assert bars._greatest(values, 10).tolist() == greatest


def test_statistics_of_a_vector_of_finite_values_hold_one_number_for_each() -> None:
    found = channel_statistics(np.arange(1000, dtype=np.float32))
    assert found.minimum is found.maximum is found.mean
    assert all(getattr(found, name).strides == (0,) for name in ("deviation", "nan", "inf", "constant"))

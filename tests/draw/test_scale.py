"""Statistics and the ends of scales, against numbers worked out by hand and against numpy in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from onnxviz.draw.scale import Limits, channel_extremes, channel_statistics, limits, parse_scale
from onnxviz.draw.style import Style
from onnxviz.errors import UsageError

HAND = np.array(
    [
        [[0, 2], [4, 6]],  # mean 3, deviation sqrt(5)
        [[-1, -1], [3, 3]],  # mean 1, deviation 2
        [[7, 7], [7, 7]],  # constant
    ],
    np.float32,
)


def scale(maps: np.ndarray, mode: str = "auto", **style: object) -> Limits:
    return limits(maps, channel_statistics(maps), Style(scale=mode, **style))  # type: ignore[arg-type]


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


def test_auto_is_clipped_by_channel_where_nothing_is_negative() -> None:
    found = scale(np.abs(HAND))
    assert (found.mode, found.diverging, found.clips, found.own) == ("clipped", False, True, True)
    assert found.low.tolist() == [0, 1, 7]
    assert found.high.tolist() == [6, 3, 7]


def test_auto_compares_maps_of_one_value_with_each_other() -> None:
    found = scale(np.array([1, 2, 4.0]).reshape(3, 1, 1))
    assert (found.mode, found.low.tolist(), found.high.tolist()) == ("layer", [1] * 3, [4] * 3)


def test_layer() -> None:
    found = scale(HAND, "layer")
    assert (found.low.tolist(), found.high.tolist()) == ([-1] * 3, [7] * 3)
    assert not found.diverging


def test_std() -> None:
    found = scale(HAND, "std")
    assert found.low[1] == 1 - 3 * 2
    assert found.high[1] == 1 + 3 * 2
    assert found.clips


def test_percentile_leaves_out_one_in_a_hundred_at_each_end() -> None:
    maps = np.arange(1000, dtype=np.float32).reshape(1, 25, 40)
    found = scale(maps, "percentile")
    assert (found.low[0], found.high[0]) == (9, 990)


def test_percentile_of_a_map_with_one_spike_is_its_whole_range() -> None:
    maps = np.zeros((1, 20, 20))
    maps[0, 3, 3] = 5
    found = scale(maps, "percentile")
    assert (found.low[0], found.high[0]) == (0, 5)


def test_fixed_and_given_limits() -> None:
    assert scale(HAND, "fixed:-2,2").diverging
    found = scale(HAND, "fixed:0,6")
    assert (found.low[0], found.high[0], found.clips, found.diverging) == (0, 6, True, False)
    given_outside = scale(HAND, limits=(1.0, 3.0))
    assert (given_outside.mode, given_outside.words) == ("fixed", "fixed scale 1 .. 3")


def test_nothing_finite_gets_a_scale_all_the_same() -> None:
    found = scale(np.full((2, 2, 2), np.nan), "layer")
    assert np.isfinite(found.low).all()
    assert (found.high > found.low).all()


@pytest.mark.parametrize("text", ["fixed", "fixed:", "fixed:1", "fixed:1,1", "fixed:2,1", "fixed:a,b", "fixed:0,inf"])
def test_a_fixed_scale_needs_two_numbers(text: str) -> None:
    with pytest.raises(UsageError):
        parse_scale(text)


def test_an_unknown_scale_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="no scale 'log': auto, clipped, channel, signed, layer"):
        parse_scale("log")


def test_signed_holds_98_percent_of_each_channel() -> None:
    ramp = np.arange(-50, 51, dtype=np.float32)
    maps = np.stack([ramp, np.where(ramp == 7, 500, ramp), np.where(ramp == 7, np.nan, -ramp)])[:, None]
    found = scale(maps, "signed")
    # 100 magnitudes, twice 1 to 50, lie above the 0; two of them are left out: both 50, or the 500 and one 50. With 99
    # (a 7 is NaN) it is one 50.
    assert (found.low.tolist(), found.high.tolist()) == ([-49, -50, -50], [49, 50, 50])
    assert (found.own, found.clips, found.diverging) == (True, True, True)
    assert found.words == "each channel symmetric about 0, top 2 % clipped"


def test_signed_shows_a_channel_that_is_zero_but_for_a_spike() -> None:
    maps = np.zeros((2, 20, 20), np.float32)
    maps[0, 3, 3] = -5
    found = scale(maps, "signed")
    assert (found.low.tolist(), found.high.tolist()) == ([-5, 0], [5, 0])


def test_auto_is_signed_for_both_signs_whatever_one_channel_reaches() -> None:
    maps = np.array([[-1.0, 1.0]] * 19 + [[-90.0, 60.0]])[:, None]
    found = limits(maps, channel_statistics(maps), Style())
    assert (found.mode, found.high[0], found.high[-1]) == ("signed", 1, 90)
    asked = limits(maps, channel_statistics(maps), Style(scale="symmetric"))
    assert (asked.low[0], asked.high[0], asked.clips) == (-90, 90, False)


def test_maps_that_are_only_part_of_a_layer_go_by_the_layers_signs() -> None:
    found = limits(HAND, channel_statistics(HAND), Style(), signed=True)
    assert found.mode == "signed"
    assert limits(HAND, channel_statistics(HAND), Style(), signed=False).mode == "clipped"


def test_a_bright_border_does_not_darken_the_rest_of_a_channel_of_one_sign() -> None:
    """A letterboxed picture behind SiLU: one row in a hundred is eight times as bright as the rest."""
    silu = np.linspace(-0.27, 5, 10_000, dtype=np.float32).reshape(1, 100, 100)
    silu[0, 10] = 40
    found = scale(silu)
    assert (found.mode, found.clips) == ("clipped", True)
    assert found.low[0] == pytest.approx(-0.27)
    assert 4.8 < found.high[0] <= 5
    assert found.words == "each channel on its own, top 2 % clipped"


def test_a_peak_in_a_map_of_probabilities_leaves_the_rest_dark() -> None:
    found_something = np.full((1, 40, 40), 0.001)
    found_something[0, 3:5, 3:5], found_something[0, 20] = 0.9, np.linspace(0, 0.001, 40)
    assert scale(found_something).high[0] == pytest.approx(0.09)


def test_a_channel_that_is_mostly_zero_is_judged_by_what_is_not() -> None:
    """After ReLU: of 10,000 values 300 are 1 to 300; two in a hundred of these are left out, not of all."""
    maps = np.zeros((2, 1, 10_000))
    maps[0, 0, :300] = np.arange(1, 301)
    maps[1, 0, 7] = 9
    found = limits(maps[:, :, ::10], channel_statistics(maps[:, :, ::10]), Style())
    # Every tenth: 30 values, none of which is left out.
    assert (found.low.tolist(), found.high.tolist()) == ([0, 0], [291, 0])
    dense = np.sort(np.abs(np.random.default_rng(0).normal(size=(1, 30, 30))).reshape(-1)).reshape(1, 30, 30)
    dense[0, :10] = 0
    assert scale(dense).high[0] == np.sort(dense.reshape(-1))[-1 - 12]


@pytest.mark.parametrize("width", [256, 320, 640, 1024, 1000])
def test_what_is_held_is_found_from_all_columns(width: int) -> None:
    maps = np.broadcast_to(np.linspace(0, 100, width), (1, width, width)).copy()
    assert scale(maps).high[0] == pytest.approx(98, abs=1)

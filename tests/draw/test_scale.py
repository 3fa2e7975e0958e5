"""The ends of scales, against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from onnxviz.draw.scale import Limits, limits, parse_scale
from onnxviz.draw.statistics import channel_statistics
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

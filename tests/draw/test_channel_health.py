"""The health of channels as pictures have them: over all items, whatever the layout."""

import numpy as np
import pytest

from onnxviz.bounds import Bounds
from onnxviz.draw.arrange import item_channels
from onnxviz.draw.channel_health import channel_health
from onnxviz.draw.statistics import channel_statistics
from onnxviz.health import HealthTotals, health_of
from onnxviz.layout import TokenGrid

GRID = TokenGrid((2, 3), prefix=1, split=(2, 7, 4), items=(0,), tokens=(1,), cells=(-1, 0, 1, 2, 3, 4, 5))


@pytest.mark.parametrize(
    ("shape", "layout", "axis"),
    [
        ((2, 5, 6, 3), "NHWC", 3),
        ((2, 5, 6, 3), "NCHW", 1),
        ((2, 5, 6, 3), None, 1),
        ((3, 2, 5), "NTC", 2),
        ((4, 7), "NC", 1),
        ((7,), None, 0),
        ((2, 7, 4), GRID, 2),
        ((0, 3, 2, 2), "NCHW", 1),
    ],
)
def test_it_is_that_of_the_channel_axis(shape: tuple[int, ...], layout: str | TokenGrid | None, axis: int) -> None:
    array = np.random.default_rng(3).integers(0, 4, shape).astype(np.float32)
    array[array == 1] = np.nan
    ends = tuple(float(place % 3) for place in range(shape[axis]))
    for bounds in (None, Bounds(high=3.0), Bounds(ends, ends, axis)):
        found, expected = channel_health(array, layout, bounds), health_of(array, axis, bounds)
        if array.size:
            assert found.totals == expected.totals
            np.testing.assert_array_equal(found.saturated_low, expected.saturated_low)
            np.testing.assert_array_equal(found.nan, expected.nan)
        else:
            assert found.totals == HealthTotals()


def test_statistics_that_are_known_change_nothing() -> None:
    array = np.random.default_rng(3).integers(0, 4, (2, 3, 8, 8)).astype(np.float16)
    array[0, 1] = np.inf
    array[1, 2] = np.nan
    known = channel_statistics(item_channels(array, "NCHW"))
    plain, spared = (channel_health(array, "NCHW", Bounds(high=3.0), each) for each in (None, known))
    assert plain.totals == spared.totals
    assert plain.totals.inf == 64 and plain.totals.nan == 64


def test_texts_have_no_channels() -> None:
    assert channel_health(np.array([["a"]], object), None).totals == HealthTotals()

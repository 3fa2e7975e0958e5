"""Health is counted as one would by hand, whatever the dtype, the layout and the ends."""

import itertools
import json

import numpy as np
import pytest

from onnxviz.bounds import Bounds
from onnxviz.extremes import extremes_of
from onnxviz.health import Health, HealthTotals, health_of
from onnxviz.quantised import Quantised

COUNTS = ("values", "nan", "inf", "saturated_low", "saturated_high")


def columns(found: Health) -> dict[str, list[float]]:
    names = (*COUNTS, "minimum", "maximum", "dead", "alive")
    return {name: np.asarray(getattr(found, name)).tolist() for name in names}


def test_three_channels_of_a_relu6_as_on_paper() -> None:
    array = np.array([[[0.0, 0.0], [1.0, 6.0], [np.nan, 2.0]]], np.float32)
    found = health_of(array, 1, Bounds(high=6.0))
    assert found.totals == HealthTotals(channels=3, alive=2, dead=1, values=6, nan=1, saturated_high=1)
    assert found.dead.tolist() == [True, False, False]
    assert (found.totals.words, found.totals.live) == ("1 NaN, 17 % saturated", "2 of 3")


def brute(array: np.ndarray, axis: int | None, low: np.ndarray, high: np.ndarray) -> list[dict[str, float]]:
    """Count value by value."""
    found = []
    for channel in range(1 if axis is None else array.shape[axis]):
        places = [place for place in np.ndindex(array.shape) if axis is None or place[axis] == channel]
        values = [float(array[place]) for place in places]
        finite = [(value, place) for value, place in zip(values, places, strict=True) if abs(value) < np.inf]
        plain = [value for value, _ in finite]
        found.append(
            {
                "values": len(values),
                "nan": sum(value != value for value in values),
                "inf": sum(abs(value) == np.inf for value in values),
                "saturated_low": sum(value <= low[place] for value, place in finite),
                "saturated_high": sum(value >= high[place] for value, place in finite),
                "minimum": min(plain, default=np.nan),
                "maximum": max(plain, default=np.nan),
            }
        )
    return found


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "int8", "uint16", "int64", "bool"])
@pytest.mark.parametrize("axis", [0, 1, 2, None])
def test_counts_are_those_of_a_loop_over_all_values(dtype: str, axis: int | None) -> None:
    random = np.random.default_rng(4)
    array = random.integers(0, 5, (3, 4, 5)).astype(dtype)
    if array.dtype.kind == "f":
        for bad in (np.nan, np.inf, -np.inf):
            array[tuple(random.integers(0, size, 4) for size in array.shape)] = bad
        array[1] = 2  # a dead channel, and of the other axes none
        array[2, 3] = np.nan
    for bounds in (
        Bounds(),
        Bounds(1.0, 3.0),
        Bounds(high=4.0),
        Bounds((0.0, np.nan, 2.0, 1.0), (np.nan, 3.0, 4.0, 2.0), 1),
    ):
        low, high = (np.broadcast_to(end, array.shape) for end in bounds.ends(array.shape))
        found = health_of(array, axis, bounds)
        for channel, expected in enumerate(brute(array, axis, low, high)):
            got = {name: getattr(found, name)[channel] for name in expected}
            assert got == pytest.approx(expected, nan_ok=True), (bounds, channel)


def test_what_holds_no_numbers_or_no_values_has_nothing_to_count() -> None:
    assert health_of(np.array([["a", "b"]], object), 1).totals == HealthTotals()
    assert health_of(np.empty((0, 3), np.float32), 1).totals == HealthTotals(channels=3)
    assert health_of(np.empty((1, 0, 4)), 1, Bounds((), (), 1)).totals == HealthTotals()
    assert health_of(np.float32(7).reshape(()), None).totals == HealthTotals(channels=1, alive=1, values=1)
    assert health_of(np.array([[3 + 4j, 0]]), 1, Bounds(high=5.0)).saturated_high.tolist() == [1, 0]


def test_a_vector_is_dead_only_where_several_inputs_say_so() -> None:
    first, second = health_of(np.array([[0.0, 1.0, 2.0]]), 1), health_of(np.array([[0.0, 1.0, 3.0]]), 1)
    assert first.totals.dead == 0
    assert first.merged(second).dead.tolist() == [True, True, False]


def test_a_channel_that_is_alive_for_one_input_is_alive() -> None:
    one, other = np.zeros((1, 3, 4)), np.zeros((1, 3, 4))
    other[0, 1, 2] = 5
    other[0, 2] = 7  # the same over space, and another number than for the first input
    pooled = health_of(one, 1).merged(health_of(other, 1))
    assert pooled.dead.tolist() == [True, False, False]
    assert pooled.values.tolist() == [8, 8, 8]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_merging_is_counting_all_at_once(order: tuple[int, ...]) -> None:
    random = np.random.default_rng(1)
    parts = [random.integers(0, 3, (2, 3, 4)).astype(np.float32) for _ in range(3)]
    parts[1][0, 1] = np.nan
    parts[2][:, 0] = np.inf
    bounds = Bounds(0.0, 2.0)
    whole = health_of(np.concatenate(parts), 1, bounds)
    first, *rest = (health_of(parts[place], 1, bounds) for place in order)
    for part in rest:
        first = first.merged(part)
    assert str(columns(first)) == str(columns(whole))


def test_channels_that_one_input_lacks_count_as_they_are() -> None:
    short, long = health_of(np.zeros((2, 3)), 0), health_of(np.arange(12.0).reshape(4, 3), 0)
    for pooled in (short.merged(long), long.merged(short)):
        assert pooled.values.tolist() == [6, 6, 3, 3]
        assert pooled.maximum.tolist() == [2, 5, 8, 11]


def test_a_layer_as_one_channel_keeps_its_counts() -> None:
    array = np.array([[1.0, 1.0], [np.nan, 6.0]])
    whole = health_of(array, 0, Bounds(high=6.0)).whole
    assert columns(whole) == columns(health_of(array, None, Bounds(high=6.0)))


def test_it_is_written_and_read_exactly() -> None:
    array = np.array([[1.0, 0.1], [np.nan, np.nan], [np.inf, 6.0]])
    for each in (array, np.zeros((3, 2)), np.empty((0, 2)), np.full((2, 2), np.nan)):
        found = health_of(each, 0, Bounds(high=6.0))
        text = json.dumps(found.as_json(), allow_nan=False)
        assert str(columns(Health.from_json(json.loads(text)))) == str(columns(found))
    bounds = Bounds((1.0, float("nan")), (2.0, 3.0), 1)
    assert str(Bounds.from_json(json.loads(json.dumps(bounds.as_json(), allow_nan=False)))) == str(bounds)


def test_rows_of_any_length_have_the_extremes_of_numpy() -> None:
    random = np.random.default_rng(2)
    for shape in ((700, 200), (3, 100_000), (5, 1), (0, 4), (4, 0)):
        rows = random.normal(size=shape).astype(np.float16)
        found = extremes_of(rows)
        if rows.size:
            np.testing.assert_array_equal(found.minimum, rows.min(axis=1))
            np.testing.assert_array_equal(found.maximum, rows.max(axis=1))
        assert not found.nan.any()


def test_ends_of_codes_count_but_for_those_at_zero() -> None:
    codes = np.array([0, 1, 128, 254, 255, 255])
    for zero, expected in ((128, (1, 2)), (0, (0, 2)), (255, (1, 0))):
        eight = Quantised("uint8", 0.5, zero)
        numbers = ((codes - zero) * 0.5).astype(np.float32)
        found = health_of(numbers, None, eight.bounds).totals
        assert (found.saturated_low, found.saturated_high) == expected
        counted = eight.counted(numbers)
        assert (counted.at_low, counted.at_high) == pytest.approx([count / 6 for count in expected])


def test_ends_may_differ_from_channel_to_channel() -> None:
    each = Quantised("int8", (0.5, 1.0), (0, 127), axis=1)
    numbers = np.array([[[63.5, -64.0], [0.0, -255.0]]], np.float32)
    found = health_of(numbers, 1, each.bounds)
    assert found.saturated_low.tolist() == [1, 1]
    assert found.saturated_high.tolist() == [1, 0]

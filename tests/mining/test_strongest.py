"""The strongest places against a plain sort, and states that merge the same in any order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from onnxviz.mining.histogram import bins_of, count_bins, edges
from onnxviz.mining.state import Rows, State, empty_state, merged, state_of
from onnxviz.mining.strongest import Strongest, strongest

LEVELS = st.sampled_from([-2.0, -0.0, 0.0, 1.0, 6.0])


@given(arrays(np.float32, (7, 3), elements=LEVELS), arrays(np.float32, (7, 3), elements=LEVELS), st.integers(1, 9))
def test_the_strongest_are_those_of_a_plain_sort(value, tie, count):
    picture = np.tile(np.array([4, 0, 6, 2, 5, 1, 3])[:, None], (1, 3))
    place = np.arange(21, dtype=np.int32).reshape(7, 3)
    found = strongest(Strongest(value, tie, picture, place), count)
    for channel in range(3):
        rows = sorted(range(7), key=lambda row: (-value[row, channel], -tie[row, channel], picture[row, channel]))
        kept = rows[:count]
        assert found.picture[: len(kept), channel].tolist() == picture[kept, channel].tolist()
        assert found.place[: len(kept), channel].tolist() == place[kept, channel].tolist()
        assert (found.picture[len(kept) :, channel] == -1).all()


def states():
    numbers = np.random.default_rng(0)
    parts = []
    for first in range(0, 24, 4):
        greatest = np.round(numbers.standard_normal((4, 5)) * 3).astype(np.float32)
        mean = np.round(greatest / 3).astype(np.float32)
        mean[0, 1] = np.nan if first == 8 else mean[0, 1]
        rows = Rows(greatest, numbers.integers(0, 9, (4, 5)).astype(np.int32), mean)
        classes = numbers.integers(-1, 3, 4)
        parts.append(state_of(rows, np.arange(first, first + 4), classes, np.full(5, 6, np.float32), (3, 3)))
    return parts


@given(st.permutations(range(6)))
def test_states_of_whole_numbers_merge_the_same_in_any_order(order):
    parts = states()
    forward, shuffled = empty_state(5, (3, 3)), empty_state(5, (3, 3))
    for part in parts:
        forward = merged(forward, part)
    for place in order:
        shuffled = merged(shuffled, parts[place])
    for name, array in forward.as_arrays().items():
        np.testing.assert_array_equal(array, State.as_arrays(shuffled)[name], err_msg=name)


def test_bins_are_eighths_of_octaves():
    ends = edges()
    assert (bins_of(ends[:-1].astype(np.float32)) == np.arange(1, 161)).all()
    assert (bins_of(np.nextafter(ends[1:].astype(np.float32), np.float32(0))) == np.arange(1, 161)).all()
    assert np.max(ends[1:] / ends[:-1]) <= 1.125
    values = np.random.default_rng(1).standard_normal((50, 2)).astype(np.float32)
    counted = count_bins(values)
    for channel in range(2):
        expected = np.histogram(values[:, channel], np.concatenate([[-np.inf], ends]))[0]
        assert counted[channel].tolist() == expected.tolist()

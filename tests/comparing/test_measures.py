from __future__ import annotations

import numpy as np
import pytest

from onnxviz.comparing.measures import Sums, decibels


def test_a_pair_worked_out_on_paper() -> None:
    sums = Sums(channel_axis=1)
    sums.add(np.array([[3.0, 4.0]], np.float32), np.array([[3.0, 4.5]], np.float32))
    found = sums.measures
    assert found.sqnr == pytest.approx(20.0)  # 25 / 0.25
    assert found.relative == pytest.approx(0.1)
    assert (found.max_abs, found.channel, found.channel_share, found.largest, found.count) == (0.5, 1, 1.0, 4.0, 2)
    assert found.cosine == pytest.approx((9 + 18) / np.sqrt(25 * (9 + 20.25)))


@pytest.mark.parametrize(("shape", "axis"), [((2, 3, 40, 50), 1), ((2, 40, 50, 3), 3), ((7,), None), ((600, 700), 1)])
def test_sums_are_those_of_numpy_whatever_the_axis(shape: tuple[int, ...], axis: int | None) -> None:
    random = np.random.default_rng(0)
    a = random.normal(size=shape).astype(np.float32)
    b = a + random.normal(size=shape).astype(np.float32) * 0.01
    sums = Sums(axis)
    sums.add(a, b)
    found, gap = sums.measures, (b - a).astype(np.float64)
    assert found.sqnr == pytest.approx(
        decibels(float((a.astype(np.float64) ** 2).sum()), float((gap**2).sum())), abs=1e-3
    )
    assert found.max_abs == np.abs(b - a).max()
    if axis is not None:
        by_channel = (np.moveaxis(gap, axis, 0).reshape(shape[axis], -1) ** 2).sum(1)
        assert found.channel == by_channel.argmax()
        assert found.channel_share == pytest.approx(by_channel.max() / by_channel.sum(), rel=1e-4)


def test_equal_values_have_no_error_and_no_worst_channel() -> None:
    sums = Sums(1)
    sums.add(np.ones((1, 3), np.float32), np.ones((1, 3), np.float32))
    found = sums.measures
    assert (found.sqnr, found.relative, found.cosine, found.channel) == (np.inf, 0.0, 1.0, None)


def test_what_is_not_finite_is_counted_and_left_out_of_the_rest() -> None:
    sums = Sums(None)
    sums.add(np.array([1.0, 2.0, np.inf], np.float32), np.array([np.nan, 2.0, np.inf], np.float32))
    found = sums.measures
    assert found.not_finite == (1, 2) and found.breaks
    assert found.sqnr == np.inf and found.count == 3


def test_squares_beyond_float32_are_added_in_float64() -> None:
    sums = Sums(None)
    sums.add(np.full(4, 1e25, np.float32), np.full(4, 1.1e25, np.float32))
    assert sums.measures.sqnr == pytest.approx(20.0, abs=0.01)


def test_joined_sums_are_those_of_both() -> None:
    random = np.random.default_rng(3)
    pairs = [(random.normal(size=(1, 4, 5, 5)), random.normal(size=(1, 4, 5, 5))) for _ in range(2)]
    whole, parts = Sums(1), [Sums(1), Sums(1), Sums(1)]
    for part, (a, b) in zip(parts[1:], pairs, strict=True):
        whole.add(a, b, (0.0, 0.5))
        part.add(a, b, (0.0, 0.5))
    for part in parts[1:]:
        parts[0].join(part)
    assert parts[0].measures == whole.measures
    assert parts[0].each == whole.each

from __future__ import annotations

import numpy as np

from onnxviz.run.difference import Difference, difference


def test_the_largest_gap_and_its_share_of_the_largest_value() -> None:
    assert difference([np.array([1.0, 4.5])], [np.array([1.0, 4.0])]) == Difference(0.5, 0.125)


def test_nan_and_infinities_on_both_sides_are_equal() -> None:
    odd = np.array([np.nan, np.inf, -np.inf])
    assert difference([odd], [odd]) == Difference(0, 0)


def test_nan_on_one_side_is_as_far_as_can_be() -> None:
    assert difference([np.array([np.nan])], [np.array([1.0])]).max_abs == np.inf


def test_what_is_no_number_is_left_out() -> None:
    assert difference([["a"], np.array([], np.float32)], [["b"], np.array([], np.float32)]) == Difference(0, 0)

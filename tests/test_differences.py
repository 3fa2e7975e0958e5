from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from onnxviz.differences import Difference, difference


def test_the_largest_gap_and_its_share_of_the_largest_value() -> None:
    assert difference([np.array([1.0, 4.5])], [np.array([1.0, 4.0])]) == Difference(0.5, 0.125)


def test_nan_and_infinities_on_both_sides_are_equal() -> None:
    odd = np.array([np.nan, np.inf, -np.inf])
    assert difference([odd], [odd]) == Difference(0, 0)


def test_nan_on_one_side_is_as_far_as_can_be() -> None:
    assert difference([np.array([np.nan])], [np.array([1.0])]).max_abs == np.inf


def test_an_infinity_on_both_sides_hides_no_other_gap() -> None:
    assert difference([np.array([np.inf, 1.0])], [np.array([np.inf, 5.0])]) == Difference(4, 0.8)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros((2, 1)), np.zeros((2, 4))),
        (np.zeros((2, 3)), np.zeros((2, 4))),
        (np.zeros(2, np.float32), np.zeros(2)),
        (np.array(["a"], object), np.array(["b"], object)),
        (["a"], ["b"]),
        ([np.zeros(2)], [np.zeros(2), np.zeros(2)]),
    ],
)
def test_what_cannot_be_compared_is_as_far_as_can_be(one: Any, other: Any) -> None:
    assert difference([one], [other]) == Difference(np.inf, np.inf)
    assert difference([one], [one]) == Difference(0, 0)


def test_every_kind_of_number_is_compared() -> None:
    bfloat = onnx.helper.tensor_dtype_to_np_dtype(onnx.TensorProto.BFLOAT16)
    for kind in (np.float16, np.int8, np.uint64, np.bool_, np.complex64, bfloat):
        assert difference([np.zeros(2, kind)], [np.ones(2, kind)]) == Difference(1, 1), kind
    assert difference([np.array([], np.float32)], [np.array([], np.float32)]) == Difference(0, 0)
    assert difference([[np.zeros(2)]], [[np.full(2, 4.0)]]) == Difference(4, 1)

from __future__ import annotations

import numpy as np
import pytest

from onnxviz.graph.operators.number_ranges import NumberRange, computed, constant_range, input_range, joined
from onnxviz.layout import PROBES

X = input_range("x")


def constant(*numbers: float) -> NumberRange:
    found = constant_range(np.array(numbers, np.float32))
    assert found is not None
    return found


def test_the_widest_that_several_channels_allow() -> None:
    """For x = 255: (255 - 120) / 50 = 2.7 and (255 - 100) / 40 = 3.875 at the ends."""
    shifted = computed("Sub", [X, constant(100, 120)])
    found = computed("Div", [shifted, constant(40, 50)])
    assert found is not None
    assert dict(zip(PROBES, found.ends.tolist(), strict=True))[255.0] == [2.7, 3.875]
    assert dict(zip(PROBES, found.ends.tolist(), strict=True))[0.0] == [-3, -2]
    assert (found.formula, found.root) == ("(x - (100, 120)) / (40, 50)", "x")


@pytest.mark.parametrize(
    ("operator", "operands", "formula"),
    [
        ("Add", [constant(-1), X], "x - 1"),
        ("Add", [X, constant(0)], "x"),
        ("Mul", [constant(1), X], "x"),
        ("Mul", [X, constant(1 / 127.5)], "x / 127.5"),
        ("Mul", [X, constant(0.017)], "x * 0.017"),
        ("Sub", [constant(255), X], "255 - x"),
        ("Mul", [NumberRange(X.ends, "(x - 1) / 2 + 3", "x"), constant(4)], "((x - 1) / 2 + 3) * 4"),
        ("Sqrt", [constant(4)], "sqrt(4)"),
        ("Sub", [X, constant(123, 117, 117)], "x - (123, 117, 117)"),
        ("Sub", [X, constant(117, 117, 117)], "x - 117"),
    ],
)
def test_formulas_read_as_they_would_be_written(operator: str, operands: list[NumberRange], formula: str) -> None:
    found = computed(operator, operands)
    assert found is not None
    assert found.formula == formula


@pytest.mark.parametrize(
    ("operator", "operands"),
    [
        ("Div", [X, constant(-1, 1)]),  # by a range that holds 0
        ("Div", [constant(1), X]),
        ("Mul", [X, X]),  # the ends of a square are not those of its factors
        ("Add", [X, None]),
        ("Sqrt", [X]),  # of -1
        ("Add", [X]),
    ],
)
def test_what_is_not_followed(operator: str, operands: list[NumberRange | None]) -> None:
    assert computed(operator, operands) is None


def test_channels_side_by_side() -> None:
    red, green = computed("Sub", [X, constant(1)]), computed("Add", [X, constant(2)])
    assert red is not None
    assert green is not None
    found = joined([red, green])
    assert found is not None
    assert found.ends[PROBES.index(0.0)].tolist() == [-1, 2]
    assert joined([red, input_range("y")]) is None


def test_arrays_without_finite_numbers_have_no_range() -> None:
    for array in (np.array(["a"], object), np.array([]), np.array([np.inf]), np.array([True])):
        assert constant_range(array) is None

"""Words: numbers as they are printed everywhere."""

from __future__ import annotations

import numpy as np
import pytest

from onnxviz.words import number_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (6, "6"),
        (5.8372, "5.84"),
        (-0.00154, "-0.00154"),
        (12345, "12345"),
        (123456789, "1.23e8"),
        (1e-30, "1e-30"),
        (np.float32(np.inf), "inf"),
        (-np.inf, "-inf"),
        (np.nan, "NaN"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number_text(value) == text


@pytest.mark.parametrize(("value", "text"), [(110.4, "110"), (0.126, "0.13"), (9951.0, "9951"), (-1234567, "-1.2e6")])
def test_two_digits_are_those_of_a_fraction(value: float, text: str) -> None:
    assert number_text(value, 2) == text

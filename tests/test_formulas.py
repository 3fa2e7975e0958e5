"""Sizes for the eye, worked out by hand; a formula's multiple is compared with the formula itself."""

from __future__ import annotations

import ast
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxviz import formulas
from onnxviz.formulas import readable

FORMULAS = {
    # A convolution of stride 2: kernel 3 and padding 1, no padding, and five such in a row (an Ultralytics export).
    "floor(height/2 - 1/2) + 1": "height/2",
    "floor(height/2 - 3/2) + 1": "height/2-1",
    "floor(floor(floor(floor(floor(width/2 - 1/2)/2)/2)/2)/2) + 1": "width/32",
    "((s0 - 1)//2) + 1": "s0/2",
    "ceiling(h/3)": "h/3",
    "2*s0 - 1": "2*s0-1",
    "3*(h/2)": "3*h/2",
    "-(2 - h)": "h-2",
    "Max(1, s0//4)": "s0/4",
    "s0+s0": "2*s0",
    "past_sequence_length + 1": "past_sequence_length+1",
}


@pytest.mark.parametrize(("formula", "text"), FORMULAS.items())
def test_a_formula_of_one_symbol_is_its_multiple(formula: str, text: str) -> None:
    assert readable(formula) == text


@pytest.mark.parametrize("strides", range(1, 7))
@given(st.integers(1, 50))
def test_the_multiple_is_the_size_that_such_convolutions_make(strides: int, count: int) -> None:
    size, formula = count * 2**strides, "h"
    made = size
    for _ in range(strides):
        made, formula = math.floor((made - 1) / 2) + 1, f"(floor(({formula} - 1)/2) + 1)"
    assert readable(formula) == f"h/{2**strides}"
    assert made == size // 2**strides


@pytest.mark.parametrize(
    "name", ["batch", "p2o.DynamicDimension.0", "batch-size", "N/A", "o1 dim 0", "?", "", "h*w", "7"]
)
def test_names_and_short_formulas_of_several_symbols_stay(name: str) -> None:
    assert readable(name) == name


@pytest.mark.parametrize(
    "text", ["h/0", "floor(h", "floor(h,2)", "max()", "h h", "f(h)", "*h", "h-", "1.5*h", "()", "h*h"]
)
def test_what_is_not_a_multiple_stays(text: str) -> None:
    assert readable(text) == text


def test_what_is_long_is_cut_or_left_out() -> None:
    assert readable("decoder_sequence_length_of_all") == "decoder_sequence_length…"
    assert readable("past_sequence_length + sequence_length") == "?"
    assert readable("(floor(height/8) + 1)*(floor(width/8) + 1)") == "?"


@pytest.mark.parametrize(
    ("text", "visited"),
    [
        ("h*" * 40 + "h", 81),
        ("h*" * 80 + "h", 161),
        ("999999999*" * 99 + "h", 199),
        ("-" * 299 + "h", 300),
        ("-" * 900 + "h", 0),
        ("h*" * 5000 + "h", 0),
        ("9" * 900, 0),
        ("(" * 500, 0),
        ("(" * 400 + "h" + ")" * 400, 0),
    ],
)
def test_hostile_sizes_take_few_steps(text: str, visited: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part of a formula is visited once for each of three numbers; what is too long or too deep is not read."""
    nodes, value = [], formulas._value

    def counted(node: ast.expr, symbol: Fraction) -> Fraction:
        nodes.append(node)
        return value(node, symbol)

    monkeypatch.setattr(formulas, "_value", counted)
    readable.cache_clear()
    assert len(readable(text)) <= 24
    assert len(nodes) == 3 * visited
    readable(text)
    assert len(nodes) == 3 * visited


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("text", ["1if h", "h**9999", '"\\d"', "1(h)", "h is 1", "9**9**9**9", "1e999*h", "lambda: h"])
def test_what_python_would_read_is_not_a_formula(text: str) -> None:
    assert readable(text) == text

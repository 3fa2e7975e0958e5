"""Arithmetic of one element of an array of sizes: a number, a symbol of the model, or None where it is not known.

For a symbol N, `N - N` is 0, `N * 1` and the least of N and N are N, and `N / 2` is not known.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any


def of_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that gives None unless all it is given are numbers."""

    @functools.wraps(function)
    def guarded(*elements: Any) -> Any:
        return function(*elements) if all(isinstance(element, int | float) for element in elements) else None

    return guarded


def of_symbols(
    function: Callable[[Any, Any], Any], *, same: Any = None, right: Any = None, left: Any = None
) -> Callable[[Any, Any], Any]:
    """Return a function that knows what it gives for a symbol and itself, and its neutral elements."""

    def found(a: Any, b: Any) -> Any:
        if isinstance(a, str) and (a == b or (right is not None and b == right)):
            return same if a == b else a
        if isinstance(b, str) and left is not None and a == left:
            return b
        return of_numbers(function)(a, b)

    return found


def sizes_kept(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function of one number that leaves a size, which is whole and not negative, as it is."""
    return lambda element: element if isinstance(element, str) else of_numbers(function)(element)


def _divided(a: Any, b: Any) -> Any:
    if isinstance(a, float) or isinstance(b, float):
        return a / b
    return int(math.copysign(1, a) * math.copysign(1, b)) * (abs(a) // abs(b))


def _power(a: Any, b: Any) -> Any:
    return a**b if abs(b) <= 64 else None


def _equal(a: Any, b: Any) -> Any:
    if isinstance(a, str) or isinstance(b, str):
        number = b if isinstance(a, str) else a
        is_negative = isinstance(number, int | float) and number < 0
        return True if a == b else False if is_negative else None
    return of_numbers(operator.eq)(a, b)


def _least(a: Any, b: Any) -> Any:
    return a if a == b else of_numbers(min)(a, b)


def _most(a: Any, b: Any) -> Any:
    return a if a == b else of_numbers(max)(a, b)


_ADD = of_symbols(operator.add, right=0, left=0)
_MULTIPLY = of_symbols(operator.mul, right=1, left=1)

ELEMENTWISE: Mapping[str, Callable[..., Any]] = {
    "Add": _ADD,
    "Sub": of_symbols(operator.sub, same=0, right=0),
    "Mul": _MULTIPLY,
    "Div": of_symbols(_divided, same=1, right=1),
    "Pow": of_numbers(_power),
    "Neg": of_numbers(operator.neg),
    "Abs": sizes_kept(abs),
    "Floor": sizes_kept(lambda number: float(math.floor(number))),
    "Ceil": sizes_kept(lambda number: float(math.ceil(number))),
    "Round": sizes_kept(lambda number: float(round(number))),
    "Sqrt": of_numbers(math.sqrt),
    "Sign": of_numbers(lambda number: (number > 0) - (number < 0)),
    "Equal": _equal,
    "Less": of_numbers(operator.lt),
    "LessOrEqual": of_numbers(operator.le),
    "Greater": of_numbers(operator.gt),
    "GreaterOrEqual": of_numbers(operator.ge),
    "Not": of_numbers(operator.not_),
    "And": of_numbers(lambda a, b: bool(a and b)),
    "Or": of_numbers(lambda a, b: bool(a or b)),
    "Where": lambda condition, a, b: None if condition is None else a if condition else b,
}
"""What each operator makes of an element of each of its operands."""

OF_MANY: Mapping[str, Callable[[Any, Any], Any]] = {"Min": _least, "Max": _most, "Sum": _ADD}
"""The operators of any number of operands, two of whose elements are joined at a time."""

REDUCTIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "ReduceProd": _MULTIPLY,
    "ReduceSum": _ADD,
    "ReduceMax": _most,
    "ReduceMin": _least,
}
"""The operators that join all elements along axes, two at a time."""

"""Sizes that exporters write as formulas, such as `floor(height/2 - 1/2) + 1`, said as what they come to."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache

_LONGEST_SHOWN = 24
_LONGEST_READ = 1000
_DEEPEST = 40
# The symbol is put at multiples of this number, which every usual stride divides.
_STEP = 2**12 * 3**3 * 5 * 7

_TOKEN = re.compile(r"//|[-+*/(),]|[0-9]{1,9}(?![\w.])|[A-Za-z_][\w.:]*")
_SUMS: Mapping[str, Callable[[Fraction, Fraction], Fraction]] = {"+": operator.add, "-": operator.sub}
_PRODUCTS: Mapping[str, Callable[[Fraction, Fraction], Fraction]] = {
    "*": operator.mul,
    "/": operator.truediv,
    "//": lambda one, other: Fraction(one // other),
}
_FUNCTIONS: Mapping[str, Callable[..., Fraction]] = {
    "floor": lambda number: Fraction(math.floor(number)),
    "ceil": lambda number: Fraction(math.ceil(number)),
    "ceiling": lambda number: Fraction(math.ceil(number)),
    "max": max,
    "min": min,
}


@lru_cache(maxsize=4096)
def readable(symbol: str) -> str:
    """Return a symbolic size for the eye: a formula as what it comes to where its divisions leave no rest.

    A formula that stays long, as one of several symbols, is `?`; a long name is cut.

    >>> readable("floor(floor(height/2 - 1/2)/2) + 1"), readable("2*s0 - 1"), readable("batch")
    ('height/4', '2*s0-1', 'batch')
    """
    try:
        text = _multiple(symbol)
    except (ValueError, TypeError, ZeroDivisionError):
        text = symbol
    if text is None:
        return symbol if len(symbol) <= _LONGEST_SHOWN else "?"
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def _multiple(formula: str) -> str | None:
    """Return a formula of one symbol as `a*symbol/b+c`, None where it is no such.

    Raises:
        ValueError, TypeError, ZeroDivisionError: It is no formula.
    """
    readers = [_Reader(formula, _STEP * count) for count in (1, 2, 3)]
    first, second, third = (reader.read() for reader in readers)
    slope = (second - first) / _STEP
    rest = first - slope * _STEP
    if len(readers[0].names) != 1 or slope <= 0 or third - second != second - first or rest.denominator != 1:
        return None
    times = "" if slope.numerator == 1 else f"{slope.numerator}*"
    parts = "" if slope.denominator == 1 else f"/{slope.denominator}"
    return f"{times}{readers[0].names.pop()}{parts}{f'{int(rest):+}' if rest else ''}"


class _Reader:
    """Works out a formula with one number in place of each of its symbols, which it notes in `names`."""

    def __init__(self, formula: str, number: int) -> None:
        self.names: set[str] = set()
        self._number = Fraction(number)
        self._left = _TOKEN.findall(formula)[::-1] if len(formula) <= _LONGEST_READ else []
        if "".join(reversed(self._left)) != "".join(formula.split()) or self._left.count("(") > _DEEPEST:
            raise ValueError(f"{formula!r} is no formula")

    def read(self) -> Fraction:
        """Return what the formula comes to.

        Raises:
            ValueError, TypeError, ZeroDivisionError: It is no formula.
        """
        result = self._chain(_SUMS)
        if self._left:
            raise ValueError(f"{self._left[-1]!r} does not belong here")
        return result

    def _chain(self, operators: Mapping[str, Callable[[Fraction, Fraction], Fraction]]) -> Fraction:
        """Read operands with these operators between them: a sum of products, or a product of single things."""
        inner = operators is _SUMS
        result = self._chain(_PRODUCTS) if inner else self._single()
        while self._left and self._left[-1] in operators:
            apply = operators[self._left.pop()]
            result = apply(result, self._chain(_PRODUCTS) if inner else self._single())
        return result

    def _single(self) -> Fraction:
        token = self._left.pop() if self._left else ""
        if token == "-" and self._left[-1:] != ["-"]:
            return -self._single()
        if token == "(":
            return self._until_closed()[0]
        if token.isdigit():
            return Fraction(int(token))
        if self._left[-1:] == ["("]:
            self._left.pop()
            return _function(token)(*self._until_closed())
        if not re.match("[A-Za-z_]", token):
            raise ValueError(f"{token!r} does not belong here")
        self.names.add(token)
        return self._number

    def _until_closed(self) -> list[Fraction]:
        given = [self._chain(_SUMS)]
        while self._left and self._left[-1] == ",":
            self._left.pop()
            given.append(self._chain(_SUMS))
        if not self._left or self._left.pop() != ")":
            raise ValueError("a bracket is not closed")
        return given


def _function(name: str) -> Callable[..., Fraction]:
    if name.lower() not in _FUNCTIONS:
        raise ValueError(f"{name!r} is no function that is known")
    return _FUNCTIONS[name.lower()]

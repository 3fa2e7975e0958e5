"""Sizes that exporters write as formulas, such as `floor(height/2 - 1/2) + 1`, shortened to `height/2` for the eye."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from math import ceil, floor

_LONGEST_SHOWN = 24
# They bound the depth of the tree and, with factors below 2**30, the digits of its numbers: files may hold any text.
_LONGEST_READ, _MOST_TOKENS, _MOST_BRACKETS = 1000, 300, 40
# The symbol is put at multiples of this number, which every usual stride divides.
_STEP = 2**12 * 3**3 * 5 * 7

_TOKEN = re.compile(r"//|[-+*/(),]|[0-9]{1,9}(?![\w.])|[A-Za-z_][\w.:]*")
_OPERATORS: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction | int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


@lru_cache(maxsize=4096)
def readable(symbol: str) -> str:
    """Return a symbolic size for the eye; a formula becomes the multiple of its symbol that it equals.

    Divisions are taken to leave no remainder, as those of strides do for the sizes that a model is made for. A formula
    without such a multiple, for example one of several symbols, stays, or is `?` if it is long; a long name is cut.

    >>> readable("floor(floor(height/2 - 1/2)/2) + 1"), readable("2*s0 - 1"), readable("batch")
    ('height/4', '2*s0-1', 'batch')
    """
    try:
        text = _multiple(symbol)
    except (ValueError, ZeroDivisionError, SyntaxError, RecursionError, MemoryError):  # the last two from the parser
        text = symbol
    if text is None:
        return symbol if len(symbol) <= _LONGEST_SHOWN else "?"
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"


def _multiple(formula: str) -> str | None:
    """Return a formula as `a*symbol/b+c`; None if it has several symbols, or is not linear in its symbol."""
    tree, names = _parsed(formula)
    first, second, third = (_value(tree, Fraction(_STEP * count)) for count in (1, 2, 3))
    slope = (second - first) / _STEP
    rest = first - slope * _STEP
    if len(names) != 1 or slope <= 0 or third - second != second - first or rest.denominator != 1:
        return None
    times = "" if slope.numerator == 1 else f"{slope.numerator}*"
    parts = "" if slope.denominator == 1 else f"/{slope.denominator}"
    return f"{times}{names.pop()}{parts}{f'{int(rest):+}' if rest else ''}"


def _parsed(formula: str) -> tuple[ast.expr, set[str]]:
    """Return a formula as a tree in which every symbol is called `x`, and the symbols' own names."""
    tokens = _TOKEN.findall(formula) if len(formula) <= _LONGEST_READ else []
    if "".join(tokens) != "".join(formula.split()) or len(tokens) > _MOST_TOKENS or tokens.count("(") > _MOST_BRACKETS:
        raise ValueError(f"{formula!r} is not a formula")
    followers = [*tokens[1:], ""]
    names = {token for token, after in zip(tokens, followers, strict=True) if token[0].isidentifier() and after != "("}
    text = " ".join("x" if token in names else token.lower() for token in tokens)
    return ast.parse(text, mode="eval").body, names


def _value(node: ast.expr, symbol: Fraction) -> Fraction:
    """Return what a formula comes to with a number in place of its symbol."""
    match node:
        case ast.Constant(value=int(number)):
            return Fraction(number)
        case ast.Name():
            return symbol
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, symbol)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return Fraction(_OPERATORS[type(op)](_value(left, symbol), _value(right, symbol)))
        case ast.Call(func=ast.Name(id="floor" | "ceil" | "ceiling" as name), args=[argument]):
            return Fraction((floor if name == "floor" else ceil)(_value(argument, symbol)))
        case ast.Call(func=ast.Name(id="max" | "min" as name), args=[_, _, *_] as arguments):
            values = [_value(argument, symbol) for argument in arguments]
            return max(values) if name == "max" else min(values)
    raise ValueError("a part of it is not a number, a symbol, a sum, a product or a function that is known")

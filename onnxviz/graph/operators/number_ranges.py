"""Numbers between two ends, followed from an input x through arithmetic, with the formula that led to them.

For each x of PROBES a value has a least and a greatest number over its channels: behind `(x - mean) / std` with three
means and three stds, the widest that these allow. Constants have the same ends for every x.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product
from typing import Any

import numpy
import numpy.typing as npt

from onnxviz.layout import PROBES

Ends = npt.NDArray[numpy.float64]


@dataclass(frozen=True, slots=True)
class NumberRange:
    """What a value is for each x of PROBES, its least and greatest `(4, 2)`, and its formula.

    `root` is the input that is called x, empty for constants.
    """

    ends: Ends
    formula: str
    root: str = ""


COMPUTED: Mapping[str, tuple[Callable[..., Any], str]] = {
    "Add": (numpy.add, "{} + {}"),
    "Sub": (numpy.subtract, "{} - {}"),
    "Mul": (numpy.multiply, "{} * {}"),
    "Div": (numpy.divide, "{} / {}"),
    "Max": (numpy.maximum, "max({}, {})"),
    "Min": (numpy.minimum, "min({}, {})"),
    "Neg": (numpy.negative, "-{}"),
    "Sqrt": (numpy.sqrt, "sqrt({})"),
    "Reciprocal": (numpy.reciprocal, "1 / {}"),
}
"""Operators that rise or fall with each operand, so that the ends of the result come from those of the operands."""


def input_range(name: str) -> NumberRange:
    """Return the range of an input itself."""
    return NumberRange(numpy.array(PROBES)[:, None].repeat(2, axis=1), "x", name)


def constant_range(array: npt.NDArray[Any]) -> NumberRange | None:
    """Return the range of an array of the model, None where it does not hold finite numbers."""
    if array.dtype.kind not in "iuf" or not array.size:
        return None
    numbers = array.astype(numpy.float64)
    ends = numpy.array([[numbers.min(), numbers.max()]]).repeat(len(PROBES), axis=0)
    return NumberRange(ends, _number_text(numbers)) if numpy.isfinite(ends).all() else None


def _number_text(numbers: npt.NDArray[numpy.float64]) -> str:
    each = numbers.reshape(-1).tolist()
    distinct = list(islice(dict.fromkeys(each), _MOST_LISTED + 1))
    shown = each if len(distinct) > 1 and len(each) <= _MOST_LISTED else distinct
    return _listed([f"{number:.4g}" for number in shown])


_MOST_LISTED = 4


def _listed(texts: Sequence[str]) -> str:
    """Return the text of several numbers side by side, such as one a channel; of one alone without brackets."""
    if len(texts) == 1:
        return texts[0]
    return f"({', '.join(texts[:_MOST_LISTED])}{', ...' if len(texts) > _MOST_LISTED else ''})"


def joined(parts: Sequence[NumberRange]) -> NumberRange | None:
    """Return what lies side by side, such as channels that were split and scaled one by one: `(x - 120, x - 110)`."""
    if not parts or len({part.root for part in parts}) > 1:
        return None
    ends = numpy.stack(
        [numpy.min([part.ends[:, 0] for part in parts], 0), numpy.max([part.ends[:, 1] for part in parts], 0)], 1
    )
    formulas = [part.formula for part in parts]
    return replace(parts[0], ends=ends, formula=_listed(formulas if len({*formulas}) > 1 else formulas[:1]))


def unwrapped(branches: Sequence[NumberRange | None]) -> NumberRange | None:
    """Return an index of which the negative ones count from the end: `Where(x < 0, x + rows, x)` is x for others."""
    known = [branch for branch in branches if branch is not None and branch.root]
    if len(known) < len(branches) or len({branch.root for branch in known}) > 1:
        return None
    return next((branch for branch in known if branch.formula == "x"), None)


def computed(operator: str, operands: Sequence[NumberRange | None]) -> NumberRange | None:
    """Return the result of an operator on numbers between given ends; one operand at most may be followed."""
    known = [operand for operand in operands if operand is not None]
    roots = [operand.root for operand in known if operand.root]
    function, text = COMPUTED[operator]
    if len(known) < len(operands) or len(known) != text.count("{}") or len(roots) > 1:
        return None
    with numpy.errstate(all="ignore"):
        corners = [function(*ends) for ends in product(*(operand.ends.T for operand in known))]
    divisor = known[-1].ends if operator in ("Div", "Reciprocal") else None
    if divisor is not None and (divisor.min() <= 0 <= divisor.max()):
        return None
    return bounded(numpy.stack(corners, 1), _formula(operator, known), "".join(roots))


_NEUTRAL = {"Add": 0, "Sub": 0, "Mul": 1, "Div": 1}
_SIGN = re.compile(r"(?<!\w)-")


def _formula(operator: str, operands: Sequence[NumberRange]) -> str:
    """Return the text of a result: a product by 1/255 is written as a division by 255, a sum with -1 as `- 1`.

    Only the numbers that a reader meets are tidied: what is computed does not depend on it.
    """
    first, *others = operands
    other = others[0] if others else first
    if operator in ("Add", "Mul") and not first.root and other.root:
        first, other = other, first
    lone = other.ends[0, 0] if not other.root and other.ends[0, 0] == other.ends[0, 1] else None
    left = bracketed(first.formula) if operator in ("Mul", "Div", "Neg") else first.formula
    if lone is not None and lone == _NEUTRAL.get(operator):
        return first.formula
    if operator == "Add" and not other.root and other.ends.max() < 0:
        return f"{left} - {_SIGN.sub('', other.formula)}"
    if operator == "Mul" and lone is not None and 0 < lone < 1 and abs(2 / lone - round(2 / lone)) < 1e-4:
        return f"{left} / {round(2 / lone) / 2:.4g}"
    return COMPUTED[operator][1].format(left, bracketed(other.formula))


def bracketed(formula: str) -> str:
    """Return a formula that can be multiplied: a sum goes into brackets.

    >>> bracketed("(x - 1) / 2"), bracketed("(x - 1) / 2 + 3")
    ('(x - 1) / 2', '((x - 1) / 2 + 3)')
    """
    depth, is_sum = 0, False
    for before, sign in zip(f" {formula}", formula, strict=False):
        depth += (sign == "(") - (sign == ")")
        is_sum |= depth == 0 and sign in "+-" and before == " "
    return f"({formula})" if is_sum else formula


def bounded(corners: Ends, formula: str, root: str) -> NumberRange | None:
    """Return the range of numbers `(4, K)` for each x of PROBES, None where one is not finite."""
    if not numpy.isfinite(corners).all():
        return None
    return NumberRange(numpy.stack([corners.min(axis=1), corners.max(axis=1)], axis=1), formula, root)

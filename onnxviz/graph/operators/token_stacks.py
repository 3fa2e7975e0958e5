"""Parts of a map that lie one behind the other along an axis of their own, as windows that were cut by many Slices.

Rows 0 to 3 and rows 4 to 7 of a map, joined along a new axis, are its rows in two digits: which part, and the place in
it, as a Reshape to (2, 4) would have made them. Four quarters of a map have two digits for which part: the half of the
rows and the half of the columns, in the order in which they change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

from onnxviz.graph.operators.token_digits import Axis, PlaceDigit, lines_in
from onnxviz.graph.operators.token_lines import MOST_CELLS, Line, plain
from onnxviz.graph.operators.token_moves import Contribution


def stacked(parts: Sequence[Contribution], shape: tuple[int, ...]) -> Contribution | None:
    """Return operands of a Concat, each of size 1 along its axis, as one; None where they are not parts of a map."""
    along = parts[0].joins if parts else None
    if along is None or len(parts) != shape[along] or len({_form(part) for part in parts}) > 1:
        return None
    wholes: dict[Line, Line] = {}
    digits: list[tuple[int, PlaceDigit]] = []
    for lines in zip(*map(_lines, parts), strict=True):
        different = list(dict.fromkeys(lines))
        if len(different) > 1:
            whole = _one_behind_the_other(different)
            if whole is None:
                return None
            wholes[lines[0]] = whole
            digits.append((_period(lines), PlaceDigit(len(different), whole, len(lines[0].cells))))
    digits.sort(key=lambda each: each[0])
    count = 1
    for period, digit in digits:
        if period != count:
            return None
        count *= digit.count
    if count != len(parts):
        return None
    axes = [axis and _on(wholes, axis) for axis in parts[0].axes]
    axes[along] = tuple(digit for _, digit in reversed(digits))
    return Contribution(tuple(axes))


def _lines(part: Contribution) -> list[Line]:
    return lines_in(chain.from_iterable(axis or () for axis in part.axes))


def _form(part: Contribution) -> tuple[object, ...]:
    """Return all of a part but where its cells lie."""
    lines = _lines(part)
    return (
        tuple((line.axes, line.sizes, len(line.cells)) for line in lines),
        tuple(
            (place, each.count, each.step, each.role, each.line and lines.index(each.line))
            for place, axis in enumerate(part.axes)
            for each in axis or ()
        ),
    )


def _one_behind_the_other(lines: Sequence[Line]) -> Line | None:
    """Return the line of all positions of several, None where a cell is in two of them."""
    if len(lines) * len(lines[0].cells) > MOST_CELLS:
        return None
    cells = list(chain.from_iterable(line.cells for line in lines))
    held = [cell for cell in cells if cell >= 0]
    return replace(lines[0], cells=plain(cells)) if held and len(set(held)) == len(held) else None


def _period(lines: Sequence[Line]) -> int:
    """Return after how many parts the next of the different lines comes, which then take turns; 0 if they do not."""
    turns = list(dict.fromkeys(lines))
    period = lines.index(turns[1])
    is_regular = all(line == turns[place // period % len(turns)] for place, line in enumerate(lines))
    return period if is_regular else 0


def _on(wholes: Mapping[Line, Line], axis: Axis) -> Axis:
    return tuple(replace(each, line=wholes.get(each.line, each.line)) if each.line else each for each in axis)

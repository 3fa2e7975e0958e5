"""Digits: where the positions of an axis lie on a grid over the input, kept so that Reshape and Transpose lose nothing.

A row of 6 pixels in windows of 3 is two digits: pixel = 3 * window + place, one of 2 values with step 3 and one of 3
values with step 1. A Reshape to (2, 3) splits the axis between them, a Transpose puts (place, window), and a Reshape
back to 6 merges them to pixels 0, 3, 1, 4, 2, 5: read from left to right, the digits still say which.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from onnxviz.graph.operators.token_lines import ITEMS, MOST_CELLS, Line, coarser_line, plain

BOTH, QUERY, KEY = "both", "query", "key"
"""Which of the two places of a product of tokens with tokens a digit belongs to."""


@dataclass(frozen=True, slots=True)
class PlaceDigit:
    """A part of an axis with `count` values, each `step` positions of a line apart; without a line it says no place."""

    count: int
    line: Line | None = None
    step: int = 0
    role: str = BOTH


Axis = tuple[PlaceDigit, ...]
"""The digits of an axis, the slowest first. One of a single value is there only where it is one cell of many."""

Places = tuple[Axis, ...]
"""The axes of a value."""


def blank(size: int) -> Axis:
    """Return an axis that holds no places."""
    return (PlaceDigit(size),) if size != 1 else ()


def whole(axis: int, size: int) -> Axis:
    """Return an axis that holds an axis of the input, or of a map over it, in order."""
    return axis_of(Line((axis,), (size,), range(size)))


def axis_of(line: Line) -> Axis:
    """Return an axis along which a line lies; a whole grid becomes a digit for each of its axes."""
    line = replace(line, cells=plain(line.cells))
    if isinstance(line.cells, range) and math.prod(line.sizes) == len(line.cells):
        rows = zip(line.axes, line.sizes, strict=True)
        return tuple(PlaceDigit(size, Line((axis,), (size,), range(size)), 1) for axis, size in rows if size != 1)
    return (PlaceDigit(len(line.cells), line, 1),)


def size_of(axis: Axis) -> int:
    """Return how many positions an axis has."""
    return math.prod(digit.count for digit in axis)


def has_places(places: Iterable[Axis]) -> bool:
    """Return whether any axis holds places."""
    return any(digit.line for axis in places for digit in axis)


def line_of(axis: Axis) -> Line | None:
    """Return an axis as one line; None where it holds anything but all digits of its lines, or no place."""
    lines = lines_in(axis)
    if not lines or any(digit.line is None or digit.role != axis[0].role for digit in axis):
        return None
    if not all(is_complete(line, axis) for line in lines) or (
        len(lines) > 1 and any(ITEMS in each.axes for each in lines)
    ):
        return None
    if len(axis) == 1:
        return lines[0]
    if size_of(axis) > MOST_CELLS:
        return None
    axes, sizes, cells = cells_of(axis, lines)
    return Line(axes, sizes, cells.tolist())


def lines_in(digits: Iterable[PlaceDigit]) -> list[Line]:
    """Return the lines of digits, each once, in the order of the input's axes."""
    lines: list[Line] = []
    for digit in digits:
        if digit.line is not None and digit.line not in lines:
            lines.append(digit.line)
    return sorted(lines, key=lambda line: line.axes)


def is_complete(line: Line, digits: Iterable[PlaceDigit]) -> bool:
    """Return whether the digits count through all positions of a line, each once."""
    return _counts(line, digits, 1) == len(line.cells)


def _counts(line: Line, digits: Iterable[PlaceDigit], step: int) -> int:
    """Return how many steps of a line its digits count through without a gap, 0 where there is one."""
    for digit in sorted((digit for digit in digits if digit.line == line), key=lambda digit: digit.step):
        if digit.step != step:
            return 0
        step *= digit.count
    return step


def cells_of(
    digits: Sequence[PlaceDigit], lines: Sequence[Line]
) -> tuple[tuple[int, ...], tuple[int, ...], np.ndarray]:
    """Return the axes and sizes of the grid over all lines, and the cell of each combination of digits, in order."""
    shape = [digit.count for digit in digits]
    cells = np.zeros(shape, np.int64)
    lost = np.zeros(shape, np.int64)
    for line in lines:
        position = np.zeros(shape, np.int64)
        for place, digit in enumerate(digits):
            if digit.line == line:
                position += np.arange(digit.count).reshape([-1] + [1] * (len(shape) - place - 1)) * digit.step
        found = np.asarray(line.cells)[position]
        cells = cells * math.prod(line.sizes) + np.maximum(found, 0)
        lost = np.minimum(lost, np.minimum(found, 0))
    axes = tuple(axis for line in lines for axis in line.axes)
    sizes = tuple(size for line in lines for size in line.sizes)
    return axes, sizes, np.where(lost < 0, lost, cells).reshape(-1)


def picked(axis: Axis, sources: Sequence[int]) -> Axis:
    """Return an axis whose positions are those of another, or OUTSIDE or PADDING; blank where it cannot be followed."""
    if plain(sources) == range(size_of(axis)):
        return axis
    line = line_of(axis)
    if line is None:
        return blank(len(sources))
    cells = [line.cells[source] if source >= 0 else source for source in sources]
    found = [cell for cell in cells if cell >= 0]
    if not found or len(set(found)) < len(found):
        return blank(len(sources))
    return tuple(replace(digit, role=axis[0].role) for digit in axis_of(replace(line, cells=cells)))


def in_order(axis: Axis) -> int | None:
    """Return which axis of the input an axis is, seen in order, with nothing but channels inside; None of others."""
    outer = axis
    while outer and outer[-1].line is None:
        outer = outer[:-1]
    line = line_of(outer)
    if line is None or len(line.axes) != 1:
        return None
    cells = [cell for cell in line.cells if cell >= 0]
    return line.axes[0] if all(one < other for one, other in pairwise(cells)) else None


def regrouped(places: Places, shape: Sequence[int]) -> Places | None:
    """Return the axes of a Reshape, which splits and merges digits; None where one would be torn."""
    waiting = [digit for axis in places for digit in axis][::-1]
    result: list[Axis] = []
    for size in shape:
        axis: list[PlaceDigit] = []
        need = size
        while need > 1 or (not axis and waiting and waiting[-1].count == 1):
            if not waiting:
                return None
            digit = waiting.pop()
            if need % digit.count:
                rest, left_over = divmod(digit.count, need)
                if left_over:
                    return None
                waiting.append(replace(digit, count=rest))
                digit = replace(digit, count=need, step=digit.step * rest)
            need //= digit.count
            before = axis[-1] if axis else None
            if before is not None and before.line == digit.line and before.step == digit.count * digit.step:
                digit = replace(axis.pop(), count=before.count * digit.count, step=digit.step)
            axis.append(digit)
        result.append(tuple(axis))
    return None if any(digit.count > 1 for digit in waiting) else tuple(result)


def settled(places: Places) -> Places:
    """Return axes in which every line is complete: a line whose finest digits are gone is one of larger cells.

    Pixels in patches of 16 of which a product sums up each patch are a line of patches. A line of which other digits
    are gone says no place any more.
    """
    places = _renamed(places)
    digits = [digit for axis in places for digit in axis]
    roles = (QUERY, KEY) if any(digit.role == KEY for digit in digits) else (BOTH,)
    changes: list[tuple[Line, Line | None, int]] = []
    for own in ([digit for digit in digits if digit.role in (BOTH, role)] for role in roles):
        changes += [(line, *_coarse(line, own)) for line in lines_in(own) if not is_complete(line, own)]
    if changes and len(roles) > 1:  # only part of the keys is left: which of the two grids counts is not known
        return settled(tuple(tuple(_placeless(digit) for digit in axis) for axis in places))
    for line, coarse, step in changes:
        places = tuple(tuple(_changed(digit, line, coarse, step) for digit in axis) for axis in places)
    return places


def _placeless(digit: PlaceDigit) -> PlaceDigit:
    return digit if digit.role == BOTH else PlaceDigit(digit.count)


def _renamed(places: Places) -> Places:
    """Return axes with one role where only queries or only keys are left."""
    roles = {digit.role for axis in places for digit in axis}
    if roles >= {QUERY, KEY} or roles <= {BOTH}:
        return places
    return tuple(tuple(replace(digit, role=BOTH) for digit in axis) for axis in places)


def _changed(digit: PlaceDigit, line: Line, coarse: Line | None, step: int) -> PlaceDigit:
    if digit.line != line:
        return digit
    return PlaceDigit(digit.count) if coarse is None else replace(digit, line=coarse, step=digit.step // step)


def _coarse(line: Line, digits: Sequence[PlaceDigit]) -> tuple[Line | None, int]:
    """Return the line of the digits that are left of another, and how many of its cells one of its own is."""
    step = min(digit.step for digit in digits if digit.line == line)
    is_coarser = step > 1 and _counts(line, digits, step) == len(line.cells)
    return coarser_line(line, step) if is_coarser else None, step

"""Where what a node makes lies, as all its operands say together: a sum, a Concat, a product of queries and keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from onnxviz.graph.operators.token_digits import (
    BOTH,
    KEY,
    QUERY,
    Axis,
    PlaceDigit,
    Places,
    axis_of,
    blank,
    has_places,
    line_of,
    lines_in,
    settled,
)
from onnxviz.graph.operators.token_lines import merged_line
from onnxviz.graph.operators.token_moves import Contribution
from onnxviz.graph.operators.token_stacks import stacked


def joined(parts: Sequence[Contribution], shape: tuple[int, ...]) -> Places | None:
    """Return where the positions of a result lie, as its operands say; None where two of them contradict each other."""
    parts = _with_roles(parts)
    together = _together(parts, shape)
    if together is None:
        whole = stacked(parts, shape)
        together = None if whole is None else _together([whole], shape)
    return None if together is None else settled(together)


def _together(parts: Sequence[Contribution], shape: tuple[int, ...]) -> Places | None:
    axes: list[Axis] = []
    for place, size in enumerate(shape):
        said = [part.axes[place] for part in parts]
        known = [axis for axis in said if axis is not None and has_places([axis])]
        if not known:
            axes.append(blank(size))
        elif parts[0].joins == place:
            axes.append(_side_by_side(known) or blank(size))
        else:
            agreed = _agreed(known)
            if agreed is None:
                return None
            axes.append(agreed)
    return tuple(axes)


def _with_roles(parts: Sequence[Contribution]) -> Sequence[Contribution]:
    """Return which part is the queries and which the keys, where tokens are multiplied with tokens along two axes."""
    if len(parts) != 2:
        return parts
    one, other = parts
    alone = [_only(one, other), _only(other, one)]
    over = [{axis for line in lines_in(digits) for axis in line.axes} for digits in alone]
    if not over[0] & over[1]:
        return parts
    return [
        Contribution(_named(part, before, role), part.joins)
        for part, before, role in ((one, other, QUERY), (other, one, KEY))
    ]


def _only(part: Contribution, other: Contribution) -> list[PlaceDigit]:
    """Return the digits of the axes along which only one operand has places."""
    pairs = zip(part.axes, other.axes, strict=True)
    return [digit for axis, beside in pairs if axis and not has_places([beside or ()]) for digit in axis]


def _named(part: Contribution, other: Contribution, role: str) -> tuple[Axis | None, ...]:
    return tuple(
        tuple(replace(digit, role=role) for digit in axis) if axis and not has_places([beside or ()]) else axis
        for axis, beside in zip(part.axes, other.axes, strict=True)
    )


def _agreed(axes: Sequence[Axis]) -> Axis | None:
    """Return the axis that all operands have, or that of larger cells in which they agree; None where they do not."""
    if all(axis == axes[0] for axis in axes[1:]):
        return axes[0]
    if len({tuple((digit.count, digit.step) for digit in axis) for axis in axes}) > 1:
        return None
    common = [_common(digits) for digits in zip(*axes, strict=True)]
    found = tuple(digit for digit in common if digit is not None)
    return found if len(found) == len(common) else None


def _common(digits: Sequence[PlaceDigit]) -> PlaceDigit | None:
    """Return the digit that operands have at one place of an axis."""
    first, lines = digits[0], lines_in(digits)
    line = lines[0] if len(lines) == 1 else merged_line(lines)
    if line is None or any((digit.line is None) != (first.line is None) for digit in digits):
        return None
    roles = [digit.role for digit in digits if digit.role != BOTH]
    return replace(first, line=line, role=roles[0] if roles else BOTH)


def _side_by_side(axes: Sequence[Axis]) -> Axis | None:
    """Return an axis along which operands lie one behind the other, each OUTSIDE where the others are."""
    lines = [line for line in map(line_of, axes) if line is not None]
    if len(axes) == 1:
        return axes[0]
    grids = [(line.axes, line.sizes) for line in lines]
    if len(lines) < len(axes) or grids.count(grids[0]) < len(grids):
        return None
    stacked = zip(*(line.cells for line in lines), strict=True)
    cells = [max(found) if max(found) >= 0 else min(found) for found in stacked]
    held = [cell for cell in cells if cell >= 0]
    return None if len(set(held)) < len(held) else axis_of(replace(lines[0], cells=cells))

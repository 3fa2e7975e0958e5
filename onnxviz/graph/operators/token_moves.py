"""Where an operand whose places are known lies in what a node makes of it, as the rules of reads/ say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnxviz.graph.node import Node
from onnxviz.graph.operators.reads import moving, reshaping
from onnxviz.graph.operators.reads.rule import AxisRead, Pull, Reads
from onnxviz.graph.operators.table import operator_of
from onnxviz.graph.operators.token_digits import (
    Axis,
    PlaceDigit,
    Places,
    blank,
    has_places,
    in_order,
    line_of,
    picked,
    regrouped,
    size_of,
    whole,
)
from onnxviz.graph.operators.token_lines import MOST_CELLS, OUTSIDE, PADDING

_STILL = Pull(((0,),), 1)

_REGROUPING = frozenset({reshaping.reshape, reshaping.flatten, moving.squeeze, moving.unsqueeze})
"""Rules of operators that leave all numbers in their order."""

_SLIDING = frozenset({"conv", "pool", "resize"})
"""Kinds whose maps lie over the picture as their operands do, with positions of another size."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """Where one operand of a node lies in what the node makes.

    Attributes:
        axes: for each axis of the result what the operand has along it; None where it says nothing.
        joins: the axis along which the operands lie one behind the other.
    """

    axes: tuple[Axis | None, ...]
    joins: int | None = None


def contribution_of(node: Node, place: int, places: Places, rule: Reads, shape: tuple[int, ...]) -> Contribution | None:
    """Return where an operand lies in a result of this shape; None where a Reshape tears its digits."""
    operator = operator_of(node)
    if operator.reads in _REGROUPING and not place:
        axes = regrouped(places, shape)
        return None if axes is None else Contribution(axes)
    part: list[Axis | None] = [None] * len(shape)
    slides = operator.kind in _SLIDING and not place
    for axis, read in zip(places, rule.axes, strict=True):
        if len(read.digits) > 1:
            for digit in read.digits:
                part[digit.place] = _split(axis, digit.inner, digit.size)
            continue
        out = read.like if read.out is None and read.loose and slides else read.out
        if out is not None and out < len(shape):
            moved = _slid if slides else _moved
            part[out] = moved(axis, read, shape[out], outside=OUTSIDE if rule.joins == out else PADDING)
    return Contribution(tuple(part), rule.joins)


def _split(axis: Axis, step: int, size: int) -> Axis:
    """Return the digit of an axis that is cut into patches."""
    line = line_of(axis)
    return blank(size) if line is None else (PlaceDigit(size, line, step, axis[0].role),)


def _slid(axis: Axis, read: AxisRead, size: int, outside: int) -> Axis:
    """Return an axis over which a window or a resampling slides: one of another size is a line of its own."""
    if size == size_of(axis) and (read.pull is None or (len(read.pull.offsets) == read.pull.step == 1)):
        return axis
    number = in_order(axis)
    return blank(size) if number is None else whole(number, size)


def _moved(axis: Axis, read: AxisRead, size: int, outside: int) -> Axis:
    """Return an axis whose positions are taken one by one from an operand's."""
    if not has_places([axis]):
        return blank(size)
    if size == size_of(axis) and (read.pull is None or read.pull == _STILL):
        return axis
    if read.inner:  # patches that overlap
        return _slid(axis, read, size, outside)
    if size > MOST_CELLS:
        return blank(size)
    sources = range(size) if read.pull is None else _sources(read.pull, size_of(axis), size, outside)
    return blank(size) if sources is None or size > size_of(axis) == len(sources) else picked(axis, sources)


def _sources(pull: Pull, there: int, size: int, outside: int) -> Sequence[int] | None:
    """Return which position of an axis of `there` each of a result's `size` reads; None where one reads several."""
    phases, step = len(pull.offsets), pull.step
    if phases == 1 and len(pull.offsets[0]) > 1:
        return range(size) if step == 1 and size == there else None  # neighbours besides the position itself
    if any(len(taps) != 1 for taps in pull.offsets):
        return None
    read = (place // phases * step + pull.offsets[place % phases][0] for place in range(size))
    return [source if 0 <= source < there else outside for source in read]

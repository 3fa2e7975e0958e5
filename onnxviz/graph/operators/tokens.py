"""Where each token of a transformer lies in the picture, followed through the graph and not taken from their count.

1. A convolution with stride 16 makes a map of 9 x 16 positions; each axis is one digit (token_digits.py).
2. Reshape and Transpose make (N, 144, C): the token axis is the digits 9 and 16, token t lies at (t // 16, t % 16).
3. A class token is joined before them, 145 in all: the axis is a line of cells, the first of them OUTSIDE.

So 145 tokens are 9 x 16 + 1 here, though 12 x 12 + 1 would be as many. Which axis of an operand goes where, the rules
of reads/ say; here only digits are moved. Windows, rolls, patches that are cut without a convolution and merged patches
follow from the same few steps, whoever made the model. What cannot be followed has no grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.reads import moving, reshaping
from onnxviz.graph.operators.reads.rule import NOTHING, AxisRead, KnownSizes, Operand, Pull, Reads
from onnxviz.graph.operators.receptive_field import follow_input, main_input
from onnxviz.graph.operators.table import operator_of, reads_of
from onnxviz.graph.operators.token_digits import (
    BOTH,
    ITEMS,
    KEY,
    MOST_CELLS,
    OUTSIDE,
    PADDING,
    QUERY,
    Axis,
    PlaceDigit,
    Places,
    axis_of,
    blank,
    cells_of,
    has_places,
    in_order,
    line_of,
    lines_in,
    merged_line,
    picked,
    regrouped,
    settled,
    size_of,
    whole,
)
from onnxviz.layout import Dimension, TensorSpec, TokenGrid

_MOST_POSITIONS = 1 << 24
"""What is longer along an axis is a damaged or hostile size and not a map."""

_STILL = Pull(((0,),), 1)

_REGROUPING = frozenset({reshaping.reshape, reshaping.flatten, moving.squeeze, moving.unsqueeze})
"""Rules of operators that leave all numbers in their order."""

_SLIDING = frozenset({"conv", "pool", "resize"})
"""Kinds whose maps lie over the picture as their operands do, with positions of another size."""


def token_grids(graph: Graph, types: Mapping[str, TensorSpec]) -> Mapping[str, TokenGrid]:
    """Return where the positions of each value lie in the picture, for the values of which that is followed.

    Args:
        graph: the model.
        types: type and shape of its values; what stands behind one whose size is not a number is not followed. An open
            batch counts as one item.
    """
    sizes = _ItemSizes(graph, types)
    found: dict[str, Places] = dict(_seeds(graph, sizes, types))
    for node in graph.nodes if found else ():
        seen = [place for place, value in enumerate(node.inputs) if value in found]
        for output, value in enumerate(node.outputs if seen else ()):
            shape = _numbers(sizes, value)
            with suppress(*MALFORMED):  # sizes that the file declares contradict its nodes
                places = None if shape is None else _made(node, output, seen, shape, found, sizes)
                if places is not None and has_places(places):
                    found[value] = places
    return _grids({value: places for value, places in found.items() if value in graph.producers})


class _ItemSizes(KnownSizes):
    """Sizes of values for one item, where the size of the batch is open."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        super().__init__(graph, types)
        source = main_input(graph)
        self._batch = next(iter(source.shape or ()), None) if source is not None else None

    def shape(self, value: str) -> tuple[Dimension, ...] | None:
        shape = super().shape(value)
        if shape is None or not isinstance(self._batch, str):
            return shape
        return tuple(1 if size == self._batch else size for size in shape)


def _seeds(graph: Graph, sizes: KnownSizes, types: Mapping[str, TensorSpec]) -> Iterator[tuple[str, Places]]:
    """Give the main input, each of whose axes is a line of its own; the first counts items."""
    source = main_input(graph)
    shape = None if source is None else _numbers(sizes, source.name)
    if source is None or shape is None:
        return
    if len(shape) == 4 or (len(shape) == 3 and len(follow_input(graph, types).space) == 2):
        yield source.name, tuple(whole(axis, size) for axis, size in enumerate(shape, 3 - len(shape)))


def _numbers(sizes: KnownSizes, value: str) -> tuple[int, ...] | None:
    shape = sizes.shape(value) if value else None
    numbers = tuple(size for size in shape or () if isinstance(size, int) and 0 < size <= _MOST_POSITIONS)
    return None if shape is None or len(numbers) != len(shape) else numbers


def _made(
    node: Node, output: int, seen: Sequence[int], shape: tuple[int, ...], found: Mapping[str, Places], sizes: KnownSizes
) -> Places | None:
    """Return where the positions of an output lie, as all operands that are followed say."""
    parts: list[_Contribution] = []
    for place in seen:
        places = found[node.inputs[place]]
        rule = reads_of(Operand(node, place, len(places), output, sizes))
        if rule is None or (rule is not NOTHING and len(rule.axes) != len(places)):
            return None
        if rule is not NOTHING:
            part = _through(node, place, places, rule, shape)
            if part is None:
                return None
            parts.append(part)
    found_places = _joined(parts, shape)
    if found_places is None and operator_of(node).kind == "dense":
        return _joined(
            parts[:1], shape
        )  # the rows of a product are those of its left side, whatever it is multiplied by
    return found_places


@dataclass(frozen=True, slots=True)
class _Contribution:
    """Where one operand of a node lies in what the node makes.

    Attributes:
        axes: for each axis of the result what the operand has along it; None where it says nothing.
        joins: the axis along which the operands lie one behind the other.
    """

    axes: tuple[Axis | None, ...]
    joins: int | None = None


def _through(node: Node, place: int, places: Places, rule: Reads, shape: tuple[int, ...]) -> _Contribution | None:
    """Return where an operand lies in a result of this shape; None where a Reshape tears its digits."""
    operator = operator_of(node)
    if operator.reads in _REGROUPING and not place:
        axes = regrouped(places, shape)
        return None if axes is None else _Contribution(axes)
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
    return _Contribution(tuple(part), rule.joins)


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


def _joined(parts: Sequence[_Contribution], shape: tuple[int, ...]) -> Places | None:
    """Return where the positions of a result lie, as its operands say; None where two of them contradict each other."""
    axes: list[Axis] = []
    parts = _with_roles(parts)
    for place, size in enumerate(shape):
        said = [part.axes[place] for part in parts]
        known = [axis for axis in said if axis is not None and has_places([axis])]
        joins = bool(parts) and parts[0].joins == place
        axis = blank(size) if not known else _side_by_side(known) if joins else _agreed(known)
        if axis is None:
            return None
        axes.append(axis)
    return settled(tuple(axes))


def _with_roles(parts: Sequence[_Contribution]) -> Sequence[_Contribution]:
    """Tell the queries from the keys of a product of tokens with tokens: both lie in the picture, along two axes."""
    if len(parts) != 2:
        return parts
    one, other = parts
    alone = [_only(one, other), _only(other, one)]
    over = [{axis for line in lines_in(digits) for axis in line.axes} for digits in alone]
    if not over[0] & over[1]:
        return parts
    return [
        _Contribution(_named(part, before, role), part.joins)
        for part, before, role in ((one, other, QUERY), (other, one, KEY))
    ]


def _only(part: _Contribution, other: _Contribution) -> list[PlaceDigit]:
    """Return the digits of the axes along which only one operand has places."""
    pairs = zip(part.axes, other.axes, strict=True)
    return [digit for axis, beside in pairs if axis and not has_places([beside or ()]) for digit in axis]


def _named(part: _Contribution, other: _Contribution, role: str) -> tuple[Axis | None, ...]:
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


def _grids(found: Mapping[str, Places]) -> Mapping[str, TokenGrid]:
    """Return the grids of values; most values of a model share a few of them."""
    made: dict[tuple[tuple[object, ...], ...], TokenGrid | None] = {}
    grids: dict[str, TokenGrid] = {}
    for value, places in found.items():
        key = tuple(
            (place, id(each.line), each.count, each.step, each.role)
            for place, axis in enumerate(places)
            for each in axis
        )
        if key not in made:
            made[key] = _grid(places)
        grid = made[key]
        if grid is not None:
            grids[value] = grid
    return grids


def _grid(places: Places) -> TokenGrid | None:
    """Return how a value is laid out as a map; None where its positions do not fill one."""
    digits = [digit for axis in places for digit in axis]
    queries = _cells(digits, QUERY)
    if queries is None:
        return None
    keys = _cells(digits, KEY) if any(digit.role == KEY for digit in digits) else None
    return replace(queries, axes=_map_axes(places), keys=keys)


def _cells(digits: Sequence[PlaceDigit], role: str) -> TokenGrid | None:
    own = [digit for digit in digits if digit.role in (BOTH, role)]
    lines = [line for line in lines_in(own) if line.axes != (ITEMS,)]
    if len({axis for line in lines for axis in line.axes}) != 2 or sum(len(line.axes) for line in lines) != 2:
        return None
    tokens = [place for place, digit in enumerate(digits) if digit.line in lines and digit.role in (BOTH, role)]
    if math.prod(digits[place].count for place in tokens) > MOST_CELLS:
        return None
    _, (_, width), cells = cells_of([digits[place] for place in tokens], lines)
    held = np.unique(cells[cells >= 0])
    rows, columns = np.unique(held // width), np.unique(held % width)
    if len(held) < 2 or len(held) != np.count_nonzero(cells >= 0) or len(held) != len(rows) * len(columns):
        return None
    closed = np.searchsorted(rows, cells // width) * len(columns) + np.searchsorted(columns, cells % width)
    return TokenGrid(
        grid=(len(rows), len(columns)),
        prefix=int(np.count_nonzero(cells == OUTSIDE)),
        split=tuple(digit.count for digit in digits),
        items=tuple(place for place, digit in enumerate(digits) if digit.line and digit.line.axes == (ITEMS,)),
        tokens=tuple(tokens),
        cells=tuple(np.where(cells < 0, cells, closed).tolist()),
    )


def _map_axes(places: Places) -> tuple[int, ...]:
    """Return the two axes along which the rows and columns of the picture lie in order, if they do."""
    held = [
        place for place, axis in enumerate(places) if any(digit.line and digit.line.axes != (ITEMS,) for digit in axis)
    ]
    numbers = [in_order(places[place]) for place in held]
    ordered = [number for number in numbers if number is not None]
    return tuple(held) if len(numbers) == len(ordered) == 2 and ordered[0] < ordered[1] else ()

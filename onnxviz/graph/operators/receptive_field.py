"""Receptive fields: how much of an input one position of a value sees, where no border is near.

Along an axis, position `i` of a value sees the input's pixels `start + i * stride` to `start + i * stride + size - 1`
(Araujo, Norris and Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill 2019, section 3). Behind
an upsampling the stride can be a fraction; then the first pixel is the whole one nearest to `start + i * stride`. Each
operator's rule stands in reads/; here the rules are followed from the input on. Where paths of different alignment
meet, or a gate, a pooling or a normalisation reads all of an axis, the field reaches the whole input.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any

from onnxviz.graph.graph import Graph
from onnxviz.graph.operators.reads.rule import NOTHING, AxisRead, KnownSizes, Operand, Pull, Reads
from onnxviz.graph.operators.table import rule_of
from onnxviz.layout import TensorSpec


class Status(StrEnum):
    """How far an answer can be trusted."""

    EXACT = "exact"
    UPPER_BOUND = "upper bound"
    WHOLE_INPUT = "whole input"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What one position of a value sees of an input, an entry for each axis of space, in input pixels, `(y, x)`.

    `size` is the span from the first to the last pixel, holes of dilation included, seen by all channels together;
    `start` is that of position 0 and negative where padding is. The three are None where the status is `whole input` or
    `unknown`, the last two also for tokens, which lie along one axis. `reaches_whole` says that besides this local
    field the whole input matters, through a gate or a normalisation.
    """

    size: tuple[int, ...] | None
    stride: tuple[int | Fraction, ...] | None
    start: tuple[int | Fraction, ...] | None
    status: Status
    reaches_whole: bool
    input: str

    def as_json(self) -> dict[str, Any]:
        """Return it as `layers --json` and `view.json` give it."""
        return {
            "size": _plain(self.size),
            "stride": _plain(self.stride),
            "start": _plain(self.start),
            "status": self.status.value,
            "global": self.reaches_whole,
        }


@dataclass(frozen=True, slots=True)
class Followed:
    """Which values depend on the main input, and the input's axes of space."""

    values: frozenset[str]
    space: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Fold:
    """Where rows or columns lie in an axis of tokens: those of token t are `(t - shift) // inner % size`."""

    inner: int
    size: int
    shift: int = 0


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where an axis of the input lies in a value: at `place`, whose position i sees low..high, moved by i * stride.

    `varies`: other axes, such as channels, each of whose positions sees only part of this field. `fold`: where tokens
    lie at the place, how they are counted; i is then that number.
    """

    place: int | None
    stride: Fraction = Fraction(1)
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)
    loose: bool = False
    whole: bool = False
    unknown: bool = False
    varies: frozenset[int] = frozenset()
    fold: _Fold | None = None


_Trace = tuple[_Axis, ...]
_GONE = _Axis(None, whole=True)
_UNKNOWN = _Axis(None, unknown=True)


def receptive_fields(graph: Graph, types: Mapping[str, TensorSpec]) -> Mapping[str, ReceptiveField]:
    """Return the field of each value that depends on the model's main input, the first of rank 3 or more.

    Values of models that slide over nothing have none.
    """
    source = main_input(graph)
    if source is None or source.shape is None:
        return {}
    traces, spatial = _follow(graph, types, source)
    return {value: _field(trace, spatial, source.name) for value, trace in traces.items()} if spatial else {}


def main_input(graph: Graph) -> TensorSpec | None:
    """Return the input that fields are counted in: the first of rank 3 or more, else the first."""
    return next((spec for spec in graph.inputs if len(spec.shape or ()) >= 3), next(iter(graph.inputs), None))


def follow_input(graph: Graph, types: Mapping[str, TensorSpec]) -> Followed:
    """Return which values depend on the main input, and over which of its axes convolutions and poolings slide."""
    source = main_input(graph)
    if source is None or source.shape is None:
        return Followed(frozenset(), ())
    traces, spatial = _follow(graph, types, source)
    return Followed(frozenset(traces), spatial)


def _follow(
    graph: Graph, types: Mapping[str, TensorSpec], source: TensorSpec
) -> tuple[dict[str, _Trace], tuple[int, ...]]:
    """Return the trace of each value that depends on the source, and the source's axes of space."""
    sizes = KnownSizes(graph, types)
    count = len(source.shape or ())
    traces: dict[str, _Trace] = {source.name: tuple(_Axis(place) for place in range(count))}
    spatial: set[int] = set()
    for node in graph.nodes:
        seen = [place for place, value in enumerate(node.inputs) if value in traces]
        if not seen and not any(value in traces for value in node.captured):
            continue
        for output, value in enumerate(node.outputs):
            if value:
                operands = (
                    Operand(node, place, _rank(traces, sizes, node.inputs[place]), output, sizes) for place in seen
                )
                found = [_through(each, traces[each.source], spatial, is_lone=len(seen) == 1) for each in operands]
                found += [(_UNKNOWN,) * count for captured in node.captured if captured in traces]
                kept = [trace for trace in found if trace is not None]
                if kept:
                    traces[value] = tuple(_merged(axes) for axes in zip(*kept, strict=True))
    return traces, tuple(sorted(spatial))


def _rank(traces: Mapping[str, _Trace], sizes: KnownSizes, value: str) -> int:
    return sizes.rank(value, _least_rank(traces[value]))


def _least_rank(trace: _Trace) -> int:
    return 1 + max((axis.place for axis in trace if axis.place is not None), default=0)


def _through(operand: Operand, trace: _Trace, spatial: set[int], *, is_lone: bool) -> _Trace | None:
    """Return a trace after a node, as the node reads one operand; None where it does not read its values."""
    rule = rule_of(operand)
    if rule is NOTHING:
        return None
    if rule is None or len(rule.axes) < _least_rank(trace):
        return (_UNKNOWN,) * len(trace)
    if rule.spatial:
        spatial.update(axis for axis, at in enumerate(trace) if at.place is not None and at.place >= 2 and not at.fold)
    return tuple(axis if axis.place is None else _read(axis, rule, is_lone=is_lone) for axis in trace)


def _read(axis: _Axis, rule: Reads, *, is_lone: bool) -> _Axis:
    """Follow an axis through a node: where it lies, and where what its positions see varies."""
    read = rule.axes[axis.place or 0]
    folded = _folded(axis, read)
    if folded is not None:
        axis, read = folded
    if read.out is None or (read.pull is not None and not read.pull.step):
        return replace(_GONE, loose=read.loose, unknown=axis.unknown)
    moved = axis if read.pull is None else _pulled(axis, read.pull)
    joins = None if is_lone and rule.joins == read.out else rule.joins  # beside constants a position sees all there is
    varying = axis.varies - {joins}  # joined, none of an axis is left out
    others = [rule.axes[place] for place in varying if place < len(rule.axes)]
    # An axis that is read wholly brings its parts together; of one that is read in part, the part is not followed.
    parted = len(others) < len(varying) or any(other.loose or (other.pull and not other.covers) for other in others)
    varies = {other.out for other in others if other.out is not None and not other.whole}
    varies.update(place for other in (read, *others) for place in other.inner)
    return replace(
        moved,
        place=read.out,
        loose=moved.loose or read.loose or parted,
        whole=moved.whole or read.whole,
        varies=frozenset(varies if joins is None else varies | {joins}),
    )


def _folded(axis: _Axis, read: AxisRead) -> tuple[_Axis, AxisRead] | None:
    """Follow an axis into tokens, along them, and out of them; None where it neither is in them nor goes there."""
    fold, digits = axis.fold, read.digits
    if fold is None:
        if len(digits) != 1:
            return None
        fold = _Fold(digits[0].inner, digits[0].size)
        return replace(axis, fold=fold), AxisRead(digits[0].place)
    if not digits:
        shift = 0 if read.pull is None else _shift(read.pull)
        if shift is None:
            return axis, replace(read, out=None, loose=True)
        return replace(axis, fold=replace(fold, shift=fold.shift - shift)), replace(read, pull=None)
    if len(digits) == 1:  # the tokens themselves are merged with another axis
        fold, digit = replace(fold, inner=fold.inner * digits[0].inner), digits[0]
    else:
        over = fold.inner * fold.size
        digit = next((one for one in digits if one.inner <= fold.inner and over <= one.inner * one.size), digits[0])
        if fold.inner % digit.inner or not digit.inner <= fold.inner:
            return axis, replace(read, out=None, loose=True)
        fold = replace(fold, inner=fold.inner // digit.inner)
    if fold.shift:
        return axis, replace(read, out=None, loose=True)
    is_alone = len(digits) > 1 and (fold.inner, fold.size) == (1, digit.size)
    return replace(axis, fold=None if is_alone else fold), AxisRead(digit.place)


def _shift(pull: Pull) -> int | None:
    """Return by how much a rule moves positions, None where it does more."""
    is_shift = len(pull.offsets) == len(pull.offsets[0]) == pull.step == 1
    return pull.offsets[0][0] if is_shift else None


def _pulled(axis: _Axis, pull: Pull) -> _Axis:
    """Follow a periodic rule: of several phases the hull is taken, which is a bound for each of them."""
    phases = len(pull.offsets)
    pace = Fraction(pull.step, phases)
    filled = [(phase, taps) for phase, taps in enumerate(pull.offsets) if len(taps)]
    if not filled:
        return _GONE
    # Taps lie in order; a damaged kernel may claim 2^60 of them.
    lows = [min(taps[0], taps[-1]) - phase * pace for phase, taps in filled]
    highs = [max(taps[0], taps[-1]) - phase * pace for phase, taps in filled]
    uneven = len(filled) < phases or len(set(lows)) > 1 or len(set(highs)) > 1
    ends = (axis.stride * min(lows), axis.stride * max(highs))  # in falling order where a Slice turned the axis round
    return replace(
        axis,
        stride=axis.stride * pace,
        low=axis.low + min(ends),
        high=axis.high + max(ends),
        loose=axis.loose or uneven,
    )


def _merged(axes: Sequence[_Axis]) -> _Axis:
    """Join what the operands of a node see of one input axis."""
    local = [axis for axis in axes if axis.place is not None]
    gone = [axis for axis in axes if axis.place is None]
    whole = any(axis.whole for axis in axes)
    # All that may be seen is the whole input; beside a field it is not known whether that is seen as well.
    partly = bool(gone) and all(axis.loose for axis in gone)
    unknown = any(axis.unknown for axis in axes) or (partly and bool(local))
    if not local:
        return _Axis(None, loose=partly, whole=whole, unknown=unknown)
    if len({(axis.place, axis.stride, axis.fold) for axis in local}) > 1:
        return replace(_GONE, loose=any(axis.fold for axis in local), unknown=unknown)
    return _Axis(
        local[0].place,
        local[0].stride,
        min(axis.low for axis in local),
        max(axis.high for axis in local),
        any(axis.loose for axis in local),
        whole,
        unknown,
        frozenset().union(*(axis.varies for axis in local)),
        local[0].fold,
    )


def _field(trace: _Trace, spatial: Iterable[int], source: str) -> ReceptiveField:
    axes = [trace[axis] for axis in spatial]
    if any(axis.unknown for axis in axes):
        return ReceptiveField(None, None, None, Status.UNKNOWN, False, source)
    if any(axis.place is None for axis in axes):
        return ReceptiveField(None, None, None, Status.WHOLE_INPUT, True, source)
    places = {axis.place for axis in axes}
    # What varies along channels is seen by all of them together; in a window of tokens it is each for itself.
    loose = any(axis.loose or axis.varies & places or (axis.fold and axis.varies) for axis in axes)
    # Between fractions lie as many whole pixels as fit, in their middle.
    sizes = [math.floor(axis.high - axis.low) + 1 for axis in axes]
    strides = tuple(_number(axis.stride) for axis in axes)
    starts = tuple(_number((axis.low + axis.high + 1 - size) / 2) for axis, size in zip(axes, sizes, strict=True))
    are_tokens = any(axis.fold for axis in axes)
    return ReceptiveField(
        tuple(sizes),
        None if are_tokens else strides,
        None if are_tokens else starts,
        Status.UPPER_BOUND if loose else Status.EXACT,
        any(axis.whole for axis in axes),
        source,
    )


def _plain(values: Sequence[int | Fraction] | None) -> list[int | float] | None:
    return None if values is None else [value if isinstance(value, int) else float(value) for value in values]


def _number(value: Fraction) -> int | Fraction:
    return int(value) if value.denominator == 1 else value

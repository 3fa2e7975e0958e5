"""Receptive fields: how much of an input one position of a value sees, where no border is near.

Along an axis, position `i` of a value sees the input's pixels `start + i * stride` to `start + i * stride + size - 1`
(Araujo, Norris and Sim, Computing Receptive Fields of Convolutional Neural Networks, Distill 2019, section 3). Behind
an upsampling the stride can be a fraction; then the first pixel is the whole one nearest to `start + i * stride`. Each
operator's rule stands in reads/; here the rules are followed from the input on, axis by axis (input_axis.py). Where
a gate, a pooling or a normalisation reads all of an axis, the field reaches the whole input. Paths of different strides
that meet give an upper bound where it is known over how many positions they drift apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

from onnxviz.graph.graph import Graph
from onnxviz.graph.operators.input_axis import UNFOLLOWED, InputAxis, follow_axis, merged, unfolded
from onnxviz.graph.operators.reads.rule import NOTHING, KnownSizes, Operand
from onnxviz.graph.operators.table import operator_of, reads_of
from onnxviz.layout import Dimension, TensorSpec


class Status(StrEnum):
    """How far an answer can be trusted."""

    EXACT = "exact"
    UPPER_BOUND = "upper bound"
    WHOLE_INPUT = "whole input"


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """What one position of a value sees of an input, an entry for each axis of space, in input pixels, `(y, x)`.

    `size` is the span from the first to the last pixel, holes of dilation included, seen by all channels together;
    `start` is that of position 0 and negative where padding is. The three are None where the status is `whole input`,
    which is all that can be said behind what is not followed; the last two also for tokens, which lie along one axis.
    `reaches_whole` says that besides this local field the whole input matters, through a gate or a normalisation.
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


_Trace = tuple[InputAxis, ...]


def receptive_fields(graph: Graph, types: Mapping[str, TensorSpec]) -> Mapping[str, ReceptiveField]:
    """Return the field of each value that depends on the model's main input, the first of rank 3 or more.

    Values of models that slide over nothing have none.
    """
    source = main_input(graph)
    if source is None or source.shape is None:
        return {}
    traces, spatial = _follow(graph, types, source)
    sizes = KnownSizes(graph, types)
    laid = ((value, _laid_out(trace, sizes.shape(value) or ())) for value, trace in traces.items() if spatial)
    return {value: _field(trace, spatial, source.name) for value, trace in laid}


def main_input(graph: Graph) -> TensorSpec | None:
    """Return the input that fields are counted in: that on which the most convolutions and poolings depend.

    Of several, or where there are none, it is the first of rank 3 or more, else the first.
    """
    inputs = sorted(graph.inputs, key=lambda spec: len(spec.shape or ()) < 3)
    if len(inputs) < 2:
        return next(iter(inputs), None)
    return max(inputs, key=lambda spec: _windows_behind(graph, spec.name))


def _windows_behind(graph: Graph, value: str) -> int:
    """Return how many convolutions and poolings slide over what depends on a value; weights are not slid over."""
    reached = {value}
    count = 0
    for node in graph.nodes:
        if not reached.isdisjoint(node.reads):
            count += not reached.isdisjoint(node.inputs[:1]) and operator_of(node).kind in ("conv", "pool")
            reached.update(node.outputs)
    return count


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
    traces: dict[str, _Trace] = {source.name: tuple(InputAxis(place) for place in range(count))}
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
                found += [(UNFOLLOWED,) * count for captured in node.captured if captured in traces]
                kept = [trace for trace in found if trace is not None]
                if kept:
                    lengths = sizes.shape(value) or ()
                    traces[value] = tuple(merged(axes, lengths) for axes in zip(*kept, strict=True))
    if not spatial and any(operator_of(node).kind == "conv" and node.outputs[0] in traces for node in graph.nodes):
        # It slides over what could not be followed: its fields are not followed, but it has some.
        spatial.update(range(min(2, count - 1), count))
    return traces, tuple(sorted(spatial))


def _rank(traces: Mapping[str, _Trace], sizes: KnownSizes, value: str) -> int:
    return sizes.rank(value, _least_rank(traces[value]))


def _least_rank(trace: _Trace) -> int:
    return 1 + max((axis.place for axis in trace if axis.place is not None), default=-1)


def _through(operand: Operand, trace: _Trace, spatial: set[int], *, is_lone: bool) -> _Trace | None:
    """Return a trace after a node, as the node reads one operand; None where it does not read its values."""
    rule = reads_of(operand)
    if rule is NOTHING:
        return None
    if rule is None or len(rule.axes) < _least_rank(trace):
        return (UNFOLLOWED,) * len(trace)
    if rule.spatial:
        spatial.update(axis for axis, at in enumerate(trace) if at.place is not None and at.place >= 2 and not at.fold)
    return tuple(axis if axis.place is None else follow_axis(axis, rule, is_lone=is_lone) for axis in trace)


def _laid_out(trace: _Trace, shape: Sequence[Dimension]) -> _Trace:
    """Return a trace with bounds for each position where windows fill an axis: they are a map and no tokens."""
    if not any(axis.fold for axis in trace):
        return trace
    places = [axis.place for axis in trace]
    alone = [place is not None and place < len(shape) and places.count(place) == 1 for place in places]
    return tuple(
        unfolded(axis, axis.fold, shape[axis.place or 0]) if axis.fold is not None and is_alone else axis
        for axis, is_alone in zip(trace, alone, strict=True)
    )


def _field(trace: _Trace, spatial: Iterable[int], source: str) -> ReceptiveField:
    axes = [trace[axis] for axis in spatial]
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

"""Which sizes a graph demands of its inputs where these leave them open: those that its own constants tell.

A product of x `(batch, height, width)` with a constant of 256 rows takes a width of 256, whatever the axis is called.
Axes are followed from the inputs as far as they keep their size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.axis_seeds import recurrent
from onnxviz.graph.operators.reads import elementwise, normalising
from onnxviz.graph.operators.reads.rule import AxisRead, KnownSizes, Operand, is_given
from onnxviz.graph.operators.table import operator_of, reads_of
from onnxviz.layout import Dimension, TensorSpec

OpenAxis = tuple[str, int]
"""An input and an axis of it."""

_BROADCAST = frozenset({elementwise.pointwise, normalising.last_axes, normalising.skip_norm})
"""Rules of operators whose operands lie on one another from the last axis on."""


def demanded_sizes(graph: Graph, types: Mapping[str, TensorSpec]) -> Mapping[str, tuple[int | None, ...]]:
    """Return for each input of which the graph demands anything the sizes of its axes, None where it demands none."""
    sizes = KnownSizes(graph, types)
    found: dict[OpenAxis, int] = {}
    followed = {
        spec.name: {axis: (spec.name, axis) for axis, size in enumerate(spec.shape or ()) if not isinstance(size, int)}
        for spec in graph.inputs
    }
    for node in graph.nodes:
        for place, value in enumerate(node.inputs):
            axes = followed.get(value)
            if not axes:
                continue
            for axis, size in _demands(node, place, sizes):
                if axis in axes:
                    found.setdefault(axes[axis], size)
            for output in filter(None, node.outputs):
                kept = {new: axes[old] for old, new in _kept(node, place, output, sizes) if old in axes}
                if any(axis for _, axis in kept.values()):  # a batch alone, which goes through most nodes, is let go
                    followed[output] = kept | followed.get(output, {})
    demanding = {name for name, _ in found}
    return {
        spec.name: tuple(found.get((spec.name, axis)) for axis in range(len(spec.shape or ())))
        for spec in graph.inputs
        if spec.name in demanding
    }


def _kept(node: Node, place: int, output: str, sizes: KnownSizes) -> Iterator[tuple[int, int]]:
    """Give the axes of an operand that an output has in the same size, each with its place there."""
    rank = sizes.rank(node.inputs[place], 0)
    reads = reads_of(Operand(node, place, rank, node.outputs.index(output), sizes)) if rank else None
    for axis, read in enumerate(() if reads is None else reads.axes):
        if read.out is not None and read in (AxisRead(read.out), AxisRead(read.out, whole=True)):
            yield axis, read.out


def _demands(node: Node, place: int, sizes: KnownSizes) -> Iterable[tuple[int, int]]:
    """Return the axes of an operand of which a node's constants demand a size, with that size."""
    rank, operator = sizes.rank(node.inputs[place], 0), operator_of(node)
    with suppress(*MALFORMED):
        if operator.reads in _BROADCAST:
            return _beside(rank, [_constant(node, other, sizes) for other in range(len(node.inputs)) if other != place])
        if operator.fixes is recurrent:
            return _of_recurrent(node, place, sizes)
        if operator.kind == "conv" and place == 0:
            return _of_channels(node, _constant(node, operator.weights[0], sizes))
        if node.operator in ("BatchNormalization", "InstanceNormalization") and place == 0:
            return [(1, size) for size in _numbers(_constant(node, 1, sizes)[:1])]
        if operator.kind == "dense":
            return _of_product(node, place, rank, sizes)
    return ()


def _beside(rank: int, others: Sequence[Sequence[Dimension]]) -> Iterator[tuple[int, int]]:
    """Give what constants demand of what they are broadcast with; their axes of size 1 demand nothing."""
    for shape in others:
        for back, size in enumerate(reversed(shape[-rank:] if rank else ()), 1):
            if isinstance(size, int) and size > 1:
                yield rank - back, size


def _of_channels(node: Node, weight: Sequence[Dimension]) -> Iterable[tuple[int, int]]:
    """Return the channels that a convolution takes."""
    if node.operator == "ConvTranspose":
        return [(1, size) for size in _numbers(weight[:1])]
    return [(1, size * node.integer("group", 1)) for size in _numbers(weight[1:2])]


def _of_product(node: Node, place: int, rank: int, sizes: KnownSizes) -> Iterable[tuple[int, int]]:
    """Return how long the axis is that a product sums over: as long as that of the constant on its other side."""
    right = next(weight for weight in operator_of(node).weights if weight)
    if place not in (0, right) or node.operator == "MatMulNBits":
        return [(rank - 1, node.integer("K", 0))] if place == 0 and node.integer("K", 0) else ()
    other = _constant(node, right if place == 0 else 0, sizes)
    if not other:
        return ()
    length = other[_summed_axis(node, len(other), is_left=place != 0)]
    return [(_summed_axis(node, rank, is_left=place == 0), size) for size in _numbers([length])]


def _summed_axis(node: Node, rank: int, *, is_left: bool) -> int:
    """Return the axis of a side that a product sums over: the last of the left, the last but one of the right."""
    is_turned = bool(node.integer("transA" if is_left else "transB", 0))
    return rank - 1 if rank < 2 or is_left != is_turned else rank - 2


def _of_recurrent(node: Node, place: int, sizes: KnownSizes) -> Iterable[tuple[int, int]]:
    """Return the channels of a recurrent layer's sequence, or the directions and units of its states."""
    weight = _constant(node, 1 if place == 0 else 2, sizes)
    if place not in (0, 5, 6) or len(weight) != 3:
        return ()
    ends = [(2, weight[2])] if place == 0 else [(node.integer("layout", 0), weight[0]), (2, weight[2])]
    return [(axis, size) for axis, size in ends if isinstance(size, int)]


def _constant(node: Node, place: int, sizes: KnownSizes) -> Sequence[Dimension]:
    """Return the shape of an operand that is constant; empty where it is not."""
    if not is_given(node, place) or not sizes.graph.is_constant(node.inputs[place]):
        return ()
    return sizes.shape(node.inputs[place]) or ()


def _numbers(shape: Iterable[Dimension]) -> list[int]:
    return [size for size in shape if isinstance(size, int)]

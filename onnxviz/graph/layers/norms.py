"""Norms that are written as separate operators, each found from its square root.

A LayerNorm is `(x - mean) / sqrt(mean((x - mean)^2) + eps)`, an RMSNorm the same without the means of x, and TensorFlow
writes `x * r + (beta - mean * r)` with `r = gamma / sqrt(variance + eps)`. What all have in common: from the root of a
mean of squares all ways lead to one node, and back from there to one value, x. A mean is a ReduceMean, or a global
pooling where a converter found that shorter. A norm of groups lies between two Reshapes, of which the second undoes the
first.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.patterns import Pattern, gathered
from onnxviz.graph.layers.regrouping import same_sizes, undoing
from onnxviz.graph.node import Node
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.layout import CHANNELS_LAST, TensorSpec

_LONGEST = 24
_MEANS = frozenset({"ReduceMean", "GlobalAveragePool"})
_ENDS = frozenset({"Add", "Sub", "Mul", "Div"})
_STEPS = _ENDS | _MEANS | {
    "Cast", "Clip", "Expand", "Identity", "Max", "Neg", "Pow", "Reciprocal", "Reshape", "Sqrt", "Squeeze", "Transpose",
    "Unsqueeze",
}  # fmt: skip


def find_norms(graph: Graph, types: Mapping[str, TensorSpec]) -> Mapping[int, Pattern]:
    """Return the norms that are written as separate operators, by the index of their last node."""
    norms = (_norm(graph, node) for node in graph.nodes if _is_root(graph, node))
    regrouped = (_with_regrouping(graph, norm, types) for norm in norms if norm is not None)
    return {norm.final.index: norm for norm in regrouped}


def likely_axes(graph: Graph, norm: Pattern, types: Mapping[str, TensorSpec]) -> Mapping[str, Axes]:
    """Return the layout of what a norm over the last axis reads and makes: most often its channels are there."""
    spec = types.get(norm.root)
    rank = len(spec.shape) if spec is not None and spec.shape is not None else 0
    means = [graph.nodes[index] for index in norm.members if graph.nodes[index].operator in _MEANS]
    if rank not in CHANNELS_LAST or not all(_reduced(graph, mean, rank) == (rank - 1,) for mean in means):
        return {}
    return dict.fromkeys((norm.root, norm.final.outputs[0]), Axes(CHANNELS_LAST[rank], assumed=True))


def _reduced(graph: Graph, mean: Node, rank: int) -> tuple[int, ...]:
    """Return the axes of a mean; none where they are not known."""
    if mean.operator == "GlobalAveragePool":
        return tuple(range(2, rank))
    with suppress(*MALFORMED):
        written = graph.constant(mean.inputs[1]) if len(mean.inputs) > 1 else mean.integers("axes")
        return () if written is None else tuple(sorted(int(axis) % rank for axis in written))
    return ()


def _is_root(graph: Graph, node: Node) -> bool:
    power = _exponent(graph, node)
    return node.operator == "Sqrt" or (power is not None and abs(power) == 0.5)


def _exponent(graph: Graph, node: Node) -> float | None:
    exponent = graph.constant(node.inputs[1]) if node.operator == "Pow" and len(node.inputs) == 2 else None
    return float(exponent.item()) if exponent is not None and exponent.size == 1 else None


def _norm(graph: Graph, root: Node) -> Pattern | None:
    """Walk on from a square root until all ways meet in a node that comes from one value."""
    waiting = {root.index: root}
    for _ in range(_LONGEST):
        node = waiting.pop(min(waiting, default=-1), None)
        if node is None or node.operator not in _STEPS:
            return None
        norm = None if waiting or node is root else _ending_at(graph, node)
        if norm is not None:
            return norm if _squares_mean(graph, norm, root) else None
        waiting.update({reader.index: reader for value in node.outputs for reader in graph.consumers.get(value, ())})
    return None


def _ending_at(graph: Graph, final: Node) -> Pattern | None:
    norm = gathered(graph, final, _STEPS, _LONGEST) if final.operator in _ENDS else None
    return None if norm is None else _with_centring(graph, norm)


def _with_centring(graph: Graph, norm: Pattern) -> Pattern:
    """Take in x less its mean, where all that was gathered comes from that."""
    node = graph.producers.get(norm.root)
    if node is None or node.operator != "Sub" or len(node.inputs) != 2:
        return norm
    mean = graph.producers.get(node.inputs[1])
    if mean is None or mean.operator not in _MEANS or mean.inputs[:1] != node.inputs[:1]:
        return norm
    return Pattern(node.inputs[0], norm.members | {node.index, mean.index}, norm.final)


def _squares_mean(graph: Graph, norm: Pattern, root: Node) -> bool:
    """Return whether a gathered norm has the root in it, a mean, and a square."""
    nodes = [graph.nodes[index] for index in norm.members]
    squares = (
        _exponent(graph, node) == 2 or (node.operator == "Mul" and len(set(node.inputs)) == 1 < len(node.inputs))
        for node in nodes
    )
    return root.index in norm.members and any(node.operator in _MEANS for node in nodes) and any(squares)


def _with_regrouping(graph: Graph, norm: Pattern, types: Mapping[str, TensorSpec]) -> Pattern:
    """Take in the Reshape before a norm and the one behind it, where the second undoes the first."""
    end = undoing(graph, norm.root, norm.final.outputs[0])
    if end is None:
        return norm
    before = graph.producers[norm.root]
    whole, undone = types.get(before.inputs[0]), types.get(end.outputs[0])
    if whole is None or undone is None or whole.shape is None or undone.shape is None:
        return norm
    if not same_sizes(whole.shape, undone.shape):
        return norm
    return Pattern(before.inputs[0], norm.members | {before.index, end.index}, end)

"""Reshapes around a layer of which the second undoes the first: the layer ends behind both.

A Dense takes a sequence of shape (N, T, C) as rows: `Reshape -> (N T, C) -> MatMul -> (N T, units) -> Reshape`. A norm
of groups is an InstanceNormalization of groups that were put into its channels: `Reshape -> (N, groups, rest) -> ... ->
Reshape`. In between lie no maps of the layer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.layout import Dimension, TensorSpec

_DENSE = frozenset({"Gemm", "MatMul"})
_NORMS = frozenset({"InstanceNormalization"})


def find_regrouped(graph: Graph, types: Mapping[str, TensorSpec]) -> Mapping[int, Node]:
    """Return, by the index of a Dense or norm between two such Reshapes, the second of them."""
    found: dict[int, Node] = {}
    for node in graph.nodes:
        is_dense = node.operator in _DENSE and len(node.inputs) > 1 and graph.is_constant(node.inputs[1])
        if (is_dense or node.operator in _NORMS) and node.outputs:
            end = undoing(graph, node.inputs[0], node.outputs[0])
            if end is not None and _fits(graph, node, end, types):
                found[node.index] = end
    return found


def undoing(graph: Graph, source: str, result: str) -> Node | None:
    """Return the Reshape that alone reads what a layer makes of a source, where a Reshape makes that too."""
    before, readers = graph.producers.get(source), graph.consumers.get(result, ())
    pair = [before, *readers]
    if len(pair) != 2 or any(node is None or node.operator != "Reshape" for node in pair):
        return None
    return readers[0] if readers[0].inputs[0] == result else None


def same_sizes(one: Sequence[Dimension], other: Sequence[Dimension]) -> bool:
    """Return whether two shapes may be the same: none of their numbers differ.

    >>> same_sizes(("N", 4, 8), (None, 4, 8)), same_sizes((1, 4), (2, 4))
    (True, False)
    """
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(a == b for a, b in pairs if isinstance(a, int) and isinstance(b, int))


def _fits(graph: Graph, node: Node, end: Node, types: Mapping[str, TensorSpec]) -> bool:
    """Return whether the shape behind is that before; of a Dense up to what each of its rows holds."""
    values = (graph.producers[node.inputs[0]].inputs[0], node.inputs[0], end.outputs[0])
    shapes = [types[value].shape for value in values if value in types]
    if len(shapes) < len(values) or any(shape is None for shape in shapes):
        return False
    whole, rows, undone = (shape or () for shape in shapes)
    if node.operator in _NORMS:
        return same_sizes(whole, undone)
    places, width = undone[:-1], whole[len(undone) - 1 :]
    if len(places) < 2 or len(rows) != 2 or not width or not same_sizes(whole[: len(places)], places):
        return False
    numbers = [size for size in width if isinstance(size, int)]
    return len(numbers) < len(width) or same_sizes((math.prod(numbers),), rows[-1:])

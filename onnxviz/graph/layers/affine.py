"""Constant biases and scales behind a layer: what an optimiser could fold into its weights, and so a part of it.

Exporters write a convolution's bias as an Add of its own, a batch norm as a Mul and an Add, the range of an output as
a Mul by 255. Such a node adds, subtracts, multiplies or divides by a constant: one number, or one a channel. A constant
that differs over space is not part of the layer, nor one that widens the value; a constant less the value, or divided
by it, turns the map round and is another map.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.graph.operators.axis_seeds import channel_norm
from onnxviz.graph.operators.table import hands_on, operator_of
from onnxviz.layout import Dimension, TensorSpec, channel_axis

_FOLDABLE = frozenset({"conv", "dense", "norm"})
_EITHER_SIDE = frozenset({"Add", "Mul"})
_OPERATORS = _EITHER_SIDE | {"Sub", "Div"}
_PASSING = frozenset({"Cast", "QuantizeLinear", "DequantizeLinear"})


class AffineFinder:
    """Finds the nodes of one graph that only shift or scale the conv, dense or norm layer before them."""

    def __init__(self, graph: Graph, axes: Mapping[str, Axes], types: Mapping[str, TensorSpec]) -> None:
        self._graph = graph
        self._axes = axes
        self._types = types

    def find(self, kinds: Sequence[str], ends: Mapping[int, Node]) -> frozenset[int]:
        """Return their indices; each alone reads what it shifts or scales.

        Args:
            kinds: The kinds of the graph's nodes.
            ends: The nodes that make a layer's value what it stands for, by the index of its own node.
        """
        owners = {node.index: node for node in self._graph.nodes if kinds[node.index] in _FOLDABLE}
        owners.update((node.index, owners[index]) for index, node in ends.items() if index in owners)
        found: set[int] = set()
        for node in self._graph.nodes:
            value, constant = _sides(self._graph, node)
            maker = self._graph.producers.get(value)
            owner = None if maker is None else owners.get(maker.index)
            if owner is None or len(self._graph.consumers[value]) != 1:
                continue
            channels = {self._channel(value), *_last_axis(owner, kinds[owner.index])}
            if not constant:
                owners[node.index] = owner
            elif self._is_one_a_channel(constant, value, channels):
                owners[node.index] = owner
                found.add(node.index)
        return frozenset(found)

    def _is_one_a_channel(self, constant: str, value: str, channels: Collection[int | None]) -> bool:
        sizes, shape = self._shape(constant), self._shape(value)
        if sizes is None or (shape is not None and len(sizes) > len(shape)):
            return False
        # Broadcasting lines up shapes at their ends: places are counted from there.
        wide = [place - len(sizes) for place, size in enumerate(sizes) if size != 1]
        if not wide:
            return True
        if len(wide) > 1 or wide[0] not in channels:
            return False
        return shape is None or not isinstance(shape[wide[0]], int) or shape[wide[0]] == sizes[wide[0]]

    def _shape(self, value: str) -> Sequence[Dimension] | None:
        spec = self._types.get(value)
        return spec.shape if spec is not None and spec.shape is not None else self._graph.dims(value)

    def _channel(self, value: str) -> int | None:
        layout = self._axes[value].layout if value in self._axes else ""
        place = channel_axis(layout)
        return None if place is None else place - len(layout)


def _last_axis(owner: Node, kind: str) -> Sequence[int]:
    """Return the place of the last axis where a layer works along that, whatever is known of its layout."""
    is_last = kind == "dense" or (kind == "norm" and operator_of(owner).fixes is not channel_norm)
    return (-1,) if is_last else ()


def _sides(graph: Graph, node: Node) -> tuple[str, str]:
    """Return the value that a node shifts, scales, casts or quantises and the constant by which; else empty texts."""
    if not node.outputs:
        return "", ""
    if node.operator in _PASSING or hands_on(node):
        return next(iter(node.inputs), ""), ""
    if node.operator in _OPERATORS and len(node.inputs) == 2:
        first, second = node.inputs
        if graph.is_constant(second):
            return first, second
        if node.operator in _EITHER_SIDE and graph.is_constant(first):
            return second, first
    return "", ""

"""Families of nodes: the kind of each in its graph, by its operator and by the patterns that it is a part of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.affine import AffineFinder
from onnxviz.graph.layers.attention_matrices import AttentionMatrix, find_attention
from onnxviz.graph.layers.layer_map import read_layer_map
from onnxviz.graph.layers.norms import find_norms, likely_axes
from onnxviz.graph.layers.patterns import Pattern, find_floats, find_gates
from onnxviz.graph.layers.regrouping import find_regrouped
from onnxviz.graph.node import Node
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.graph.operators.layouts import Hints, follow_axes
from onnxviz.graph.operators.table import operator_of
from onnxviz.layout import TensorSpec, spatial_axes

# Shape arithmetic is made of the same operators as layers; whole numbers and truth values tell it apart.
_ARITHMETIC = frozenset({"int64", "bool", "object", "str"})
_MAY_BE_ARITHMETIC = frozenset({"pool", "act", "join", "add", "resize"})

_SHIFTS_AND_SCALES = frozenset({"Add", "Sub", "Mul", "Div"})

_SPATIAL_REDUCTIONS = frozenset({"ReduceMean", "ReduceMax"})


class Families:
    """What is found about the nodes of a graph, each part when it is first asked for."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        """Take the graph, and the type and shape of its values."""
        self._graph = graph
        self._types = types

    @cached_property
    def kinds(self) -> Sequence[str]:
        """The kind of each node, by its index.

        An Add that shifts a conv, dense or norm layer by a constant, the Add within a HardSwish or GELU, and the means
        of a norm are parts of a layer and no `add` or `pool`; what is computed from constants alone, and arithmetic on
        shapes, is `other`. A node that ends what the model's author called a norm is one, though it be a shift by a
        constant, as of a batch norm that follows no convolution.
        """
        return ["other" if index in self.affine else kind for index, kind in enumerate(self._kinds_alone)]

    @cached_property
    def affine(self) -> frozenset[int]:
        """The indices of the nodes that shift or scale the layer before them by a constant."""
        return AffineFinder(self._graph, self.axes, self._types).find(self._kinds_alone, self.ends)

    @cached_property
    def axes(self) -> Mapping[str, Axes]:
        """The layouts of values, as operators, the map of the author's layers and patterns tell."""
        graph, types = self._graph, self._types
        likely = {index: likely_axes(graph, norm, types) for index, norm in self.norms.items()}
        certain = {value: axes for matrix in self.attention.values() for value, axes in matrix.axes.items()}
        hints = Hints(read_layer_map(graph.metadata).axes, likely, _members(self.norms), certain)
        return follow_axes(graph, types, hints)

    @cached_property
    def gates(self) -> Mapping[int, Pattern]:
        """The nonlinearities of several nodes, by the index of the last."""
        return find_gates(self._graph)

    @cached_property
    def norms(self) -> Mapping[int, Pattern]:
        """The norms of several nodes, by the index of the last."""
        return find_norms(self._graph, self._types)

    @cached_property
    def attention(self) -> Mapping[int, AttentionMatrix]:
        """The attentions that are written out, by the index of the product that makes their scores."""
        return find_attention(self._graph, self._types)

    @cached_property
    def ends(self) -> Mapping[int, Node]:
        """The nodes that make of products of whole numbers, and of layers between two Reshapes, what they stand for."""
        return {**find_floats(self._graph), **find_regrouped(self._graph, self._types)}

    @cached_property
    def _kinds_alone(self) -> Sequence[str]:
        """The kind of each node where no constant is seen as a part of the layer before it."""
        gating, normalising = _members(self.gates), _members(self.norms)
        mapped = read_layer_map(self._graph.metadata).layers
        kinds: list[str] = []
        for node in self._graph.nodes:
            kind = operator_of(node).kind
            if node.index in self.attention:
                kind = "attention"
            elif node.index in self.gates or node.index in self.norms:
                kind = "act" if node.index in self.gates else "norm"
            elif node.index in normalising or (kind == "add" and node.index in gating):
                kind = "other"
            elif node.operator in _SPATIAL_REDUCTIONS and _reduces_space(self._graph, node, self.axes):
                kind = "pool"
            elif node.operator in _SHIFTS_AND_SCALES and any(
                value in mapped and mapped[value].is_norm for value in node.outputs
            ):
                kind = "norm"
            kinds.append(kind if _is_layer(self._graph, node, kind, self._types) else "other")
        return kinds


def _members(patterns: Mapping[int, Pattern]) -> frozenset[int]:
    return frozenset().union(*(pattern.members for pattern in patterns.values()))


def _is_layer(graph: Graph, node: Node, kind: str, types: Mapping[str, TensorSpec]) -> bool:
    output = next(filter(None, node.outputs), "")
    if not output or graph.is_constant(output):
        return False
    if kind in _MAY_BE_ARITHMETIC and output in types and _is_arithmetic(types[output]):
        return False
    sides = operator_of(node).sides
    if kind == "dense" and sides is not None:
        return any(place < len(node.inputs) and graph.is_constant(node.inputs[place]) for place in sides)
    return True


def _is_arithmetic(spec: TensorSpec) -> bool:
    """Return whether a value is one of shape arithmetic, which TensorFlow does in int32 as well."""
    flat = spec.shape is not None and len(spec.shape) < 2
    return spec.dtype in _ARITHMETIC or (spec.dtype == "int32" and flat)


def _reduces_space(graph: Graph, node: Node, axes: Mapping[str, Axes]) -> bool:
    try:
        known = axes.get(node.inputs[0])
        reduced: Iterable[int] | None = node.integers("axes")
        if reduced is None and len(node.inputs) > 1:
            written = graph.constant(node.inputs[1])
            reduced = None if written is None else written.reshape(-1)
        if known is None or reduced is None:
            return False
        places = {int(place) % len(known.layout) for place in reduced}
    except MALFORMED:
        return False
    return bool(places) and places == set(spatial_axes(known.layout))

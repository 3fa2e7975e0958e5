"""Families of nodes: the kind of each in its graph, by its operator and by the patterns that it is a part of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.affine import AffineFinder
from onnxviz.graph.layers.layer_map import read_layer_map
from onnxviz.graph.layers.norms import find_norms, likely_axes
from onnxviz.graph.layers.patterns import Pattern, find_attention, find_floats, find_gates
from onnxviz.graph.layers.regrouping import find_regrouped
from onnxviz.graph.node import Node
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.graph.operators.layouts import Hints, follow_axes
from onnxviz.graph.operators.table import operator_of
from onnxviz.layout import TensorSpec, spatial_axes

# Shape arithmetic is made of the same operators as layers; whole numbers and truth values tell it apart.
_ARITHMETIC = frozenset({"int64", "bool", "object", "str"})
_MAY_BE_ARITHMETIC = frozenset({"pool", "act", "join", "add", "resize"})

_SPATIAL_REDUCTIONS = frozenset({"ReduceMean", "ReduceMax"})


@dataclass(frozen=True, slots=True)
class Families:
    """What was found about the nodes of a graph: their kinds, the layouts of values, and patterns of several nodes.

    `affine` are the indices of the nodes that shift or scale the layer before them by a constant; `scores` are the
    values that hold attention weights, by the index of the product that makes their scores; `ends` are the nodes that
    make the values of products of whole numbers, and of layers between two Reshapes, what they stand for.
    """

    kinds: Sequence[str]
    axes: Mapping[str, Axes]
    gates: Mapping[int, Pattern]
    norms: Mapping[int, Pattern]
    ends: Mapping[int, Node]
    scores: Mapping[int, str]
    affine: frozenset[int]


def known_axes(graph: Graph, types: Mapping[str, TensorSpec]) -> Mapping[str, Axes]:
    """Return the layouts of a graph's values, as its operators, the map of its author's layers and patterns tell."""
    return _known_axes(graph, types, find_norms(graph, types), find_attention(graph))


def find_families(graph: Graph, types: Mapping[str, TensorSpec]) -> Families:
    """Give every node of a graph its kind.

    An Add that shifts a conv, dense or norm layer by a constant, the Add within a HardSwish or GELU, and the means of a
    norm are parts of a layer and no `add` or `pool`; what is computed from constants alone, and arithmetic on shapes,
    is `other`.
    """
    gates, norms, scores = find_gates(graph), find_norms(graph, types), find_attention(graph)
    ends = {**find_floats(graph), **find_regrouped(graph, types)}
    axes = _known_axes(graph, types, norms, scores)
    gating, normalising = _members(gates), _members(norms)
    kinds: list[str] = []
    for node in graph.nodes:
        kind = operator_of(node).kind
        if node.index in scores:
            kind = "attention"
        elif node.index in gates or node.index in norms:
            kind = "act" if node.index in gates else "norm"
        elif node.index in normalising or (kind == "add" and node.index in gating):
            kind = "other"
        elif node.operator in _SPATIAL_REDUCTIONS and _reduces_space(graph, node, axes):
            kind = "pool"
        kinds.append(kind if _is_layer(graph, node, kind, types) else "other")
    affine = AffineFinder(graph, axes, types).find(kinds, ends)
    for index in affine:
        kinds[index] = "other"
    return Families(kinds, axes, gates, norms, ends, scores, affine)


def _known_axes(
    graph: Graph, types: Mapping[str, TensorSpec], norms: Mapping[int, Pattern], scores: Mapping[int, str]
) -> Mapping[str, Axes]:
    likely = {index: likely_axes(graph, norm, types) for index, norm in norms.items()}
    axes = follow_axes(graph, types, Hints(read_layer_map(graph.metadata).axes, likely, _members(norms)))
    return {**axes, **_attention_axes(graph, types, scores)}


def _members(patterns: Mapping[int, Pattern]) -> frozenset[int]:
    return frozenset().union(*(pattern.members for pattern in patterns.values()))


def _attention_axes(graph: Graph, types: Mapping[str, TensorSpec], scores: Mapping[int, str]) -> Mapping[str, Axes]:
    """Return the layout of attention weights: queries by keys for each head; of rank 3 with the heads of all items."""
    found: dict[str, Axes] = {}
    for value in scores.values():
        spec, softmax = types.get(value), graph.producers[value]
        rank = len(spec.shape) if spec is not None and spec.shape is not None else 0
        with suppress(*MALFORMED):
            if rank in (3, 4) and softmax.integer("axis", -1 if graph.opset >= 13 else 1) in (-1, rank - 1):
                found[value] = Axes("NCTT"[4 - rank :])
    return found


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
            reduced = graph.constant(node.inputs[1])
        if known is None or reduced is None:
            return False
        places = {int(place) % len(known.layout) for place in reduced}
    except MALFORMED:
        return False
    return bool(places) and places == set(spatial_axes(known.layout))

"""Families of operators: which nodes are worth looking at, and which of their inputs are weights."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import onnx

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph, Node
from onnxviz.graph.layers.affine import AffineFinder
from onnxviz.graph.layers.patterns import Gate, find_attention, find_floats, find_gates, find_norms
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.graph.operators.layouts import follow_axes
from onnxviz.layout import TensorSpec, spatial_axes

KINDS = ("conv", "pool", "norm", "act", "join", "add", "dense", "attention", "resize", "other")

OPERATORS: Mapping[str, str] = {
    "conv": "Conv ConvTranspose ConvInteger QLinearConv DeformConv FusedConv",
    "pool": "MaxPool AveragePool LpPool GlobalMaxPool GlobalAveragePool GlobalLpPool QLinearAveragePool "
    "QLinearGlobalAveragePool",
    "norm": "BatchNormalization InstanceNormalization LayerNormalization GroupNormalization RMSNormalization LRN",
    "act": "Relu Clip LeakyRelu PRelu Elu Selu Sigmoid HardSigmoid HardSwish Tanh Gelu Mish Softplus Softmax Swish "
    "QLinearSigmoid QLinearLeakyRelu QLinearSoftmax",
    "join": "Concat QLinearConcat",
    "add": "Add Sum QLinearAdd",
    "dense": "Gemm QGemm FusedGemm MatMul FusedMatMul MatMulInteger QLinearMatMul MatMulIntegerToFloat "
    "DynamicQuantizeMatMul MatMulNBits",
    "attention": "Attention MultiHeadAttention GroupQueryAttention QAttention",
    "resize": "Resize Upsample DepthToSpace SpaceToDepth",
}
"""Kind -> the operators that are of it wherever they stand."""

_KIND_OF: Mapping[str, str] = {op: kind for kind, ops in OPERATORS.items() for op in ops.split()}

# Onnxruntime's own operators (fused and quantised forms) live in the domains of Microsoft.
_DOMAINS = frozenset({"", "ai.onnx", "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc"})

# The places of the two sides of a product, for those that are layers only with a constant side.
_SIDES: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(
        ("MatMul", "FusedMatMul", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul"), (0, 1)
    ),
    "QLinearMatMul": (0, 3),
}

# Inputs that are weights, where the rest of an operator's constants are bounds, scales and zero points.
_WEIGHTS: Mapping[str, Sequence[int]] = {
    **dict.fromkeys(("Conv", "ConvTranspose", "FusedConv", "LayerNormalization", "Attention"), (1, 2)),
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization", "RMSNormalization"), (1, 2)),
    **dict.fromkeys(("ConvInteger", "PRelu", "MatMulNBits"), (1,)),
    **dict.fromkeys(("MatMul", "FusedMatMul", "MatMulInteger"), (0, 1)),
    **dict.fromkeys(("Gemm", "FusedGemm"), (0, 1, 2)),
    "Gather": (0,),
    "QLinearConv": (3, 8),
    "DeformConv": (1, 3),
    "BatchNormalization": (1, 2, 3, 4),
    "QLinearMatMul": (0, 3),
    "QGemm": (3, 6),
    "MatMulIntegerToFloat": (1, 6),
    "DynamicQuantizeMatMul": (1, 4),
    "QAttention": (1, 2),
}

# Operators that hold weights in any constant input; one of rank 0, such as the 6 of a HardSwish, counts for none.
_ALL_CONSTANTS_ARE_WEIGHTS = frozenset("Add Sub Mul Div LSTM GRU RNN".split())

# Shape arithmetic is made of the same operators as layers; whole numbers and truth values tell it apart.
_ARITHMETIC = frozenset({"int64", "bool", "object", "str"})
_MAY_BE_ARITHMETIC = frozenset({"pool", "act", "join", "add", "resize"})

_SPATIAL_REDUCTIONS = frozenset({"ReduceMean", "ReduceMax"})


def operator_kind(domain: str, op: str) -> str:
    """Return the kind that an operator has by its name alone.

    >>> operator_kind("", "QLinearConv")
    'conv'
    """
    return _KIND_OF.get(op, "other") if domain in _DOMAINS else "other"


def dense_sides(op: str) -> tuple[int, int] | None:
    """Return the inputs of which one must be constant for a product to be a layer, None where none need be."""
    return _SIDES.get(op)


def weight_count(sizes: Sequence[int]) -> int:
    """Return how many weights a constant of this shape holds: one of rank 0 is a setting and no weight.

    >>> weight_count((2, 3)), weight_count(())
    (6, 0)
    """
    return math.prod(sizes) if sizes else 0


def weight_places(op: str, inputs: Collection[str]) -> Sequence[int]:
    """Return which of an operator's inputs are weights if they are constant."""
    if op in _ALL_CONSTANTS_ARE_WEIGHTS:
        return range(len(inputs))
    return [place for place in _WEIGHTS.get(op, ()) if place < len(inputs)]


def packed_weights(proto: onnx.NodeProto) -> int:
    """Return how many weights a node holds several to a byte, as its attributes tell; 0 where it holds none so."""
    if proto.op_type != "MatMulNBits":
        return 0
    sizes = {attribute.name: attribute.i for attribute in proto.attribute}
    return max(sizes.get("K", 0), 0) * max(sizes.get("N", 0), 0)


@dataclass(frozen=True, slots=True)
class Families:
    """What was found about the nodes of a graph: their kinds, the layouts of values, and patterns of several nodes.

    `affine` are the indices of the nodes that shift or scale the layer before them by a constant; `scores` are the
    values that hold attention weights, by the index of the product that makes their scores; `floats` are the values of
    products of whole numbers once they are scaled to what they stand for, by the product's index.
    """

    kinds: Sequence[str]
    axes: Mapping[str, Axes]
    gates: Mapping[int, Gate]
    norms: Mapping[int, Gate]
    floats: Mapping[int, Node]
    scores: Mapping[int, str]
    affine: frozenset[int]


def find_families(graph: Graph, types: Mapping[str, TensorSpec]) -> Families:
    """Give every node of a graph its kind.

    An Add that shifts a conv, dense or norm layer by a constant, and the Add within a HardSwish or GELU, are parts of a
    layer and no `add`; what is computed from constants alone, and arithmetic on shapes, is `other`.
    """
    axes, gates, scores = follow_axes(graph, types), find_gates(graph), find_attention(graph)
    norms, floats = find_norms(graph), find_floats(graph)
    within = {index for pattern in (*gates.values(), *norms.values()) for index in pattern.members}
    functions = {(function.domain, function.name) for function in graph.proto.functions}
    kinds: list[str] = []
    for node in graph.nodes:
        kind = "other" if (node.domain, node.op) in functions else operator_kind(node.domain, node.op)
        if node.index in scores:
            kind = "attention"
        elif node.index in gates or node.index in norms:
            kind = "act" if node.index in gates else "norm"
        elif node.op in _SPATIAL_REDUCTIONS and _reduces_space(graph, node, axes):
            kind = "pool"
        elif kind == "add" and node.index in within:
            kind = "other"
        kinds.append(kind if _is_layer(graph, node, kind, types) else "other")
    affine = AffineFinder(graph, axes, types).find(kinds, floats)
    for index in affine:
        kinds[index] = "other"
    return Families(kinds, axes, gates, norms, floats, scores, affine)


def _is_layer(graph: Graph, node: Node, kind: str, types: Mapping[str, TensorSpec]) -> bool:
    output = next(filter(None, node.outputs), "")
    if not output or graph.is_constant(output):
        return False
    if kind in _MAY_BE_ARITHMETIC and output in types and types[output].dtype in _ARITHMETIC:
        return False
    sides = _SIDES.get(node.op)
    if kind == "dense" and sides is not None:
        return any(place < len(node.inputs) and graph.is_constant(node.inputs[place]) for place in sides)
    return True


def _reduces_space(graph: Graph, node: Node, axes: Mapping[str, Axes]) -> bool:
    try:
        known = axes.get(node.inputs[0])
        reduced = node.attribute("axes")
        if reduced is None and len(node.inputs) > 1:
            reduced = graph.constant(node.inputs[1])
        if known is None or reduced is None:
            return False
        places = {int(place) % len(known.layout) for place in reduced}
    except MALFORMED:
        return False
    return bool(places) and places == set(spatial_axes(known.layout))

"""What a run appends to a graph so that each value comes out as the numbers that it stands for.

Before: `r -> Cast -> b` in bfloat16, which numpy lacks; `b` is wanted. After: `r -> Cast -> b -> Cast -> b:readout`,
float32, and `b:readout` is fetched in its place.

1. bfloat16, float8 and float4 become float32, int4 and int2 int8, uint4 and uint2 uint8: by a Cast.
2. Codes of a quantised operator become `(code - zero point) * scale`: by a DequantizeLinear (see operators/codes.py).
3. float16 stays what it is, behind a Sum of one operand. On the CPU onnxruntime computes next to everything in float32
   and rounds only what an operator takes in float16. An output is such a place, and changes what is computed from it,
   by some % of a layer's greatest value in a network of 49 convolutions. A Sum takes float32: all stays as in a plain
   run, and only what is fetched is rounded. The model's own outputs are fetched as they are.
4. Maps whose channels lie in blocks are brought into order by a ReorderOutput (see operators/blocked.py).
5. All else is fetched as it is. Files that `expose` writes have nothing of this.

What is appended stands right behind the node that makes the value, so that a plan holds the value no longer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import onnx
from onnx import NodeProto, TensorProto
from onnx.helper import make_node

from onnxviz.graph.graph import Graph
from onnxviz.graph.operators.blocked import ORDERING, blocked_values
from onnxviz.graph.operators.codes import CodeScale, code_scales, dequantised
from onnxviz.graph.operators.table import BLOCKED_DOMAIN
from onnxviz.layout import TensorSpec
from onnxviz.quantised import Quantised

_CODES = frozenset({"int8", "uint8", "int16", "uint16"})
_WIDE_FLOATS = frozenset({"float16", "float32", "float64"})
_SCALES = frozenset({"", "float32"})
_FOUR_BITS = frozenset({"int4", "uint4", "int2", "uint2"})
# The opsets that bring DequantizeLinear, and its codes of 16 bits.
_FIRST, _SIXTEEN_BITS = 10, 21
# The opset that brings Sum of float16 as it is.
_FIRST_SUM = 8
_MICROSOFT = "com.microsoft"


@dataclass(frozen=True, slots=True)
class Reading:
    """What is fetched in place of a `value`.

    Attributes:
        value: its name.
        dtype: its own dtype, where what is fetched has another; else empty.
        quantised: how it is quantised, where what is fetched are numbers that codes stand for.
    """

    value: str
    dtype: str = ""
    quantised: Quantised | None = None


@dataclass(frozen=True, slots=True)
class Readout:
    """A graph from which values can be fetched as numbers.

    Attributes:
        graph: the graph with what was appended.
        types: what is known of each value, of those appended too.
        readings: what each output to fetch stands for, one for each of the values that were asked for.
    """

    graph: Graph
    types: Mapping[str, TensorSpec]
    readings: Mapping[str, Reading]


def read_out(graph: Graph, values: Sequence[str], types: Mapping[str, TensorSpec]) -> Readout:
    """Return the graph from which these values, which its nodes make, can be fetched; itself where all can.

    Args:
        graph: the model.
        values: what is to be fetched.
        types: what is known of each value.
    """
    scales, outputs, blocked = code_scales(graph), {spec.name for spec in graph.outputs}, blocked_values(graph)
    appended: dict[str, NodeProto] = {}
    readings: dict[str, Reading] = {}
    known = dict(types)
    for value in values:
        scale = scales.get(value)
        own = _own_dtype(types, value, scale)
        node = _reading(graph, value, own, scale, types) or _ordering(graph, value, blocked.get(value))
        if node is None or (node.op_type == "Sum" and value in outputs):
            readings[value] = Reading(value, quantised=_quantised(graph, value, types))
            continue
        appended[value], (output,) = node, node.output
        if node.op_type == "Sum":
            dtype, readings[output] = own, Reading(value, quantised=_quantised(graph, value, types))
        elif node.op_type == "DequantizeLinear" and scale is not None:
            dtype, readings[output] = "float32", Reading(value, own, scale.quantised(graph, own))
        elif node.op_type == ORDERING:
            dtype, readings[output] = own or "float32", Reading(value)
        else:
            dtype, readings[output] = _number_dtype(own), Reading(value, own)
        known[output] = replace(types.get(value, TensorSpec("")), name=output, dtype=dtype)
    return Readout(_with(graph, appended) if appended else graph, known, readings)


def _quantised(graph: Graph, value: str, types: Mapping[str, TensorSpec]) -> Quantised | None:
    """Return how a value is quantised that the model itself makes of codes."""
    found = dequantised(graph, value)
    if found is None:
        return None
    codes, scale = found
    return scale.quantised(graph, _own_dtype(types, codes, scale))


def _own_dtype(types: Mapping[str, TensorSpec], value: str, scale: CodeScale | None) -> str:
    """Return the dtype of a value, of codes that of their zero point: inference knows few quantised operators."""
    names = [scale.zero_point, value] if scale is not None else [value]
    return next((spec.dtype for name in names if (spec := types.get(name)) is not None and spec.dtype), "")


def _reading(
    graph: Graph, value: str, dtype: str, scale: CodeScale | None, types: Mapping[str, TensorSpec]
) -> NodeProto | None:
    """Return the node that reads a value of a dtype; None where the value is fetched as it is."""
    output = _free_name(graph, value)
    if (
        scale is not None
        and dtype in _CODES
        and graph.opset >= _FIRST
        and _own_dtype(types, scale.scale, None) in _SCALES
    ):
        wide = dtype.endswith("16") and graph.opset < _SIXTEEN_BITS
        inputs = [value, *filter(None, (scale.scale, scale.zero_point))]
        return make_node("DequantizeLinear", inputs, [output], domain=_MICROSOFT if wide else "")
    if dtype in _FOUR_BITS or ("float" in dtype and dtype not in _WIDE_FLOATS):
        return make_node("Cast", [value], [output], to=_TENSOR_TYPES[_number_dtype(dtype)])
    if dtype == "float16" and graph.opset >= _FIRST_SUM:
        return make_node("Sum", [value], [output])
    return None


def _ordering(graph: Graph, value: str, channels: int | None) -> NodeProto | None:
    """Return the node that brings channels in blocks into order, None for a value that has none."""
    if channels is None:
        return None
    return make_node(ORDERING, [value], [_free_name(graph, value)], domain=BLOCKED_DOMAIN, channels=channels)


_TENSOR_TYPES = {"float32": TensorProto.FLOAT, "int8": TensorProto.INT8, "uint8": TensorProto.UINT8}


def _number_dtype(dtype: str) -> str:
    """Return the dtype to which a value that numpy has no numbers for is cast."""
    if dtype in _FOUR_BITS:
        return "uint8" if dtype.startswith("u") else "int8"
    return "float32"


def _with(graph: Graph, appended: Mapping[str, NodeProto]) -> Graph:
    """Return the graph with each of these nodes right behind the one that makes the value it reads."""
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    del proto.graph.node[:]
    for node in graph.nodes:
        proto.graph.node.append(node.proto)
        proto.graph.node.extend(appended[value] for value in node.outputs if value in appended)
    for domain in {node.domain for node in appended.values() if node.domain} - {
        entry.domain for entry in proto.opset_import
    }:
        proto.opset_import.add(domain=domain, version=1)
    return Graph.from_checked(proto)


def _free_name(graph: Graph, value: str) -> str:
    name = f"{value}:readout"
    while name in graph.producers or name in graph.initializers or any(spec.name == name for spec in graph.inputs):
        name += "'"
    return name

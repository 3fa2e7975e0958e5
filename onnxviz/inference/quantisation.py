"""What a graph quantises, which decides how onnxruntime may run it."""

from __future__ import annotations

from collections.abc import Mapping

from onnxviz.graph.graph import Graph
from onnxviz.layout import TensorSpec

_BYTES_AND_WORDS = frozenset({"int8", "uint8", "int16", "uint16", None})


def quantised(graph: Graph, types: Mapping[str, TensorSpec]) -> str:
    """Return `weights`, `int8`, `narrow` or nothing, as `runtime.session.Session` takes it."""
    unpacking = [node for node in graph.nodes if node.operator == "DequantizeLinear"]
    packing = [node for node in graph.nodes if node.operator == "QuantizeLinear"]
    dynamic = any(node.operator == "DynamicQuantizeLinear" for node in graph.nodes)
    if not packing and not dynamic:
        constant = unpacking and all(graph.is_constant(node.inputs[0]) for node in unpacking)
        return "weights" if constant else ""
    kinds = {node: types.get(node.outputs[0], TensorSpec("")).dtype for node in packing}
    if not _BYTES_AND_WORDS.issuperset(kinds.values()):
        return "narrow"
    signed = [node for node, kind in kinds.items() if kind == "int8"]
    # Without zero points onnxruntime would make uint8 of them all the same, and refuse the model for that.
    return "int8" if signed and all(all(node.inputs[2:3]) and len(node.inputs) > 2 for node in signed) else ""

"""What a graph quantises, which decides how onnxruntime may run it, and what exposing does to what it computes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

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


def moving_words(graph: Graph, types: Mapping[str, TensorSpec], values: Sequence[str]) -> Iterator[str]:
    """Give a sentence for each way in which onnxruntime computes otherwise once these values are outputs of a file."""
    own = {spec.name for spec in graph.outputs}
    new = [value for value in values if value not in own and value in graph.producers]
    if any(types.get(value, TensorSpec("")).dtype == "float16" for value in new):
        yield (
            "float16 that is an output is rounded, which onnxruntime on the CPU does not do inside of a model: "
            "results may move there, --verify says by how much"
        )
    if new and quantised(graph, types) == "int8":
        yield (
            "activations are int8: onnxruntime on x86 makes uint8 of those that are not outputs, so that results may "
            "move by a step of the codes or two; --verify says by how much"
        )

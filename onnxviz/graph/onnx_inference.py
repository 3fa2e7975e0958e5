"""onnx's inference of types and shapes, of a whole model and of one node: the package's only calls of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx

from onnxviz.graph.arithmetic import Numbers
from onnxviz.graph.graph import Graph, tensor_spec
from onnxviz.graph.guard import guarded, is_added, is_sound
from onnxviz.graph.node import DEFAULT_DOMAINS, Node
from onnxviz.graph.topology import bodies
from onnxviz.layout import TensorSpec


def infer(graph: Graph) -> onnx.ModelProto | None:
    """Return the model with what onnx infers of its values from its inputs, or None where inference fails.

    What the file notes of other values counts for their types and ranks only: its sizes may be those of another input.
    """
    try:
        inferred = onnx.shape_inference.infer_shapes(guarded(_without_noted_sizes(graph)))
    except Exception:
        # Inference is C++ and raises what its operators raise, of any type: for a damaged or custom operator the
        # file's own declarations are all there is, and that is an answer.
        return None
    own = [info for info in inferred.graph.value_info if not is_added(info.name)]
    if len(own) < len(inferred.graph.value_info):
        del inferred.graph.value_info[:]
        inferred.graph.value_info.extend(own)
    return inferred


def _without_noted_sizes(graph: Graph) -> onnx.ModelProto:
    noted = graph.proto.graph.value_info
    if not noted and not any(spec.shape for spec in graph.outputs):
        return graph.proto
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    # A weight's own sizes count; a note without them would be believed.
    kept = [info for info in proto.graph.value_info if info.name not in graph.initializers]
    if len(kept) < len(noted):
        del proto.graph.value_info[:]
        proto.graph.value_info.extend(kept)
    clear_sizes((*proto.graph.value_info, *proto.graph.output))
    return proto


def clear_sizes(infos: Iterable[onnx.ValueInfoProto]) -> None:
    """Forget the sizes of tensors, not their ranks."""
    for info in infos:
        for dim in info.type.tensor_type.shape.dim if info.type.HasField("tensor_type") else ():
            dim.Clear()


def infer_node(
    graph: Graph, node: Node, types: Mapping[str, TensorSpec], numbers: Mapping[str, Numbers]
) -> Mapping[str, TensorSpec]:
    """Return what onnx infers of a node's outputs from types of its inputs and the numbers in them.

    It is empty where onnx does not know the operator, or the type of an input is not known.
    """
    given = [types.get(value) for value in node.inputs if value]
    if node.domain not in DEFAULT_DOMAINS or node.is_call or bodies(node.proto) or not is_sound(node.proto):
        return {}
    if not all(spec is not None and spec.dtype is not None for spec in given):
        return {}
    try:
        schema = onnx.defs.get_schema(node.op, graph.opset, "")
        found = onnx.shape_inference.infer_node_outputs(
            schema,
            node.proto,
            {spec.name: _type(spec) for spec in given if spec is not None},
            {name: _tensor(array, types[name]) for name, array in numbers.items()},
            opset_imports=list(graph.proto.opset_import),
            ir_version=graph.proto.ir_version,
        )
    except Exception:  # see `infer`
        return {}
    return {name: tensor_spec(onnx.ValueInfoProto(name=name, type=kind)) for name, kind in found.items()}


def _type(spec: TensorSpec) -> onnx.TypeProto:
    return onnx.helper.make_tensor_type_proto(_element_type(spec), spec.shape)


def _tensor(array: Numbers, spec: TensorSpec) -> onnx.TensorProto:
    return onnx.numpy_helper.from_array(array.astype(np.dtype(spec.dtype)), spec.name)


def _element_type(spec: TensorSpec) -> int:
    return onnx.helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))

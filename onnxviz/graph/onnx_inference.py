"""onnx's inference of types and shapes, of a whole model and of one node: the package's only calls of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx

from onnxviz.graph.arithmetic import Numbers
from onnxviz.graph.carrying import CARRYING
from onnxviz.graph.graph import Graph, tensor_spec
from onnxviz.graph.guard import guarded, is_added, is_sound, with_default
from onnxviz.graph.node import DEFAULT_DOMAINS, Node
from onnxviz.graph.topology import bodies, function_key
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


@dataclass(frozen=True, slots=True)
class _StandIn:
    """An operator of ONNX that makes the shape that one of onnxruntime's makes, from some of its inputs.

    `dtype` is the place of the input whose dtype the result has; where that is left out it is float32.
    """

    op: str
    places: slice | tuple[int, ...]
    dtype: int = 0


_STAND_INS: Mapping[str, _StandIn] = {
    "FusedConv": _StandIn("Conv", (0, 1)),
    "FusedGemm": _StandIn("Gemm", (0, 1)),
    "QGemm": _StandIn("Gemm", (0, 3), 8),
    "QLinearAveragePool": _StandIn("AveragePool", (0,)),
    "QLinearGlobalAveragePool": _StandIn("GlobalAveragePool", (0,)),
    "QLinearConcat": _StandIn("Concat", slice(2, None, 3), 2),
    "MatMulIntegerToFloat": _StandIn("MatMul", (0, 1), 99),
    "DynamicQuantizeMatMul": _StandIn("MatMul", (0, 1)),
}


def is_known_to_onnx(node: Node) -> bool:
    """Return whether onnx infers what a node makes where it sees the whole model."""
    return node.domain in DEFAULT_DOMAINS


def infer_node(
    graph: Graph, node: Node, types: Mapping[str, TensorSpec], numbers: Mapping[str, Numbers]
) -> Sequence[TensorSpec]:
    """Return what onnx infers of a node's outputs from types of its inputs and the numbers in them.

    It is nothing where the type of an input is not known, or the operator is neither ONNX's nor has a stand-in. What
    ties a body to the graph around it (carrying.py) is inferred from the inputs that are known.
    """
    given = {value: types.get(value, TensorSpec(value)) for value in node.inputs if value}
    if node.domain == CARRYING:
        return _infer_carrier(graph, node, given)
    if node.is_call or bodies(node.proto) or not is_sound(node.proto):
        return ()
    if any(spec.dtype is None for spec in given.values()):
        return ()
    try:
        if node.domain in DEFAULT_DOMAINS:
            return _infer(graph, with_default(node.proto), given, numbers)
        return _infer_stand_in(graph, node, given) if node.operator in _STAND_INS else ()
    except Exception:  # see `infer`
        return ()


def _infer_carrier(graph: Graph, node: Node, given: Mapping[str, TensorSpec]) -> Sequence[TensorSpec]:
    """Return what onnx infers through the function that stands for a carrying node."""
    inputs = [
        onnx.ValueInfoProto(name=spec.name, type=_type(spec)) for spec in given.values() if spec.dtype is not None
    ]
    outputs = [onnx.ValueInfoProto(name=value) for value in node.outputs if value]
    typing = [each for each in graph.proto.functions if function_key(each) == function_key(node.proto)]
    model = onnx.helper.make_model(
        onnx.helper.make_graph([node.proto], "node", inputs, outputs),
        functions=typing,
        opset_imports=graph.proto.opset_import,
    )
    try:
        found = [tensor_spec(info) for info in onnx.shape_inference.infer_shapes(guarded(model)).graph.output]
    except Exception:  # see `infer`
        return ()
    known = {size for spec in given.values() for size in spec.shape or ()}  # onnx makes up names for other sizes
    return [
        replace(spec, shape=spec.shape and tuple(s if isinstance(s, int) or s in known else None for s in spec.shape))
        for spec in found
    ]


def _infer_stand_in(graph: Graph, node: Node, given: Mapping[str, TensorSpec]) -> Sequence[TensorSpec]:
    stand_in = _STAND_INS[node.operator]
    if node.integer("channels_last", 0):
        return ()
    places = stand_in.places
    inputs = node.inputs[places] if isinstance(places, slice) else [node.inputs[place] for place in places]
    known = onnx.defs.get_schema(stand_in.op, graph.opset, "").attributes
    proto = onnx.NodeProto(op_type=stand_in.op, input=inputs, output=node.outputs[:1])
    proto.attribute.extend(attribute for attribute in node.proto.attribute if attribute.name in known)
    floats = {value: replace(given[value], dtype="float32") for value in inputs}
    has_dtype = stand_in.dtype < len(node.inputs) and node.inputs[stand_in.dtype]
    dtype = given[node.inputs[stand_in.dtype]].dtype if has_dtype else "float32"
    return [replace(spec, dtype=dtype) for spec in _infer(graph, proto, floats, {})]


def _infer(
    graph: Graph, proto: onnx.NodeProto, given: Mapping[str, TensorSpec], numbers: Mapping[str, Numbers]
) -> Sequence[TensorSpec]:
    found = onnx.shape_inference.infer_node_outputs(
        onnx.defs.get_schema(proto.op_type, graph.opset, ""),
        proto,
        {name: _type(spec) for name, spec in given.items()},
        {name: _tensor(array, given[name]) for name, array in numbers.items()},
        opset_imports=list(graph.proto.opset_import),
        ir_version=graph.proto.ir_version,
    )
    return [tensor_spec(onnx.ValueInfoProto(name=name, type=kind)) for name, kind in found.items()]


def _type(spec: TensorSpec) -> onnx.TypeProto:
    return onnx.helper.make_tensor_type_proto(_element_type(spec), spec.shape)


def _tensor(array: Numbers, spec: TensorSpec) -> onnx.TensorProto:
    return onnx.numpy_helper.from_array(array.astype(np.dtype(spec.dtype)), spec.name)


def _element_type(spec: TensorSpec) -> int:
    return onnx.helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))

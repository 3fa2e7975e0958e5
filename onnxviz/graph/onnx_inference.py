"""onnx's inference of types and shapes, of a whole model and of one node: the package's only calls of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx

from onnxviz.graph.arithmetic import Numbers
from onnxviz.graph.carrying import CARRYING
from onnxviz.graph.graph import Graph, tensor_spec
from onnxviz.graph.guard import guarded, is_added, is_sound, with_default
from onnxviz.graph.node import DEFAULT_DOMAINS, Node
from onnxviz.graph.requested_shapes import Shape
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

    Attributes:
        op: its name.
        places: those of the inputs that it reads.
        dtype: the place of the input whose dtype the result has; where that is left out it is float32.
        reshaped: makes of the node and the shapes of these inputs the shapes that the operator reads.
        outputs: the places of the outputs that have the shape of the result.
    """

    op: str
    places: slice | tuple[int, ...]
    dtype: int = 0
    reshaped: Callable[[Node, Sequence[Shape]], Sequence[Shape]] = lambda _node, shapes: shapes
    outputs: tuple[int, ...] = (0,)


def _transposed(node: Node, shapes: Sequence[Shape]) -> Sequence[Shape]:
    """FusedMatMul turns the last two axes of a side round where it is asked to."""
    if node.integer("transBatchA", 0) or node.integer("transBatchB", 0):
        raise ValueError("turns batches round")
    asked = (node.integer(f"trans{side}", 0) for side in "AB")
    return [(*shape[:-2], *shape[:-3:-1]) if turn else shape for turn, shape in zip(asked, shapes, strict=True)]


def _unpacked(node: Node, shapes: Sequence[Shape]) -> Sequence[Shape]:
    """MatMulNBits packs K x N weights."""
    return [shapes[0], (node.integer("K", 0), node.integer("N", 0))]


def _values_alone(node: Node, shapes: Sequence[Shape]) -> Sequence[Shape]:
    """Attention has the weights of queries, keys and values side by side: its result is as wide as the last."""
    source, (depth, width) = shapes
    sizes = node.integers("qkv_hidden_sizes")
    third = width // 3 if isinstance(width, int) else None
    return [source, (depth, sizes[2] if sizes is not None else third)]


def _queries_by_values(node: Node, shapes: Sequence[Shape]) -> Sequence[Shape]:
    """MultiHeadAttention makes of queries (N, T, C) and values (N, L, C) or (N, heads, L, C) a value for each query."""
    query, value = shapes
    heads = value[1] if len(value) == 4 else 1
    width = heads * value[-1] if isinstance(heads, int) and isinstance(value[-1], int) else None
    return [(*query[:2], 1), (1, width)]


def _rows(node: Node, shapes: Sequence[Shape]) -> Sequence[Shape]:
    """EmbedLayerNormalization makes of ids (N, T) and a table (words, C) a row for each id."""
    ids, table = shapes
    return [(*ids, 1), (1, table[1])]


_STAND_INS: Mapping[str, _StandIn] = {
    "FusedConv": _StandIn("Conv", (0, 1)),
    "FusedGemm": _StandIn("Gemm", (0, 1)),
    "FusedMatMul": _StandIn("MatMul", (0, 1), reshaped=_transposed),
    "QGemm": _StandIn("Gemm", (0, 3), 8),
    "QLinearAveragePool": _StandIn("AveragePool", (0,)),
    "QLinearGlobalAveragePool": _StandIn("GlobalAveragePool", (0,)),
    "QLinearConcat": _StandIn("Concat", slice(2, None, 3), 2),
    "QLinearWhere": _StandIn("Sum", (0, 1, 4), 8),
    "MatMulIntegerToFloat": _StandIn("MatMul", (0, 1), 99),
    "DynamicQuantizeMatMul": _StandIn("MatMul", (0, 1)),
    "MatMulNBits": _StandIn("MatMul", (0, 1), reshaped=_unpacked),
    "Attention": _StandIn("MatMul", (0, 1), reshaped=_values_alone),
    "QAttention": _StandIn("MatMul", (0, 1), 3, reshaped=_values_alone),
    "MultiHeadAttention": _StandIn("MatMul", (0, 2), reshaped=_queries_by_values),
    "EmbedLayerNormalization": _StandIn("MatMul", (0, 2), 2, _rows, outputs=(0, 2)),
    "SkipLayerNormalization": _StandIn("Identity", (0,), outputs=(0, 3)),
    "SkipSimplifiedLayerNormalization": _StandIn("Identity", (0,), outputs=(0, 3)),
    "RotaryEmbedding": _StandIn("Identity", (0,)),
    "DynamicQuantizeLSTM": _StandIn("LSTM", (0, 1, 2)),
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
    shapes = [given[value].shape for value in inputs]
    known = onnx.defs.get_schema(stand_in.op, graph.opset, "").attributes
    operands = [f"operand {place}" for place in range(len(inputs))]
    proto = onnx.NodeProto(op_type=stand_in.op, input=operands, output=["result"])
    proto.attribute.extend(attribute for attribute in node.proto.attribute if attribute.name in known)
    ranked = [shape for shape in shapes if shape is not None]
    read = map(tuple, stand_in.reshaped(node, ranked)) if len(ranked) == len(shapes) else shapes
    floats = {name: TensorSpec(name, "float32", shape) for name, shape in zip(operands, read, strict=True)}
    has_dtype = stand_in.dtype < len(node.inputs) and node.inputs[stand_in.dtype]
    dtype = given[node.inputs[stand_in.dtype]].dtype if has_dtype else "float32"
    names = [node.outputs[place] for place in stand_in.outputs if place < len(node.outputs) and node.outputs[place]]
    return [TensorSpec(name, dtype, spec.shape) for spec in _infer(graph, proto, floats, {}) for name in names]


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

"""Operators of an old opset in a newer one, by onnx's version converter, without a byte of the weights.

Before: `Gemm` of opset 6 with `broadcast = 1`. After: `Gemm` of opset 7, which broadcasts as numpy does.

1. The names and declarations of inputs and outputs stay, and so do references to weights outside.
2. An operator that broadcasts along an `axis` is written with an Unsqueeze first: the converter, as of onnx 1.23, puts
   the new axes in the wrong place, so that a bias of 3 channels made three items of one.
3. The converter wants numbers where a model leaves sizes open, and those of values between as well: it is given some,
   which the result does not keep. They are inferred in opset 6, since onnx's inference knows few operators before.
4. What onnx's inference may crash on is not converted (see `guarded`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

import numpy as np
import onnx
import onnx.version_converter

from onnxviz.errors import UnsupportedError
from onnxviz.graph.graph import Graph
from onnxviz.graph.guard import MEASURING, guarded, is_sound
from onnxviz.graph.node import DEFAULT_DOMAINS
from onnxviz.graph.shapes import fix_inputs, infer_types
from onnxviz.graph.topology import every_node
from onnxviz.layout import TensorSpec
from onnxviz.words import shown

OLDEST_RUN = 7
"""onnxruntime runs every operator of this opset and of later ones; of those before some."""

_SIZE = 224
_INFERRED = 6
_IR_VERSION = 8  # of 3 and before, the converter takes weights only where they are listed as inputs too


def is_old(graph: Graph) -> bool:
    """Return whether a graph's operators are of an opset that onnxruntime may not run."""
    return _version(graph.proto) < OLDEST_RUN


def upgraded(skeleton: bytes, opset: int = OLDEST_RUN, whole: Graph | None = None) -> bytes:
    """Return a model in a newer opset; `whole` is the model that it is a piece of, which tells more sizes.

    Raises:
        UnsupportedError: The converter cannot bring it there, for instance because of a custom operator.
    """
    model = onnx.ModelProto.FromString(skeleton)
    declared = onnx.GraphProto()
    declared.input.extend(model.graph.input)
    declared.output.extend(model.graph.output)
    model.ir_version = max(model.ir_version, _IR_VERSION)
    del model.graph.value_info[:]
    likely = {} if whole is None else _likely_types(whole)
    _fill((*model.graph.input, *model.graph.output), likely)
    if guarded(model) is not model and not _is_sound(model):
        raise UnsupportedError("its attributes or sizes are out of bounds")
    if _version(model) < _INFERRED:
        model = _converted(model, _INFERRED)
    _align(model)
    _note_sizes(model)
    result = _converted(model, opset)
    del result.graph.value_info[:]
    for kept, own in ((result.graph.input, declared.input), (result.graph.output, declared.output)):
        names = {info.name for info in kept}
        del kept[:]
        kept.extend(info for info in own if info.name in names)
    return bytes(result.SerializeToString())


def _is_sound(model: onnx.ModelProto) -> bool:
    """Return whether onnx can read a model without its guards: no attribute is out of bounds, and all that a Slice or
    GatherND measures has known sizes, none of them below 0."""
    nodes = list(every_node(model.graph.node))
    if not all(map(is_sound, nodes)) or any(model.functions):
        return False
    types = infer_types(Graph.from_proto(model))
    measured = [types.get(node.input[MEASURING[node.op_type]]) for node in nodes if node.op_type in MEASURING]
    shapes = [(None,) if spec is None or spec.shape is None else spec.shape for spec in measured]
    return all(isinstance(size, int) and size >= 0 for shape in shapes for size in shape)


def _version(model: onnx.ModelProto) -> int:
    """Return the opset of ONNX's own operators, the oldest that runs where the model uses none."""
    return next((entry.version for entry in model.opset_import if entry.domain in DEFAULT_DOMAINS), OLDEST_RUN)


def _converted(model: onnx.ModelProto, opset: int) -> onnx.ModelProto:
    try:
        return onnx.version_converter.convert_version(model, opset)
    except Exception as error:  # the converter is C++ and raises what its adapters raise, of any type
        raise UnsupportedError(" ".join(str(error).split())[-200:]) from None


def _note_sizes(model: onnx.ModelProto) -> None:
    """Note the sizes of what nodes make, as they follow from the inputs."""
    graph = Graph.from_proto(model)
    specs = [spec for name, spec in infer_types(graph).items() if name in graph.producers]
    notes = {
        spec.name: onnx.helper.make_tensor_value_info(
            spec.name, onnx.helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype)), spec.shape
        )
        for spec in specs
        if spec.dtype is not None and spec.shape is not None
    }
    for info in model.graph.output:
        info.CopyFrom(notes.pop(info.name, info))
    del model.graph.value_info[:]
    model.graph.value_info.extend(notes.values())
    _fill((*model.graph.value_info, *model.graph.output))


def _likely_types(graph: Graph) -> Mapping[str, TensorSpec]:
    """Return the types of values where each open size of an input is a usual one."""
    shapes = {
        spec.name: [size if isinstance(size, int) else _SIZE for size in spec.shape]
        for spec in graph.inputs
        if spec.shape is not None
    }
    return infer_types(fix_inputs(graph, shapes))


def _fill(infos: Iterable[onnx.ValueInfoProto], likely: Mapping[str, TensorSpec] = MappingProxyType({})) -> None:
    """Put a number for each size that is open, the likely one where there is one."""
    for info in infos:
        dims = info.type.tensor_type.shape.dim if info.type.HasField("tensor_type") else ()
        spec = likely.get(info.name)
        sizes = spec.shape if spec is not None and spec.shape is not None and len(spec.shape) == len(dims) else ()
        for place, dim in enumerate(dims):
            if not dim.HasField("dim_value") or dim.dim_value < 0:
                size = sizes[place] if sizes else None
                dim.dim_value = size if isinstance(size, int) else _SIZE


def _align(model: onnx.ModelProto) -> None:
    """Replace each `Add(a, b)` with an `axis` by `Add(a, Unsqueeze(b))`, whose last axes are those of `a`."""
    types = infer_types(Graph.from_proto(model))
    nodes = [aligned for node in model.graph.node for aligned in _aligned(node, types)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _aligned(node: onnx.NodeProto, types: Mapping[str, TensorSpec]) -> Iterator[onnx.NodeProto]:
    given = {attribute.name: attribute.i for attribute in node.attribute}
    plain = onnx.NodeProto()
    plain.CopyFrom(node)
    if given.get("broadcast") and "axis" in given:
        ranks = [len(spec.shape) for value in node.input if (spec := types.get(value)) and spec.shape is not None]
        if len(ranks) != 2:
            raise UnsupportedError(f"how many axes the inputs of {shown(node.output[0])} have is not known")
        axes = range(ranks[1], ranks[0] - given["axis"] % max(1, ranks[0]))
        if axes:
            plain.input[1] = f"{node.output[0]} aligned"
            yield onnx.helper.make_node("Unsqueeze", node.input[1:], plain.input[1:], axes=axes)
        del plain.attribute[:]
        plain.attribute.extend(attribute for attribute in node.attribute if attribute.name != "axis")
    yield plain

"""Types and shapes of every value of a graph, from onnx's inference on the skeleton and what the file declares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import onnx

from onnxviz.graph.graph import Graph, dtype_name, tensor_spec
from onnxviz.graph.guard import guarded, is_added
from onnxviz.layout import Dimension, TensorSpec

# Names that onnx's inference makes up for sizes which it does not know.
_INVENTED = re.compile(r"unk__\d+")


def infer_types(graph: Graph) -> Mapping[str, TensorSpec]:
    """Return what is known of every value: graph inputs and outputs, initializers and all that nodes compute.

    A size that cannot be told is None, one that the model names is its symbol; a value of which nothing is known is
    not in the mapping. Where inference fails, what the file itself declares is returned. Layouts are left open.
    """
    types = dict(_initializers(graph))
    _add(types, _declared(graph.proto.graph))
    inferred = infer(graph)
    if inferred is not None:
        own = _symbols(types.values())
        _add(types, (_without_invented(spec, own) for spec in _declared(inferred.graph)))
    return types


def fix_inputs(graph: Graph, shapes: Mapping[str, Sequence[int]]) -> Graph:
    """Return the graph with these shapes for these inputs, and no other claim of the file about sizes.

    Symbols and numbers that the file declares for values and outputs go, since they may hold for another input size
    only; their types and ranks stay, and inference fills in the sizes again.
    """
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    for info in proto.graph.input:
        if info.name in shapes and info.type.HasField("tensor_type"):
            info.type.tensor_type.shape.CopyFrom(_shape_proto(shapes[info.name]))
    for info in (*proto.graph.value_info, *proto.graph.output):
        for dim in info.type.tensor_type.shape.dim if info.type.HasField("tensor_type") else ():
            dim.Clear()
    return Graph.from_proto(proto)


def _shape_proto(shape: Sequence[int]) -> onnx.TensorShapeProto:
    return onnx.TensorShapeProto(dim=[onnx.TensorShapeProto.Dimension(dim_value=size) for size in shape])


def infer(graph: Graph) -> onnx.ModelProto | None:
    """Return the model with what onnx infers of its values, or None where inference fails.

    This is the package's only call of onnx's inference, which sees the model `guarded`.
    """
    try:
        inferred = onnx.shape_inference.infer_shapes(guarded(graph.proto))
    except Exception:
        # Inference is C++ and raises what its operators raise, of any type: for a damaged or custom operator the
        # file's own declarations are all there is, and that is an answer.
        return None
    own = [info for info in inferred.graph.value_info if not is_added(info.name)]
    if len(own) < len(inferred.graph.value_info):
        del inferred.graph.value_info[:]
        inferred.graph.value_info.extend(own)
    return inferred


def _initializers(graph: Graph) -> Iterable[tuple[str, TensorSpec]]:
    for name, tensor in graph.initializers.items():
        yield name, TensorSpec(name, dtype_name(tensor.data_type), tuple(tensor.dims))


def _declared(graph: onnx.GraphProto) -> Iterable[TensorSpec]:
    for infos in (graph.value_info, graph.input, graph.output):
        yield from map(tensor_spec, infos)


def _add(types: dict[str, TensorSpec], specs: Iterable[TensorSpec]) -> None:
    """Take each new fact; a known one stays where the new spec does not say it."""
    for spec in specs:
        known = types.get(spec.name)
        types[spec.name] = spec if known is None else _merged(known, spec)


def _merged(known: TensorSpec, new: TensorSpec) -> TensorSpec:
    return TensorSpec(
        known.name,
        new.dtype if new.dtype is not None else known.dtype,
        _merged_shape(known.shape, new.shape),
    )


def _merged_shape(
    known: tuple[Dimension, ...] | None, new: tuple[Dimension, ...] | None
) -> tuple[Dimension, ...] | None:
    if known is None or new is None:
        return known if new is None else new
    if len(known) != len(new):
        return new
    return tuple(_merged_dimension(old, size) for old, size in zip(known, new, strict=True))


def _merged_dimension(known: Dimension, new: Dimension) -> Dimension:
    """A number says more than a symbol, and that more than nothing; of two numbers the newer counts."""
    if new is None or (isinstance(known, int) and isinstance(new, str)):
        return known
    return new


def _symbols(specs: Iterable[TensorSpec]) -> frozenset[str]:
    return frozenset(size for spec in specs for size in spec.shape or () if isinstance(size, str))


def _without_invented(spec: TensorSpec, own: frozenset[str]) -> TensorSpec:
    if spec.shape is None:
        return spec
    return replace(
        spec,
        shape=tuple(
            None if isinstance(size, str) and size not in own and _INVENTED.fullmatch(size) else size
            for size in spec.shape
        ),
    )

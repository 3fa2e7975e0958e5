"""Types and shapes of every value of a graph, from onnx's inference on the skeleton and what the file declares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import onnx

from onnxviz.graph.completion import complete
from onnxviz.graph.graph import Graph, dtype_name, tensor_spec
from onnxviz.graph.onnx_inference import clear_sizes, infer, infer_node
from onnxviz.layout import Dimension, TensorSpec

# Names that onnx's inference makes up for sizes which it does not know.
_INVENTED = re.compile(r"unk__\d+")


def infer_types(graph: Graph, measured: Mapping[str, TensorSpec] | None = None) -> Mapping[str, TensorSpec]:
    """Return what is known of every value: graph inputs and outputs, initializers and all that nodes compute.

    A size that cannot be told is None, one that the model names is its symbol; a value of which nothing is known is
    not in the mapping. Sizes that the file notes count only where none of its notes contradicts what follows from its
    inputs: they may be left from another input size, or from before the graph was edited. Where inference fails, what
    the file notes is returned. Layouts are left open.

    Args:
        graph: the model.
        measured: what a run has told of values.
    """
    noted = dict(_initializers(graph))
    _add(noted, _declared(graph, graph.proto.graph))
    found = _inferred(graph)
    if _has_wrong_rank(graph, noted, found):
        found = _inferred(_without_noted_shapes(graph))
    types = noted if not _is_stale(graph, noted, found) else _unnoted(graph, noted)
    _add(types, found.values())
    types.update(measured or {})
    changed = (name for name, spec in types.items() if spec is not (known := found.get(name)) and spec != known)
    news = [name for name in changed if name not in graph.initializers]
    complete(graph, types, news)
    return types


def _inferred(graph: Graph) -> dict[str, TensorSpec]:
    inferred = infer(graph)
    found: dict[str, TensorSpec] = {}
    if inferred is not None:
        _add(found, _declared(graph, inferred.graph))
    return found


def _is_stale(graph: Graph, noted: Mapping[str, TensorSpec], found: Mapping[str, TensorSpec]) -> bool:
    """Return whether a size that the file notes is not what follows from its inputs.

    One beside which nothing follows, since an input's size is open, has to hold for any size that could be fed.
    """
    if any(_contradicts(spec, found[name]) for name, spec in noted.items() if name in found):
        return True
    is_open = any(not isinstance(size, int) for spec in graph.inputs for size in spec.shape or ())
    doubtful = [spec for name, spec in noted.items() if name in found and _says_more(spec, found[name])]
    if not is_open or not doubtful:
        return False
    tried = _inferred(fix_inputs(graph, _trial_shapes(graph)))
    return any(_contradicts(spec, tried[spec.name]) for spec in doubtful if spec.name in tried)


def _has_wrong_rank(graph: Graph, noted: Mapping[str, TensorSpec], found: Mapping[str, TensorSpec]) -> bool:
    """Return whether a node makes another rank than the file notes, which onnx's inference believes."""
    doubtful = {}
    for name in noted.keys() & graph.producers.keys():
        shape = found[name].shape if name in found else None
        if shape is not None and all(size is None for size in shape):
            doubtful[name] = found[name]
    nodes = {graph.producers[name].index for name in doubtful}
    made = (spec for index in sorted(nodes) for spec in infer_node(graph, graph.nodes[index], found, {}))
    return any(_contradicts(doubtful[spec.name], spec) for spec in made if spec.name in doubtful)


def _without_noted_shapes(graph: Graph) -> Graph:
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    for info in (*proto.graph.value_info, *proto.graph.output):
        if info.name in graph.producers and info.type.HasField("tensor_type"):
            info.type.tensor_type.ClearField("shape")
    return Graph.from_checked(proto)


def _contradicts(noted: TensorSpec, inferred: TensorSpec) -> bool:
    if noted.shape is None or inferred.shape is None:
        return False
    if len(noted.shape) != len(inferred.shape):
        return True
    pairs = zip(noted.shape, inferred.shape, strict=True)
    return any(isinstance(old, int) and new is not None and old != new for old, new in pairs)


def _says_more(noted: TensorSpec, inferred: TensorSpec) -> bool:
    pairs = zip(noted.shape or (), inferred.shape or (), strict=False)
    return any(isinstance(old, int) and new is None for old, new in pairs)


def _trial_shapes(graph: Graph) -> Mapping[str, Sequence[int]]:
    """Return shapes of the inputs with each open size another multiple of 32 than any that is usually fed."""
    sizes: dict[str, int] = {}
    shapes = {}
    for spec in graph.inputs:
        names = [f"{spec.name} {axis}" if size is None else size for axis, size in enumerate(spec.shape or ())]
        for name in names:
            if isinstance(name, str):
                sizes.setdefault(name, 32 * (11 + 2 * len(sizes)))
        if spec.shape is not None:
            shapes[spec.name] = [sizes[name] if isinstance(name, str) else name for name in names]
    return shapes


def _unnoted(graph: Graph, noted: Mapping[str, TensorSpec]) -> dict[str, TensorSpec]:
    """Return what the file notes without its sizes, but those of what is given."""
    given = {*graph.initializers, *(spec.name for spec in graph.inputs)}
    return {name: spec if name in given else _without_sizes(spec) for name, spec in noted.items()}


def _without_sizes(spec: TensorSpec) -> TensorSpec:
    return replace(spec, shape=None if spec.shape is None else (None,) * len(spec.shape))


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
    weights = graph.initializers
    clear_sizes(info for info in (*proto.graph.value_info, *proto.graph.output) if info.name not in weights)
    return Graph.from_checked(proto)


def _shape_proto(shape: Sequence[int]) -> onnx.TensorShapeProto:
    return onnx.TensorShapeProto(dim=[onnx.TensorShapeProto.Dimension(dim_value=size) for size in shape])


def _initializers(graph: Graph) -> Iterable[tuple[str, TensorSpec]]:
    for name, tensor in graph.initializers.items():
        yield name, TensorSpec(name, dtype_name(tensor.data_type), tuple(tensor.dims))


def _declared(graph: Graph, proto: onnx.GraphProto) -> Iterable[TensorSpec]:
    """Yield the declarations of a graph, without names of sizes that are inventions and none of an input's."""
    own = frozenset(size for spec in graph.inputs for size in spec.shape or () if isinstance(size, str))
    for infos in (proto.value_info, proto.input, proto.output):
        yield from (_without_invented(tensor_spec(info), own) for info in infos)


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


def _without_invented(spec: TensorSpec, own: frozenset[str]) -> TensorSpec:
    if spec.shape is None or not any(isinstance(size, str) for size in spec.shape):
        return spec
    return replace(
        spec,
        shape=tuple(
            None if isinstance(size, str) and size not in own and _INVENTED.fullmatch(size) else size
            for size in spec.shape
        ),
    )

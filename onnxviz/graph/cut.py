"""Cut a graph down to what chosen values need.

onnxruntime computes all nodes of a session, whatever is fetched, so what is not needed must not be in it.

| goes | stays |
|---|---|
| nodes that no chosen value needs | outer values that bodies of If, Loop and Scan read, at any depth |
| initializers, inputs and value declarations of these nodes | initializers that a kept quantization annotation names |
| functions that no kept node calls | functions that kept functions call |
| results of bodies and functions that no kept node reads, with what only they need (see `prune`) | |
| training information, which speaks of the whole graph | opsets, metadata, custom domains |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy
import onnx

from onnxviz.errors import NoMatchError
from onnxviz.graph.graph import Graph, tensor_spec
from onnxviz.graph.node import Node
from onnxviz.graph.onnx_inference import infer
from onnxviz.graph.topology import FunctionKey, bodies, every_node, function_key
from onnxviz.layout import TensorSpec
from onnxviz.words import near


def cut(graph: Graph, outputs: Sequence[str], types: Mapping[str, TensorSpec] | None = None) -> Graph:
    """Return the graph that computes `outputs`, in this order, and nothing else.

    Args:
        graph: the model.
        outputs: values; those that are not outputs of the model are declared as far as the model itself tells.
        types: what else is known of values, for their declarations.

    Raises:
        NoMatchError: An output is not a value of the graph, or there are no outputs.
    """
    wanted = tuple(dict.fromkeys(outputs))
    check_values(graph, wanted)
    declared = declare(graph, wanted, types or {})
    if any(node.is_call or bodies(node.proto) for node in graph.nodes):
        # Not at the top: most models have no functions and no bodies, and wait for nothing that is for them.
        from onnxviz.graph.prune import pruned

        graph = pruned(graph, wanted)
    return assemble(graph, needed_nodes(graph, wanted), graph.proto.graph.input, declared)


def needed_nodes(graph: Graph, values: Iterable[str]) -> tuple[Node, ...]:
    """Return the nodes that compute these values, in the graph's order."""
    needed: set[int] = set()
    waiting = list(values)
    while waiting:
        node = graph.producers.get(waiting.pop())
        if node is not None and node.index not in needed:
            needed.add(node.index)
            waiting.extend(node.reads)
    return tuple(graph.nodes[index] for index in sorted(needed))


def needed_inputs(graph: Graph, values: Iterable[str]) -> frozenset[str]:
    """Return the names of the inputs that these values are computed from, or are."""
    wanted = set(values)
    read = {value for node in needed_nodes(graph, wanted) for value in node.reads}
    return frozenset(spec.name for spec in graph.inputs if spec.name in read or spec.name in wanted)


def assemble(
    graph: Graph,
    nodes: Sequence[Node],
    inputs: Iterable[onnx.ValueInfoProto],
    outputs: Iterable[onnx.ValueInfoProto],
) -> Graph:
    """Make a graph of some nodes of another one, with all that these need from it; inputs not needed are left out."""
    source, outputs = graph.proto.graph, tuple(outputs)
    names = {info.name for info in outputs}
    for node in nodes:
        names.update(node.reads, node.outputs)
    annotations = [entry for entry in source.quantization_annotation if entry.tensor_name in names]
    names.update(pair.value for entry in annotations for pair in entry.quant_parameter_tensor_names)
    model = _without_graph(graph.proto)
    part = model.graph
    part.name, part.doc_string = source.name, source.doc_string
    part.metadata_props.extend(source.metadata_props)
    part.node.extend(node.proto for node in nodes)
    part.initializer.extend(tensor for tensor in source.initializer if tensor.name in names)
    part.sparse_initializer.extend(tensor for tensor in source.sparse_initializer if tensor.values.name in names)
    part.input.extend(info for info in inputs if info.name in names)
    part.output.extend(outputs)
    part.value_info.extend(info for info in source.value_info if info.name in names)
    part.quantization_annotation.extend(annotations)
    model.functions.extend(_called(graph, part.node))
    return Graph.from_checked(model)


def declare(graph: Graph, values: Iterable[str], types: Mapping[str, TensorSpec]) -> list[onnx.ValueInfoProto]:
    """Return the declarations of values as a graph's inputs or outputs: type and rank, as far as they are known.

    What the model itself declares as its input, or as its output with a shape, is kept as it is. Sizes that are
    unknown are left empty, and so are symbols that the model does not use: they are inventions of the inference.
    """
    source = graph.proto.graph
    given = {info.name for info in source.input}
    declared = {info.name: info for info in (*source.output, *source.input)}
    inner = {info.name: info for info in source.value_info}
    specs = [tensor_spec(info) for info in (*declared.values(), *inner.values())]
    symbols = {size for spec in specs for size in spec.shape or () if isinstance(size, str)}
    inferred: dict[str, onnx.ValueInfoProto] | None = None
    result = []
    for value in values:
        spec = types.get(value)
        own = declared.get(value)
        if own is not None and (own.type.tensor_type.HasField("shape") or value in given):
            result.append(own)
        elif spec is not None and (info := _typed(spec, symbols)) is not None:
            result.append(info)
        elif (plain := _declare_plainly(graph, value, own or inner.get(value))) is not None:
            result.append(plain)
        else:
            inferred = _inferred(graph) if inferred is None else inferred
            result.append(inferred.get(value, onnx.ValueInfoProto(name=value)))
    return result


def check_values(graph: Graph, values: Sequence[str]) -> None:
    """Refuse names that are not values of the graph.

    Raises:
        NoMatchError: Some are not; names those that come near.
    """
    if not values:
        raise NoMatchError("no value was chosen: a model without outputs cannot be made")
    known = known_values(graph)
    missing = [value for value in values if value not in known]
    if missing:
        raise NoMatchError(f"the model has no value {missing[0]!r}{near(missing[0], known)}")


def known_values(graph: Graph) -> Mapping[str, None]:
    """Return the names of all values at the top of a graph."""
    source = graph.proto.graph
    names = dict.fromkeys(info.name for info in source.input)
    names.update(dict.fromkeys(graph.initializers))
    names.update(dict.fromkeys(tensor.values.name for tensor in source.sparse_initializer))
    names.update(dict.fromkeys(graph.producers))
    return names


def _typed(spec: TensorSpec, symbols: set[str]) -> onnx.ValueInfoProto | None:
    if spec.dtype is None:
        return None
    kind = onnx.helper.np_dtype_to_tensor_dtype(numpy.dtype(spec.dtype))
    shape = spec.shape
    if shape is not None:
        shape = tuple(None if isinstance(size, str) and size not in symbols else size for size in shape)
    return onnx.helper.make_tensor_value_info(spec.name, kind, shape)


def _declare_plainly(graph: Graph, value: str, note: onnx.ValueInfoProto | None) -> onnx.ValueInfoProto | None:
    """Declare a value without a spec from its tensor or the model's own note; None where it has neither."""
    sparse = {tensor.values.name: tensor for tensor in graph.proto.graph.sparse_initializer}
    if value in graph.initializers:
        tensor = graph.initializers[value]
        return onnx.helper.make_tensor_value_info(value, tensor.data_type, tensor.dims)
    if value in sparse:
        return onnx.helper.make_tensor_value_info(value, sparse[value].values.data_type, sparse[value].dims)
    if note is None or not note.HasField("type"):
        return None
    # A tensor's note is written anew, since a size may be unknown (-1); a sequence's is kept as it is.
    spec = tensor_spec(note)
    return _typed(spec, {size for size in spec.shape or () if isinstance(size, str)}) or note


def _inferred(graph: Graph) -> dict[str, onnx.ValueInfoProto]:
    """Return the declarations of sequences, maps and optionals, which a TensorSpec cannot describe."""
    inferred = infer(graph)
    infos = () if inferred is None else inferred.graph.value_info
    return {info.name: info for info in infos if info.type.WhichOneof("value") != "tensor_type"}


def _without_graph(model: onnx.ModelProto) -> onnx.ModelProto:
    """Copy all of a model but what speaks of its nodes."""
    result = onnx.ModelProto()
    for field, value in model.ListFields():
        if field.name in {"graph", "functions", "training_info"}:
            continue
        if isinstance(value, int | str | bytes):
            setattr(result, field.name, value)
        else:
            getattr(result, field.name).MergeFrom(value)
    return result


def _called(graph: Graph, nodes: Iterable[onnx.NodeProto]) -> list[onnx.FunctionProto]:
    """Return the functions that nodes call, directly or through other functions, in the model's order."""
    used: set[FunctionKey] = set()
    waiting = [nodes] if graph.functions else []
    while waiting:
        for node in every_node(waiting.pop()):
            key = function_key(node)
            if key in graph.functions and key not in used:
                used.add(key)
                waiting.append(graph.functions[key].node)
    return [function for key, function in graph.functions.items() if key in used]

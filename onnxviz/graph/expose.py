"""Make chosen values outputs of the model, and nothing else of it different.

Before: `x -> Conv -> c -> Relu -> r -> Gemm -> y`, outputs `y`. After exposing `r` and `c`: outputs `y, c, r`.

1. A value is exposed once; one that is an output already stays where it is.
2. New outputs come after the model's own, in graph order, each with its type and rank; unknown sizes stay empty.
3. An input or an initializer can be exposed as well; a name that is not a value of the graph is an error.
4. With `only`, the chosen values replace the model's own outputs and the graph is cut to them.

Inputs, nodes, weights, metadata, opsets, functions and custom domains stay, so the checker passes where it passed
before, and exposing twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx
from google.protobuf.message import Message

from onnxviz.graph.cut import check_values, cut, declare
from onnxviz.graph.graph import Graph
from onnxviz.layout import TensorSpec

_KEPT_KEYS = frozenset({"pkg.torch.onnx.name_scopes"})


@dataclass(frozen=True, slots=True)
class Exposed:
    """A graph with more outputs: those that were added, and those that were asked for and were outputs already.

    The `unranked` are those among the added whose number of axes is not known: they are declared without a shape.
    """

    graph: Graph
    added: tuple[str, ...]
    already: tuple[str, ...]
    unranked: tuple[str, ...]


def expose(graph: Graph, values: Sequence[str], types: Mapping[str, TensorSpec], *, only: bool = False) -> Exposed:
    """Return the graph with `values` among its outputs, or with `only` as its outputs.

    Args:
        graph: the model.
        values: names of values, in any order.
        types: what is known of each value, as `infer_types` tells.
        only: drop the model's own outputs, and with them all that `values` do not need.

    Raises:
        NoMatchError: a name is not a value of the graph.
    """
    check_values(graph, values)
    own = {spec.name for spec in graph.outputs}
    wanted = sorted(set(values), key=_places(graph).__getitem__)
    added = tuple(value for value in wanted if value not in own)
    already = tuple(value for value in wanted if value in own)
    if added:
        proto = onnx.ModelProto()
        proto.CopyFrom(graph.proto)
        proto.graph.output.extend(declare(graph, added, types))
        graph = Graph.from_proto(proto)
    unranked = tuple(info.name for info in graph.proto.graph.output if info.name in added and not _is_ranked(info))
    return Exposed(cut(graph, wanted) if only else graph, added, already, unranked)


def strip_metadata(graph: Graph) -> Graph:
    """Return the graph without what its exporter noted: documentation texts and the nodes' and values' metadata.

    PyTorch's exporters leave stack traces there, with the paths of whoever exported. The module paths of layers
    (`name_scopes`) and the model's own metadata, such as its labels, stay.
    """
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    own = [entry for entry in graph.proto.metadata_props if not entry.key.startswith("pkg.torch")]
    _strip(proto)
    del proto.metadata_props[:]
    proto.metadata_props.extend(own)
    return Graph.from_proto(proto)


def _is_ranked(info: onnx.ValueInfoProto) -> bool:
    kind = info.type.WhichOneof("value")
    return kind is not None and (kind != "tensor_type" or info.type.tensor_type.HasField("shape"))


def _places(graph: Graph) -> Mapping[str, tuple[int, int]]:
    """Return each value's place in graph order: inputs, initializers, then the nodes' outputs."""
    source = graph.proto.graph
    given = [*(info.name for info in source.input), *(tensor.name for tensor in source.initializer)]
    given.extend(tensor.values.name for tensor in source.sparse_initializer)
    places = {name: (-1, place) for place, name in reversed(list(enumerate(given)))}
    for node in graph.nodes:
        places.update((value, (node.index, place)) for place, value in enumerate(node.outputs) if value)
    return places


def _strip(message: Message) -> None:
    for field, value in message.ListFields():
        if field.name == "doc_string":
            message.ClearField("doc_string")
        elif field.name == "metadata_props":
            kept = [(entry.key, entry.value) for entry in value if entry.key in _KEPT_KEYS]
            del value[:]
            for key, text in kept:
                value.add(key=key, value=text)
        elif field.message_type is not None:
            for inner in [value] if isinstance(value, Message) else value:
                _strip(inner)

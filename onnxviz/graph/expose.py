"""Make chosen values outputs of the model, and nothing else of it different.

Before: `x -> Conv -> c -> Relu -> r -> Gemm -> y`, outputs `y`. After exposing `r` and `c`: outputs `y, c, r`.

1. A value is exposed once; one that is an output already stays where it is.
2. New outputs come after the model's own, in graph order, each with its type and rank; unknown sizes stay empty.
3. An input or an initializer can be exposed as well; a name that is not a value of the graph is an error.
4. With `only`, the chosen values replace the model's own outputs and the graph is cut to them.
5. A value inside a function or a body is handed out by what holds it (lift.py), under its name in the flat graph; one
   that is handed out already is an output already. One that cannot be handed out is left out, with the reason.

Inputs, nodes, weights, metadata, opsets, functions and custom domains stay, so the checker passes where it passed
before, and exposing twice changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import onnx
from google.protobuf.message import Message

from onnxviz.errors import UnsupportedError
from onnxviz.graph.cut import check_values, cut, declare, known_values
from onnxviz.graph.graph import Graph
from onnxviz.graph.scope import replace_field
from onnxviz.graph.unfold import Unfolded, unfold
from onnxviz.layout import TensorSpec

if TYPE_CHECKING:
    from onnxviz.graph.obstacles import Wanted

_NUMBERED = re.compile(r"'\d+$")
_KEPT_KEYS = frozenset({"pkg.torch.onnx.name_scopes"})


@dataclass(frozen=True, slots=True)
class Exposed:
    """A graph with more outputs.

    Attributes:
        graph: the model with them.
        names: what was asked for, in graph order, with the outputs that have it.
        added: the outputs that are new.
        already: those that were asked for and were outputs already.
        unranked: the new ones whose number of axes is not known: they are declared without a shape.
        optional: the new ones that are empty where a branch of an If does not run.
        sequences: the new ones that are sequences of arrays, one for each step of a Loop or element of a sequence.
        refused: what cannot be handed out of what holds it, with the reasons.
    """

    graph: Graph
    names: Mapping[str, str]
    added: tuple[str, ...]
    already: tuple[str, ...]
    unranked: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    sequences: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)


def expose(
    graph: Graph,
    values: Sequence[str],
    types: Mapping[str, TensorSpec],
    *,
    unfolded: Unfolded | None = None,
    only: bool = False,
) -> Exposed:
    """Return the graph with `values` among its outputs, or with `only` as its outputs.

    Args:
        graph: the model.
        values: names of values, in any order; those inside functions and bodies by their names in the flat graph.
        types: what is known of each value, as `infer_types` tells.
        unfolded: the graph laid flat, where that was done already.
        only: drop the model's own outputs, and with them all that `values` do not need.

    Raises:
        NoMatchError: a name is not a value of the graph.
        UnsupportedError: no value can be handed out of what holds it; the text says why not the first.
    """
    top = known_values(graph)
    flat = Unfolded(graph) if all(value in top for value in values) else unfolded or unfold(graph)
    outside = {value: flat.aliases.get(value, value) for value in values}
    check_values(flat.graph, list(outside.values()))
    own = {spec.name for spec in graph.outputs}
    places = _places(flat.graph)
    ordered = sorted(outside, key=lambda value: places[outside[value]])
    names = {value: _handed_out(graph, flat, outside[value], own) for value in ordered}
    inside = _inside(flat, [value for value in dict.fromkeys(names.values()) if value not in own], types)
    reasons = _reasons_against(graph, inside)
    refused = {value: reasons[name] for value, name in names.items() if name in reasons}
    names = {value: name for value, name in names.items() if value not in refused}
    if not names:
        value, reason = next(iter(refused.items()))
        raise UnsupportedError(f"{value!r} cannot be handed out: {reason}")
    wanted = tuple(dict.fromkeys(names.values()))
    added = tuple(value for value in wanted if value not in own)
    if added:
        graph = _widened(graph, added, types, [want for want in inside if want.info.name in added])
    infos = [info for info in graph.proto.graph.output if info.name in added]
    return Exposed(
        cut(graph, wanted) if only else graph,
        MappingProxyType(names),
        added,
        already=tuple(value for value in wanted if value in own),
        unranked=tuple(info.name for info in infos if not _is_ranked(info)),
        optional=tuple(want.info.name for want in inside if want.info.name in added and want.address.is_in_branch),
        sequences=tuple(
            info.name for info in infos if info.type.HasField("sequence_type") and info.name in flat.addresses
        ),
        refused=MappingProxyType(refused),
    )


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
    return Graph.from_checked(proto)


def _inside(flat: Unfolded, values: Sequence[str], types: Mapping[str, TensorSpec]) -> list[Wanted]:
    """Return those of the values that holders hold, with what is known of them."""
    inside = [value for value in values if value in flat.addresses]
    if not inside:
        return []
    # Not at the top, here and below: most models hold nothing, and wait for nothing that is for what does.
    from onnxviz.graph.obstacles import Wanted
    from onnxviz.graph.steadiness import steady_values

    steady = steady_values(flat, inside)
    infos = declare(flat.graph, inside, types)
    return [Wanted(info, flat.addresses[info.name], info.name in steady) for info in infos]


def _reasons_against(graph: Graph, inside: Sequence[Wanted]) -> Mapping[str, str]:
    """Return which of the values cannot be handed out, with the reasons."""
    if not inside:
        return {}
    from onnxviz.graph.obstacles import obstacles

    return obstacles(graph, inside)


def _widened(graph: Graph, added: Sequence[str], types: Mapping[str, TensorSpec], inside: Sequence[Wanted]) -> Graph:
    """Return the graph with more outputs, in this order behind its own."""
    lifted = _lifted(graph, inside)
    if len(inside) == len(added):
        return lifted
    own = len(graph.proto.graph.output)
    proto = onnx.ModelProto()
    proto.CopyFrom(lifted.proto)
    infos = {info.name: info for info in proto.graph.output[own:]}
    infos.update((info.name, info) for info in declare(graph, [value for value in added if value not in infos], types))
    replace_field(proto.graph.output, [*proto.graph.output[:own], *(infos[value] for value in added)])
    return Graph.from_checked(proto)


def _lifted(graph: Graph, inside: Sequence[Wanted]) -> Graph:
    if not inside:
        return graph
    from onnxviz.graph.lift import lift

    return lift(graph, inside)


def _handed_out(graph: Graph, flat: Unfolded, value: str, own: Collection[str]) -> str:
    """Return the output that has a value: one of an earlier `expose` has its name, so that it has another by now."""
    address = flat.addresses.get(value)
    plain = _NUMBERED.sub("", value)
    if address is None or plain == value or plain not in own:
        return value
    return plain if plain in graph.nodes[address.path[0].index].outputs else value


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
    for descriptor, value in message.ListFields():
        if descriptor.name == "doc_string":
            message.ClearField("doc_string")
        elif descriptor.name == "metadata_props":
            kept = [(entry.key, entry.value) for entry in value if entry.key in _KEPT_KEYS]
            del value[:]
            for key, text in kept:
                value.add(key=key, value=text)
        elif descriptor.message_type is not None:
            for inner in [value] if isinstance(value, Message) else value:
                _strip(inner)

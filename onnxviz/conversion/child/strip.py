"""Kept tensors were outputs during the conversion, so that nothing was folded through them; now they are inner values.

Before: `Conv -> c -> Transpose(NCHW to NHWC) -> t (output) -> Transpose(NHWC to NCHW) -> d -> Relu`, t kept.
After:  `Conv -> t -> Relu`, where t is the convolution's NCHW value under the kept tensor's name.

1. A Transpose behind a kept tensor that undoes the one before it goes, and its readers read the inner value.
2. Where a Transpose then makes a kept tensor, the inner value takes its name; where the transposed value is still
   read (by a Flatten, say) it stays under a name of its own.
3. An inner value has one name: a second kept tensor for the same value becomes an alias of the first.
4. A public output that only copies a kept tensor is that tensor, under the output's name.
5. Kept tensors stop being outputs, and nodes that nothing reads go.

Public inputs and outputs keep their names, layouts and values.
"""

from __future__ import annotations

from collections.abc import Sequence

from onnx import GraphProto, ModelProto, NodeProto, TensorShapeProto, ValueInfoProto

from .exchange import Kept
from .onnx_nodes import bodies, drop_unread, makers, reads

BATCH = "N"


def strip(proto: ModelProto, kept: list[str]) -> dict[str, Kept]:
    """Turn the kept tensors of a converted model into inner values, in place, and return where each went."""
    graph, wanted = proto.graph, set(kept)
    public = [info for info in graph.output if info.name not in wanted]
    del graph.output[:]
    graph.output.extend(public)
    _cancel_pairs(graph, wanted)
    drop_unread(graph, {info.name for info in public} | wanted)
    copied = _drop_copies(graph, wanted, {info.name for info in public})
    where = _name_inner_values(graph, wanted, copied, {info.name for info in public})
    drop_unread(graph, {info.name for info in public} | {place["value"] for place in where.values()})
    del graph.value_info[:]  # tf2onnx's are of the values before
    return where


def name_free_sizes(proto: ModelProto) -> None:
    """Call the free first size of inputs and outputs `N`, and leave other free sizes open; tf2onnx says `unk__136`.

    The first size is the batch only where it is free in every input.
    """
    graph = proto.graph
    firsts = [_sizes(info)[0] for info in graph.input if _sizes(info)]
    batched = bool(firsts) and all(not size.HasField("dim_value") for size in firsts)
    for info in (*graph.input, *graph.output):
        for place, size in enumerate(_sizes(info)):
            if size.HasField("dim_value") and size.dim_value >= 0:
                continue
            size.Clear()
            if place == 0 and batched:
                size.dim_param = BATCH


def _sizes(info: ValueInfoProto) -> Sequence[TensorShapeProto.Dimension]:
    return info.type.tensor_type.shape.dim


def _cancel_pairs(graph: GraphProto, wanted: set[str]) -> None:
    places = makers(graph)
    same: dict[str, str] = {}
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = same.get(name, name)
        if node.op_type != "Transpose" or node.input[0] not in wanted:
            continue
        first = graph.node[places[node.input[0]]] if node.input[0] in places else None
        if first is not None and first.op_type == "Transpose" and _undoes(first, node):
            same[node.output[0]] = first.input[0]
    outputs = {info.name for info in graph.output}
    for node in graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = same.get(name, name)
        made = node.output[0] if node.output else ""
        if made in outputs & same.keys():
            # What made a public output by undoing a Transpose copies the inner value instead.
            del node.attribute[:]
            node.op_type, node.input[0] = "Identity", same[made]


def _drop_copies(graph: GraphProto, wanted: set[str], public: set[str]) -> dict[str, str]:
    made = {name for node in graph.node for name in node.output}
    names: dict[str, str] = {}
    for place in reversed(range(len(graph.node))):
        node = graph.node[place]
        if node.op_type != "Identity":
            continue
        # Which of the two copies the other depends on the order of tf2onnx's passes.
        for tensor, output in ((node.input[0], node.output[0]), (node.output[0], node.input[0])):
            if tensor in (wanted & made) - names.keys() and output in public - set(names.values()):
                names[tensor] = output
                del graph.node[place]
                break
    for node in graph.node:
        _rename(node, names)
    return names


def _name_inner_values(
    graph: GraphProto, wanted: set[str], copied: dict[str, str], public: set[str]
) -> dict[str, Kept]:
    given = {info.name for info in graph.input} | {tensor.name for tensor in graph.initializer}
    read = {name for node in graph.node for name in reads(node)}
    renames: dict[str, str] = {}
    aside: dict[str, str] = {}
    where: dict[str, Kept] = {}
    tensors = {**{tensor: tensor for tensor in wanted}, **{output: tensor for tensor, output in copied.items()}}
    for node in graph.node:
        for made in tensors.keys() & set(node.output):
            tensor = tensors[made]
            inner = node.input[0] if _is_copy(node) and node.input[0] not in given else ""
            order = _order(node) or None
            if not inner or (order is None and (made in read or made in public)):
                where[tensor] = Kept(value=made, order=None)
            elif inner in where:
                where[tensor] = where[inner] if order is None else Kept(value=made, order=None)
            elif inner in public or inner in renames:
                where[tensor] = Kept(value=renames.get(inner, inner), order=order)
            else:
                renames[inner] = tensor
                where[tensor] = Kept(value=tensor, order=order)
                if made == tensor:
                    aside[tensor] = f"{tensor}__{'copy' if order is None else 'channels_last'}"
    for node in graph.node:
        _rename(node, {**renames, **aside})
    return where


def _is_copy(node: NodeProto) -> bool:
    """Return whether a node is an Identity or a Transpose that brings the channels back to the end."""
    if node.op_type == "Identity":
        return True
    order = _order(node)
    return node.op_type == "Transpose" and len(order) > 2 and order == [0, *range(2, len(order)), 1]


def _rename(node: NodeProto, names: dict[str, str]) -> None:
    for places in (node.input, node.output):
        for place, name in enumerate(places):
            if name in names:
                places[place] = names[name]
    for body in bodies(node):
        for inner in body.node:
            _rename(inner, names)
        for info in body.output:
            info.name = names.get(info.name, info.name)


def _order(node: NodeProto) -> list[int]:
    return next((list(attribute.ints) for attribute in node.attribute if attribute.name == "perm"), [])


def _undoes(first: NodeProto, second: NodeProto) -> bool:
    one, two = _order(first), _order(second)
    return len(one) == len(two) > 0 and [one[place] for place in two] == list(range(len(one)))

"""Questions to an ONNX graph: what its nodes read, which ones are needed, and which operators ONNX does not have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnx import GraphProto, ModelProto, NodeProto, defs

from .exchange import Refusal


def bodies(node: NodeProto) -> Iterator[GraphProto]:
    """Give the graphs that a node holds as attributes, as If and Loop do."""
    for attribute in node.attribute:
        yield from [attribute.g] if attribute.HasField("g") else attribute.graphs


def makers(graph: GraphProto) -> dict[str, int]:
    """Return for each value the place of the node that makes it."""
    return {name: place for place, node in enumerate(graph.node) for name in node.output if name}


def reads(node: NodeProto) -> list[str]:
    """Return what a node reads, the outer values that its bodies capture included."""
    names = [name for name in node.input if name]
    for body in bodies(node):
        for inner in body.node:
            names.extend(reads(inner))
        names.extend(info.name for info in body.output)
    return names


def drop_unread(graph: GraphProto, roots: set[str]) -> None:
    """Remove the nodes and weights that no root needs, in place."""
    places = makers(graph)
    nodes = list(graph.node)
    needed: set[int] = set()
    waiting = list(roots)
    while waiting:
        place = places.get(waiting.pop())
        if place is not None and place not in needed:
            needed.add(place)
            waiting.extend(reads(nodes[place]))
    for place in reversed(range(len(nodes))):
        if place not in needed:
            del graph.node[place]
    read = roots | {name for place in needed for name in reads(nodes[place])}
    for place in reversed(range(len(graph.initializer))):
        if graph.initializer[place].name not in read:
            del graph.initializer[place]


def check_operators(proto: ModelProto) -> None:
    """Refuse a model with operators that ONNX does not have: tf2onnx leaves those that it does not know in place.

    Raises:
        Refusal: There are some; the text names them and where they are.
    """
    versions = {entry.domain: entry.version for entry in proto.opset_import}
    unknown = []
    for node in _all_nodes(proto.graph):
        if node.domain in ("", "ai.onnx"):
            if not defs.has(node.op_type, max_inclusive_version=versions.get(node.domain, 1)):
                unknown.append((node.op_type, node.name))
        elif not node.domain.startswith(("ai.onnx", "com.microsoft")):
            unknown.append((f"{node.domain}.{node.op_type}", node.name))
    refuse_untranslated(unknown)


def refuse_untranslated(operators: Iterable[tuple[str, str]], before: str = "") -> None:
    """Refuse a model for operators, given with the names of their nodes, if there are any; `before` is what they read.

    Raises:
        Refusal: There are some; the text names them and where they are.
    """
    places: dict[str, list[str]] = {}
    for kind, place in operators:
        places.setdefault(kind, []).append(place)
    lines = [
        f"{op} at {', '.join(names[:3])}{' and more' if names[3:] else ''}" for op, names in sorted(places.items())
    ]
    if lines:
        way = f" {before}" if before else ", with the tensor that it reads"
        raise Refusal(
            f"tf2onnx has no translation of {'; '.join(lines)}\n"
            f"the part before it converts: onnxviz convert --outputs{way}",
            "unsupported",
        )


def _all_nodes(graph: GraphProto) -> Iterator[NodeProto]:
    for node in graph.node:
        yield node
        for body in bodies(node):
            yield from _all_nodes(body)

"""Layers that lie inside functions and inside the bodies of If, Loop and Scan: listed, not yet exposed.

They are known by operator and name only: inference does not reach into bodies, and a function's values have shapes
only at a call. A function is listed once for each call, since each call computes values of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import onnx

from onnxviz.graph.graph import Graph, Node
from onnxviz.graph.layers.families import dense_sides, operator_kind, packed_weights, weight_count, weight_places

# Nested calls double with each level in a hostile file; the largest honest one known has some thousand inner nodes.
_MOST_NODES = 50_000
_DEEPEST = 64

_Key = tuple[str, str, str]  # domain, name and overload of a function


def count_unlisted(graph: Graph) -> int:
    """Return how many nodes inside functions and bodies are too many, or lie too deep, to be listed."""
    listed, every = (_Counter(graph).count(levels) for levels in (_DEEPEST, 2 * _DEEPEST))
    return every - min(listed, _MOST_NODES)


class _Counter:
    """Counts inner nodes without walking each call: those of a function are counted once a level."""

    def __init__(self, graph: Graph) -> None:
        self._nodes = graph.proto.graph.node
        self._functions = _by_key(graph)
        self._counts: dict[tuple[_Key, int], int] = {}

    def count(self, levels: int) -> int:
        """Return the number of nodes inside others, so many levels deep."""
        return sum(self._inside(proto, levels) for proto in self._nodes)

    def _inside(self, proto: onnx.NodeProto, levels: int) -> int:
        if not levels:
            return 0
        key = (_key(proto), levels)
        function = self._functions.get(key[0])
        if function is None:
            return sum(self._all(body.node, levels - 1) for _, body in _bodies(proto))
        if key not in self._counts:
            self._counts[key] = self._all(function.node, levels - 1)
        return self._counts[key]

    def _all(self, nodes: Iterable[onnx.NodeProto], levels: int) -> int:
        return sum(1 + self._inside(proto, levels) for proto in nodes)


@dataclass(frozen=True, slots=True)
class InnerNode:
    """A node inside a function or a body; `path` names what holds it, from the outside in, as part of its name."""

    proto: onnx.NodeProto
    kind: str
    path: str
    inside: str
    depth: int
    parameters: int

    @property
    def output(self) -> str:
        """The first value that the node makes, under its name inside."""
        return next(filter(None, self.proto.output), "")


@dataclass(slots=True)
class _Frame:
    """What is known inside one body or call: depths of values, and how many elements its constants hold."""

    path: str
    inside: str
    level: int
    depths: dict[str, int] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)


class InnerNodes:
    """Walks what lies inside the nodes of one graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._functions = _by_key(graph)
        self._left = _MOST_NODES
        self.found: list[InnerNode] = []

    def enter(self, node: Node, depths: Mapping[str, int]) -> int:
        """Add all that lies inside a node to `found`; return the greatest depth that its results have."""
        if _key(node.proto) not in self._functions and not any(_bodies(node.proto)):
            return 0
        reads = node.reads
        frame = _Frame("", "", 0, {value: depths.get(value, 0) for value in reads})
        frame.constants = {value: self._size(value) for value in reads if self._graph.is_constant(value)}
        return self._enter(node.proto, node.key, f"#{node.index}", frame)

    def _size(self, value: str) -> int:
        dims = self._graph.dims(value)
        return 0 if dims is None else weight_count(dims)

    def _enter(self, proto: onnx.NodeProto, key: str, place: str, outer: _Frame) -> int:
        if outer.level >= _DEEPEST:
            return 0
        function = self._functions.get(_key(proto))
        within = f"{outer.inside} / " if outer.inside else ""
        if function is not None:
            frame = _Frame(f"{outer.path}{key}/", f"{within}{proto.op_type} {place}", outer.level + 1)
            _pass_on(zip(function.input, proto.input, strict=False), outer, frame)
            return self._walk(function.node, function.output, frame)
        deepest = 0
        for name, body in _bodies(proto):
            frame = _Frame(f"{outer.path}{key}/{name}/", f"{within}{proto.op_type} {place} {name}", outer.level + 1)
            frame.depths, frame.constants = dict(outer.depths), dict(outer.constants)
            entry = max((outer.depths.get(value, 0) for value in proto.input), default=0)
            frame.depths.update((info.name, entry) for info in body.input)
            frame.constants.update((tensor.name, weight_count(tensor.dims)) for tensor in body.initializer)
            deepest = max(deepest, self._walk(body.node, (info.name for info in body.output), frame))
        return deepest

    def _walk(self, nodes: Iterable[onnx.NodeProto], outputs: Iterable[str], frame: _Frame) -> int:
        for index, proto in enumerate(nodes):
            if self._left <= 0:
                break
            self._left -= 1
            self._visit(proto, index, frame)
        return max((frame.depths.get(value, 0) for value in outputs), default=0)

    def _visit(self, proto: onnx.NodeProto, index: int, frame: _Frame) -> None:
        if self._is_constant(proto, frame):
            return
        called = _key(proto) in self._functions
        kind = "other" if called else _kind(proto, frame)
        depth = max((frame.depths.get(value, 0) for value in proto.input), default=0) + (kind in ("conv", "dense"))
        places = weight_places(proto.op_type, proto.input)
        packed = packed_weights(proto)
        parameters = packed or sum(frame.constants.get(proto.input[place], 0) for place in places)
        self.found.append(InnerNode(proto, kind, frame.path, frame.inside, depth, parameters))
        key = proto.name or next(filter(None, proto.output), f"#{index}")
        depth = max(depth, self._enter(proto, key, f"#{index}", frame))
        frame.depths.update((output, depth) for output in proto.output if output)

    def _is_constant(self, proto: onnx.NodeProto, frame: _Frame) -> bool:
        """Tell whether a node only makes or turns a constant, and note how many elements that holds."""
        given = [value for value in proto.input if value]
        if proto.op_type != "Constant" and not (given and all(value in frame.constants for value in given)):
            return False
        if any(_bodies(proto)) or _key(proto) in self._functions:
            return False
        size = _constant_size(proto) if proto.op_type == "Constant" else frame.constants[given[0]]
        frame.constants.update((output, size) for output in proto.output if output)
        return True


def _by_key(graph: Graph) -> Mapping[_Key, onnx.FunctionProto]:
    return {(function.domain, function.name, function.overload): function for function in graph.proto.functions}


def _key(proto: onnx.NodeProto) -> _Key:
    """Return which function a node would call."""
    return proto.domain, proto.op_type, proto.overload


def _bodies(proto: onnx.NodeProto) -> Iterator[tuple[str, onnx.GraphProto]]:
    for attribute in proto.attribute:
        if attribute.HasField("g"):
            yield attribute.name, attribute.g
        for index, body in enumerate(attribute.graphs):
            yield f"{attribute.name}[{index}]", body


def _constant_size(proto: onnx.NodeProto) -> int:
    return next((weight_count(attribute.t.dims) for attribute in proto.attribute if attribute.name == "value"), 0)


def _kind(proto: onnx.NodeProto, frame: _Frame) -> str:
    kind = operator_kind(proto.domain, proto.op_type)
    sides = dense_sides(proto.op_type) if kind == "dense" else None
    if sides is None:
        return kind
    constant = any(place < len(proto.input) and proto.input[place] in frame.constants for place in sides)
    return kind if constant else "other"


def _pass_on(pairs: Iterable[tuple[str, str]], outer: _Frame, inner: _Frame) -> None:
    """Give a function's own names to what a call passes to it."""
    for formal, actual in pairs:
        inner.depths[formal] = outer.depths.get(actual, 0)
        if actual in outer.constants:
            inner.constants[formal] = outer.constants[actual]

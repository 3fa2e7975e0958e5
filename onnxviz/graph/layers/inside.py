"""Layers that lie inside functions and inside the bodies of If, Loop and Scan: listed, not yet exposed.

They are known by operator and name only: inference does not reach into bodies, and a function's values have shapes
only at a call. A function is listed once for each call, since each call computes values of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import onnx

from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.table import DEEPENING, OPERATORS, UNKNOWN, Operator, packed_weights, weight_count
from onnxviz.graph.topology import bodies, function_key

# Nested calls double with each level in a hostile file; the largest honest one known has some thousand inner nodes.
_MOST_NODES = 50_000
_DEEPEST = 64

_MOST_COUNTED = 100_000


def count_unlisted(graph: Graph) -> int:
    """Return how many nodes inside functions and bodies are too many, or lie too deep, to be listed.

    It is a lower bound where there are more than 100,000 nodes inside: a hostile file doubles them with each level.
    """
    seen = listed = 0
    waiting = [(node, 0) for node in graph.proto.graph.node]
    while waiting and seen < _MOST_COUNTED:
        node, level = waiting.pop()
        seen += level > 0
        listed += 0 < level <= _DEEPEST
        if level < 2 * _DEEPEST:
            function = graph.functions.get(function_key(node))
            holders = [body for _, body in bodies(node)] if function is None else [function]
            waiting.extend((inner, level + 1) for holder in holders for inner in holder.node)
    return seen - min(listed, _MOST_NODES)


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
        self._left = _MOST_NODES
        self.found: list[InnerNode] = []

    def enter(self, node: Node, depths: Mapping[str, int]) -> int:
        """Add all that lies inside a node to `found`; return the greatest depth that its results have."""
        if not node.is_call and not bodies(node.proto):
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
        function = self._graph.functions.get(function_key(proto))
        within = f"{outer.inside} / " if outer.inside else ""
        if function is not None:
            frame = _Frame(f"{outer.path}{key}/", f"{within}{proto.op_type} {place}", outer.level + 1)
            _pass_on(zip(function.input, proto.input, strict=False), outer, frame)
            return self._walk(function.node, function.output, frame)
        deepest = 0
        for name, body in bodies(proto):
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
        called = function_key(proto) in self._graph.functions
        operator = UNKNOWN if called else OPERATORS.get((proto.domain, proto.op_type), UNKNOWN)
        kind = _kind(operator, proto, frame)
        depth = max((frame.depths.get(value, 0) for value in proto.input), default=0) + (kind in DEEPENING)
        weights = [proto.input[place] for place in operator.weights if place < len(proto.input)]
        packed = packed_weights(proto)
        parameters = packed or sum(frame.constants.get(value, 0) for value in weights)
        self.found.append(InnerNode(proto, kind, frame.path, frame.inside, depth, parameters))
        key = proto.name or next(filter(None, proto.output), f"#{index}")
        depth = max(depth, self._enter(proto, key, f"#{index}", frame))
        frame.depths.update((output, depth) for output in proto.output if output)

    def _is_constant(self, proto: onnx.NodeProto, frame: _Frame) -> bool:
        """Return whether a node only makes or turns a constant, and note how many elements that holds."""
        given = [value for value in proto.input if value]
        if proto.op_type != "Constant" and not (given and all(value in frame.constants for value in given)):
            return False
        if bodies(proto) or function_key(proto) in self._graph.functions:
            return False
        size = _constant_size(proto) if proto.op_type == "Constant" else frame.constants[given[0]]
        frame.constants.update((output, size) for output in proto.output if output)
        return True


def _constant_size(proto: onnx.NodeProto) -> int:
    return next((weight_count(attribute.t.dims) for attribute in proto.attribute if attribute.name == "value"), 0)


def _kind(operator: Operator, proto: onnx.NodeProto, frame: _Frame) -> str:
    if operator.sides is None:
        return operator.kind
    constant = any(place < len(proto.input) and proto.input[place] in frame.constants for place in operator.sides)
    return operator.kind if constant else "other"


def _pass_on(pairs: Iterable[tuple[str, str]], outer: _Frame, inner: _Frame) -> None:
    """Give a function's own names to what a call passes to it."""
    for formal, actual in pairs:
        inner.depths[formal] = outer.depths.get(actual, 0)
        if actual in outer.constants:
            inner.constants[formal] = outer.constants[actual]

"""Functions and bodies as one flat graph, never run: from it comes all that is known of the layers inside.

    y = If(c) { then: a = Conv(h); b = Relu(a)  else: b = loc.block(h) }        block(v) = { u = Conv(v); w = Relu(u) }

becomes `y/then_branch/a = Conv(h)`, `y/then_branch/b = Relu(..)`, `y/else_branch/b/u = Conv(h)`,
`y/else_branch/b = Relu(..)`, and `y = If(c, y/then_branch/b, y/else_branch/b)`, one of two values.

1. A value inside is called by its path: the call, or the node and its body, from the outside in, then its own name as
   the file (and Netron) has it there. What a function puts out is what the call puts out; `aliases` has its own name.
2. A call's inputs, attributes and defaults take the place of the function's parameters. Each call has its own values.
3. A body's inputs are made by nodes that only carry (carrying.py), and so are the outputs of the node that holds it.
4. Functions in the domains of ONNX and onnxruntime stay calls: the runtime computes the operator of that name itself,
   whatever the function says.
5. What lies too deep, or is too much, stays closed: a node of which nothing is known.

`addresses` says where each value lies, for what hands it out (lift.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import onnx

from onnxviz.graph.carrying import CARRYING, entries, join, kind_of, typing_function
from onnxviz.graph.graph import Graph
from onnxviz.graph.topology import FunctionKey, bodies, captured_values, function_key

# Nested calls double with each level in a hostile file; the largest honest one known has some thousand inner nodes.
_MOST_NODES = 50_000
_MOST_BYTES = 1 << 27
_DEEPEST = 64

_CLOSED = f"{CARRYING}.closed"
_NOTHING: Mapping[str, onnx.AttributeProto] = {}


@dataclass(frozen=True, slots=True)
class Step:
    """One step inwards: the index of the node among those around it, and its body; None for the call of a function."""

    index: int
    body: str | None


@dataclass(frozen=True, slots=True)
class Address:
    """Where a value lies: the steps from the outside in, its name there, and how many Loops and Scans hold it."""

    path: tuple[Step, ...]
    value: str
    loops: int


@dataclass(frozen=True, slots=True)
class Unfolded:
    """A graph with all that lies in its functions and bodies beside its nodes.

    Attributes:
        graph: the flat graph; the very same object where nothing lies inside.
        addresses: where each value inside lies, by its name in the flat graph.
        aliases: what a function calls the values that its calls put out, by path, with their names outside.
        opaque: the calls of functions that the runtime computes by itself.
        unlisted: how many nodes stayed closed; 50,000 may be more.
    """

    graph: Graph
    addresses: Mapping[str, Address] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    opaque: tuple[str, ...] = ()
    unlisted: int = 0


def unfold(graph: Graph) -> Unfolded:
    """Lay a graph flat.

    Raises:
        ModelError: What lies inside is not sound: a value is made twice, by itself or by nothing.
    """
    opens = any(
        (node.is_call and not is_native(function_key(node.proto))) or bodies(node.proto) for node in graph.nodes
    )
    if opens:
        return _Unfolding(graph).unfolded()
    opaque = tuple(node.key for node in graph.nodes if node.is_call)
    return Unfolded(graph, opaque=opaque)


def is_native(key: FunctionKey) -> bool:
    """Return whether onnxruntime computes the operator of this name itself, whatever function has its name."""
    domain = key[0]
    return domain == "" or domain.startswith(("ai.onnx", "com.microsoft"))


class _Flat(Graph):
    """A flat graph, with what its values are called where they lie."""

    def __init__(self, proto: onnx.ModelProto, places: Sequence[_Place], synonyms: Mapping[str, Sequence[str]]) -> None:
        super().__init__(proto)
        self._places = places
        self.inside = {value: place.words for place in places for value in place.made}
        self.synonyms = synonyms

    def named_inside(self, name: str) -> Sequence[str]:
        """Return the paths of what is called so in functions and bodies."""
        values = (place.names[name] for place in self._places if place.names.get(name))
        nodes = (place.prefix + name for place in self._places if any(node.name == name for node in place.nodes))
        return list(dict.fromkeys((*values, *nodes)))


@dataclass(slots=True)
class _Place:
    """Where nodes stand, and what the values that they can read are called in the flat graph."""

    nodes: Sequence[onnx.NodeProto] = ()
    prefix: str = ""
    path: tuple[Step, ...] = ()
    words: str = ""
    loops: int = 0
    attributes: Mapping[str, onnx.AttributeProto] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    outer: _Place | None = None

    def find(self, value: str) -> str | None:
        """Return what a value is called in the flat graph, None where nothing here has its name."""
        place: _Place | None = self
        while place is not None:
            if value in place.names:
                return place.names[value]
            if not place.path:
                return value
            place = place.outer
        return None

    def step(self, nodes: Sequence[onnx.NodeProto], step: Step, op: str, key: str) -> _Place:
        """Return the place one step inwards, still without names."""
        body, index = step.body, step.index
        prefix = f"{self.prefix}{key}/{f'{body}/' if body else ''}"
        words = f"{f'{self.words} / ' if self.words else ''}{op} #{index}{f' {body}' if body else ''}"
        return _Place(nodes, prefix, (*self.path, Step(index, body)), words, self.loops)


class _Unfolding:
    def __init__(self, graph: Graph) -> None:
        self._functions = graph.functions
        self._nodes_left, self._bytes_left = _MOST_NODES, _MOST_BYTES
        self._unlisted = 0
        self._source = graph.proto
        self._opset = max(graph.opset, 1)
        self._proto = onnx.ModelProto()
        self._proto.CopyFrom(graph.proto)
        del self._proto.graph.node[:]
        del self._proto.functions[:]
        self._typings: dict[tuple[str, str], onnx.FunctionProto | None] = {}
        self._taken = {*graph.producers, *graph.weights, *(info.name for info in graph.proto.graph.input)}
        self._prefixes: set[str] = set()
        self._copies: Counter[str] = Counter()
        self._addresses: dict[str, Address] = {}
        self._aliases: dict[str, str] = {}
        self._opaque: list[str] = []
        self._places: list[_Place] = []
        self._synonyms: dict[str, list[str]] = {}

    def unfolded(self) -> Unfolded:
        self._walk(self._source.graph.node, _Place())
        proto = self._proto
        proto.functions.extend(function for function in self._typings.values() if function is not None)
        proto.functions.extend(function for key, function in self._functions.items() if is_native(key))
        known = {entry.domain for entry in proto.opset_import}
        wanted = [entry for function in self._source.functions for entry in function.opset_import]
        for entry in (*wanted, onnx.helper.make_opsetid(CARRYING, 1), onnx.helper.make_opsetid(_CLOSED, 1)):
            if entry.domain not in known:
                known.add(entry.domain)
                proto.opset_import.append(entry)
        synonyms = {**{alias: [value] for alias, value in self._aliases.items()}, **self._synonyms}
        graph = _Flat(proto, self._places, synonyms)
        return Unfolded(graph, self._addresses, self._aliases, tuple(self._opaque), self._unlisted)

    def _walk(self, nodes: Sequence[onnx.NodeProto], at: _Place) -> None:
        if at.path:
            self._places.append(at)
            for node in nodes:
                for value in node.output:
                    if value and value not in at.names:
                        self._name(value, at)
        for index, (node, key) in enumerate(zip(nodes, node_keys(nodes), strict=True)):
            called = function_key(node)
            holders = bodies(node)
            if called in self._functions and is_native(called):
                self._opaque.append(at.prefix + key)
                self._plain(node, at)
            elif called in self._functions or holders:
                self._hold(node, index, key, at)
            else:
                self._plain(node, at)

    def _name(self, value: str, at: _Place) -> str:
        """Give a value inside its name in the flat graph, and note where it lies."""
        name = self._free(at.prefix + value, self._taken)
        at.names[value] = name
        self._addresses[name] = Address(at.path, value, at.loops)
        return name

    def _free(self, name: str, taken: set[str]) -> str:
        found = name
        while found in taken:
            self._copies[name] += 1
            found = f"{name}'{self._copies[name]}"
        taken.add(found)
        return found

    def _known(self, values: Iterable[str], at: _Place) -> list[str]:
        """Return what values are called in the flat graph; one that nothing has made gets a name that nothing makes."""
        return [value and (at.find(value) or self._name(value, at)) for value in values]

    def _plain(self, node: onnx.NodeProto, at: _Place) -> None:
        flat = self._proto.graph.node.add()
        flat.CopyFrom(node)
        if not at.path:
            return
        inputs, outputs = self._known(node.input, at), self._known(node.output, at)
        flat.name = _own_name(node, at)
        del flat.input[:], flat.output[:]
        flat.input.extend(inputs)
        flat.output.extend(outputs)
        if any(attribute.ref_attr_name for attribute in node.attribute):
            del flat.attribute[:]
            flat.attribute.extend(given_attributes(node, at.attributes).values())
        self._note(outputs, at)

    def _add(self, node: onnx.NodeProto, name: str, outputs: Sequence[str], at: _Place) -> None:
        """Add a node that the file does not have as it is."""
        flat = self._proto.graph.node.add()
        flat.CopyFrom(node)
        flat.name = name
        del flat.output[:]
        flat.output.extend(outputs)
        if flat.domain == CARRYING and (flat.op_type, flat.overload) not in self._typings:
            self._typings[flat.op_type, flat.overload] = typing_function(flat, self._opset)
        self._note(outputs, at)

    def _note(self, outputs: Iterable[str], at: _Place) -> None:
        at.made.extend(filter(None, outputs))

    def _hold(self, node: onnx.NodeProto, index: int, key: str, at: _Place) -> None:
        function = self._functions.get(function_key(node))
        outputs = self._known(node.output, at)
        name = _own_name(node, at)
        held = [body for _, body in bodies(node)] if function is None else [function]
        if not self._may_open(held, at, key):
            self._close(node, name, outputs, at)
            return
        key = self._free(at.prefix + key, self._prefixes)[len(at.prefix) :]
        if function is None:
            self._enter_bodies(node, index, key, at)
            return
        if name:
            self._synonyms.setdefault(name, []).extend(filter(None, outputs))
        self._enter_call(node, function, at.step(function.node, Step(index, None), node.op_type, key), at)

    def _may_open(self, held: Sequence[onnx.GraphProto | onnx.FunctionProto], at: _Place, key: str) -> bool:
        nodes = sum(len(holder.node) for holder in held)
        size = sum(holder.ByteSize() for holder in held) + nodes * (len(at.prefix) + len(key))
        if len(at.path) >= _DEEPEST or nodes > self._nodes_left or size > self._bytes_left:
            return False
        self._nodes_left -= nodes
        self._bytes_left -= size
        return True

    def _close(self, node: onnx.NodeProto, name: str, outputs: Sequence[str], at: _Place) -> None:
        read = self._known([*node.input, *captured_values(node)], at)
        self._add(onnx.helper.make_node(node.op_type, read, [], domain=_CLOSED), name, outputs, at)
        waiting = [node]
        while waiting and self._unlisted < _MOST_NODES:
            holder = waiting.pop()
            function = self._functions.get(function_key(holder))
            held = [body for _, body in bodies(holder)] if function is None else [function]
            inner = [each for graph in held for each in graph.node]
            self._unlisted = min(self._unlisted + len(inner), _MOST_NODES)
            waiting.extend(inner)

    def _enter_call(self, node: onnx.NodeProto, function: onnx.FunctionProto, inner: _Place, at: _Place) -> None:
        defaults = {attribute.name: attribute for attribute in function.attribute_proto}
        inner.attributes = {**defaults, **given_attributes(node, at.attributes)}
        inner.names = dict.fromkeys(function.input, "")
        inner.names.update(zip(function.input, self._known(node.input, at), strict=False))
        copied: list[tuple[str, str]] = []
        for formal, actual in zip(function.output, self._known(node.output, at), strict=False):
            if not actual:
                continue
            if formal in inner.names:  # an input, or another output
                copied.append((formal, actual))
            else:
                inner.names[formal] = actual
            self._aliases.setdefault(inner.prefix + formal, actual)
        self._walk(function.node, inner)
        for formal, actual in copied:
            same = onnx.helper.make_node("Identity", [inner.names[formal]], [])
            self._add(same, f"{inner.prefix}{formal}", [actual], inner)

    def _enter_bodies(self, node: onnx.NodeProto, index: int, key: str, at: _Place) -> None:
        inputs, outputs = self._known(node.input, at), self._known(node.output, at)
        results = []
        for body_name, body in bodies(node):
            inner = at.step(body.node, Step(index, body_name), node.op_type, key)
            inner.loops += kind_of(node) in ("Loop", "Scan")
            inner.attributes, inner.outer = at.attributes, at
            self._take_weights(body, inner)
            if body.input:
                self._tie(node, body, inputs, inner)
            self._walk(body.node, inner)
            results.append(self._known([info.name for info in body.output], inner))
        self._add(join(node, inputs, results), _own_name(node, at), outputs, at)

    def _take_weights(self, body: onnx.GraphProto, inner: _Place) -> None:
        graph = self._proto.graph
        for tensor in body.initializer:
            graph.initializer.add().CopyFrom(tensor)
            graph.initializer[-1].name = self._name(tensor.name, inner)
        for sparse in body.sparse_initializer:
            graph.sparse_initializer.add().CopyFrom(sparse)
            graph.sparse_initializer[-1].values.name = self._name(sparse.values.name, inner)

    def _tie(self, node: onnx.NodeProto, body: onnx.GraphProto, inputs: Sequence[str], inner: _Place) -> None:
        """Add the nodes that make a body's inputs, with the types that the body declares for them."""
        outer = inner.outer or inner
        steps = self._free(f"{inner.prefix}=", self._taken)
        read = [value for value in (*inputs, *self._known(captured_values(node), outer)) if value]
        self._add(onnx.helper.make_node("Steps", list(dict.fromkeys(read)), [], domain=CARRYING), steps, [steps], inner)
        given = {tensor.name for tensor in body.initializer}
        for info, entry in zip(body.input, entries(node, body, inputs, steps), strict=True):
            if info.name in given:  # an initializer is the default of an input that is not given
                continue
            name = self._name(info.name, inner)
            self._add(entry, name, [name], inner)
            if info.type.WhichOneof("value"):
                declared = self._proto.graph.value_info.add()
                declared.CopyFrom(info)
                declared.name = name


def given_attributes(
    node: onnx.NodeProto, arguments: Mapping[str, onnx.AttributeProto]
) -> Mapping[str, onnx.AttributeProto]:
    """Return a node's attributes by name, with a function's arguments in their places; one not given is left out."""
    found = {}
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            found[attribute.name] = attribute
        elif attribute.ref_attr_name in arguments:
            found[attribute.name] = onnx.AttributeProto()
            found[attribute.name].CopyFrom(arguments[attribute.ref_attr_name])
            found[attribute.name].name = attribute.name
    return found


def _own_name(node: onnx.NodeProto, at: _Place) -> str:
    """Return a node's name in the flat graph: without one, that of an output which is called otherwise outside."""
    first = next((value for value in node.output if value), "")
    return at.prefix + node.name if node.name else "" if at.find(first) == at.prefix + first else at.prefix + first


def node_keys(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    """Return what nodes are called among those around them: by their name, or where several share it by an output."""
    count = Counter(node.name for node in nodes)
    return [
        node.name
        if node.name and count[node.name] == 1
        else next((value for value in node.output if value), node.name or f"#{index}")
        for index, node in enumerate(nodes)
    ]

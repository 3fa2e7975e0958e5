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
from onnx.helper import make_node, make_opsetid

from onnxviz.graph.carrying import CARRYING, entries, join, kind_of, typing_function
from onnxviz.graph.graph import Graph
from onnxviz.graph.places import Address, Member, Step, Surroundings, given, members
from onnxviz.graph.topology import FunctionKey, bodies, captured_values, function_key

# Nested calls double with each level in a hostile file; the largest honest one known has some thousand inner nodes.
_MOST_NODES = 50_000
_MOST_BYTES = 1 << 27
_DEEPEST = 64

_CLOSED = f"{CARRYING}.closed"


@dataclass(frozen=True, slots=True)
class Unfolded:
    """A graph with all that lies in its functions and bodies beside its nodes.

    Attributes:
        graph: the flat graph; the very same object where nothing lies inside.
        addresses: where each value inside lies, by its name in the flat graph.
        aliases: what functions call their inputs and outputs, by path, with what the calls take and put out there.
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
    calls = [node for node in graph.nodes if node.is_call] if graph.functions else []
    opaque = tuple(node.key for node in calls if is_native(function_key(node.proto)))
    if len(opaque) < len(calls) or any(bodies(node.proto) for node in graph.nodes):
        return _Unfolding(graph).unfolded()
    return Unfolded(graph, opaque=opaque)


def is_native(key: FunctionKey) -> bool:
    """Return whether onnxruntime computes the operator of this name itself, whatever function has its name."""
    return key[0] == "" or key[0].startswith(("ai.onnx", "com.microsoft"))


class _Flat(Graph):
    """A flat graph, with what its values are called where they lie."""

    def __init__(
        self, proto: onnx.ModelProto, places: Sequence[Surroundings], synonyms: Mapping[str, Sequence[str]]
    ) -> None:
        super().__init__(proto)
        self._places = places
        self.inside = {value: place.words for place in places for value in place.made}
        self.synonyms = synonyms

    def _check(self, proto: onnx.ModelProto) -> None:
        """Its texts are those of a graph that was checked."""

    def named_inside(self, name: str) -> Sequence[str]:
        """Return the paths of what is called so in functions and bodies."""
        values = (place.names[name] for place in self._places if place.names.get(name))
        called = (place for place in self._places if any(member.node.name == name for member in place.members))
        return list(dict.fromkeys((*values, *(place.prefix + name for place in called))))


class _Unfolding:
    """One walk through a graph and all that lies inside, and the flat graph as far as it goes."""

    def __init__(self, graph: Graph) -> None:
        self._source, self._functions = graph.proto, graph.functions
        self._opset = max(graph.opset, 1)
        self._nodes_left, self._bytes_left, self._unlisted = _MOST_NODES, _MOST_BYTES, 0
        self._proto = onnx.ModelProto()
        self._proto.CopyFrom(graph.proto)
        del self._proto.graph.node[:]
        del self._proto.functions[:]
        self._nodes = self._proto.graph.node
        self._typings: dict[tuple[str, str], onnx.FunctionProto | None] = {}
        self._members: dict[FunctionKey, tuple[Sequence[Member], int]] = {}
        self._taken = {*graph.producers, *graph.weights, *(info.name for info in graph.proto.graph.input)}
        self._prefixes: set[str] = set()
        self._copies: Counter[str] = Counter()
        self._places: list[Surroundings] = []
        self._addresses: dict[str, Address] = {}
        self._aliases: dict[str, str] = {}
        self._synonyms: dict[str, list[str]] = {}
        self._opaque: list[str] = []

    def unfolded(self) -> Unfolded:
        self._walk(Surroundings(members(self._source.graph.node, self._holds)))
        proto = self._proto
        proto.functions.extend(function for function in self._typings.values() if function is not None)
        proto.functions.extend(function for key, function in self._functions.items() if is_native(key))
        known = {entry.domain for entry in proto.opset_import}
        wanted = [entry for function in self._source.functions for entry in function.opset_import]
        for entry in (*wanted, make_opsetid(CARRYING, 1), make_opsetid(_CLOSED, 1)):
            if entry.domain not in known:
                known.add(entry.domain)
                proto.opset_import.append(entry)
        graph = _Flat(
            proto, self._places, {**{name: [value] for name, value in self._aliases.items()}, **self._synonyms}
        )
        # A call may claim more outputs than its function has: nothing makes them.
        made = {name: at for name, at in self._addresses.items() if name in graph.producers or name in graph.weights}
        return Unfolded(graph, made, self._aliases, tuple(self._opaque), self._unlisted)

    def _holds(self, node: onnx.NodeProto) -> bool:
        return bool(function_key(node) in self._functions if self._functions else False) or bool(bodies(node))

    def _walk(self, at: Surroundings) -> None:
        if at.path:
            self._places.append(at)
            for member in at.members:
                for value in member.node.output:
                    if value and value not in at.names:
                        self._name(value, at)
        for index, member in enumerate(at.members):
            if member.holds:
                self._hold(member, index, at)
            else:
                self._plain(member, at)

    def _name(self, value: str, at: Surroundings) -> str:
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

    def _known(self, values: Iterable[str], at: Surroundings) -> list[str]:
        """Return what values are called in the flat graph."""
        names = at.names
        return [names[value] if value in names else self._far(value, at) for value in values]

    def _far(self, value: str, at: Surroundings) -> str:
        """Return what a value is called that is not made here; what nothing has made gets a name that nothing makes."""
        found = at.find(value) if value else ""
        if found is None:
            found = at.names[value] = self._free(at.prefix + value, self._taken)
        return found

    def _plain(self, member: Member, at: Surroundings) -> None:
        flat, node = self._nodes.add(), member.node
        flat.CopyFrom(node)
        if not at.path:
            return
        inputs, outputs = self._known(node.input, at), self._known(node.output, at)
        flat.name = at.own_name(node)
        del flat.input[:], flat.output[:]
        flat.input.extend(inputs)
        flat.output.extend(outputs)
        if member.refers:
            del flat.attribute[:]
            flat.attribute.extend(given(node, at.arguments).values())
        at.made.extend(outputs)

    def _add(self, node: onnx.NodeProto, name: str, outputs: Sequence[str], at: Surroundings) -> None:
        """Add a node that the file does not have as it is."""
        flat = self._nodes.add()
        flat.CopyFrom(node)
        flat.name = name
        flat.output[:] = outputs
        if flat.domain == CARRYING and (flat.op_type, flat.overload) not in self._typings:
            self._typings[flat.op_type, flat.overload] = typing_function(flat, self._opset)
        if at.path:
            at.made.extend(outputs)

    def _hold(self, member: Member, index: int, at: Surroundings) -> None:
        called = function_key(member.node)
        if called in self._functions and is_native(called):
            self._opaque.append(at.prefix + member.key)
            self._plain(member, at)
        elif not self._may_open(member, at):
            self._close(member.node, at)
        else:
            key = self._free(at.prefix + member.key, self._prefixes)[len(at.prefix) :]
            enter = self._enter_call if called in self._functions else self._enter_bodies
            enter(member.node, Step(index, None), key, at)

    def _function(self, key: FunctionKey) -> tuple[Sequence[Member], int]:
        """Return the nodes of a function and the bytes that they take."""
        if key not in self._members:
            function = self._functions[key]
            self._members[key] = (members(function.node, self._holds), function.ByteSize())
        return self._members[key]

    def _may_open(self, member: Member, at: Surroundings) -> bool:
        key = function_key(member.node)
        if key in self._functions:
            inner, size = self._function(key)
            nodes = len(inner)
        else:
            nodes = sum(len(body.node) for _, body in bodies(member.node))
            size = member.node.ByteSize()
        size += nodes * (len(at.prefix) + len(member.key))
        if len(at.path) >= _DEEPEST or nodes > self._nodes_left or size > self._bytes_left:
            return False
        self._nodes_left -= nodes
        self._bytes_left -= size
        return True

    def _close(self, node: onnx.NodeProto, at: Surroundings) -> None:
        """Add a node of which nothing is known for one that holds too much, and count what it holds."""
        read = self._known([*node.input, *captured_values(node)], at)
        closed = make_node(node.op_type, read, [], domain=_CLOSED)
        self._add(closed, at.own_name(node) if at.path else node.name, self._known(node.output, at), at)
        waiting = [node]
        while waiting and self._unlisted < _MOST_NODES:
            holder = waiting.pop()
            function = self._functions.get(function_key(holder))
            held = [body for _, body in bodies(holder)] if function is None else [function]
            inner = [each for graph in held for each in graph.node]
            self._unlisted = min(self._unlisted + len(inner), _MOST_NODES)
            waiting.extend(inner)

    def _enter_call(self, node: onnx.NodeProto, step: Step, key: str, at: Surroundings) -> None:
        called = function_key(node)
        function, (inner_members, _) = self._functions[called], self._function(called)
        inputs, outputs = self._known(node.input, at), self._known(node.output, at)
        if node.name:
            self._synonyms.setdefault(at.prefix + node.name, []).extend(filter(None, outputs))
        inner = at.step(inner_members, step, node.op_type, key)
        if function.attribute or function.attribute_proto:
            defaults = {attribute.name: attribute for attribute in function.attribute_proto}
            inner.arguments = {**defaults, **given(node, at.arguments)}
        inner.names = dict.fromkeys(function.input, "")
        inner.names.update(zip(function.input, inputs, strict=False))
        copied: list[tuple[str, str]] = []
        for formal, actual in zip(function.output, outputs, strict=False):
            if actual and formal in inner.names:  # an input, or another output
                copied.append((formal, actual))
            elif actual:
                inner.names[formal] = actual
        self._aliases.update((inner.prefix + formal, value) for formal, value in inner.names.items() if value)
        self._walk(inner)
        for formal, actual in copied:
            self._add(make_node("Identity", [inner.names[formal]], []), inner.prefix + formal, [actual], inner)

    def _enter_bodies(self, node: onnx.NodeProto, step: Step, key: str, at: Surroundings) -> None:
        inputs, outputs = self._known(node.input, at), self._known(node.output, at)
        results = []
        for name, body in bodies(node):
            inner = at.step(members(body.node, self._holds), Step(step.index, name), node.op_type, key)
            inner.loops += kind_of(node) in ("Loop", "Scan")
            inner.arguments, inner.outer = at.arguments, at
            self._take_weights(body, inner)
            if body.input:
                self._tie(node, body, inputs, inner)
            self._walk(inner)
            results.append(self._known([info.name for info in body.output], inner))
        self._add(join(node, inputs, results), at.own_name(node) if at.path else node.name, outputs, at)

    def _take_weights(self, body: onnx.GraphProto, inner: Surroundings) -> None:
        graph = self._proto.graph
        for tensor in body.initializer:
            graph.initializer.add().CopyFrom(tensor)
            graph.initializer[-1].name = self._name(tensor.name, inner)
        for sparse in body.sparse_initializer:
            graph.sparse_initializer.add().CopyFrom(sparse)
            graph.sparse_initializer[-1].values.name = self._name(sparse.values.name, inner)

    def _tie(self, node: onnx.NodeProto, body: onnx.GraphProto, inputs: Sequence[str], inner: Surroundings) -> None:
        """Add the nodes that make a body's inputs, with the types that the body declares for them."""
        steps = self._free(f"{inner.prefix}=", self._taken)
        captured = self._known(captured_values(node), inner.outer or inner)
        read = list(dict.fromkeys(value for value in (*inputs, *captured) if value))
        self._add(make_node("Steps", read, [], domain=CARRYING), steps, [steps], inner)
        in_function = any(each.body is None for each in inner.path)
        for info, entry in zip(body.input, entries(node, body, inputs, steps), strict=True):
            if info.name in inner.names:  # an initializer is the default of an input that is not given
                continue
            name = self._name(info.name, inner)
            self._add(entry, name, [name], inner)
            if info.type.WhichOneof("value"):
                declared = self._proto.graph.value_info.add(name=name, type=info.type)
                for dim in declared.type.tensor_type.shape.dim if in_function else ():
                    dim.Clear()  # each call may have its own sizes

"""The model for one input: what lies inside its function calls and the branches that it takes, as nodes like any other.

A value of a branch can be run like a value of the top level once its If is gone. Only what stands on the way to a
`wanted` value is rewritten, from the outside in, a round for each level of Ifs:

1. A call gives way to its function. `y = F(x)` with `F(a) => (b) {w = Relu(a); b = Neg(w)}` becomes
   `F/w = Relu(x); y = Neg(F/w)`.
2. An If gives way to the branch that it takes. `y = If(c) <then_branch: r = Exp(x), else_branch: ...>` becomes
   `If/then_branch/r = Exp(x); y = Identity(If/then_branch/r)`. All conditions of a round are found at once.
3. A Loop, a Scan and whatever else holds graphs stays; values in it keep an address, by which they can be lifted.

Names are those of `unfold`. Inputs, outputs, weights, metadata and every other node stay as they are, and the model
computes what it did.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import onnx
from onnx import GraphProto, NodeProto, SparseTensorProto, TensorProto, ValueInfoProto

from onnxviz.graph.graph import Graph
from onnxviz.graph.node import DEFAULT_DOMAINS
from onnxviz.graph.places import BRANCHES, Address, Step, given, members
from onnxviz.graph.topology import bodies, every_node, free_name, function_key

Decide = Callable[[Graph, Sequence[str]], Sequence[bool]]
"""Returns what each of some conditions, values of a graph, is."""

_THEN, _ELSE = BRANCHES


@dataclass(frozen=True, slots=True)
class Specialised:
    """A model for one input.

    Attributes:
        graph: the model with calls and Ifs opened.
        taken: the name of each If that was opened, with the branch that it took.
        absent: the wanted values that this input does not compute, each with the If on whose other side it lies.
        addresses: where in this graph the wanted values lie that are in a Loop or the like.
    """

    graph: Graph
    taken: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    addresses: Mapping[str, Address] = field(default_factory=dict)


def specialise(graph: Graph, inner: Mapping[str, Address], wanted: Iterable[str], decide: Decide) -> Specialised:
    """Open the calls and Ifs around wanted values; where nothing wanted lies in any, the graph is the very same.

    Args:
        graph: the model.
        inner: the addresses of inner values by their names, as `unfold` gives them.
        wanted: names of values, inner ones or others.
        decide: finds the conditions of Ifs; it is asked once a level of Ifs.
    """
    sought = {name: inner[name] for name in wanted if name in inner}
    opening = _Opening(graph, inner)
    taken: dict[str, str] = {}
    absent: dict[str, str] = {}
    current = graph
    while True:
        paths = {address.path for name, address in sought.items() if name not in absent}
        if opening.open_calls(paths):
            current = opening.graph()
        ifs = opening.ifs_towards(paths)
        if not ifs:
            break
        verdicts = decide(current, [placed.node.input[0] for placed in ifs])
        for placed, verdict in zip(ifs, verdicts, strict=True):
            branch = _THEN if verdict else _ELSE
            taken[placed.name] = branch
            away = placed.step(_ELSE if verdict else _THEN)
            absent |= {name: placed.name for name, address in sought.items() if away == address.path[: len(away)]}
            opening.open_if(placed, branch)
        current = opening.graph()
    places = {(placed.path, placed.index): place for place, placed in enumerate(opening.placed)}
    held = {name: _moved(address, places) for name, address in sought.items() if name not in absent}
    return Specialised(current, taken, absent, {name: address for name, address in held.items() if address.path})


def _moved(address: Address, places: Mapping[tuple[tuple[Step, ...], int], int]) -> Address:
    """Return an address in the specialised graph, where the holders that were opened are no longer on the way."""
    for depth, step in enumerate(address.path):
        place = places.get((address.path[:depth], step.index))
        if place is not None:
            return replace(address, path=(replace(step, index=place), *address.path[depth + 1 :]))
    return replace(address, path=())


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """A node that is at the top level now, by the name that `unfold` gives it.

    `path` is that of the holders that were opened around it, `index` its place among its siblings there.
    """

    node: NodeProto
    path: tuple[Step, ...]
    index: int
    name: str

    def step(self, body: str | None) -> tuple[Step, ...]:
        """Return the path of what lies in a body of the node, or in the function that it calls."""
        return (*self.path, Step(self.index, body))


class _Opening:
    """A model of which holders are opened one after the other."""

    def __init__(self, source: Graph, inner: Mapping[str, Address]) -> None:
        top = members(source.proto.graph.node, lambda node: False)
        self.placed = [_Placed(member.node, (), index, member.key) for index, member in enumerate(top)]
        self._source = source
        self._names = {(address.path, address.value): name for name, address in inner.items()}
        self._used = {*source.producers, *source.weights, *(spec.name for spec in source.inputs), *inner}
        self._initializers: list[TensorProto] = []
        self._sparse: list[SparseTensorProto] = []
        self._notes: list[ValueInfoProto] = []

    def graph(self) -> Graph:
        """Return the model as it is now."""
        proto = onnx.ModelProto()
        proto.CopyFrom(self._source.proto)
        del proto.graph.node[:]
        proto.graph.node.extend(placed.node for placed in self.placed)
        proto.graph.initializer.extend(self._initializers)
        proto.graph.sparse_initializer.extend(self._sparse)
        proto.graph.value_info.extend(self._notes)
        known = {entry.domain for entry in proto.opset_import}
        for entry in (entry for function in proto.functions for entry in function.opset_import):
            if entry.domain not in known:
                known.add(entry.domain)
                proto.opset_import.append(entry)
        return Graph.from_checked(proto)

    def ifs_towards(self, paths: Collection[tuple[Step, ...]]) -> list[_Placed]:
        """Return the Ifs at the top level in whose branches paths go on."""
        on_the_way = {path[: depth + 1] for path in paths for depth in range(len(path))}
        return [
            placed for placed in self.placed if on_the_way & {placed.step(_THEN), placed.step(_ELSE)} and _is_if(placed)
        ]

    def open_calls(self, paths: Collection[tuple[Step, ...]]) -> bool:
        """Open the calls, and calls within, in whose functions paths go on; return whether there are any."""
        on_the_way = {path[: depth + 1] for path in paths for depth in range(len(path))}
        waiting, self.placed = self.placed[::-1], []
        opened = False
        while waiting:
            placed = waiting.pop()
            if placed.step(None) in on_the_way:
                waiting.extend(reversed(self._inlined(placed)))
                opened = True
            else:
                self.placed.append(placed)
        return opened

    def open_if(self, placed: _Placed, branch: str) -> None:
        """Put a branch in the place of its If."""
        body = dict(bodies(placed.node))[branch]
        path, prefix = placed.step(branch), f"{placed.name}/{branch}/"
        names = self._kept(body, path, prefix)
        names |= {value: self._name(path, prefix, value) for value in _made(body.node)}
        self._notes.extend(_renamed_note(info, names) for info in body.value_info if info.name in names)
        results = [names.get(info.name, info.name) for info in body.output]
        place = self.placed.index(placed)
        self.placed[place : place + 1] = [
            *_inside(body.node, names, {}, path, prefix),
            *_handing_on(zip(results, placed.node.output, strict=False)),
        ]

    def _inlined(self, placed: _Placed) -> list[_Placed]:
        """Return what stands in the place of a call."""
        path, prefix = placed.step(None), f"{placed.name}/"
        function = self._source.functions[function_key(placed.node)]
        attributes = {attribute.name: attribute for attribute in (*function.attribute_proto, *placed.node.attribute)}
        # A body in the function may have a value of its own by the name of what is outside.
        hidden = {value for node in every_node(function.node) for _, body in bodies(node) for value in own_values(body)}
        names = dict.fromkeys(function.input, "")
        starts, ends = [], []
        for formal, actual in zip(function.input, placed.node.input, strict=False):
            names[formal] = self._new(prefix + formal) if actual in hidden else actual
            starts += [(actual, names[formal])] if actual in hidden else []
        for formal, actual in zip(function.output, placed.node.output, strict=False):
            if formal in names or actual in hidden:
                names.setdefault(formal, self._new(prefix + formal))
                ends.append((names[formal], actual))
            elif actual:
                names[formal] = actual
        names = {value: self._name(path, prefix, value) for value in _made(function.node)} | names
        inside = _inside(function.node, names, attributes, path, prefix)
        return [*_handing_on(starts), *inside, *_handing_on(ends)]

    def _kept(self, body: GraphProto, path: tuple[Step, ...], prefix: str) -> dict[str, str]:
        """Take the initializers of a body, and return their new names."""
        names, weights = renamed_weights(body, lambda name: self._name(path, prefix, name))
        self._initializers.extend(weights.initializer)
        self._sparse.extend(weights.sparse_initializer)
        return names

    def _name(self, path: tuple[Step, ...], prefix: str, value: str) -> str:
        return self._names.get((path, value)) or self._new(prefix + value)

    def _new(self, name: str) -> str:
        found = free_name(name, self._used)
        self._used.add(found)
        return found


def _inside(
    nodes: Sequence[NodeProto],
    names: Mapping[str, str],
    attributes: Mapping[str, onnx.AttributeProto],
    path: tuple[Step, ...],
    prefix: str,
) -> list[_Placed]:
    """Return the nodes of a holder under the names that they have outside."""
    placed = []
    for index, member in enumerate(members(nodes, lambda node: False)):
        inner = renamed(member.node, names, attributes)
        inner.name = inner.name and prefix + inner.name
        placed.append(_Placed(inner, path, index, prefix + member.key))
    return placed


def _handing_on(pairs: Iterable[tuple[str, str]]) -> list[_Placed]:
    """Return nodes that hand each first value on under the second name; no path leads into them."""
    nodes = (onnx.helper.make_node("Identity", [source], [target], name=target) for source, target in pairs if target)
    return [_Placed(node, (), -1, node.name) for node in nodes]


def renamed(node: NodeProto, names: Mapping[str, str], attributes: Mapping[str, onnx.AttributeProto]) -> NodeProto:
    """Return a node with other names for values, in its bodies too, and attributes in place of references to them."""
    copied = NodeProto()
    copied.CopyFrom(node)
    for values in (copied.input, copied.output):
        values[:] = [names.get(value, value) for value in values]
    del copied.attribute[:]
    copied.attribute.extend(given(node, attributes).values())
    for _, body in bodies(copied):
        own = own_values(body)
        outer = {old: new for old, new in names.items() if old not in own}
        nodes = [renamed(inner, outer, attributes) for inner in body.node]
        del body.node[:]
        body.node.extend(nodes)
        for info in body.output:
            info.name = outer.get(info.name, info.name)
    return copied


def renamed_weights(body: GraphProto, name: Callable[[str], str]) -> tuple[dict[str, str], GraphProto]:
    """Return the new names of what a body holds of weights, and these weights by them."""
    names, weights = {}, GraphProto()
    for tensor in body.initializer:
        names[tensor.name] = name(tensor.name)
        weights.initializer.append(tensor)
        weights.initializer[-1].name = names[tensor.name]
    for sparse in body.sparse_initializer:
        names[sparse.values.name] = name(sparse.values.name)
        weights.sparse_initializer.append(sparse)
        weights.sparse_initializer[-1].values.name = names[sparse.values.name]
    return names, weights


def _renamed_note(info: ValueInfoProto, names: Mapping[str, str]) -> ValueInfoProto:
    copied = ValueInfoProto()
    copied.CopyFrom(info)
    copied.name = names[info.name]
    return copied


def _made(nodes: Iterable[NodeProto]) -> Iterator[str]:
    return (value for node in nodes for value in node.output if value)


def own_values(body: GraphProto) -> set[str]:
    """Return the names of values that belong to a body."""
    given = {info.name for info in body.input} | {tensor.name for tensor in body.initializer}
    return given.union(_made(body.node), (tensor.values.name for tensor in body.sparse_initializer))


def _is_if(placed: _Placed) -> bool:
    return placed.node.op_type == "If" and placed.node.domain in DEFAULT_DOMAINS

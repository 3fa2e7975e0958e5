"""Where nodes stand in a model, at the top, in a function as one call computes it, or in a body; their names there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import onnx

Arguments = Mapping[str, onnx.AttributeProto]

BRANCHES = ("then_branch", "else_branch")
"""The bodies of an If."""


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

    @property
    def is_in_branch(self) -> bool:
        """Whether a branch of an If holds it."""
        return any(step.body in BRANCHES for step in self.path)


@dataclass(frozen=True, slots=True)
class Member:
    """A node among those beside it.

    Attributes:
        node: as the file has it.
        key: its name, or where another has that too or it has none, its first output.
        holds: whether it calls a function or has bodies.
        refers: whether an attribute of it is an argument of the function around it.
    """

    node: onnx.NodeProto
    key: str
    holds: bool
    refers: bool


def members(nodes: Sequence[onnx.NodeProto], holds: Callable[[onnx.NodeProto], bool]) -> Sequence[Member]:
    """Return nodes that stand beside each other with their names there."""
    count = Counter(node.name for node in nodes)
    found = []
    for index, node in enumerate(nodes):
        key = node.name
        if not key or count[key] > 1:
            key = next(filter(None, node.output), key or f"#{index}")
        refers = any(attribute.ref_attr_name for attribute in node.attribute)
        found.append(Member(node, key, holds(node), refers))
    return found


@dataclass(slots=True, eq=False)
class Surroundings:
    """Where nodes stand, and what the values that they can read are called in the flat graph.

    Attributes:
        members: the nodes.
        prefix: how the names of what stands here begin in the flat graph.
        path: the steps that lead here; none at the top.
        words: what they lead through, for people.
        loops: how many of them are Loops and Scans.
        arguments: those of the function around it.
        names: what the values that are made or given here are called in the flat graph.
        made: those that are made here.
        outer: the place that a body's nodes can read of; None in a function, which reads only what it is given.
    """

    members: Sequence[Member] = ()
    prefix: str = ""
    path: tuple[Step, ...] = ()
    words: str = ""
    loops: int = 0
    arguments: Arguments = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    outer: Surroundings | None = None

    def find(self, value: str) -> str | None:
        """Return what a value is called in the flat graph, None where nothing that can be read here has its name."""
        place: Surroundings | None = self
        while place is not None:
            if value in place.names:
                return place.names[value]
            if not place.path:
                return value
            place = place.outer
        return None

    def own_name(self, node: onnx.NodeProto) -> str:
        """Return a node's name in the flat graph: without one, that of an output which is called otherwise outside."""
        if node.name:
            return self.prefix + node.name
        first = next(filter(None, node.output), "")
        own = self.prefix + first
        return "" if not first or self.names[first] == own else own

    def step(self, inner: Sequence[Member], step: Step, op: str, key: str) -> Surroundings:
        """Return the place of what one of the nodes here holds, still without names."""
        body = f" {step.body}" if step.body else ""
        words = f"{self.words} / {op} #{step.index}{body}" if self.words else f"{op} #{step.index}{body}"
        prefix = f"{self.prefix}{key}/{step.body}/" if step.body else f"{self.prefix}{key}/"
        return Surroundings(inner, prefix, (*self.path, step), words, self.loops)


def given(node: onnx.NodeProto, arguments: Arguments) -> Arguments:
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

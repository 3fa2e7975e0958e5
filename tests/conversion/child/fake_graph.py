"""A fake of TensorFlow's GraphDef, with the fields that the child reads, for tests without TensorFlow."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any


class Attributes(dict[str, SimpleNamespace]):
    """A node's attributes; as in protobuf, reading one that is absent makes it."""

    def __missing__(self, name: str) -> SimpleNamespace:
        return self.setdefault(name, value())


def value(**fields: Any) -> SimpleNamespace:
    """Return the value of an attribute with these fields, such as `s=b"NCHW"`."""
    empty = {"s": b"", "type": 0, "func": None, "list": SimpleNamespace(func=[], shape=[])}
    return SimpleNamespace(**{**empty, **fields}, HasField=lambda name: name in fields)


def call(*functions: str) -> SimpleNamespace:
    """Return the value of an attribute that names one function, or a list of several."""
    named = [SimpleNamespace(name=name) for name in functions]
    return value(func=named[0]) if len(named) == 1 else value(list=SimpleNamespace(func=named, shape=[]))


@dataclass
class Node:
    name: str
    op: str
    input: list[str]
    attr: Attributes = field(default_factory=Attributes)


@dataclass
class Library:
    function: list[SimpleNamespace]
    gradient: list[str]


@dataclass
class FakeGraph:
    node: list[Node]
    library: Library

    def __getitem__(self, name: str) -> Node:
        return next(node for node in self.node if node.name == name)


def nodes_of(text: str) -> list[Node]:
    """Return the nodes of lines such as `conv = Conv2D(x, w:1, ^init)`."""
    found = re.findall(r"^\s*(\S+) = (\w+)\((.*?)\)$", text, re.MULTILINE)
    return [Node(name, op, [part.strip() for part in read.split(",") if part.strip()]) for name, op, read in found]


def graph_of(text: str, **functions: str) -> FakeGraph:
    """Return a graph of such lines, with functions of such lines by their names."""
    library = [
        SimpleNamespace(signature=SimpleNamespace(name=name), node_def=nodes_of(body), attr=Attributes())
        for name, body in functions.items()
    ]
    return FakeGraph(nodes_of(text), Library(library, ["a gradient"]))

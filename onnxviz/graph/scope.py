"""The nodes of one graph, body or function while they are rewritten: free names, and nodes before and after the others.

A scope is entered with its nodes in place, so that their indices hold, and `close` puts new ones among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import onnx

from onnxviz.graph.topology import bodies, free_name


@dataclass(slots=True)
class Scope:
    """One list of nodes under rewriting.

    Attributes:
        holder: the graph, body or function whose nodes they are.
        names: all names taken in the outermost graph or function, at any depth, so that new ones are others.
        opset: the version of ONNX's own operators.
    """

    holder: onnx.GraphProto | onnx.FunctionProto
    names: set[str]
    opset: int
    _first: dict[int, list[onnx.NodeProto]] = field(default_factory=dict)
    _last: list[onnx.NodeProto] = field(default_factory=list)

    @classmethod
    def outermost(cls, holder: onnx.GraphProto | onnx.FunctionProto, opset: int) -> Scope:
        """Enter the top of a graph or function."""
        return cls(holder, set(_names(holder)), opset)

    def inner(self, body: onnx.GraphProto) -> Scope:
        """Enter a body of one of the nodes."""
        return Scope(body, self.names, self.opset)

    def fresh(self, name: str) -> str:
        """Return a name like this one that nothing has, and keep it."""
        found = free_name(name, self.names)
        self.names.add(found)
        return found

    def add(self, op: str, inputs: Sequence[str], name: str, *, before: int | None = None, **attributes: Any) -> str:
        """Add a node with one output, behind all others or before one of them; return what the output is called."""
        output = self.fresh(name)
        node = onnx.helper.make_node(op, inputs, [output], **attributes)
        (self._last if before is None else self._first.setdefault(before, [])).append(node)
        return output

    def copy(self, value: str, kind: onnx.TypeProto, name: str) -> str:
        """Give a value a second name."""
        if kind.WhichOneof("value") != "sequence_type":
            return self.add("Identity", [value], name)
        # One element more, and away with it: onnxruntime's Identity would copy every array of the sequence.
        element = kind.sequence_type.elem_type.tensor_type.elem_type
        longer = self.add("SequenceInsert", [value, self.empty(element, 1, f"{name}/none")], f"{name}/longer")
        return self.add("SequenceErase", [longer], name)

    def empty(self, element: int, rank: int, name: str) -> str:
        """Add a constant without elements."""
        node = onnx.NodeProto()
        node.CopyFrom(_empty(element, rank))
        node.output.append(self.fresh(name))
        self._last.append(node)
        return node.output[0]

    def filler(self, kind: onnx.TypeProto, name: str) -> str:
        """Add an empty value of a type: a tensor of sizes 0, or a sequence without elements."""
        if kind.HasField("sequence_type"):
            element = kind.sequence_type.elem_type.tensor_type.elem_type
            return self.add("SequenceEmpty", [], name, dtype=element)
        tensor = kind.tensor_type
        return self.empty(tensor.elem_type, len(tensor.shape.dim) if tensor.HasField("shape") else 1, name)

    def close(self) -> None:
        """Put the new nodes among the others."""
        nodes = list(self.holder.node)
        if not self._first:
            self.holder.node.extend(self._last)
        else:
            mixed = [part for index, node in enumerate(nodes) for part in (*self._first.get(index, ()), node)]
            replace_field(self.holder.node, [*mixed, *self._last])
        self._first, self._last = {}, []


def replace_field(repeated: Any, items: Iterable[Any]) -> None:
    """Put other items into a repeated field of a message, some of which may be in it now."""
    kept = [item if isinstance(item, str | int) else type(item).FromString(item.SerializeToString()) for item in items]
    del repeated[:]
    repeated.extend(kept)


def insert_items(repeated: Any, place: int, items: Sequence[Any]) -> None:
    """Insert items into a repeated field of a message."""
    if items:
        replace_field(repeated, [*repeated[:place], *items, *repeated[place:]])


@lru_cache(maxsize=64)
def _empty(element: int, rank: int) -> onnx.NodeProto:
    """Return the constant without elements, still without a name; to be copied."""
    return onnx.helper.make_node("Constant", [], [], value=onnx.helper.make_tensor("", element, [0] * rank, []))


def _names(holder: onnx.GraphProto | onnx.FunctionProto) -> Iterator[str]:
    if isinstance(holder, onnx.FunctionProto):
        yield from (*holder.input, *holder.output)
    else:
        yield from (info.name for info in (*holder.input, *holder.output))
        yield from (tensor.name for tensor in holder.initializer)
        yield from (tensor.values.name for tensor in holder.sparse_initializer)
    for node in holder.node:
        yield from node.output
        for _, body in bodies(node):
            yield from _names(body)

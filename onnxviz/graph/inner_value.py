"""A value as one scope has it on its way out of holders, and what each kind of holder makes of its type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import onnx

from onnxviz.graph.accumulator import sequence_of
from onnxviz.graph.scope import Scope, insert_items


@dataclass(frozen=True, slots=True)
class InnerValue:
    """A value, or what was collected of it, under the names of one scope.

    Attributes:
        wanted: the name that it gets outside.
        values: its name, or those of an accumulator.
        kinds: their types.
        label: its path so far, from which names of more values are made.
    """

    wanted: str
    values: tuple[str, ...]
    kinds: tuple[onnx.TypeProto, ...]
    label: str

    def declared(self) -> list[onnx.ValueInfoProto]:
        """Return the values as outputs of a graph."""
        return [onnx.ValueInfoProto(name=name, type=kind) for name, kind in zip(self.values, self.kinds, strict=True)]

    def renamed(self, values: Sequence[str], label: str) -> InnerValue:
        """Return the same under other names."""
        return replace(self, values=tuple(values), label=label)

    def distinct(self, scope: Scope, taken: set[str]) -> InnerValue:
        """Give values second names where these are taken; add the names to those taken."""
        pairs = zip(self.values, self.kinds, strict=True)
        names = [scope.copy(value, kind, f"{self.label}/=") if value in taken else value for value, kind in pairs]
        taken.update(names)
        return self.renamed(names, self.label)

    def emptiable(self, scope: Scope) -> InnerValue:
        """Return a value of a branch with a type that the other branch can give an empty value of: sizes left open."""
        (value,), (kind,) = self.values, self.kinds
        if kind.HasField("sequence_type"):
            return self
        tensor = kind.tensor_type
        rank = len(tensor.shape.dim)
        if not rank:
            # onnxruntime refuses sizes {} beside {0} where Ifs are nested. Expand leaves alone what has axes.
            one = onnx.helper.make_tensor("one", onnx.TensorProto.INT64, [1], [1])
            sizes = scope.add("Constant", [], f"{self.label}/one", value=one)
            op = "Reshape" if tensor.HasField("shape") else "Expand"
            value = scope.add(op, [value, sizes], f"{self.label}/(1)")
        if tensor.HasField("shape"):
            kind = _open_sizes(tensor.elem_type, max(rank, 1))
        return replace(self, values=(value,), kinds=(kind,))

    def stacked(self, axes: int = 1) -> InnerValue:
        """Return a value of one step as its steps stacked."""
        kind = onnx.TypeProto()
        kind.CopyFrom(self.kinds[0])
        if kind.tensor_type.HasField("shape"):
            insert_items(kind.tensor_type.shape.dim, 0, [onnx.TensorShapeProto.Dimension() for _ in range(axes)])
        return replace(self, kinds=(kind,))

    def in_sequence(self) -> InnerValue:
        """Return a value that is made for each element of a sequence as the sequence of all."""
        return replace(self, kinds=(sequence_of(self.kinds[0].tensor_type.elem_type),))


@lru_cache(maxsize=64)
def _open_sizes(element: int, rank: int) -> onnx.TypeProto:
    """Return the type of a tensor whose sizes are left open; it is not to be changed."""
    return onnx.helper.make_tensor_type_proto(element, [None] * rank)

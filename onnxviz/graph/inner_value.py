"""A value as one scope has it on its way out of holders, and what each kind of holder makes of its type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx

from onnxviz.errors import UnsupportedError
from onnxviz.graph.accumulator import sequence_of
from onnxviz.graph.scope import Scope, insert_items

VARIES_IN_SCAN = "its size may differ from step to step, and a Scan hands out arrays of one size"
NOT_COLLECTED = "it is a sequence or an optional, and what a Loop collects are arrays"


@dataclass(frozen=True, slots=True)
class InnerValue:
    """A value, or what was collected of it, under the names of one scope.

    Attributes:
        wanted: the name that it gets outside, for messages.
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
        """Return a value of a branch with a type that the other branch can give an empty value of: sizes left open.

        Raises:
            UnsupportedError: Its type is not known, or is one that has no empty value.
        """
        (value,), (kind,) = self.values, self.kinds
        if kind.HasField("sequence_type"):
            return self
        tensor = kind.tensor_type
        if kind.WhichOneof("value") not in ("tensor_type", None):
            raise self.refusal("it is an optional, and the branch that does not run has no empty one to give")
        if not tensor.elem_type:
            raise self.refusal(
                "its type is not known, and the branch that does not run has to give an empty value of it"
            )
        rank = len(tensor.shape.dim)
        if not rank:
            # onnxruntime refuses sizes {} beside {0} where Ifs are nested. Expand leaves alone what has axes.
            one = onnx.helper.make_tensor("one", onnx.TensorProto.INT64, [1], [1])
            sizes = scope.add("Constant", [], f"{self.label}/one", value=one)
            op = "Reshape" if tensor.HasField("shape") else "Expand"
            value = scope.add(op, [value, sizes], f"{self.label}/(1)")
        if tensor.HasField("shape"):
            kind = onnx.helper.make_tensor_type_proto(tensor.elem_type, [None] * max(rank, 1))
        return replace(self, values=(value,), kinds=(kind,))

    def stacked(self, axes: int = 1) -> InnerValue:
        """Return a value of one step as its steps stacked.

        Raises:
            UnsupportedError: It is a sequence already, as which it comes where sizes differ.
        """
        kind = onnx.TypeProto()
        kind.CopyFrom(self.kinds[0])
        if kind.HasField("sequence_type") or kind.HasField("optional_type"):
            raise self.refusal(VARIES_IN_SCAN)
        if kind.tensor_type.HasField("shape"):
            insert_items(kind.tensor_type.shape.dim, 0, [onnx.TensorShapeProto.Dimension() for _ in range(axes)])
        return replace(self, kinds=(kind,))

    def in_sequence(self) -> InnerValue:
        """Return a value that is made for each element of a sequence as the sequence of all.

        Raises:
            UnsupportedError: It is a sequence itself.
        """
        kind = self.kinds[0]
        if kind.WhichOneof("value") != "tensor_type":
            raise self.refusal("ONNX has no sequences of sequences")
        return replace(self, kinds=(sequence_of(kind.tensor_type.elem_type),))

    def refusal(self, reason: str) -> UnsupportedError:
        """Return the error that the value cannot be handed out."""
        return cannot_hand_out(self.wanted, reason)


def cannot_hand_out(name: str, reason: str) -> UnsupportedError:
    """Return the error that a value inside cannot become an output."""
    return UnsupportedError(f"{name!r} cannot be handed out: {reason}")

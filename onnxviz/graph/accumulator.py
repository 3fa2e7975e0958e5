"""The steps of a value one after the other, in a sequence that Loops carry from trip to trip.

Before: `Loop (n, c, x) { t = Conv(v) }`. After: `s0 = SequenceEmpty()`, `Loop (n, c, x, s0) { t = Conv(v), s1 =
SequenceInsert(s, t) }`, and the Loop's new result is the sequence of all `t`, which may differ in size. Of many steps
some are kept, in memory that does not grow with the trips: `s1 = If (a <= count < b) SequenceInsert(s, t) else s`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx

from onnxviz.graph.scope import Scope

COUNT = onnx.helper.make_tensor_type_proto(onnx.TensorProto.INT64, [])


def sequence_of(element: int) -> onnx.TypeProto:
    """Return the type of a sequence of tensors of any size."""
    return onnx.helper.make_sequence_type_proto(onnx.helper.make_tensor_type_proto(element, None))


@dataclass(frozen=True, slots=True)
class Accumulator:
    """What was collected so far, under the names that one scope sees.

    Attributes:
        element: the element type of the tensors.
        values: the names of the sequence and, where only some steps are kept, of the count of all.
    """

    element: int
    values: tuple[str, ...]

    @property
    def kinds(self) -> tuple[onnx.TypeProto, ...]:
        """The types of the values."""
        return (sequence_of(self.element), COUNT)[: len(self.values)]

    def renamed(self, values: Sequence[str]) -> Accumulator:
        """Return the same under other names."""
        return Accumulator(self.element, tuple(values))

    def declared(self) -> list[onnx.ValueInfoProto]:
        """Return the values as inputs or outputs of a body."""
        return [onnx.ValueInfoProto(name=name, type=kind) for name, kind in zip(self.values, self.kinds, strict=True)]

    def copied(self, scope: Scope, name: str) -> Accumulator:
        """Give the values other names, in a scope that adds nothing to them."""
        pairs = zip(self.values, self.kinds, strict=True)
        return self.renamed([scope.copy(value, kind, f"{name}/same") for value, kind in pairs])


def begin(scope: Scope, index: int, element: int, name: str, keep: range | None) -> Accumulator:
    """Make an empty accumulator before a node."""
    values = [scope.add("SequenceEmpty", [], f"{name}/start", before=index, dtype=element)]
    if keep is not None:
        values.append(_number(scope, 0, f"{name}/zero", before=index))
    return Accumulator(element, tuple(values))


def collect(scope: Scope, accumulator: Accumulator, value: str, keep: range | None) -> Accumulator:
    """Add a value to what was collected, where its number is among those to keep."""
    sequence = accumulator.values[0]
    if keep is None:
        return accumulator.renamed([scope.add("SequenceInsert", [sequence, value], f"{value}/steps")])
    count = accumulator.values[1]
    kept = scope.add("Less", [count, _number(scope, keep.stop, f"{value}/stop")], f"{value}/before_stop")
    if keep.start:
        early = scope.add("Less", [count, _number(scope, keep.start, f"{value}/start")], f"{value}/early")
        late = scope.add("Not", [early], f"{value}/late")
        kept = scope.add("And", [kept, late], f"{value}/kept")
    kind = accumulator.kinds[0]
    branches = {"then_branch": onnx.GraphProto(name="keep"), "else_branch": onnx.GraphProto(name="pass")}
    for branch in branches.values():
        inner = scope.inner(branch)
        if branch.name == "keep":
            result = inner.add("SequenceInsert", [sequence, value], f"{value}/longer")
        else:
            result = inner.copy(sequence, kind, f"{value}/same")
        inner.close()
        branch.output.append(onnx.ValueInfoProto(name=result, type=kind))
    longer = scope.add("If", [kept], f"{value}/steps", before=None, **branches)
    return accumulator.renamed([longer, scope.add("Add", [count, _number(scope, 1, f"{value}/one")], f"{value}/count")])


def _number(scope: Scope, number: int, name: str, before: int | None = None) -> str:
    value = onnx.helper.make_tensor("number", onnx.TensorProto.INT64, [], [number])
    return scope.add("Constant", [], name, before=before, value=value)

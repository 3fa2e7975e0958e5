"""What a rule is: how one output of a node reads one of its operands, axis by axis.

Axes are those of the tensors as they lie in the graph, so that no layout has to be assumed: a Transpose is a rule as
any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from onnxviz.graph.graph import Graph, Node
from onnxviz.layout import Dimension, TensorSpec

MOST_PHASES = 1 << 14
"""A rule of more phases is not laid out: a hostile size would take all memory."""


@dataclass(frozen=True, slots=True)
class Pull:
    """A periodic rule along an axis: output `q * len(offsets) + r` reads inputs `q * step + x`, x in `offsets[r]`.

    A convolution has one phase (its taps, ascending) and its stride as step; an upsampling has a phase for each
    output that one input makes. `border` says what a read outside the input is: `drop` (nothing, or a constant),
    `clamp`, `reflect` or `wrap`.
    """

    offsets: tuple[Sequence[int], ...]
    step: int
    border: str = "drop"

    def __post_init__(self) -> None:
        if not self.offsets or not isinstance(self.step, int):
            raise ValueError(f"no rule has {len(self.offsets)} phases and a step of {self.step!r}")


@dataclass(frozen=True, slots=True)
class AxisRead:
    """How one axis of an operand is read.

    `out` is the output axis along which its positions lie, None where they are gone and all of it is read.
    `pull` maps the positions (None: one to one, and none is left out). `whole`: each position reads the whole axis
    besides its own part, as normalisation does. `inner`: output axes whose positions matter too: one position along
    these reads a part of what the rule says, all of them together read all of it. `covers`: no position is left out by
    all outputs together, though a `pull` maps them. `loose`: the rule is a bound, and some of it, even all, may not be
    read.
    """

    out: int | None
    pull: Pull | None = None
    whole: bool = False
    inner: tuple[int, ...] = ()
    covers: bool = False
    loose: bool = False


@dataclass(frozen=True, slots=True)
class Reads:
    """How an operand is read: an AxisRead for each of its axes.

    `spatial` says that the operator slides over axes 2 on; `joins` is the output axis along which the operands lie
    one behind the other.
    """

    axes: tuple[AxisRead, ...]
    spatial: bool = False
    joins: int | None = None


GONE = AxisRead(None)
SOME = AxisRead(None, loose=True)
NOTHING = Reads(())
"""The operand's values are not read at all (its shape may be)."""


class Sizes:
    """What rules ask of a graph: shapes of values and the numbers in its constants."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        self.graph = graph
        self._types = types
        self._functions = {(function.domain, function.name) for function in graph.proto.functions}

    def is_call(self, node: Node) -> bool:
        """Tell whether a node calls a function of the model, whatever operator has the same name."""
        return (node.domain, node.op) in self._functions

    def shape(self, value: str) -> tuple[Dimension, ...] | None:
        """Return the shape of a value, of an initializer too."""
        spec = self._types.get(value)
        return spec.shape if spec is not None and spec.shape is not None else self.graph.dims(value)

    def size(self, value: str, axis: int) -> int | None:
        """Return one size if it is a number."""
        shape = self.shape(value)
        size = shape[axis] if shape is not None and axis < len(shape) else None
        return size if isinstance(size, int) else None

    def rank(self, value: str, otherwise: int) -> int:
        """Return the number of axes of a value."""
        shape = self.shape(value)
        return otherwise if shape is None else len(shape)

    def numbers(self, node: Node, place: int, attribute: str | None = None) -> tuple[Any, ...] | None:
        """Return the numbers of a constant input or, as older operator sets have it, of an attribute."""
        if is_given(node, place):
            array = self.graph.constant(node.inputs[place])
            return None if array is None else tuple(array.reshape(-1).tolist())
        found = node.attribute(attribute) if attribute else None
        return found if found is None or isinstance(found, tuple) else (found,)


@dataclass(frozen=True, slots=True)
class Call:
    """One question: the operand of a node, its rank, and which of the node's outputs is meant."""

    node: Node
    operand: int
    rank: int
    output: int
    sizes: Sizes

    @property
    def source(self) -> str:
        """The value that is read."""
        return self.node.inputs[self.operand]

    @property
    def result(self) -> str:
        """The value that is made."""
        return self.node.outputs[self.output]

    @property
    def is_lone(self) -> bool:
        """Whether the node has no other operand."""
        return sum(map(bool, self.node.inputs)) == 1

    def axis(self, default: int) -> int:
        """Return the attribute `axis` counted from the front."""
        return self.counted(int(self.node.attribute("axis", default)))

    def counted(self, axis: int) -> int:
        """Return an axis of the operand counted from the front."""
        if not -self.rank <= axis < self.rank:
            raise IndexError(f"{axis} is no axis of {self.rank}")
        return axis % self.rank


Rule = Callable[[Call], Reads | None]


def is_given(node: Node, place: int) -> bool:
    """Tell whether a node has an input at a place, computed or not."""
    return place < len(node.inputs) and bool(node.inputs[place])


@lru_cache(maxsize=64)
def identity(rank: int) -> Reads:
    """Return the rule of an operand that is read position by position."""
    return Reads(tuple(AxisRead(axis) for axis in range(rank)))


def everything(call: Call) -> Reads:
    """Every output reads all of the operand."""
    return Reads((GONE,) * call.rank)


def something(call: Call) -> Reads:
    """Every output reads of the operand what is not known: all of it at most."""
    return Reads((SOME,) * call.rank)


def nothing(call: Call) -> Reads:
    """The output depends on the operand's shape alone."""
    return NOTHING


def replaced(call: Call, changes: Mapping[int, AxisRead], *, spatial: bool = False) -> Reads:
    """Return the rule of an operand that is read position by position but along some axes."""
    return Reads(tuple(changes.get(axis, AxisRead(axis)) for axis in range(call.rank)), spatial=spatial)


def without(rank: int, gone: Iterable[int]) -> Reads:
    """Return the rule of axes that fall away, all of them read; those behind move up."""
    fallen = set(gone)
    kept = [axis for axis in range(rank) if axis not in fallen]
    return Reads(tuple(AxisRead(kept.index(axis)) if axis in kept else GONE for axis in range(rank)))


def also_whole(call: Call, axes: Iterable[int], *, inner: tuple[int, ...] = (), loose: bool = False) -> Reads:
    """Return the rule of an operand that is read position by position, and all of some axes besides."""
    marked = set(axes)
    read = {axis: AxisRead(axis, whole=True, inner=inner, loose=loose) for axis in marked}
    return replaced(call, read)

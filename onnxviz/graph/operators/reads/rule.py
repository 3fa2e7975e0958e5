"""A rule says how one output of a node reads one of its operands, axis by axis.

A 3x3 convolution with stride 2, for one: along axis 2, output i reads the inputs 2i - 1, 2i and 2i + 1; along axis 1,
each output reads all of the input's channels. Axes are those of the tensors as they lie in the graph, so that no layout
has to be assumed: a Transpose is a rule like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
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
class Digit:
    """A part of an axis: where a map of H x W becomes tokens, its row is `token // W % H` and its column `token % W`.

    Attributes:
        place: an output axis.
        inner: how many of the operand's positions (where it is split) or of the output's (where it is merged) go by
            before the digit changes; where that is not known, a number below 0 that stands for this digit alone.
        size: how many values it has.
    """

    place: int
    inner: int
    size: int


@dataclass(frozen=True, slots=True)
class AxisRead:
    """How one axis of an operand is read.

    Attributes:
        out: the output axis along which its positions lie; None where they are gone and all of the axis is read.
        pull: which positions an output position reads; None where each is read by the output at its own position.
        whole: each position reads the whole axis besides its own part, as normalisation does.
        inner: further output axes. One position along them reads a part of what the rule gives; all positions together
            read all of it.
        covers: all outputs together leave no position out, though a `pull` maps them.
        loose: the rule is an upper bound: some of what it gives, even all, may not be read.
        like: where `out` is None, the output axis that means the same, such as the channels of a convolution.
        digits: where a Reshape merges or splits the axis, where it lies; in order from the left.
    """

    out: int | None
    pull: Pull | None = None
    whole: bool = False
    inner: tuple[int, ...] = ()
    covers: bool = False
    loose: bool = False
    like: int | None = None
    digits: tuple[Digit, ...] = ()


@dataclass(frozen=True, slots=True)
class Reads:
    """How an operand is read.

    Attributes:
        axes: an AxisRead for each axis of the operand.
        spatial: the operator slides over axes 2 on.
        joins: the output axis along which the operands lie one behind the other.
    """

    axes: tuple[AxisRead, ...]
    spatial: bool = False
    joins: int | None = None

    @property
    def links(self) -> list[tuple[int, int]]:
        """Pairs of an operand's axis and an output's that mean the same, or of which one is a part of the other."""
        return [
            (axis, there)
            for axis, read in enumerate(self.axes)
            for there in (read.out if read.out is not None else read.like, *(read.inner if read.covers else ()))
            if there is not None
        ]


GONE = AxisRead(None)
SOME = AxisRead(None, loose=True)
NOTHING = Reads(())
"""The operand's values are not read at all (its shape may be)."""


class KnownSizes:
    """What rules ask of a graph: shapes of values and the numbers in its constants."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        self.graph = graph
        self._types = types

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
        """Return the numbers of an input that is constant or computed from sizes, or of older sets' attribute."""
        if is_given(node, place):
            array = self.graph.constant(node.inputs[place])
            return self._calculated(node.inputs[place]) if array is None else tuple(array.reshape(-1).tolist())
        found = node.attribute(attribute) if attribute else None
        numbers = found if found is None or isinstance(found, tuple) else (found,)
        if numbers is not None and not all(isinstance(number, int | float) for number in numbers):
            raise ValueError(f"the attribute {attribute!r} is {found!r}, not numbers")
        return numbers

    def integers(self, node: Node, place: int, attribute: str | None = None) -> tuple[int, ...] | None:
        """Return `numbers` that have to be whole.

        Raises:
            ValueError: One is not.
        """
        found = self.numbers(node, place, attribute)
        if found is not None and not all(isinstance(number, int) for number in found):
            raise ValueError(f"{found!r} are not whole numbers")
        return found

    def _calculated(self, value: str) -> tuple[Any, ...] | None:
        spec = self._types.get(value)
        numbers = None if spec is None else spec.numbers
        is_known = numbers is not None and all(isinstance(number, int | float) for number in numbers)
        return numbers if is_known else None

    def has_constant_right_side(self, node: Node) -> bool:
        """Return whether a product's right side is constant, as weights are."""
        place = 3 if node.operator == "QLinearMatMul" else 1
        return is_given(node, place) and self.graph.is_constant(node.inputs[place])


@dataclass(frozen=True, slots=True)
class Operand:
    """An operand of a node, whose `output` it is asked about: at which place it stands, and its rank."""

    node: Node
    place: int
    rank: int
    output: int
    sizes: KnownSizes

    @property
    def source(self) -> str:
        """The value that is read."""
        return self.node.inputs[self.place]

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
        return self.counted(self.node.integer("axis", default))

    def counted(self, axis: int) -> int:
        """Return an axis of the operand counted from the front."""
        if not -self.rank <= axis < self.rank:
            raise IndexError(f"there is no axis {axis} of {self.rank}")
        return axis % self.rank


Rule = Callable[[Operand], Reads | None]


def is_given(node: Node, place: int) -> bool:
    """Return whether a node has an input at a place, computed or not."""
    return place < len(node.inputs) and bool(node.inputs[place])


@lru_cache(maxsize=64)
def identity(rank: int) -> Reads:
    """Return the rule of an operand that is read position by position."""
    return Reads(tuple(AxisRead(axis) for axis in range(rank)))


def summed(axis: int) -> AxisRead:
    """Return the rule of an axis of which every output reads all, and which keeps its place and its meaning."""
    return AxisRead(None, like=axis)


def unfollowed(axis: int) -> AxisRead:
    """Return the rule of an axis that keeps its place and its meaning, of whose positions nothing is known."""
    return AxisRead(None, loose=True, like=axis)


def everything(operand: Operand) -> Reads:
    """Every output reads all of the operand."""
    return Reads((GONE,) * operand.rank)


def something(operand: Operand) -> Reads:
    """Every output reads some of the operand, at most all of it."""
    return Reads((SOME,) * operand.rank)


def something_in_place(operand: Operand) -> Reads:
    """Every output reads of the operand what is not known; its axes keep their places."""
    return Reads(tuple(map(unfollowed, range(operand.rank))))


def nothing(operand: Operand) -> Reads:
    """The output depends on the operand's shape alone."""
    return NOTHING


def replaced(operand: Operand, changes: Mapping[int, AxisRead], *, spatial: bool = False) -> Reads:
    """Return the rule of an operand that is read position by position but along some axes."""
    return Reads(tuple(changes.get(axis, AxisRead(axis)) for axis in range(operand.rank)), spatial=spatial)


def without(rank: int, gone: Iterable[int]) -> Reads:
    """Return the rule of axes that fall away, all of them read; those behind move up."""
    fallen = set(gone)
    kept = [axis for axis in range(rank) if axis not in fallen]
    return Reads(tuple(AxisRead(kept.index(axis)) if axis in kept else GONE for axis in range(rank)))


def also_whole(operand: Operand, axes: Iterable[int], *, inner: tuple[int, ...] = (), loose: bool = False) -> Reads:
    """Return the rule of an operand that is read position by position, and all of some axes besides."""
    marked = set(axes)
    read = {axis: AxisRead(axis, whole=True, inner=inner, loose=loose) for axis in marked}
    return replaced(operand, read)

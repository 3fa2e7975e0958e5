"""Pairs of operations while they are found, and what both models' operations are to each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from onnxviz.comparing.matching.canonical import Canonical
from onnxviz.comparing.matching.operation import Operation, Source
from onnxviz.comparing.matching.sketches import Sketch, likeness

_ALIKE = frozenset({frozenset({"GlobalAveragePool", "ReduceMean"}), frozenset({"Dense", "Conv"})})
COMMUTING = frozenset({"Add", "Mul", "Max", "Min"})
"""Operators whose inputs may come in another order."""


class Pairing:
    """Which operation of A is which of B, as far as known.

    Attributes:
        a, b: both models in canonical form.
        b_of, a_of: the pairs, by number.
        status: why, by number of A.
        sketches_a, sketches_b: of the weights, by number.
    """

    def __init__(self, a: Canonical, b: Canonical, inputs: Sequence[tuple[int, int]]) -> None:
        """Begin with the model's inputs alone, as pairs of their places."""
        self.a, self.b = a, b
        self.b_of: dict[int, int] = {}
        self.a_of: dict[int, int] = {}
        self.status: dict[int, str] = {}
        self.sketches_a: dict[int, Sketch] = {}
        self.sketches_b: dict[int, Sketch] = {}
        self._inputs = {-1 - one: -1 - other for one, other in inputs}
        self.outputs: dict[int, int] = {}

    def pair(self, x: Operation, y: Operation, status: str) -> bool:
        """Make a pair of two operations, unless one has another counterpart or they compute different things."""
        if x.number in self.b_of or y.number in self.a_of or not may_pair(x, y):
            return False
        self.b_of[x.number], self.a_of[y.number], self.status[x.number] = y.number, x.number, status
        return True

    def free(self) -> tuple[list[Operation], list[Operation]]:
        """Return the operations of both that have no counterpart yet."""
        xs = [x for x in self.a.operations if x.number not in self.b_of]
        return xs, [y for y in self.b.operations if y.number not in self.a_of]

    def likeness(self, x: Operation, y: Operation) -> float | None:
        """Return how alike the weights of two operations are, None where one has none that were read."""
        return likeness(self.sketches_a.get(x.number), self.sketches_b.get(y.number))

    def counterpart(self, source: Source) -> Source | None:
        """Return where B has what A has at a source, None where that is not known."""
        number, place = source
        found = self._inputs.get(number) if number < 0 else self.b_of.get(number)
        return None if found is None else (found, place)

    def around(self, x: Operation) -> Iterator[int]:
        """Give the numbers of the operations that an operation of A reads and is read by."""
        yield from (number for number, _ in x.inputs if number >= 0)
        yield from readers_of(self.a, x)


def may_pair(x: Operation, y: Operation) -> bool:
    """Return whether two operations compute the same kind of thing."""
    return x.operator == y.operator or frozenset({x.operator, y.operator}) in _ALIKE


def readers_of(model: Canonical, operation: Operation) -> list[int]:
    """Return the numbers of the operations that read what an operation makes."""
    places = range(max(len(operation.node.outputs), 1))
    return [reader for place in places for reader in model.readers.get((operation.number, place), ())]

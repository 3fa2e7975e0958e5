"""`Lockstep`: both models run side by side, the one behind is pulled, and what is compared is let go at once.

A's values are held until B's of the same layer came and until the layers of B that are computed from them have run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from onnxviz.comparing.axes import as_other, in_layout
from onnxviz.comparing.compared_model import ComparedModel, Held
from onnxviz.comparing.matching.matches import Pair
from onnxviz.comparing.own_errors import OwnErrors
from onnxviz.errors import ExecutionError
from onnxviz.feed.feed import Feed
from onnxviz.layout import Array


class Visitor(Protocol):
    """Takes the values of each pair once, A's and B's in one shape, with the shares at the ends of B's codes."""

    def overall(self, place: int, a: Array, b: Array, at_ends: tuple[float, float] | None) -> None:
        """Take what B computes by itself."""

    def own(self, place: int, a: Array, b: Array, at_ends: tuple[float, float] | None) -> None:
        """Take what B's layer makes of A's values."""

    def missing(self, place: int, reason: str) -> None:
        """Hear why a pair is not compared."""


class Lockstep:
    """One run of both models on one input."""

    def __init__(
        self, models: tuple[ComparedModel, ComparedModel], pairs: Sequence[Pair], own: OwnErrors | None, budget: int
    ) -> None:
        """Take the models, their pairs, what runs B's layers alone, and the bytes of values that wait for it."""
        self._a, self._b = models
        self._pairs = pairs
        self._own = own
        self._budget = budget

    def run(self, compared: Sequence[int], feeds: tuple[Feed, Feed], visitor: Visitor) -> None:
        """Run both and hand every pair at the places `compared` to the visitor."""
        _Run(self._pairs, self._own, self._budget, visitor, feeds[1]).go(
            compared, self._a.stream(feeds[0], self._gone("a", compared, visitor)),
            self._b.stream(feeds[1], self._gone("b", compared, visitor)),
        )  # fmt: skip

    def _gone(self, side: str, compared: Sequence[int], visitor: Visitor):  # type: ignore[no-untyped-def]
        def gone(value: str, reason: str) -> None:
            for place in compared:
                if getattr(self._pairs[place], side).value == value:
                    visitor.missing(place, f"{side.upper()}: {reason}")

        return gone


class _Run:
    def __init__(self, pairs: Sequence[Pair], own: OwnErrors | None, budget: int, visitor: Visitor, feed: Feed) -> None:
        self._pairs = pairs
        self._own = own
        self._budget = budget
        self._visitor = visitor
        self._feed = feed
        self._of_a: dict[str, list[int]] = {}
        self._of_b: dict[str, list[int]] = {}
        self._held_a: dict[int, Held] = {}
        self._held_b: dict[int, Held] = {}
        self._uses: Counter[int] = Counter()
        self._waiting: dict[int, frozenset[int]] = {}
        self._ready: list[int] = []
        self._ready_bytes = 0

    def go(self, compared: Sequence[int], a: Iterator[tuple[str, Held]], b: Iterator[tuple[str, Held]]) -> None:
        """Pull the model that is behind until both have ended."""
        self._begin(compared)
        counts, totals = [0, 0], [max(1, len(self._of_a)), max(1, len(self._of_b))]
        streams, over = [a, b], [False, False]
        take = [self._take_a, self._take_b]
        while not all(over):
            side = 0 if not over[0] and (over[1] or counts[0] / totals[0] <= counts[1] / totals[1]) else 1
            found = next(streams[side], None)
            if found is None:
                over[side] = True
                continue
            counts[side] += 1
            take[side](*found)
        self._run_ready()

    def _begin(self, compared: Sequence[int]) -> None:
        needed = set(compared)
        for place in compared:
            self._of_b.setdefault(self._pairs[place].b.value, []).append(place)
            self._uses[place] += 1
            if self._own is not None and place in self._own.needs:
                needs = self._own.needs[place] | {place}
                self._waiting[place] = needs
                self._uses.update(needs)
                needed |= needs
        for place in needed:
            self._of_a.setdefault(self._pairs[place].a.value, []).append(place)

    def _take_a(self, value: str, held: Held) -> None:
        numbers = Held(held.numbers)
        for place in self._of_a[value]:
            self._held_a[place] = numbers
            if place in self._held_b:
                self._compare(place, self._held_b.pop(place))
        self._find_ready()

    def _take_b(self, value: str, held: Held) -> None:
        for place in self._of_b[value]:
            if place in self._held_a:
                self._compare(place, held)
            else:
                self._held_b[place] = held

    def _compare(self, place: int, held: Held) -> None:
        found = self._aligned(place, held)
        if found is not None:
            self._visitor.overall(place, *found)
        self._let_go([place])

    def _aligned(self, place: int, held: Held) -> tuple[Array, Array, tuple[float, float] | None] | None:
        """Return A's and B's values in A's shape; None where they cannot be the same, which the visitor hears."""
        pair, a, numbers = self._pairs[place], self._held_a[place].array, held.numbers
        b = as_other(in_layout(numbers, pair.b.layout, pair.a.layout), a)
        if b is None:
            sizes = " and ".join(" x ".join(map(str, each.shape)) for each in (a, numbers))
            self._visitor.missing(place, f"the shapes differ: {sizes}")
            return None
        return a, b, held.shares(numbers)

    def _find_ready(self) -> None:
        for place in [place for place, needs in self._waiting.items() if needs <= self._held_a.keys()]:
            new = self._waiting.pop(place)
            self._ready.append(place)
            self._ready_bytes += sum(self._held_a[each].array.nbytes for each in new)
        if self._ready_bytes > self._budget:
            self._run_ready()

    def _run_ready(self) -> None:
        if self._own is None or not self._ready:
            return
        ready, self._ready, self._ready_bytes = self._ready, [], 0
        values = {place: held.array for place, held in self._held_a.items()}
        self._run_own(ready, values, self._own)
        del values
        for place in ready:
            self._let_go(self._own.needs[place] | {place})

    def _run_own(self, places: Sequence[int], values: Mapping[int, Array], own: OwnErrors) -> None:
        """Run layers of B on A's values together; where that fails each alone, so that it is known which cannot."""
        left = list(places)
        try:
            for place, held in own.run(places, values, self._feed.arrays):
                left.remove(place)
                found = self._aligned(place, held)
                if found is not None:
                    self._visitor.own(place, *found)
        except ExecutionError:
            if len(left) == 1:
                self._visitor.missing(left[0], "its own error is not known: B's layer does not take A's values")
                return
            for place in left:
                self._run_own([place], values, own)

    def _let_go(self, places: Sequence[int] | frozenset[int] | set[int]) -> None:
        for place in places:
            self._uses[place] -= 1
            if self._uses[place] <= 0:
                self._held_a.pop(place, None)

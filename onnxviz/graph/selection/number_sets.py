"""Sets of the numbers of candidates, and what a selection matched as two of them.

A set is the bits of an integer, 9 that of 0 and 3, so that a selection of thousands of terms over thousands of layers
stays fast: `|` is the union, `&` what is in both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Matched:
    """What a selection matched: layers, to which `--tap` applies, and values named exactly, to which it does not."""

    tapped: int = 0
    literal: int = 0

    @property
    def all(self) -> int:
        """All that was matched."""
        return self.tapped | self.literal

    def __bool__(self) -> bool:
        return bool(self.all)

    def __or__(self, other: Matched) -> Matched:
        return Matched(self.tapped | other.tapped, self.literal | other.literal)

    def __and__(self, other: Matched) -> Matched:
        both = self.all & other.all
        literal = both & (self.literal | other.literal)
        return Matched(both & ~literal, literal)

    def only(self, numbers: int) -> Matched:
        """Keep what is in a set of numbers."""
        return Matched(self.tapped & numbers, self.literal & numbers)


def mask(numbers: Iterable[int]) -> int:
    """Return the set of these numbers.

    >>> mask([0, 3])
    9
    """
    found = 0
    for number in numbers:
        found |= 1 << number
    return found


def union(sets: Iterable[int]) -> int:
    """Return what is in any of these sets.

    >>> union([1, 8])
    9
    """
    found = 0
    for numbers in sets:
        found |= numbers
    return found


def members(numbers: int) -> Iterator[int]:
    """Give the numbers in a set, from the lowest.

    >>> list(members(9))
    [0, 3]
    """
    while numbers:
        lowest = numbers & -numbers
        yield lowest.bit_length() - 1
        numbers ^= lowest


def grouped(pairs: Iterable[tuple[Key, int]]) -> Mapping[Key, int]:
    """Return for each key the set of the numbers that come with it.

    >>> grouped([("a", 0), ("b", 1), ("a", 2)])
    {'a': 5, 'b': 2}
    """
    groups: dict[Key, int] = {}
    for key, number in pairs:
        groups[key] = groups.get(key, 0) | 1 << number
    return groups

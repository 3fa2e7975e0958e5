"""Pairs by order, all of them assumed: what stands alike between the same two pairs.

Pairs whose numbers rise in both models cut these into stretches. In each stretch the longest common subsequence of what
the operations compute gives the pairs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from onnxviz.comparing.matching.by_names import is_contradicted
from onnxviz.comparing.matching.operation import Operation
from onnxviz.comparing.matching.pairing import Pairing

_LONGEST = 2000


def pair_by_order(pairing: Pairing) -> None:
    """Pair what is left between two pairs that are known, as far as it computes the same in the same order."""
    xs, ys = pairing.free()
    for left, right in list(_stretches(pairing, xs, ys)):
        for x, y in common([_form(x, pairing, "a") for x in left], [_form(y, pairing, "b") for y in right]):
            if not is_contradicted(pairing, left[x], right[y]):
                pairing.pair(left[x], right[y], "assumed")


def common(one: Sequence[object], other: Sequence[object]) -> list[tuple[int, int]]:
    """Return the places of a longest common subsequence.

    >>> common("abcd", "axcd")
    [(0, 0), (2, 2), (3, 3)]
    """
    numbers: dict[object, int] = {}
    x, y = (np.array([numbers.setdefault(part, len(numbers)) for part in side]) for side in (one, other))
    length = np.zeros((len(x) + 1, len(y) + 1), np.int32)
    for i, part in enumerate(x):
        length[i + 1, 1:] = np.maximum.accumulate(np.maximum(length[i, 1:], length[i, :-1] + (y == part)))
    i, j, found = len(x), len(y), []
    while i and j:
        if x[i - 1] == y[j - 1] and length[i, j] == length[i - 1, j - 1] + 1:
            i, j = i - 1, j - 1
            found.append((i, j))
        elif length[i - 1, j] >= length[i, j - 1]:
            i -= 1
        else:
            j -= 1
    return found[::-1]


def rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return as many pairs as possible whose second numbers rise; the first ones do already.

    >>> rising([(0, 0), (1, 5), (2, 1), (3, 2)])
    [(0, 0), (2, 1), (3, 2)]
    """
    ends: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for number, (_, second) in enumerate(pairs):
        place = bisect_left(ends, second)
        before.append(at[place - 1] if place else -1)
        ends[place:], at[place:] = [second, *ends[place + 1 :]], [number, *at[place + 1 :]]
    found, number = [], at[-1] if at else -1
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]


def _stretches(
    pairing: Pairing, xs: Sequence[Operation], ys: Sequence[Operation]
) -> Iterator[tuple[Sequence[Operation], Sequence[Operation]]]:
    ends = (len(pairing.a.operations), len(pairing.b.operations))
    known = [(-1, -1), *rising(sorted(pairing.b_of.items())), ends]
    numbers_a, numbers_b = [x.number for x in xs], [y.number for y in ys]
    for (first_a, first_b), (last_a, last_b) in pairwise(known):
        left = xs[bisect_left(numbers_a, first_a) : bisect_left(numbers_a, last_a)][:_LONGEST]
        right = ys[bisect_left(numbers_b, first_b) : bisect_left(numbers_b, last_b)][:_LONGEST]
        if left and right:
            yield left, right


def _form(operation: Operation, pairing: Pairing, side: str) -> object:
    sketch = (pairing.sketches_a if side == "a" else pairing.sketches_b).get(operation.number)
    return (operation.operator, operation.settings, None if sketch is None else sketch.shape)

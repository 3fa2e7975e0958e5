"""Pairs by weights: of the layers whose weights have one shape, those that are most alike, each to the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from onnxviz.comparing.matching.operation import Operation
from onnxviz.comparing.matching.pairing import Pairing
from onnxviz.layout import Array

LEAST, MARGIN = 0.6, 0.05
"""How alike the weights of a pair must be, and how much more than those of any other."""
_LEAST_ORDERED, _MARGIN_ORDERED = 0.999, 1e-4


def pair_by_weights(pairing: Pairing) -> None:
    """Pair the layers whose weights are alike: first row by row, then with the numbers of each row in order of size.

    Where two layers share one weight, or hold the same numbers, neither is paired: what lies around them tells more.
    """
    for xs, ys in _groups(pairing):
        for rows, least, margin in ((True, LEAST, MARGIN), (False, _LEAST_ORDERED, _MARGIN_ORDERED)):
            xs = [x for x in xs if x.number not in pairing.b_of]
            ys = [y for y in ys if y.number not in pairing.a_of]
            if xs and ys:
                one, other = _stacked(xs, pairing, "a", rows), _stacked(ys, pairing, "b", rows)
                for i, j in mutual_best(one @ other.T, least, margin):
                    pairing.pair(xs[i], ys[j], "weights")


def mutual_best(likeness: Array, least: float, margin: float) -> list[tuple[int, int]]:
    """Return the places that are the greatest of their row and column, by a margin, and not below the least.

    >>> mutual_best(np.array([[0.9, 0.1], [0.2, 0.95]]), 0.6, 0.05)
    [(0, 0), (1, 1)]
    >>> mutual_best(np.array([[0.9, 0.89], [0.2, 0.5]]), 0.6, 0.05)
    []
    """
    found: list[tuple[int, int]] = []
    for i, row in enumerate(likeness):
        j = int(row.argmax())
        column = likeness[:, j]
        others = max(np.delete(row, j).max(initial=-1), np.delete(column, i).max(initial=-1))
        if row[j] >= least and row[j] - others >= margin:
            found.append((i, j))
    return found


def _groups(pairing: Pairing) -> list[tuple[list[Operation], list[Operation]]]:
    """Return the operations of both whose weights have one shape."""
    groups: dict[object, tuple[list[Operation], list[Operation]]] = defaultdict(lambda: ([], []))
    for side, operations, sketches in (
        (0, pairing.a.operations, pairing.sketches_a),
        (1, pairing.b.operations, pairing.sketches_b),
    ):
        for operation in operations:
            if operation.number in sketches:
                groups[operation.operator, sketches[operation.number].shape][side].append(operation)
    return list(groups.values())


def _stacked(operations: Sequence[Operation], pairing: Pairing, side: str, rows: bool) -> Array:
    sketches = pairing.sketches_a if side == "a" else pairing.sketches_b
    found = (sketches[operation.number] for operation in operations)
    return np.stack([sketch.rows if rows else sketch.ordered for sketch in found])

"""Pairs by neighbourhood: operations whose surroundings are like none other in either model.

Each operation gets a label of what it computes, then round by round one of its own label and those around it
(Weisfeiler and Leman, 1968). Pairs that are known share a label of their own. What has a label alone, in both models,
is a pair; the widest view is asked first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from onnxviz.comparing.matching.canonical import Canonical
from onnxviz.comparing.matching.pairing import Pairing, readers_of
from onnxviz.comparing.matching.sketches import Sketch

_ROUNDS = 12


def pair_by_neighbourhood(pairing: Pairing) -> None:
    """Pair the operations that have a label alone in both models."""
    if not all(pairing.free()):
        return
    known_a = {x: (x, y) for x, y in pairing.b_of.items()}
    known_b = {y: (x, y) for x, y in pairing.b_of.items()}
    rounds_a = _labels(pairing.a, known_a, pairing.sketches_a)
    rounds_b = _labels(pairing.b, known_b, pairing.sketches_b)
    for labels_a, labels_b in zip(reversed(rounds_a), reversed(rounds_b), strict=True):
        ys = _grouped(labels_b, pairing.a_of)
        for label, xs in _grouped(labels_a, pairing.b_of).items():
            found = ys.get(label, [])
            if len(xs) == len(found) == 1:
                pairing.pair(pairing.a.operations[xs[0]], pairing.b.operations[found[0]], "structure")


def _grouped(labels: list[int], taken: Mapping[int, int]) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = defaultdict(list)
    for number, label in enumerate(labels):
        if number not in taken:
            groups[label].append(number)
    return groups


def _labels(model: Canonical, known: Mapping[int, object], sketches: Mapping[int, Sketch]) -> list[list[int]]:
    """Return the labels of all operations in each round."""
    shapes = [sketches[x.number].shape if x.number in sketches else None for x in model.operations]
    labels = [
        hash(("pair", known[x.number]) if x.number in known else (x.operator, x.settings, shapes[x.number]))
        for x in model.operations
    ]
    before = [[number for number, _ in x.inputs if number >= 0] for x in model.operations]
    behind = [readers_of(model, x) for x in model.operations]
    rounds = [labels]
    for _ in range(_ROUNDS):
        labels = [
            hash((label, tuple(sorted(labels[n] for n in before[k])), tuple(sorted(labels[n] for n in behind[k]))))
            for k, label in enumerate(labels)
        ]
        rounds.append(labels)
    return rounds

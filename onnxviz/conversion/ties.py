"""Which values of a model hang on a choice between equals, such as the boxes that a detector keeps.

A detector of 8 bits gives dozens of boxes the very same score, and any of them may be the first. TensorFlow and ONNX
Runtime choose otherwise, and both are right: what lies behind the choice cannot be compared. It is found by moving what
was chosen from by less than any rounding: if a value changes then by more, it was a choice between equals.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxviz.differences import difference
from onnxviz.graph.graph import Graph
from onnxviz.layout import Array

_CHOOSING = frozenset({"ArgMax", "ArgMin", "NonMaxSuppression", "TopK"})
_NUDGE, _CHANGED = 1e-6, 1e-4


def choices(graph: Graph) -> list[frozenset[str]]:
    """Return for each choice of the greatest or least in a graph the values that are computed from it."""
    found = []
    for chooser in graph.nodes:
        if chooser.operator in _CHOOSING:
            behind = set(filter(None, chooser.outputs))
            for node in graph.nodes[chooser.index + 1 :]:
                if not behind.isdisjoint(node.reads):
                    behind.update(filter(None, node.outputs))
            found.append(frozenset(behind))
    return found


def nudged(arrays: Mapping[str, Array], way: int) -> dict[str, Array]:
    """Return arrays whose floats are moved by random shares of up to a millionth of the largest, one `way` or other.

    Of two equals each comes first in one of the ways, 1 and -1.
    """
    generator = np.random.default_rng(5)
    moved = {}
    for name, array in arrays.items():
        moved[name] = array
        if array.dtype.kind == "f" and array.size:
            step = np.abs(array).max() * _NUDGE * way * generator.uniform(-1, 1, array.shape)
            moved[name] = (array + step).astype(array.dtype)
    return moved


def changed(before: Mapping[str, Array], after: Mapping[str, Array]) -> frozenset[str]:
    """Return which values differ by more than rounding between two runs."""
    return frozenset(name for name in before if difference([before[name]], [after[name]]).max_rel > _CHANGED)

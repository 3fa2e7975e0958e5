"""The classes that a classifier names, the strongest ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from onnxviz.activations import Activation


@dataclass(frozen=True, slots=True)
class ClassScore:
    """A class that the model named: its name, its unit and its score."""

    name: str
    index: int
    value: float


def top_classes(scores: Activation, labels: Sequence[str] | None, count: int = 5) -> tuple[ClassScore, ...]:
    """Return the strongest classes of the first item, strongest first.

    Only where there is a label for each unit, or where the scores are a distribution (none negative, sum 1); else none.
    """
    array = scores.array[0] if scores.array.ndim == 2 and len(scores.array) else scores.array
    if array.ndim != 1 or array.size < 2 or not np.isfinite(array).all():
        return ()
    values = array.astype(np.float64)
    named = labels is not None and len(labels) == values.size
    if not named and not (values.min() >= 0 and abs(values.sum() - 1) < 1e-3):
        return ()
    order = np.argsort(-values, kind="stable")[:count]
    names = labels if named and labels is not None else [f"class {unit}" for unit in range(values.size)]
    return tuple(ClassScore(names[unit], int(unit), float(values[unit])) for unit in order)

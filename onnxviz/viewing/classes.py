"""The classes that a classifier names: which output holds them, and the strongest ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxviz.activations import Activation
from onnxviz.graph.cut import cut
from onnxviz.graph.selection import Choice
from onnxviz.model import Model
from onnxviz.reporting.parts import ClassScore


def class_outputs(model: Model, choices: Sequence[Choice], labels: Sequence[str] | None) -> tuple[Choice, ...]:
    """Return the model's outputs that may hold class scores, where running up to them costs little more.

    A selection at the front of a deep model is not made to run the whole of it: at least half of the nodes must be
    needed anyway.
    """
    candidates = [
        spec.name
        for spec in model.outputs
        if spec.dtype in ("float32", "float16", "float64") and spec.name in model.graph.producers
        for shape in [model.types.get(spec.name, spec).shape or ()]
        if len(shape) in (1, 2) and (not labels or shape[-1] == len(labels))
    ]
    values = [choice.value for choice in choices if choice.value in model.graph.producers]
    if not candidates or not values or 2 * len(cut(model.graph, values).nodes) < len(model.graph.nodes):
        return ()
    return tuple(Choice(name, name, "value", None) for name in candidates)


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

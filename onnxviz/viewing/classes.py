"""Which outputs of a model may hold class scores."""

from __future__ import annotations

from collections.abc import Sequence

from onnxviz.graph.cut import cut
from onnxviz.graph.selection import Choice
from onnxviz.model import Model


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

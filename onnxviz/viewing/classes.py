"""Which outputs of a model may hold class scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnxviz.errors import InputError
from onnxviz.graph.cut import cut
from onnxviz.graph.selection import Choice
from onnxviz.layout import shape_text
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


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the lines of a file of class names.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return tuple(path.read_text(encoding="utf-8").splitlines())
    except UnicodeDecodeError:
        raise InputError(f"the labels {path} cannot be read: they are no UTF-8 text") from None
    except OSError as error:
        raise InputError(f"the labels {path} cannot be read: {error.strerror}") from None


def check_labels(model: Model, labels: Sequence[str]) -> None:
    """Refuse class names that no output has a unit for; where an output's size is unknown they may fit.

    Raises:
        InputError: no output has as many units.
    """
    shapes = {spec.name: model.types.get(spec.name, spec).shape for spec in model.outputs}
    vectors = [shape for shape in shapes.values() if shape is None or len(shape) in (1, 2)]
    if not any(shape is None or shape[-1] == len(labels) or not isinstance(shape[-1], int) for shape in vectors):
        told = ", ".join(f"{name!r} is {shape_text(shape)}" for name, shape in shapes.items())
        raise InputError(f"the labels name {len(labels)} classes, and no output is a vector of so many: {told}")

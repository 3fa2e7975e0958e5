"""Class names, which outputs of a model may hold their scores, and what a run says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from onnxviz.activations import Activation
from onnxviz.errors import InputError
from onnxviz.feed.preprocessing import model_labels
from onnxviz.graph.cut import cut
from onnxviz.graph.selection.choices import Choice
from onnxviz.layout import Dimension, shape_text
from onnxviz.model import Model
from onnxviz.reporting.classes import ClassScore, top_classes


@dataclass(frozen=True, slots=True)
class Classes:
    """The class names if there are any, whether they were asked for, and the outputs that may hold scores."""

    labels: tuple[str, ...] | None
    asked: bool
    outputs: tuple[Choice, ...]

    def labels_of(self, value: str) -> tuple[str, ...] | None:
        """Return the names of a value's units, if it may hold scores."""
        return self.labels if any(choice.value == value for choice in self.outputs) else None


class Scores:
    """What one run says of classes: `top`, of the first output that has scores."""

    def __init__(self, classes: Classes) -> None:
        """Begin with nothing seen."""
        self.top: tuple[ClassScore, ...] = ()
        self._classes = classes
        self._values = {choice.value for choice in classes.outputs}
        self._shapes: dict[str, tuple[int, ...]] = {}

    def add(self, activation: Activation) -> None:
        """Take an activation of the run; only those of class outputs matter."""
        if activation.value in self._values:
            self._shapes[activation.name] = activation.array.shape
            self.top = self.top or top_classes(activation, self._classes.labels)

    def check(self) -> None:
        """Refuse names that were asked for and that no output had a unit for.

        Raises:
            InputError: no output had as many units.
        """
        labels = self._classes.labels if self._classes.asked else None
        if labels is not None and not any(shape[-1:] == (len(labels),) for shape in self._shapes.values()):
            raise _unfit(labels, self._shapes)


def find_classes(model: Model, choices: Sequence[Choice], given: tuple[str, ...] | Path | None) -> Classes:
    """Return the classes by the names given, in a file or themselves, else by the model's own.

    Raises:
        InputError: The file cannot be read, or the names given fit no output.
    """
    labels = read_labels(given) if isinstance(given, Path) else given
    if labels is not None:
        check_labels(model, labels)
    asked = labels is not None
    labels = labels if labels is not None else model_labels(model.metadata)
    return Classes(labels, asked, class_outputs(model, choices, labels, asked=asked))


def class_outputs(
    model: Model, choices: Sequence[Choice], labels: Sequence[str] | None, *, asked: bool = False
) -> tuple[Choice, ...]:
    """Return the model's outputs that may hold class scores, where running up to them costs little more.

    A selection at the front of a deep model is not made to run the whole of it: at least half of the nodes must be
    needed anyway, or the labels be `asked` for.
    """
    candidates = [
        spec.name
        for spec in model.outputs
        if spec.dtype in ("float32", "float16", "float64")
        and spec.name in model.graph.producers
        and _may_be_scores(model.types.get(spec.name, spec).shape, labels)
    ]
    values = [choice.value for choice in choices if choice.value in model.graph.producers]
    far = not values or 2 * len(cut(model.graph, values).nodes) < len(model.graph.nodes)
    if not candidates or (far and not asked):
        return ()
    return tuple(Choice(name, name, "value", None) for name in candidates)


def _may_be_scores(shape: Sequence[Dimension] | None, labels: Sequence[str] | None) -> bool:
    """Tell whether a shape may be that of scores; what is not known of it may fit the labels, if there are any."""
    if shape is None:
        return bool(labels)
    return len(shape) in (1, 2) and (not labels or not isinstance(shape[-1], int) or shape[-1] == len(labels))


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the lines of a file of class names.

    Raises:
        InputError: It cannot be read.
    """
    try:
        # Windows' editors begin a text with a mark of its encoding, which is no letter of the first class.
        return tuple(path.read_text(encoding="utf-8-sig").splitlines())
    except UnicodeDecodeError:
        raise InputError(f"the labels {path} cannot be read: they are no UTF-8 text") from None
    except FileNotFoundError:
        raise InputError(f"the labels {path} cannot be read: there is no such file") from None
    except IsADirectoryError:
        raise InputError(f"the labels {path} cannot be read: that is a folder") from None
    except OSError as error:
        raise InputError(f"the labels {path} cannot be read: {error.strerror}") from None


def check_labels(model: Model, labels: Sequence[str]) -> None:
    """Refuse class names that no output has a unit for; where an output's size is unknown they may fit.

    Raises:
        InputError: no output has as many units.
    """
    shapes = {spec.name: model.types.get(spec.name, spec).shape for spec in model.outputs}
    if not any(_may_be_scores(shape, labels) for shape in shapes.values()):
        raise _unfit(labels, shapes)


def _unfit(labels: Sequence[str], shapes: Mapping[str, Sequence[Dimension] | None]) -> InputError:
    told = ", ".join(f"{name!r} is {shape_text(shape)}" for name, shape in shapes.items())
    classes = f"{len(labels)} class{'es' * (len(labels) != 1)}"
    return InputError(f"the labels name {classes}, and no output is a vector of so many{': ' * bool(told)}{told}")

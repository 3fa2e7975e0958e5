"""The classes of a classifier: their names, the outputs that may hold their scores, and the strongest of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from onnxviz.activations import Activation
from onnxviz.errors import ExecutionError, InputError, RunError, UnsupportedError
from onnxviz.feed.feed import Feed
from onnxviz.feed.preprocessing import model_labels
from onnxviz.graph.cut import needed_inputs, needed_nodes
from onnxviz.graph.node import Node
from onnxviz.graph.segments import item_bytes, map_bytes
from onnxviz.graph.selection.choices import Choice
from onnxviz.layout import Dimension, shape_text
from onnxviz.model import Model
from onnxviz.words import listed, quoted, shown

LARGE_HEAD = 512 * 2**20
"""Bytes up to which running to the class scores never counts as much: the dense layers of a VGG net take 472 MiB."""


@dataclass(frozen=True, slots=True)
class ClassScore:
    """A class with its score: its name, its unit and the value of that."""

    name: str
    index: int
    value: float


@dataclass(frozen=True, slots=True)
class Classes:
    """The class names, or None; whether the user gave them; and the outputs that may hold their scores.

    `left_out` says why outputs that may hold scores are not among these, or is empty.
    """

    labels: tuple[str, ...] | None
    asked: bool
    outputs: tuple[Choice, ...]
    left_out: str = ""

    def labels_of(self, value: str) -> tuple[str, ...] | None:
        """Return a class name for each unit of a value; None if it is not an output that may hold scores."""
        return self.labels if any(choice.value == value for choice in self.outputs) else None


class Scores:
    """The scores of one run: `top` are the strongest classes of the first output that has scores."""

    def __init__(self, classes: Classes) -> None:
        """Begin without a score."""
        self.top: tuple[ClassScore, ...] = ()
        self._classes = classes
        self._values = {choice.value for choice in classes.outputs}
        self._shapes: dict[str, tuple[int, ...]] = {}

    def add(self, activation: Activation) -> None:
        """Take an activation of the run; all but those of class outputs are passed over."""
        if activation.value in self._values:
            self._shapes[activation.name] = activation.array.shape
            self.top = self.top or top_classes(activation, self._classes.labels)

    def check(self) -> None:
        """Refuse names that the user gave and that fit no output of the run.

        Raises:
            InputError: No output had as many units as there are names.
        """
        labels = self._classes.labels if self._classes.asked else None
        if labels is not None and not any(shape[-1:] == (len(labels),) for shape in self._shapes.values()):
            raise _unfit(labels, self._shapes)


class ScoredStream:
    """Runs what is chosen together with the class outputs, and without these where they alone cannot be run."""

    def __init__(
        self,
        stream: Callable[[Sequence[Choice], Feed], Iterator[Activation]],
        choices: Sequence[Choice],
        classes: Classes,
        noted: Callable[[str], None],
    ) -> None:
        """Keep what is to be run by `stream`; `noted` is called with a sentence where class outputs are let go."""
        chosen = {choice.value for choice in choices}
        self._stream = stream
        self._choices = choices
        self._scores = [choice for choice in classes.outputs if choice.value not in chosen]
        self._asked = classes.asked
        self._noted = noted
        self._said = False

    def __call__(self, feed: Feed) -> Iterator[Activation]:
        """Yield an activation for each choice, and for each class output that can be computed.

        Raises:
            RunError, UnsupportedError: What is chosen cannot be run, or class scores that were asked for.
        """
        done: set[str] = set()
        try:
            for activation in self._stream([*self._choices, *self._scores], feed):
                done.add(activation.value)
                yield activation
        except (RunError, UnsupportedError) as error:
            if self._asked or not self._scores:
                raise
            failure = error
        else:
            return
        for activation in self._stream(self._choices, feed):
            if activation.value not in done:
                yield activation
        self._say(failure)
        if not isinstance(failure, ExecutionError):  # else another input may run
            self._scores = []

    def _say(self, failure: Exception) -> None:
        reason = str(failure).split("\n", 1)[0]
        if not self._said:
            self._noted(f"no class scores: the end of the model, which no chosen layer needs, cannot be run: {reason}")
        self._said = True


def top_classes(scores: Activation, labels: Sequence[str] | None, count: int = 5) -> tuple[ClassScore, ...]:
    """Return the strongest classes of the first item, strongest first.

    The result is empty unless there is a label for each unit or the scores are a distribution: not negative, sum 1.
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


def find_classes(model: Model, choices: Sequence[Choice], given: tuple[str, ...] | Path | None) -> Classes:
    """Return the classes of a model, by the names that are given, or in a file that is, else by the model's own.

    Raises:
        InputError: The file cannot be read, or the names that are given fit no output.
    """
    labels = read_labels(given) if isinstance(given, Path) else given
    if labels is not None:
        shapes = {spec.name: model.types.get(spec.name, spec).shape for spec in model.outputs}
        if not any(_may_be_scores(shape, labels) for shape in shapes.values()):
            raise _unfit(labels, shapes)
    asked = labels is not None
    labels = labels if labels is not None else model_labels(model.metadata)
    found = Classes(labels, asked, class_outputs(model, choices, labels, asked=asked))
    more = _head_bytes(model, choices, found.outputs)
    if asked or more <= LARGE_HEAD:
        return found
    reason = f"the end of the model takes {more / 2**30:.1f} GiB that no chosen layer needs"
    name = shown(found.outputs[0].name)
    return replace(found, outputs=(), left_out=f"no class scores, for {reason}; with `{name}` selected they are run")


def class_outputs(
    model: Model, choices: Sequence[Choice], labels: Sequence[str] | None, *, asked: bool = False
) -> tuple[Choice, ...]:
    """Return the model's outputs that may hold class scores, where running up to them costs little more.

    Classes must not make a selection at the front of a deep model run all of it: they come only if the choices need
    half of the nodes anyway, or if the user `asked` for them by giving labels.
    """
    candidates = [
        spec.name
        for spec in model.outputs
        if spec.dtype in ("float32", "float16", "float64")
        and spec.name in model.graph.producers
        and _may_be_scores(model.types.get(spec.name, spec).shape, labels)
    ]
    far = 2 * len(_needed(model, choices)) < len(model.graph.nodes)
    if not candidates or (far and not asked):
        return ()
    # Nor must they make it ask for an input that only they need.
    given = needed_inputs(model.graph, [choice.value for choice in choices])
    near = [name for name in candidates if asked or needed_inputs(model.graph, [name]) <= given]
    return tuple(Choice(name, name, "value", None) for name in near)


def _needed(model: Model, choices: Sequence[Choice]) -> tuple[Node, ...]:
    return needed_nodes(model.graph, [choice.value for choice in choices])


def _head_bytes(model: Model, choices: Sequence[Choice], outputs: Sequence[Choice]) -> int:
    """Estimate the weights and the largest map that outputs take besides the choices; 0 where these take more."""
    body = _needed(model, choices)
    own = {node.index for node in body}
    head = [node for node in _needed(model, outputs) if node.index not in own]
    weights = {value for node in body for value in node.reads if value in model.graph.initializers}
    more = {value for node in head for value in node.reads if value in model.graph.initializers} - weights
    taken, beside = _bytes(model, body, weights), _bytes(model, head, more)
    return beside if beside > taken else 0


def _bytes(model: Model, nodes: Sequence[Node], weights: set[str]) -> int:
    maps = (item_bytes(model.types[value]) or 0 for node in nodes for value in node.outputs if value in model.types)
    return max(maps, default=0) + sum(map_bytes(model.types[value]) or 0 for value in weights)


def _may_be_scores(shape: Sequence[Dimension] | None, labels: Sequence[str] | None) -> bool:
    """Return whether a shape may be that of scores; an unknown size may fit the labels, if there are any."""
    if shape is None:
        return bool(labels)
    return len(shape) in (1, 2) and (not labels or not isinstance(shape[-1], int) or shape[-1] == len(labels))


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the lines of a file of class names.

    Raises:
        InputError: It cannot be read.
    """
    try:
        # Windows' editors begin a text with a mark of its encoding, which is not a letter of the first class.
        return tuple(path.read_text(encoding="utf-8-sig").splitlines())
    except UnicodeDecodeError:
        raise InputError(f"the labels {path} cannot be read: they are not UTF-8 text") from None
    except FileNotFoundError:
        raise InputError(f"the labels {path} cannot be read: there is no such file") from None
    except IsADirectoryError:
        raise InputError(f"the labels {path} cannot be read: that is a folder") from None
    except OSError as error:
        raise InputError(f"the labels {path} cannot be read: {error.strerror}") from None


def _unfit(labels: Sequence[str], shapes: Mapping[str, Sequence[Dimension] | None]) -> InputError:
    told = listed(f"{quoted(name)} is {shape_text(shape)}" for name, shape in shapes.items())
    classes = f"{len(labels)} class{'es' * (len(labels) != 1)}"
    return InputError(f"the labels name {classes}, and no output is a vector of so many{': ' * bool(told)}{told}")

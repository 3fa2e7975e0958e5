"""The class scores of a run: the strongest, and the stream of activations that they come with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from onnxviz.activations import Activation
from onnxviz.classes.classes import Classes, unfit
from onnxviz.errors import ExecutionError, RunError, UnsupportedError
from onnxviz.feed.feed import Feed
from onnxviz.graph.selection.choices import Choice
from onnxviz.words import once


@dataclass(frozen=True, slots=True)
class ClassScore:
    """A class with its score: its name, its unit and the value of that."""

    name: str
    index: int
    value: float


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
            raise unfit(labels, self._shapes)


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
        self._noted = once(noted)

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
        reason = str(failure).split("\n", 1)[0]
        self._noted(f"no class scores: the end of the model, which no chosen layer needs, cannot be run: {reason}")
        if not isinstance(failure, ExecutionError):  # else another input may run
            self._scores = []


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

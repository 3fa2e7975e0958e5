"""What all runs of one call of `view` share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from onnxviz.activations import Activation
from onnxviz.feed.feed import Feed
from onnxviz.graph.selection.choices import Choice
from onnxviz.model import Model
from onnxviz.runtime.executor import Runner
from onnxviz.viewing.classes import Classes
from onnxviz.viewing.options import ViewOptions
from onnxviz.viewing.outlets import Outlets
from onnxviz.viewing.places import Places
from onnxviz.viewing.watcher import Watcher


@dataclass(frozen=True, slots=True)
class Call:
    """The model, what is shown of it and how, what runs it, and where the results go."""

    model: Model
    choices: tuple[Choice, ...]
    classes: Classes
    options: ViewOptions
    runner: Runner
    watcher: Watcher
    places: Places
    outlets: Outlets

    def stream(self, feed: Feed) -> Iterator[Activation]:
        """Yield the activations of what is shown and of the class outputs."""
        shown = {choice.value for choice in self.choices}
        beside = [choice for choice in self.classes.outputs if choice.value not in shown]
        return self.model.stream_choices([*self.choices, *beside], feed, self.runner)

"""`NotShown`: the chosen values that some inputs, or all, cannot show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from onnxviz.activations import Activation
from onnxviz.errors import UnsupportedError
from onnxviz.feed.feed import Feed
from onnxviz.graph.selection.choices import Choice
from onnxviz.inference.refusals import refusal
from onnxviz.model import Model
from onnxviz.runtime.executor import Executor
from onnxviz.words import listed


class NotShown:
    """Keeps of each run which choices cannot be shown, and why; `current` are their values in the run under way."""

    def __init__(self, choices: Sequence[Choice]) -> None:
        """Take what was chosen."""
        self.current: set[str] = set()
        self._choices = choices
        self._inputs: dict[tuple[str, str], dict[str, None]] = {}

    def noting(self, model: Model, executor: Executor) -> Callable[[Sequence[Choice], Feed], Iterator[Activation]]:
        """Return what runs choices on a feed, and notes those among them that it leaves out."""

        def run(choices: Sequence[Choice], feed: Feed) -> Iterator[Activation]:
            self.current = set()

            def left_out(choice: Choice, reason: str) -> None:
                if choice not in self._choices:
                    raise UnsupportedError(reason)  # class scores that nobody chose
                self._inputs.setdefault((choice.name, reason), {})[feed.stem] = None
                self.current.add(choice.value)
                if len(self.current) == len(self._choices):
                    raise refusal(choice, reason)

            return model.inference.stream(choices, feed, executor, left_out)

        return run

    def reasons(self, runs: int) -> tuple[tuple[str, str], ...]:
        """Return names and reasons, which say for which of the inputs where it is not all."""
        found = self._inputs.items()
        return tuple(
            (name, reason if len(inputs) == runs else f"{reason} ({listed(inputs)})")
            for (name, reason), inputs in found
        )

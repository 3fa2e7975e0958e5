"""`ComparedModel`: one of the two models, whose values come as they are made, as codes where they are quantised."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from onnxviz.comparing.coded_values import CodedValues
from onnxviz.feed.feed import Feed
from onnxviz.graph.selection.choices import Choice
from onnxviz.layout import Array
from onnxviz.model import Model
from onnxviz.quantised import Quantised
from onnxviz.runtime.executor import Executor
from onnxviz.runtime.session import RunOptions


@dataclass(frozen=True, slots=True)
class Held:
    """The values of one layer, as numbers or as codes of a quarter of their size."""

    array: Array
    quantised: Quantised | None = None

    @property
    def numbers(self) -> Array:
        """The numbers, float32 where they were codes."""
        if self.quantised is None or self.array.dtype.kind == "f":
            return self.array
        return self.quantised.numbers(self.array)

    def shares(self, numbers: Array) -> tuple[float, float] | None:
        """Return the shares of its numbers at the ends of their codes, None where they have none."""
        if self.quantised is None:
            return None
        counted = self.quantised.counted(numbers)
        return counted.at_low, counted.at_high


class ComparedModel:
    """A model, the values of it that are compared, and how it is run."""

    def __init__(self, model: Model, values: Sequence[str], options: RunOptions, executor: Executor) -> None:
        """Take the values in graph order, and what runs the model."""
        self.model = model
        self.options = options
        self.executor = executor
        self._coded = CodedValues(model.graph, model.types)
        self._of: dict[str, list[str]] = {}
        self._quantised: dict[str, Quantised] = {}
        for value in values:
            coded = self._coded.of(value)
            fetched = value if coded is None else coded.codes
            self._of.setdefault(fetched, []).append(value)
            if coded is not None:
                self._quantised[fetched] = coded.quantised
        self._choices = [Choice(name, name, "act", None) for name in self._of]

    def stream(self, feed: Feed, missing: Callable[[str, str], None]) -> Iterator[tuple[str, Held]]:
        """Run, and yield each value with what it holds; `missing` is called with one that did not come, and why."""

        def left_out(choice: Choice, reason: str) -> None:
            for value in self._of[choice.value]:
                missing(value, reason)

        for found in self.model.inference.stream(self._choices, feed, self.executor, left_out):
            if found.array.dtype.kind not in "fiub" and found.array.dtype.name != "bfloat16":
                for value in self._of[found.value]:
                    missing(value, f"of type {found.array.dtype}, which is not compared")
                continue
            held = Held(_plain(found.array), found.quantised or self._quantised.get(found.value))
            for value in self._of[found.value]:
                yield value, held


def _plain(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype.kind == "V" or array.dtype == np.float16 else array

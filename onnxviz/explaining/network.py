"""`Network`: a model on one input, run for as many variants of that input as a method asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from onnxviz.explaining.passes import Passes
from onnxviz.feed.feed import Feed
from onnxviz.graph.cut import cut
from onnxviz.inference.run_plan import piece_of
from onnxviz.layout import Array
from onnxviz.model import Model
from onnxviz.runtime.executor import Executor, Piece
from onnxviz.runtime.session import RunOptions

if TYPE_CHECKING:
    from onnxviz.gradient.registry import GradientRule

BATCH = 8
"""Variants of the input that run at a time, where the model leaves the size of its batch open."""


class Network:
    """A model on one feed; its main input, the picture, is what varies.

    Attributes:
        model: the model.
        feed: what is fed; of a batch the first item is explained.
        input: the name of the main input.
        array: the first item of the main input, (1, ...).
    """

    def __init__(self, model: Model, feed: Feed, run: RunOptions | None = None) -> None:
        """Keep what is run; nothing is opened yet.

        Args:
            model: the model.
            feed: the inputs of one run.
            run: the device and how it runs.
        """
        self.model, self.feed = model, feed
        self.input = feed.main.name
        self.array: Array = feed.arrays[self.input][:1]
        self._options = replace(run or RunOptions(), many=True)
        self._opened: dict[tuple[str, ...], tuple[Executor, Piece]] = {}
        self._passes: dict[tuple[str, ...], Passes] = {}
        self._batch = self._batch_size()

    def _batch_size(self) -> int:
        """Return how many variants are fed at a time: as many as the model wants, or BATCH where it takes any."""
        spec = next(spec for spec in self.model.inputs if spec.name == self.input)
        first = spec.shape[0] if spec.shape else None
        if isinstance(first, int):
            return max(first, 1)
        return BATCH if len(self.feed.arrays) == 1 else 1

    def values(self, names: Sequence[str], batch: Array) -> list[Array]:
        """Return values of the graph for variants of the input, (N, ...), each value (N, ...).

        Raises:
            RunError: onnxruntime is missing or fails.
        """
        key = tuple(names)
        if key not in self._opened:
            graph = cut(self.model.graph, key, self.model.types)
            self._opened[key] = self.executor(), piece_of(graph)
        executor, piece = self._opened[key]
        found: dict[str, list[Array]] = {name: [] for name in names}
        for fed, count in self.feeds(batch):
            for name, value in executor.run([piece], fed):
                found[name].append(value[:count])
        return [np.concatenate(found[name]) for name in names]

    def feeds(self, batch: Array) -> Iterator[tuple[Mapping[str, Array], int]]:
        """Yield the inputs of each run for variants of the input, and how many of its items are variants."""
        for start in range(0, len(batch), self._batch):
            part = batch[start : start + self._batch]
            count = len(part)
            if count < self._batch and self._is_fixed:
                part = np.concatenate([part, np.repeat(part[-1:], self._batch - count, axis=0)])
            yield {**self.feed.arrays, self.input: np.ascontiguousarray(part)}, count

    @property
    def _is_fixed(self) -> bool:
        spec = next(spec for spec in self.model.inputs if spec.name == self.input)
        return bool(spec.shape) and isinstance(spec.shape[0] if spec.shape else None, int)

    def passes(
        self, target: str, wrt: Sequence[str], rules: Mapping[str, GradientRule] | None = None, name: str = ""
    ) -> Passes:
        """Return the forward and backward pass from a target to values; opened once for each set of `rules`, by `name`.

        Raises:
            UnsupportedError: An operator on the way has no gradient.
        """
        key = (name, target, *wrt)
        if key not in self._passes:
            self._passes[key] = Passes(self.model, self.feed.arrays, self.executor, target, wrt, rules or {})
        return self._passes[key]

    def executor(self) -> Executor:
        """Return what runs a graph of this model again and again."""
        return self.model.inference.executor(self._options, keep=True)

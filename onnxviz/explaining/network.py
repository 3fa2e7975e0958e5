"""`Network`: a model on one input, run for as many variants of that input as a method asks for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from onnxviz.feed.feed import Feed
from onnxviz.graph.cut import cut
from onnxviz.inference.model_gradient import ModelGradient
from onnxviz.inference.run_plan import piece_of
from onnxviz.layout import Array
from onnxviz.model import Model
from onnxviz.runtime.executor import Executor, Piece
from onnxviz.runtime.session import RunOptions

if TYPE_CHECKING:
    from onnxviz.gradient.registry import GradientRule

Made = TypeVar("Made")


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

        Variants run side by side, each on one thread: two runs on two threads take half the time of one run on both.

        Args:
            model: the model.
            feed: the inputs of one run.
            run: the device and how it runs; its `threads` are variants at a time, 0 means one a core.
        """
        self.model = model
        self._take(feed)
        options = run or RunOptions()
        self._options = replace(options, many=True, threads=1)
        self._side_by_side = options.threads or os.cpu_count() or 1
        self._opened: dict[tuple[str, ...], tuple[Executor, Piece]] = {}
        self._gradients: dict[tuple[str, ...], ModelGradient] = {}

    def on(self, feed: Feed) -> Network:
        """Return the same on another feed; what was opened is shared."""
        other = copy(self)
        other._take(feed)
        return other

    def _take(self, feed: Feed) -> None:
        self.feed = _first_items(self.model, feed)
        self.input = feed.main.name
        self.array: Array = feed.arrays[self.input][:1]

    def values(self, names: Sequence[str]) -> list[Array]:
        """Return values of the graph for the input, (1, ...) each.

        Raises:
            RunError: onnxruntime is missing or fails.
        """
        (found,) = self.picked(names, [self.array], lambda values: values)
        return [found[name][:1] for name in names]

    def picked(
        self, names: Sequence[str], variants: Iterable[Array], pick: Callable[[Mapping[str, Array]], Made]
    ) -> Iterator[Made]:
        """Yield for each variant of the input, (1, ...), what is picked of values of the graph, which are let go.

        Raises:
            RunError: onnxruntime is missing or fails.
        """
        key = tuple(names)
        if key not in self._opened:
            executor, piece = self.executor(), piece_of(cut(self.model.graph, key, self.model.types))
            executor.prepare(piece)
            self._opened[key] = executor, piece
        executor, piece = self._opened[key]
        yield from self.each(variants, lambda fed: pick(dict(executor.run([piece], fed.arrays))))

    def each(self, variants: Iterable[Array], work: Callable[[Feed], Made]) -> Iterator[Made]:
        """Yield what some work makes of the feed of each variant, in the order of the variants.

        Where the model has a batch of fixed size, a variant fills it.
        """
        waiting = iter(variants)
        with ThreadPoolExecutor(self._side_by_side) as pool:
            while some := list(islice(waiting, 4 * self._side_by_side)):
                yield from pool.map(work, map(self.feed_of, some))

    def _batch_size(self) -> int:
        spec = next(spec for spec in self.model.inputs if spec.name == self.input)
        first = spec.shape[0] if spec.shape else None
        return first if isinstance(first, int) else 1

    def gradient(
        self, target: str, wrt: tuple[str, ...], rules: Mapping[str, GradientRule] | None = None, name: str = ""
    ) -> ModelGradient:
        """Return the gradient of a value with respect to others; opened once for each set of `rules`, by `name`.

        Raises:
            UnsupportedError: An operator on the way has no gradient.
        """
        key = (name, target, *wrt)
        if key not in self._gradients:
            made = ModelGradient(self.model.inference, target, wrt, self._options, rules=rules)
            made.forward(self.feed_of(self.array)).backward()  # opens both models before others run side by side
            self._gradients[key] = made
        return self._gradients[key]

    def feed_of(self, variant: Array) -> Feed:
        """Return the feed with a variant of the input, (1, ...), in its place."""
        return replace(self.feed, arrays={**self.feed.arrays, self.input: _filled(variant, self._batch_size())})

    def executor(self) -> Executor:
        """Return what runs a graph of this model again and again."""
        return self.model.inference.executor(self._options, keep=True)


def _first_items(model: Model, feed: Feed) -> Feed:
    """Return a feed with the first item alone of every input whose batch is that of the main one, if it is free."""
    batches = {spec.name: spec.shape[0] for spec in model.inputs if spec.shape}
    batch = batches.get(feed.main.name)
    if not isinstance(batch, str):
        return feed
    arrays = {name: array[:1] if batches.get(name) == batch else array for name, array in feed.arrays.items()}
    return replace(feed, arrays=arrays)


def _filled(variant: Array, size: int) -> Array:
    return np.ascontiguousarray(np.repeat(variant, size, axis=0) if size > 1 else variant)

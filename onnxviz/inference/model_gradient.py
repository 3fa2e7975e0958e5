"""`ModelGradient`: the gradient of a model's value, run on one input after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxviz.errors import ExecutionError, UsageError
from onnxviz.feed.feed import Feed
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.gradient.build import Backward, GradientOptions, backward
from onnxviz.gradient.forward import NeedsRunError
from onnxviz.graph.cut import cut
from onnxviz.graph.graph import Graph
from onnxviz.inference.conditions import Conditions
from onnxviz.inference.inference import Inference
from onnxviz.inference.opened import decider
from onnxviz.inference.run_plan import piece_of, skeleton_of
from onnxviz.layout import Array, TensorSpec
from onnxviz.runtime.executor import Executor, Piece
from onnxviz.runtime.session import RunOptions

if TYPE_CHECKING:
    from onnxviz.gradient.registry import GradientRule


class GradientArrays(Mapping[str, Array]):
    """Gradients by the names of the values with respect to which they are, each of its value's sizes."""

    def __init__(self, arrays: Mapping[str, Array], target: Array) -> None:
        """Take the gradients, and the target's own value."""
        self._arrays = dict(arrays)
        self.target = target

    @property
    def is_zero(self) -> bool:
        """Whether all numbers are 0: the target is cut off, as behind a Relu or Clip that is saturated."""
        return not any(np.any(array) for array in self._arrays.values())

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


@dataclass(frozen=True, slots=True)
class ForwardRun:
    """One input run forward, from which gradients of several seeds are had.

    Attributes:
        values: what was fed, the values of `wrt`, and what else the forward model put out.
        target: the value that is differentiated.
    """

    values: Mapping[str, Array]
    target: Array
    _gradient: ModelGradient
    _made: Backward

    def backward(self, seed: Array | None = None) -> GradientArrays:
        """Return the gradients for a seed of the target's sizes; without one the sum of the target is differentiated.

        Raises:
            UsageError: The seed has other sizes.
        """
        return self._gradient._back(self, seed)


class ModelGradient:
    """The gradient of a value of a model with respect to others.

    The two models are made when the first input is run, and kept; `weights` of neither are read before they run.
    """

    def __init__(
        self,
        inference: Inference,
        target: str,
        wrt: Sequence[str],
        options: RunOptions,
        *,
        rules: Mapping[str, GradientRule] | None = None,
        partial: bool = False,
    ) -> None:
        """Make the two models, unless that needs an input: how many axes values have, or which branches are taken.

        Raises:
            UnsupportedError: The target does not depend on a value, or an operator on the way has no gradient.
        """
        self._inference, self._options = inference, options
        self._made_with = GradientOptions(rules or {}, inference.types, partial=partial)
        self.target, self.wrt = target, tuple(wrt)
        self._made: Backward | None = None
        self._last_pieces: tuple[Backward, tuple[Piece, Piece]] | None = None
        with suppress(NeedsRunError):
            self._made = self._backward(None, None)

    def run(self, source: Any = None, seed: Array | None = None, *, feed: FeedOptions | None = None) -> GradientArrays:
        """Run forward and back on one source (see `Model.run`) and return the gradients by name.

        Args:
            source: what is fed.
            seed: the gradient of the target, of its sizes: 1 for a class and 0 for all others gives the gradient of
                that class. Without one all are 1.
            feed: how it is fed.

        Raises:
            InputError: The source cannot be fed.
            RunError: onnxruntime is missing or fails.
            UnsupportedError: What only a run shows: an operator on the way has no gradient.
            UsageError: The seed has other sizes than the target.
        """
        return self.forward(source, feed=feed).backward(seed)

    def forward(self, source: Any = None, *, feed: FeedOptions | None = None) -> ForwardRun:
        """Run forward on one source; `backward` of the result then costs one backward run for each seed."""
        tries = self._inference.tries(source, feed, None)
        while True:
            try:
                return self._forward(tries.feed)
            except ExecutionError as error:
                tries.refused(error)

    @property
    def models(self) -> Backward | None:
        """The two models; None before the first run where making them needs an input."""
        return self._made

    def _forward(self, fed: Feed) -> ForwardRun:
        with self._inference.advising(fed):
            made = self._for(fed)
            found = dict(self._forward_executor.run([self._pieces(made)[0]], fed.arrays))
        values = {**fed.arrays, **found}
        return ForwardRun(values, values[made.target], self, made)

    def _back(self, run: ForwardRun, seed: Array | None) -> GradientArrays:
        made = run._made
        given = np.ones_like(run.target) if seed is None else np.asarray(seed)
        if given.shape != run.target.shape:
            raise UsageError(f"the seed has the shape {given.shape}, and {self.target!r} has {run.target.shape}")
        dtype = next(spec.dtype for spec in made.backward.inputs if spec.name == made.seed)
        values = {**run.values, made.seed: given.astype(dtype)}
        found = dict(self._backward_executor.run([self._pieces(made)[1]], values))
        return GradientArrays({value: found[name] for value, name in made.outputs.items()}, run.target)

    def _for(self, fed: Feed) -> Backward:
        """Return the two models for a feed, made anew where it takes other branches than the last."""
        made = self._made
        if made is None or (made.conditions and not self._serves(made, fed)):
            made = self._backward(fed, self._forward_executor)
            self._made = made
        return made

    def _pieces(self, made: Backward) -> tuple[Piece, Piece]:
        """Return both models as onnxruntime takes them, the forward one with the values of `wrt` put out besides."""
        last = self._last_pieces
        if last is None or last[0] is not made:
            given = {spec.name for spec in made.forward.inputs}
            ends = [spec.name for spec in made.forward.outputs]
            ends += [value for value in made.wrt if value not in given]
            forward = cut(made.forward, list(dict.fromkeys(ends)), self._inference.types)
            last = self._last_pieces = made, (piece_of(forward), piece_of(made.backward))
        return last[1]

    def _serves(self, made: Backward, fed: Feed) -> bool:
        return Conditions(made.source, tuple(made.conditions), self._forward_executor).are(made.conditions, fed)

    def _backward(self, fed: Feed | None, executor: Executor | None) -> Backward:
        options = self._made_with
        if fed is not None and executor is not None:
            options = replace(options, probe=_Probing(executor, fed), decide=decider(executor, fed))
        return backward(self._inference.graph, self.target, self.wrt, options)

    @cached_property
    def _forward_executor(self) -> Executor:
        return self._inference.executor(self._options, keep=True)

    @cached_property
    def _backward_executor(self) -> Executor:
        return self._inference.executor(self._options, keep=True)


@dataclass(frozen=True, slots=True)
class _Probing:
    """Runs a graph once on a feed for the dtypes and sizes of some of its values."""

    executor: Executor
    fed: Feed

    def __call__(self, graph: Graph, values: Sequence[str]) -> Mapping[str, TensorSpec]:
        session = self.executor.open(skeleton_of(cut(graph, values)))
        found = zip(values, session.run(self.fed.arrays, values), strict=True)
        arrays = {name: array for name, array in found if isinstance(array, np.ndarray)}
        return {name: TensorSpec(name, array.dtype.name, array.shape) for name, array in arrays.items()}

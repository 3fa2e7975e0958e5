"""`Passes`: forward once, backward as often as wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from onnxviz.gradient.build import GradientOptions, backward
from onnxviz.graph.cut import cut
from onnxviz.graph.graph import Graph
from onnxviz.inference.run_plan import piece_of
from onnxviz.layout import Array, TensorSpec
from onnxviz.model import Model
from onnxviz.runtime.executor import Executor

if TYPE_CHECKING:
    from onnxviz.gradient.registry import GradientRule


class Passes:
    """The two models of a gradient, opened once.

    Attributes:
        target: the value that is differentiated.
        wrt: with respect to what.
    """

    def __init__(
        self,
        model: Model,
        fed: Mapping[str, Array],
        executor: Callable[[], Executor],
        target: str,
        wrt: Sequence[str],
        rules: Mapping[str, GradientRule],
    ) -> None:
        """Build and open both models.

        Args:
            model: the model.
            fed: the inputs of a run, asked for what inference does not tell.
            executor: makes what runs a graph.
            target: the value that is differentiated.
            wrt: with respect to what.
            rules: rules of gradients in place of the usual ones.

        Raises:
            UnsupportedError: An operator on the way has no gradient.
        """
        self.target, self.wrt = target, tuple(wrt)
        probe = partial(_probe, fed, executor)
        made = backward(model.graph, target, wrt, GradientOptions(rules=rules, types=model.types, probe=probe))
        given = {spec.name for spec in model.inputs}
        shown = [value for value in (target, *wrt) if value not in given]
        ends = [info.name for info in made.forward.proto.graph.output]
        self._made = made
        self._forward = piece_of(cut(made.forward, list(dict.fromkeys([*ends, *shown])), model.types))
        self._backward = piece_of(made.backward)
        self._executors = executor(), executor()
        for own, piece in zip(self._executors, (self._forward, self._backward), strict=True):
            own.prepare(piece)

    def forward(self, fed: Mapping[str, Array]) -> Mapping[str, Array]:
        """Return the inputs, all that the backward pass reads, the target and the values of `wrt`."""
        return {**fed, **dict(self._executors[0].run([self._forward], fed))}

    def backward(self, kept: Mapping[str, Array], seed: Array) -> Mapping[str, Array]:
        """Return the gradients by the values of `wrt`; `kept` is what `forward` returned, the seed has the target's shape."""
        dtype = np.float64 if kept[self.target].dtype == np.float64 else np.float32
        given = {**kept, self._made.seed: seed.astype(dtype)}
        found = dict(self._executors[1].run([self._backward], given))
        return {value: found[name] for value, name in self._made.outputs.items()}


def _probe(
    fed: Mapping[str, Array], executor: Callable[[], Executor], graph: Graph, values: Sequence[str]
) -> Mapping[str, TensorSpec]:
    """Return dtype and sizes of values for what is fed."""
    run = executor().run([piece_of(cut(graph, values))], fed)
    return {name: TensorSpec(name, value.dtype.name, value.shape) for name, value in run}

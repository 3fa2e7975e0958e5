"""`LayerCosts`: what the own error of each layer of B costs at the outputs, where B has no quantisers to switch.

A runs with the own error of one layer of B added to that layer, and with nothing else: what changes at A's outputs is
its cost. An error that later layers do not look at costs nothing, however large it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from onnxviz.feed.feed import Feed
from onnxviz.graph.additions import added_name, with_additions
from onnxviz.inference.run_plan import plan_run
from onnxviz.layout import Array, TensorSpec

if TYPE_CHECKING:
    from onnxviz.comparing.pair_runs import PairRuns


class LayerCosts:
    """A with an addition at each layer whose own error can be had; adds up what each costs.

    Attributes:
        costs: by the place of a pair its squared change at the outputs, over all inputs.
        signal: the squares of A's outputs.
    """

    def __init__(self, runs: PairRuns, outputs: Sequence[str]) -> None:
        """Take both models, and the values of A at which the costs are read."""
        self._runs = runs
        self._outputs = list(dict.fromkeys(outputs))
        a = runs.models[0]
        own = runs.own_errors(range(len(runs.matches.pairs)))
        self._places = [place for place in (own.needs if own else ()) if _can_be_added(runs, place)]
        self._values = {place: runs.pairs[place].a.value for place in self._places}
        dtypes = {value: str(a.types[value].dtype) for value in self._values.values()}
        graph = with_additions(a.graph, dtypes)
        added = {added_name(value): TensorSpec(added_name(value), dtype, None) for value, dtype in dtypes.items()}
        self._nothing = {name: np.zeros((), spec.dtype) for name, spec in added.items()}
        run = runs.options.run_a
        self._plan = plan_run(graph, self._outputs, {**a.types, **added}, run.memory)
        self._executor = a.inference.executor(run, keep=True)
        self.costs = dict.fromkeys(self._places, 0.0)
        self.signal = 0.0

    def add(self, feed: Feed) -> None:
        """Add what the own errors on one input cost."""
        expected = self.run(feed, {})
        self.signal += sum(float((each.astype(np.float64) ** 2).sum()) for each in expected)
        self._runs.visit(feed, self._places, _Costing(self, feed, expected))

    def run(self, feed: Feed, errors: Mapping[int, Array]) -> list[Array]:
        """Return A's outputs with errors added at these places."""
        given: dict[str, Array] = {**feed.arrays, **self._nothing}
        for place, error in errors.items():
            name = added_name(self._values[place])
            given[name] = error.astype(self._nothing[name].dtype)
        found = {}
        for output, result in self._executor.run(self._plan.pieces, given):
            if output in self._plan.readings:
                found[self._plan.readings[output].value] = result
        return [found[value] for value in self._outputs]


class _Costing:
    """Takes the own error of every layer (see `Visitor`), runs A with it and lets it go."""

    def __init__(self, costs: LayerCosts, feed: Feed, expected: Sequence[Array]) -> None:
        self._costs = costs
        self._feed = feed
        self._expected = expected

    def overall(self, place: int, a: Array, b: Array, at_ends: tuple[float, float] | None) -> None:
        """The overall error is not that of the layer."""

    def own(self, place: int, a: Array, b: Array, at_ends: tuple[float, float] | None) -> None:
        """Add what the error of this layer costs."""
        error = np.where(np.isfinite(a) & np.isfinite(b), b - a, 0)
        self._costs.costs[place] += squared_gap(self._costs.run(self._feed, {place: error}), self._expected)

    def missing(self, place: int, reason: str) -> None:
        """What has no own error costs nothing that is known."""


def squared_gap(found: Sequence[Array], expected: Sequence[Array]) -> float:
    """Return the squares of what differs, added up."""
    gaps = (np.ravel(one).astype(np.float64) - np.ravel(other) for one, other in zip(found, expected, strict=True))
    return sum(float(gap @ gap) for gap in gaps)


def _can_be_added(runs: PairRuns, place: int) -> bool:
    """Return whether A computes a layer as floats, at the top of its graph."""
    graph, value = runs.models[0].graph, runs.pairs[place].a.value
    spec = runs.models[0].types.get(value)
    return place not in runs.coded_a and value in graph.producers and spec is not None and spec.dtype in _FLOATS


_FLOATS = frozenset({"float16", "float32", "float64"})

"""`OwnErrors`: what each layer of B makes of the values that A has before it.

B's graph is given A's values at every layer that is matched, so that each layer is computed from them and from nothing
else: `x -> conv1 -> conv2 -> y` becomes `x -> conv1 -> c1` and `c1 of A -> conv2 -> y`. What differs from A then is the
error that the layer makes by itself.

Layers run together, as many as fit in the memory, as soon as A's values before them are there. What B keeps as codes is
given in codes, which are rounded: such a layer's error holds this rounding too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from onnxviz.comparing.axes import in_layout
from onnxviz.comparing.coded_values import CodedValues
from onnxviz.comparing.compared_model import ComparedModel, Held
from onnxviz.comparing.matching.matches import Pair
from onnxviz.graph.cut import needed_inputs, needed_nodes
from onnxviz.graph.supply import random_values, supplied_name, with_supplies
from onnxviz.inference.run_plan import RunPlan, plan_run
from onnxviz.layout import Array, TensorSpec
from onnxviz.quantised import Quantised
from onnxviz.runtime.executor import Executor

_BLOCKED = "com.microsoft.nchwc"


@dataclass(frozen=True, slots=True)
class Supply:
    """An input of B's graph that takes A's values of a pair, as numbers or as codes."""

    pair: Pair
    dtype: str
    rank: int | None
    quantised: Quantised | None = None

    def of(self, values: Array) -> Array:
        """Return A's values as B has them: in its order of axes, its dtype and its codes."""
        array = in_layout(values, self.pair.a.layout, self.pair.b.layout)
        if self.rank is not None and array.ndim != self.rank:
            sizes = [size for size in array.shape if size != 1] or [1]
            array = array.reshape([*sizes[:1], *[1] * (self.rank - len(sizes)), *sizes[1:]][: self.rank])
        if self.quantised is not None:
            return self.quantised.codes(array)
        return np.ascontiguousarray(array, self.dtype)


@dataclass(slots=True)
class Batch:
    """Layers that run together: their plan, what runs it, and the supplies that they need."""

    plan: RunPlan
    executor: Executor
    inputs: Sequence[str] = field(default_factory=tuple)


class OwnErrors:
    """Runs the layers of B on A's values.

    Attributes:
        needs: for each pair whose own error can be had, by its place, the pairs whose A values it is computed from.
        reasons: for each of the other pairs why it cannot.
    """

    def __init__(self, b: ComparedModel, pairs: Sequence[Pair], wanted: Sequence[int], *, keep: bool) -> None:
        """Take B, all pairs whose values may be given, and the places of those whose own error is wanted.

        With `keep` the sessions stay open for the next input.
        """
        self.needs: dict[int, frozenset[int]] = {}
        self.reasons: dict[int, str] = {}
        self._b = b
        self._pairs = pairs
        self._keep = keep
        self._batches: dict[tuple[int, ...], Batch] = {}
        self._coded = CodedValues(b.model.graph, b.model.types)
        self._supplies, reads, spared = self._find_supplies()
        specs = [
            TensorSpec(name, each.dtype, None if each.rank is None else (None,) * each.rank)
            for name, (_, each) in self._supplies.items()
        ]
        graph = b.model.graph
        self._graph = with_supplies(graph, reads, specs, spared)
        self._types = {**b.model.types, **{spec.name: spec for spec in specs}}
        drawn = random_values(graph)
        for place in wanted:
            self._look_at(place, drawn)

    def _find_supplies(self) -> tuple[dict[str, tuple[int, Supply]], dict[str, str], set[int]]:
        """Return the inputs to add, what reads them in place of what, and the nodes that go on reading B's codes."""
        graph, types = self._b.model.graph, self._b.model.types
        supplies: dict[str, tuple[int, Supply]] = {}
        reads: dict[str, str] = {}
        spared: set[int] = set()
        for place, pair in enumerate(self._pairs):
            value = pair.b.value
            if pair.comparable or value in reads or value not in graph.producers or graph.is_constant(value):
                continue
            coded = self._coded.of(value)
            spec = types.get(value, TensorSpec(value))
            rank = None if spec.shape is None else len(spec.shape)
            if coded is None:
                if spec.dtype is None or np.dtype(spec.dtype).kind != "f" or rank is None:
                    continue
                reads[value] = supplied_name(value)
                supplies[reads[value]] = place, Supply(pair, spec.dtype, rank)
                continue
            spared.update(node.index for node in coded.readers)
            reads[coded.codes] = supplied_name(coded.codes)
            supplies[reads[coded.codes]] = place, Supply(pair, coded.quantised.dtype, rank, coded.quantised)
            for node in coded.readers:
                made = types.get(node.outputs[0], spec)
                numbers = supplied_name(coded.readers[0].outputs[0])
                reads[node.outputs[0]] = numbers
                supplies[numbers] = place, Supply(pair, made.dtype or "float32", rank)
        return supplies, reads, spared

    def _look_at(self, place: int, drawn: frozenset[str]) -> None:
        """Find what the own error of a pair needs, or why it cannot be had."""
        value, graph = self._pairs[place].b.value, self._graph
        if value not in graph.producers:
            self.reasons[place] = "it lies inside a function or a body, or is an input"
        elif any(node.domain == _BLOCKED for node in needed_nodes(graph, [value])):
            self.reasons[place] = "B computes it in onnxruntime's blocked layout, which takes no other's values"
        elif value in drawn:
            self.reasons[place] = "it is drawn at random"
        else:
            names = needed_inputs(graph, [value])
            self.needs[place] = frozenset(self._supplies[name][0] for name in names if name in self._supplies)

    def run(
        self, places: Sequence[int], values: Mapping[int, Array], feed: Mapping[str, Array]
    ) -> Iterator[tuple[int, Held]]:
        """Run layers of B, and yield the place of each pair with what came out.

        Args:
            places: those of the pairs.
            values: A's values of the pairs that they need, by place.
            feed: what B itself is fed.
        """
        batch = self._batch(tuple(places))
        given = {
            name: feed[name] if name in feed else self._supplies[name][1].of(values[self._supplies[name][0]])
            for name in batch.inputs
        }
        of: dict[str, list[int]] = {}
        for place in places:
            of.setdefault(self._pairs[place].b.value, []).append(place)
        for output, result in batch.executor.run(batch.plan.pieces, given):
            reading = batch.plan.readings.get(output)
            if reading is None or reading.value not in of:
                continue
            # What moves codes that were given has no scale of its own in this graph, but has one in B's.
            coded = self._coded.of(reading.value) if result.dtype.kind in "iu" else None
            for place in of[reading.value]:
                yield place, Held(result, reading.quantised if coded is None else coded.quantised)

    def _batch(self, places: tuple[int, ...]) -> Batch:
        if places in self._batches:
            return self._batches[places]
        targets = list(dict.fromkeys(self._pairs[place].b.value for place in places))
        plan = plan_run(self._graph, targets, self._types, self._b.options.memory)
        executor = self._b.model.inference.executor(self._b.options, keep=self._keep) if self._keep else None
        batch = Batch(plan, executor or self._b.executor, sorted(needed_inputs(self._graph, targets)))
        if self._keep:
            self._batches[places] = batch
        return batch

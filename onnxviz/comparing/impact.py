"""`impact`: what each quantiser of B costs at its outputs, and what is won where the costliest stay in float.

Where B has none, it is what the own error of each layer costs (`layer_impact.py`).

Each quantiser is put to work alone, all others switched off: the change at the outputs is its cost. That is better
advice than the error at a layer, which says little of what becomes of it on the way, and than what is won by switching
one off, which the others hide. The advice is checked, on inputs that did not choose it where there are several.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxviz.comparing.coded_values import CodedValues
from onnxviz.comparing.layer_impact import LayerCosts, squared_gap
from onnxviz.comparing.measures import decibels
from onnxviz.errors import UnsupportedError
from onnxviz.feed.feed import Feed
from onnxviz.graph.graph import Graph
from onnxviz.graph.switches import Switch, with_switches
from onnxviz.inference.run_plan import plan_run
from onnxviz.layout import Array, TensorSpec
from onnxviz.strict_json import number

if TYPE_CHECKING:
    from onnxviz.comparing.pair_runs import PairRuns

COUNTS = (0, 5, 10, 20)
"""How many quantisers are left in float for the check."""

_CHOOSERS = 4


@dataclass(frozen=True, slots=True)
class QuantiserCost:
    """A quantiser: the layer of B behind which it stands, its codes, and its part of the sum of all costs."""

    layer: str
    codes: str
    share: float


@dataclass(frozen=True, slots=True)
class LayerCost:
    """A layer of A, its part of the sum of all costs, and the SQNR of the outputs with its own error alone, in dB."""

    layer: str
    share: float
    sqnr: float


@dataclass(frozen=True, slots=True)
class Impact:
    """What the quantisers of B cost at its outputs, or where it has none its layers.

    Attributes:
        quantisers: the costliest first.
        left_in_float: the SQNR of the outputs, in dB, where so many of the costliest are left in float.
        choosers: how many inputs chose them.
        checked: how many other inputs the SQNR is of; 0 where it is of those that chose.
        layers: what the own errors of the layers cost, the costliest first; only where there are no quantisers.
    """

    quantisers: tuple[QuantiserCost, ...]
    left_in_float: tuple[tuple[int, float], ...]
    choosers: int
    checked: int
    layers: tuple[LayerCost, ...] = ()

    @property
    def headline(self) -> str:
        """One sentence of advice."""
        if self.layers:
            most = self.layers[0]
            alone = f"with it alone they are at {most.sqnr:.1f} dB" if most.share else "none costs anything"
            return f"costliest before Softmax at the outputs is the own error of {most.layer}: {alone}"
        (_, now), *rest = self.left_in_float
        won = "".join(f", {sqnr:.1f} with the {count} costliest in float" for count, sqnr in rest)
        on = "inputs that did not choose them" if self.checked else "the inputs that chose them"
        return f"before Softmax the outputs are at {now:.1f} dB{won}, on {on}"

    def as_json(self) -> dict[str, Any]:
        """Return it as `compare.json` has it."""
        return {
            "quantisers": [
                {"layer": each.layer, "codes": each.codes, "share": number(each.share)} for each in self.quantisers
            ],
            "left_in_float": [{"count": count, "sqnr": number(sqnr)} for count, sqnr in self.left_in_float],
            "choosers": self.choosers,
            "checked": self.checked,
            "layers": [
                {"layer": each.layer, "share": number(each.share), "sqnr": number(each.sqnr)} for each in self.layers
            ],
        }


def find_impact(runs: PairRuns) -> Impact:
    """Return what the quantisers of B cost, or where it has none what the own errors of its layers do.

    Raises:
        UnsupportedError: The two share no output, or there are neither quantisers nor own errors.
    """
    pairs = logit_pairs(runs)
    if not pairs:
        raise UnsupportedError("the two models share no output: nothing says what a layer costs")
    feeds: list[Feed] = []
    runs.inputs.each(feeds.append)
    switched = SwitchedModel(runs, pairs)
    if not switched.switches:
        return _impact_of_layers(runs, [value for value, _ in pairs], feeds[:_CHOOSERS])
    half = max(1, min(_CHOOSERS, len(feeds) // 2))
    choosers, others = feeds[:half], feeds[half:]
    costs = np.zeros(len(switched.switches))
    for feed in choosers:
        nothing = switched.outputs(feed, [])
        for place in range(len(costs)):
            costs[place] += squared_gap(switched.outputs(feed, [place]), nothing)
    order = [int(place) for place in np.argsort(-costs, kind="stable")]
    checked = others or choosers
    found = []
    for count in [each for each in COUNTS if each < len(order)]:
        found.append((count, sqnr_with(switched, checked, order[count:])))
    total = float(costs.sum()) or 1.0
    listed = tuple(QuantiserCost(*switched.names[place], float(costs[place]) / total) for place in order)
    return Impact(listed, tuple(found), len(choosers), len(others))


def logit_pairs(runs: PairRuns) -> list[tuple[str, str]]:
    """Return the outputs that both models have, or what stands before a last Softmax of them."""
    a, b = runs.models
    return [(_logits(a.graph, one), _logits(b.graph, other)) for one, other in runs.matches.outputs]


def sqnr_with(switched: SwitchedModel, feeds: Sequence[Feed], working: Sequence[int]) -> float:
    """Return the SQNR of the outputs over these feeds, in dB, with these quantisers at work."""
    signal = noise = 0.0
    for feed in feeds:
        expected = switched.expected(feed)
        signal += sum(float((each.astype(np.float64) ** 2).sum()) for each in expected)
        noise += squared_gap(switched.outputs(feed, working), expected)
    return decibels(signal, noise)


def _impact_of_layers(runs: PairRuns, outputs: Sequence[str], feeds: Sequence[Feed]) -> Impact:
    costs = LayerCosts(runs, outputs)
    if not costs.costs:
        raise UnsupportedError("B quantises no activation by QuantizeLinear, and no own error is known")
    for feed in feeds:
        costs.add(feed)
    total = sum(costs.costs.values()) or 1.0
    found = [
        LayerCost(runs.pairs[place].a.layer, cost / total, decibels(costs.signal, cost))
        for place, cost in sorted(costs.costs.items(), key=lambda item: -item[1])
    ]
    return Impact((), (), len(feeds), 0, tuple(found))


class SwitchedModel:
    """B with a switch at each quantiser of an activation, and A, both run for what stands before a last Softmax."""

    def __init__(self, runs: PairRuns, pairs: Sequence[tuple[str, str]]) -> None:
        self._runs = runs
        b = runs.models[1]
        coded = CodedValues(b.graph, b.types)
        found = list(_switches(b.graph, coded))
        self.switches = [switch for switch, _ in found]
        layers = {pair.b.value: pair.b.layer for pair in runs.matches.pairs if pair.b.value}
        self.names = [(layers.get(value, value), switch.quantiser.outputs[0]) for switch, value in found]
        self._a, self._b = ([pair[side] for pair in pairs] for side in (0, 1))
        graph = with_switches(b.graph, self.switches)
        types = {**b.types, **{each.input: TensorSpec(each.input, "float32", ()) for each in self.switches}}
        self._plan = plan_run(graph, list(dict.fromkeys(self._b)), types, runs.options.run_b.memory)
        self._executor = b.inference.executor(runs.options.run_b, keep=True)

    def outputs(self, feed: Feed, working: Sequence[int]) -> list[Array]:
        """Return the outputs of B with these quantisers at work."""
        on = set(working)
        given: dict[str, Array] = dict(self._runs.feed_of_b(feed).arrays)
        for place, switch in enumerate(self.switches):
            given[switch.input] = np.array(place in on, np.float32)
        found = {}
        for output, result in self._executor.run(self._plan.pieces, given):
            if output in self._plan.readings:
                found[self._plan.readings[output].value] = result
        return [found[value] for value in self._b]

    def expected(self, feed: Feed) -> list[Array]:
        """Return the outputs of A."""
        run = self._runs.options.run_a
        a = self._runs.models[0].inference
        plan = a.plan(list(dict.fromkeys(self._a)), feed, run.memory)
        found = {}
        for output, result in a.executor(run).run(plan.pieces, feed.arrays):
            if output in plan.readings:
                found[plan.readings[output].value] = result
        return [found[value] for value in self._a]


def _switches(graph: Graph, coded: CodedValues) -> Iterator[tuple[Switch, str]]:
    for node in graph.nodes:
        if node.operator != "QuantizeLinear" or graph.is_constant(node.inputs[0]):
            continue
        readers = [each for each in graph.consumers.get(node.outputs[0], ()) if each.operator == "DequantizeLinear"]
        found = coded.of(readers[0].outputs[0]) if readers else None
        if found is None or found.quantised.axis is not None or not found.readers:
            continue
        ends = np.iinfo(found.quantised.dtype)
        low, high = found.quantised.numbers(np.array([ends.min, ends.max], found.quantised.dtype)).tolist()
        yield Switch(node, found.readers, low, high), readers[0].outputs[0]


def _logits(graph: Graph, output: str) -> str:
    """Return what stands before a last Softmax, which would hide what is lost; the output itself without one."""
    node = graph.producers.get(output)
    while node is not None and node.operator in ("DequantizeLinear", "QuantizeLinear", "Identity"):
        node = graph.producers.get(node.inputs[0])
    return node.inputs[0] if node is not None and node.operator == "Softmax" else output

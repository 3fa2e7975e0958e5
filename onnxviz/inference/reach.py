"""Values inside a model within reach of a run: calls and taken branches opened, Loops made to hand their steps out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnxviz.errors import UnsupportedError
from onnxviz.graph.cut import declare
from onnxviz.graph.graph import Graph
from onnxviz.graph.lift import count_name, lift
from onnxviz.graph.obstacles import Wanted, holders_along
from onnxviz.graph.places import Address
from onnxviz.graph.specialise import Decide, specialise
from onnxviz.graph.unfold import Unfolded
from onnxviz.inference.fetched import Stack
from onnxviz.inference.reached import Reached
from onnxviz.layout import TensorSpec
from onnxviz.words import quoted


class Reach:
    """Opens a model around values that lie inside."""

    def __init__(self, unfolded: Unfolded, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        """Take a model, the same with all that lies inside, and what is known of each value."""
        self._unfolded = unfolded
        self._graph = graph
        self._types = types

    def around(self, values: Sequence[str], keep: range, decide: Decide) -> Reached:
        """Return the graph from which values can be fetched, of those in Loops the steps to `keep`.

        `decide` finds the conditions of Ifs, a level at a time.
        """
        conditions: dict[str, bool] = {}

        def noting(graph: Graph, names: Sequence[str]) -> Sequence[bool]:
            verdicts = decide(graph, names)
            conditions.update(zip(names, verdicts, strict=True))
            return verdicts

        special = specialise(self._graph, self._unfolded.addresses, values, noting)
        absent = {
            value: f"it was not computed for this input: {quoted(holder)} took {special.taken[holder]}"
            for value, holder in special.absent.items()
        }
        infos = declare(self._unfolded.graph, special.addresses, self._types)
        wanted = [Wanted(info, address) for info, address in zip(infos, special.addresses.values(), strict=True)]
        lifted, refused = _lifted(special.graph, wanted, keep)
        stacks = {name: _stack(special.graph, name, address) for name, address in special.addresses.items()}
        return Reached(lifted, conditions, absent, refused, stacks)


def _lifted(graph: Graph, wanted: Sequence[Wanted], keep: range) -> tuple[Graph, Mapping[str, str]]:
    """Return the graph that hands out what can be, and why the rest cannot."""
    try:
        return lift(graph, wanted, keep), {}
    except UnsupportedError:
        refused = {}
    for each in wanted:
        try:
            lift(graph, [each], keep)
        except UnsupportedError as error:
            refused[each.info.name] = str(error).partition(": ")[2]
    return lift(graph, [each for each in wanted if each.info.name not in refused], keep), refused


def _stack(graph: Graph, name: str, address: Address) -> Stack:
    operators = [holder.operator for holder in holders_along(graph, address.path)]
    if "Loop" in operators:
        return Stack("step", operators.count("Scan"), count_name(name))
    return Stack("element" if "SequenceMap" in operators else "step", operators.count("Scan"))

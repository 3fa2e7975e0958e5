"""What functions and branches hold on the way to the target, laid out as nodes like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onnxviz.gradient.forward import NeedsRunError
from onnxviz.graph.cut import needed_nodes
from onnxviz.graph.graph import Graph
from onnxviz.graph.specialise import Decide, specialise
from onnxviz.graph.topology import bodies
from onnxviz.graph.unfold import unfold
from onnxviz.words import quoted


@dataclass(frozen=True, slots=True)
class LaidOut:
    """A graph with its calls and Ifs opened, and what the conditions of those Ifs are that an input decides."""

    graph: Graph
    conditions: Mapping[str, bool] = field(default_factory=dict)


def laid_out(graph: Graph, values: Sequence[str], decide: Decide | None) -> LaidOut:
    """Return the graph with its calls and Ifs opened; itself where it holds none.

    Args:
        graph: the model.
        values: the target and what it is differentiated by, by their names in the flat graph.
        decide: finds the conditions of Ifs that are not constant.

    Raises:
        NeedsRunError: A condition is not constant, and there is nothing to find it.
    """
    if not any(node.is_call or bodies(node.proto) for node in graph.nodes):
        return LaidOut(graph)
    addresses = unfold(graph).addresses
    tops = [addresses[value].path[0].index for value in values if value in addresses]
    outer = [output for index in tops for output in graph.nodes[index].outputs if output]
    top = [value for value in values if value not in addresses]
    on_the_way = {node.index for node in needed_nodes(graph, [*outer, *top])}
    wanted = [value for value, address in addresses.items() if address.path[0].index in on_the_way]
    conditions: dict[str, bool] = {}

    def decided(current: Graph, names: Sequence[str]) -> Sequence[bool]:
        constant = {name: array for name in names if (array := current.constant(name)) is not None}
        open_ = [name for name in dict.fromkeys(names) if name not in constant]
        if open_ and decide is None:
            raise NeedsRunError(f"which branch an If takes is not known before a run ({quoted(open_[0])} decides)")
        conditions.update(zip(open_, decide(current, open_) if open_ and decide is not None else (), strict=True))
        return [bool(constant[name].reshape(-1)[0]) if name in constant else conditions[name] for name in names]

    return LaidOut(specialise(graph, addresses, wanted, decided).graph, conditions) if wanted else LaidOut(graph)

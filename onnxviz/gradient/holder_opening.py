"""What functions and branches hold on the way to the target, laid out as nodes like any other."""

from __future__ import annotations

from collections.abc import Sequence

from onnxviz.gradient.forward import NeedsRunError
from onnxviz.graph.cut import needed_nodes
from onnxviz.graph.graph import Graph
from onnxviz.graph.specialise import Decide, specialise
from onnxviz.graph.topology import bodies
from onnxviz.graph.unfold import unfold
from onnxviz.words import quoted


def opened(graph: Graph, values: Sequence[str], decide: Decide | None) -> Graph:
    """Return the graph with its calls and Ifs opened; itself where it holds none.

    Args:
        graph: the model.
        values: the target and what it is differentiated by, by their names in the flat graph.
        decide: finds the conditions of Ifs that are not constant.
    """
    if not any(node.is_call or bodies(node.proto) for node in graph.nodes):
        return graph
    addresses = unfold(graph).addresses
    tops = [addresses[value].path[0].index for value in values if value in addresses]
    outer = [output for index in tops for output in graph.nodes[index].outputs if output]
    on_the_way = {node.index for node in needed_nodes(graph, [*outer, *values])}
    wanted = [value for value, address in addresses.items() if address.path[0].index in on_the_way]
    return specialise(graph, addresses, wanted, decide or _undecided).graph if wanted else graph


def _undecided(graph: Graph, names: Sequence[str]) -> Sequence[bool]:
    found = [graph.constant(name) for name in names]
    unknown = [name for name, array in zip(names, found, strict=True) if array is None]
    if unknown:
        raise NeedsRunError(f"which branch an If takes is not known before a run ({quoted(unknown[0])} decides)")
    return [bool(array.reshape(-1)[0]) for array in found if array is not None]

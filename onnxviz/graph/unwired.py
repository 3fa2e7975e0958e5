"""Name what recurrent layers put out over time where a model has no use for it, so that it can be looked at.

An LSTM puts out its channels at each step (`Y`) and those of the last step (`Y_h`). A model that reads only the last
may leave the first without a name, and what has no name can be neither chosen nor exposed.

Before: `lstm: LSTM (x, w, r) -> ('', h)`. After: `lstm: LSTM (x, w, r) -> ('lstm/Y', h)`.

1. The name is the node's, or where it has none that of its first output with a name, and `/Y`; numbered if it is taken.
2. So it is in bodies and functions.
3. A model in which every Y has a name is returned as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, count

import onnx

from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.table import OPERATORS, UNKNOWN, operator_of
from onnxviz.graph.topology import every_node


def name_sequences(graph: Graph) -> Graph:
    """Return the graph with a name for each Y of a recurrent layer."""
    if not any(_unnamed(graph.proto)):
        return graph
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    taken = {value for node in _nodes(proto) for value in (*node.input, *node.output)}
    for node in _unnamed(proto):
        name = _free(f"{node.name or next(filter(None, node.output))}/Y", taken)
        taken.add(name)
        node.output[0] = name
    return Graph.from_checked(proto)


def names_given(graph: Graph, values: Iterable[str], skeleton: bytes) -> frozenset[str]:
    """Return which of these values of a graph have a name that the model's own skeleton does not have."""
    likely = {value for value in values if "/Y" in value and _is_recurrent(graph.producers.get(value))}
    if not likely:
        return frozenset()
    proto = onnx.ModelProto.FromString(skeleton)
    return frozenset(likely.difference(value for node in _nodes(proto) for value in node.output))


def _is_recurrent(node: Node | None) -> bool:
    return node is not None and operator_of(node).kind == "recurrent"


def _unnamed(proto: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    recurrent = (
        node for node in _nodes(proto) if OPERATORS.get((node.domain, node.op_type), UNKNOWN).kind == "recurrent"
    )
    return (node for node in recurrent if any(node.output) and not node.output[0])


def _nodes(proto: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    return every_node(chain(proto.graph.node, *(function.node for function in proto.functions)))


def _free(name: str, taken: Iterable[str]) -> str:
    names = chain([name], (f"{name}_{number}" for number in count(2)))
    return next(free for free in names if free not in taken)

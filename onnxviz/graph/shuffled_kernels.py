"""Kernels, which layers multiply by: where a node keeps its own, and the same graph with the last of them shuffled.

Before: `x -> Conv(w) -> Gemm(v)`. After shuffling the last one: `x -> Conv(w) -> Gemm(Gather(Gather(v, p), q))`, where
`p` and `q` are permutations of rows and of columns: the numbers are those that were learnt, and what they were learnt
for is gone. No weight is read for it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy
import onnx
from onnx import NodeProto, numpy_helper
from onnx.helper import make_node

from onnxviz.graph.cut import known_values, needed_nodes
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.table import operator_of
from onnxviz.graph.topology import free_name
from onnxviz.layout import TensorSpec


def kernel_place(graph: Graph, node: Node) -> int | None:
    """Return the place of the first weight of a node that has at least two axes and is the same whatever is fed."""
    places = (place for place in operator_of(node).weights if node.inputs[place : place + 1] not in ((), ("",)))
    dims = ((place, graph.dims(node.inputs[place])) for place in places if graph.is_constant(node.inputs[place]))
    return next((place for place, sizes in dims if sizes is None or len(sizes) > 1), None)


def nodes_with_kernels(graph: Graph, value: str) -> tuple[Node, ...]:
    """Return the nodes with a kernel on which a value depends, in the graph's order."""
    return tuple(node for node in needed_nodes(graph, [value]) if kernel_place(graph, node) is not None)


def shuffled(graph: Graph, nodes: tuple[Node, ...], types: Mapping[str, TensorSpec], seed: int) -> Graph:
    """Return the graph with the kernels of some nodes shuffled along each of their axes.

    Args:
        graph: the model.
        nodes: those whose kernels are shuffled; one whose sizes are not known stays as it is.
        types: what is known of each value.
        seed: of the permutations.
    """
    proto, draw, taken = onnx.ModelProto(), numpy.random.default_rng(seed), set(known_values(graph))
    proto.CopyFrom(graph.proto)
    added: list[NodeProto] = []
    for node in nodes:
        place = kernel_place(graph, node)
        sizes = None if place is None else _sizes(types.get(node.inputs[place]))
        if place is None or sizes is None:
            continue
        value = node.inputs[place]
        for axis, size in enumerate(sizes):
            order, name = (free_name(f"{word}/{value}/{axis}", taken) for word in ("order", "shuffled"))
            taken |= {order, name}
            proto.graph.initializer.append(numpy_helper.from_array(draw.permutation(size), order))
            added.append(make_node("Gather", [value, order], [name], name=name, axis=axis))
            value = name
        proto.graph.node[node.index].input[place] = value
    proto.graph.node.extend(added)  # a Graph sorts them
    return Graph.from_proto(proto)


def _sizes(spec: TensorSpec | None) -> list[int] | None:
    """Return the sizes of a kernel; None where they are not all known."""
    sizes = [] if spec is None else [size for size in spec.shape or () if isinstance(size, int)]
    return sizes if spec is not None and spec.shape is not None and len(sizes) == len(spec.shape) else None

"""Let the readers of chosen values read new inputs instead, so that each part of a network can be given what it reads.

Before: `x -> Conv -> c -> Relu -> y`, inputs `x`.
After supplying `c`: `x -> Conv -> c` and `c__supplied -> Relu -> y`, inputs `x, c__supplied`.

1. Every reader reads the input: nodes, and the bodies of If, Loop and Scan at any depth.
2. The values themselves are computed as before, and so are the model's outputs: an output that is a supplied value is
   the computed one.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

import numpy
import onnx

from onnxviz.graph.graph import RANDOM, Graph
from onnxviz.graph.topology import bodies, every_node
from onnxviz.layout import Array, TensorSpec

_SUFFIX = "__supplied"


def supply(graph: Graph, arrays: Mapping[str, Array]) -> tuple[Graph, dict[str, Array]]:
    """Return the graph whose nodes read these arrays in place of the values of their names, and the inputs to feed."""
    reads = {value: supplied_name(value) for value in arrays}
    specs = [TensorSpec(reads[value], array.dtype.name, array.shape) for value, array in arrays.items()]
    return with_supplies(graph, reads, specs), {reads[value]: array for value, array in arrays.items()}


def with_supplies(
    graph: Graph, reads: Mapping[str, str], inputs: Iterable[TensorSpec], spared: Container[int] = ()
) -> Graph:
    """Return the graph with more inputs, which nodes read in place of values.

    Args:
        graph: the model.
        reads: by values the input that their readers get; several values may have one.
        inputs: the new inputs, whose dtype and rank are known.
        spared: the places of nodes that go on to read what they read.
    """
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    _rename_reads((node for place, node in enumerate(proto.graph.node) if place not in spared), reads)
    for spec in inputs:
        kind = onnx.helper.np_dtype_to_tensor_dtype(numpy.dtype(spec.dtype))
        proto.graph.input.append(onnx.helper.make_tensor_value_info(spec.name, kind, spec.shape))
    return Graph.from_proto(proto)


def supplied_name(value: str) -> str:
    """Return the name of the input that stands for a value."""
    return value + _SUFFIX


def random_values(graph: Graph) -> frozenset[str]:
    """Return the values that may differ in each run, because an operator that makes random numbers is before them."""
    found: set[str] = set()
    for node in graph.nodes:
        if not found.isdisjoint(node.reads) or any(inner.op_type in RANDOM for inner in every_node([node.proto])):
            found.update(output for output in node.outputs if output)
    return frozenset(found)


def _rename_reads(nodes: Iterable[onnx.NodeProto], names: Mapping[str, str]) -> None:
    for node in nodes:
        for place, value in enumerate(node.input):
            node.input[place] = names.get(value, value)
        for _, body in bodies(node):
            _rename_reads(body.node, names)
            for info in body.output:
                info.name = names.get(info.name, info.name)

"""Let the readers of chosen values read new inputs instead, so that each part of a network can be given what it reads.

Before: `x -> Conv -> c -> Relu -> y`, inputs `x`.
After supplying `c`: `x -> Conv -> c` and `c__supplied -> Relu -> y`, inputs `x, c__supplied`.

1. Every reader reads the input: nodes, and the bodies of If, Loop and Scan at any depth.
2. The values themselves are computed as before, and so are the model's outputs: an output that is a supplied value is
   the computed one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import onnx

from onnxviz.graph.graph import RANDOM, Graph
from onnxviz.graph.topology import bodies, every_node
from onnxviz.layout import Array

_SUFFIX = "__supplied"


def supply(graph: Graph, arrays: Mapping[str, Array]) -> tuple[Graph, dict[str, Array]]:
    """Return the graph whose nodes read these arrays in place of the values of their names, and the inputs to feed."""
    names = {value: value + _SUFFIX for value in arrays}
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    _rename_reads(proto.graph.node, names)
    for value, array in arrays.items():
        kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        proto.graph.input.append(onnx.helper.make_tensor_value_info(names[value], kind, array.shape))
    return Graph.from_proto(proto), {names[value]: array for value, array in arrays.items()}


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

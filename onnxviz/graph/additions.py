"""Add to chosen values what is fed, so that it is seen what becomes of an error on its way to the outputs.

Before: `x -> Conv -> c -> Relu -> y`.
After: `x -> Conv -> c__plain`, `c = c__plain + e`, `c -> Relu -> y`, with the input `e`, called `c__added`.

1. Every reader reads the sum, and an output of the model that is such a value is the sum.
2. With `e = 0`, one number, the graph computes what it did.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy
import onnx
from onnx import NodeProto, helper

from onnxviz.graph.graph import Graph

_PLAIN = "__plain"


def added_name(value: str) -> str:
    """Return the name of the input that is added to a value."""
    return f"{value}__added"


def with_additions(graph: Graph, dtypes: Mapping[str, str]) -> Graph:
    """Return the graph with an input of any shape added to each of these values of nodes; given with their dtypes."""
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    del proto.graph.node[:]
    for node in graph.nodes:
        copied = NodeProto()
        copied.CopyFrom(node.proto)
        copied.output[:] = [value + _PLAIN if value in dtypes else value for value in node.outputs]
        proto.graph.node.append(copied)
        for value in node.outputs:
            if value in dtypes:
                proto.graph.node.append(helper.make_node("Add", [value + _PLAIN, added_name(value)], [value]))
    for value, dtype in dtypes.items():
        kind = helper.np_dtype_to_tensor_dtype(numpy.dtype(dtype))
        proto.graph.input.append(helper.make_tensor_value_info(added_name(value), kind, None))
    return Graph.from_proto(proto)

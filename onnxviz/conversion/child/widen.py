"""A graph in half precision becomes the same graph in float32: every type, and every constant as the number that it is.

Before: `x (half) -> Conv2D(w half) -> Cast(half to float) -> y`. After: the same nodes, all of them float32.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from types import ModuleType
from typing import Any

from .graph_def import GraphDef


def holds(graph: GraphDef, dtype: Any) -> bool:
    """Return whether a tensor of this type is anywhere in a graph or its functions."""
    kind = dtype.as_datatype_enum
    return any(
        kind == value.type or kind in value.list.type or kind == value.tensor.dtype for value in _attributes(graph)
    )


def widened(tensorflow: ModuleType, graph: GraphDef, dtype: Any) -> GraphDef:
    """Return the graph with float32 in place of a type of fewer digits, itself where it has none of these."""
    if not holds(graph, dtype):
        return graph
    old, new = dtype.as_datatype_enum, tensorflow.float32.as_datatype_enum
    result: GraphDef = copy.deepcopy(graph)
    for value in _attributes(result):
        if value.type == old:
            value.type = new
        elif old in value.list.type:
            value.list.type[:] = [new if kind == old else kind for kind in value.list.type]
        elif value.tensor.dtype == old:
            array = tensorflow.make_ndarray(value.tensor).astype("float32")
            value.tensor.CopyFrom(tensorflow.make_tensor_proto(array))
    for function in result.library.function:
        for argument in (*function.signature.input_arg, *function.signature.output_arg):
            argument.type = new if argument.type == old else argument.type
    return result


def _attributes(graph: GraphDef) -> Iterator[Any]:
    """Give every attribute of every node, those of functions and of the calls in attributes included."""
    waiting = [node.attr for node in graph.node]
    for function in graph.library.function:
        waiting.extend([function.attr, *(node.attr for node in function.node_def)])
    while waiting:
        for value in waiting.pop().values():
            yield value
            waiting.extend(part.attr for part in (value.func, *value.list.func))

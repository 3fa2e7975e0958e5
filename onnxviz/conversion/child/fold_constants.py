"""What a frozen graph computes but already holds is made constant: sums of constants, and the shapes of Reshapes.

TensorFlow's own rewriter (grappler) does this too, but merges and drops layers on the way and takes three times the
memory: 4.2 GB against 1.7 GB for Inception-v4.
"""

from __future__ import annotations

import math
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter
from types import ModuleType
from typing import Any

import numpy.typing as npt

from .graph_def import GraphDef, NodeDef
from .graph_nodes import node_of, tensor_name

_LARGEST = 64 << 20
_NOT_CONSTANT = frozenset("Placeholder PlaceholderWithDefault NoOp Assert".split())
_LEFT = frozenset({"Const", "Identity"})


def fold_constants(tensorflow: ModuleType, graph: GraphDef, outputs: list[str]) -> GraphDef:
    """Return the graph with what it computes from constants alone as constants; TensorFlow itself computes them.

    Before: `Const -> Rsqrt -> Mul(gamma) -> Mul(x)`. After: `Const -> Mul(x)`.

    1. Only nodes all of whose ancestors are constants count, and of these only the last: those that others read.
    2. An Identity of a constant stays: it is how a frozen graph reads its weights, and a copy would double them.
    3. What is random, also by a seed in the graph, has a state, is not a number or is larger than 64 MB stays as well.
    """
    last = _last_constants(graph, {node_of(name) for name in outputs})
    if not last:
        return graph
    session_graph = tensorflow.Graph()
    with session_graph.as_default():
        tensorflow.import_graph_def(graph, name="")
    last = [name for name in last if _is_number(session_graph.get_tensor_by_name(f"{name}:0").dtype)]
    with tensorflow.compat.v1.Session(graph=session_graph) as session:
        values = session.run([f"{name}:0" for name in last])
    arrays = {name: value for name, value in zip(last, values) if getattr(value, "nbytes", _LARGEST) < _LARGEST}
    for node in graph.node:
        if node.name in arrays:
            _make_constant(tensorflow, node, arrays[node.name])
    folded: GraphDef = tensorflow.compat.v1.graph_util.extract_sub_graph(graph, [node_of(name) for name in outputs])
    return folded


def fold_shapes(tensorflow: ModuleType, graph: GraphDef) -> None:
    """Make constants of the shapes that Reshapes of a frozen graph read, in place, where only the batch is unknown.

    Before: `x -> Shape -> StridedSlice(0:1) -> Pack(batch, 7, 7, 64) -> Reshape(x)`, as Keras writes a Flatten.
    After:  `x -> Reshape(x, (-1, 7, 7, 64))`.

    1. A Reshape whose shape is a Pack with one computed number and known ones that are not -1: the computed one is -1.
    2. A Pack of the batch and one -1, where the rest of x is known: the -1 is the product, and the batch is -1.

    A Reshape keeps its elements, so the one number left open is the number that was computed. Without this, nobody who
    reads the ONNX model knows the size of a layer behind a Flatten.
    """
    nodes = {node.name: node for node in graph.node}
    added = []
    for node in graph.node:
        pack = nodes.get(node_of(node.input[1])) if node.op == "Reshape" else None
        if pack is None or pack.op != "Pack":
            continue
        sizes = [_number(tensorflow, nodes.get(node_of(name))) for name in pack.input if not name.startswith("^")]
        shape = _with_one_open(sizes, _elements_per_item(nodes.get(node_of(node.input[0]))))
        if shape is None:
            continue
        constant = tensorflow.compat.v1.NodeDef(name=f"{node.name}/static_shape", op="Const")
        constant.attr["dtype"].type = tensorflow.int32.as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(tensorflow.make_tensor_proto(shape, tensorflow.int32))
        added.append(constant)
        node.input[1] = constant.name
        node.attr["Tshape"].type = tensorflow.int32.as_datatype_enum
    graph.node.extend(added)


def _is_number(dtype: Any) -> bool:
    return bool(dtype.is_floating or dtype.is_integer or dtype.is_bool)


def _last_constants(graph: GraphDef, kept: set[str]) -> list[str]:
    nodes = {node.name: node for node in graph.node}
    constant = _constant_nodes(graph)
    read = dict.fromkeys(name for node in graph.node if node.name not in constant for name in node.input)
    # A constant has one output: a node of which a later one is read stays.
    later = {node_of(name) for name in read if not name.startswith("^") and tensor_name(name) != f"{node_of(name)}:0"}
    first = dict.fromkeys(node_of(name) for name in read if tensor_name(name) == f"{node_of(name)}:0")
    left = [name for name in first if name in constant and name not in kept and name not in later]
    return [name for name in left if nodes[name].op not in _LEFT]


def _constant_nodes(graph: GraphDef) -> set[str]:
    """Return the nodes that depend on no input, control dependencies included; the graph need not be in order."""
    pure = {node.name for node in graph.node if _is_pure(node)}
    sorter = TopologicalSorter({node.name: map(node_of, node.input) for node in graph.node})
    with suppress(CycleError):  # a loop, whose nodes then never become ready
        sorter.prepare()
    found: set[str] = set()
    while ready := [name for name in sorter.get_ready() if name in pure]:
        found.update(ready)
        sorter.done(*ready)
    return found


def _is_pure(node: NodeDef) -> bool:
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(node.op)
    calls = any(value.HasField("func") or value.list.func for value in node.attr.values())
    is_free = node.op.startswith("Stateless") or node.op in _NOT_CONSTANT
    return definition is not None and not definition.is_stateful and not is_free and not calls


def _make_constant(tensorflow: ModuleType, node: NodeDef, array: npt.NDArray[Any]) -> None:
    name = node.name
    node.Clear()
    node.name, node.op = name, "Const"
    node.attr["dtype"].type = tensorflow.as_dtype(array.dtype).as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tensorflow.make_tensor_proto(array))


def _with_one_open(sizes: list[int | None], rest: int | None) -> list[int] | None:
    """Return the shape with -1 at its only computed place, or None where that cannot be said.

    >>> _with_one_open([None, 7, 64], None), _with_one_open([None, -1], 3136), _with_one_open([None, -1], None)
    ([-1, 7, 64], [-1, 3136], None)
    """
    if sizes.count(None) != 1:
        return None
    if -1 in sizes:
        return [-1, rest] if rest is not None and sizes == [None, -1] else None
    return [-1 if size is None else size for size in sizes]


def _number(tensorflow: ModuleType, node: NodeDef | None) -> int | None:
    """Return the number that a node is, None where it is not a constant or not one number."""
    if node is None or node.op != "Const":
        return None
    array = tensorflow.make_ndarray(node.attr["value"].tensor)
    return int(array) if array.size == 1 else None


def _elements_per_item(node: NodeDef | None) -> int | None:
    """Return the product of all sizes but the batch's, as TensorFlow noted them."""
    if node is None or "_output_shapes" not in node.attr or not node.attr["_output_shapes"].list.shape:
        return None
    shape = node.attr["_output_shapes"].list.shape[0]
    sizes: list[int] = [dim.size for dim in shape.dim]
    if shape.unknown_rank or len(sizes) < 2 or any(size <= 0 for size in sizes[1:]):
        return None
    return math.prod(sizes[1:])

"""Shapes that a graph computes while it runs, though only the batch is unknown, become constants.

Before: `x -> Shape -> StridedSlice(0:1) -> Pack(batch, 7, 7, 64) -> Reshape(x)`, as Keras writes a Flatten or Reshape.
After:  `x -> Reshape(x, (-1, 7, 7, 64))`.

1. A Reshape whose shape is a Pack with one computed number and known ones that are not -1: the computed one is -1.
2. A Pack of the batch and one -1, where the rest of x is known: the -1 is the product, and the batch is -1.

A Reshape keeps its elements, so the one number left open is the number that was computed. Without this every layer
behind a Flatten is of unknown size to whoever reads the ONNX model.
"""

from __future__ import annotations

from typing import Any

from .graph_nodes import node_of


def make_static(tensorflow: Any, graph: Any) -> None:
    """Rewrite the Reshapes of a frozen graph, in place."""
    nodes = {node.name: node for node in graph.node}
    added = []
    for node in graph.node:
        pack = nodes.get(node_of(node.input[1])) if node.op == "Reshape" else None
        if pack is None or pack.op != "Pack":
            continue
        sizes = [_constant(tensorflow, nodes.get(node_of(name))) for name in pack.input if not name.startswith("^")]
        shape = _open_at_one(sizes, _known_rest(nodes.get(node_of(node.input[0])), nodes))
        if shape is None:
            continue
        constant = tensorflow.compat.v1.NodeDef(name=f"{node.name}/static_shape", op="Const")
        constant.attr["dtype"].type = tensorflow.int32.as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(tensorflow.make_tensor_proto(shape, tensorflow.int32))
        added.append(constant)
        node.input[1] = constant.name
        node.attr["Tshape"].type = tensorflow.int32.as_datatype_enum
    graph.node.extend(added)


def _open_at_one(sizes: list[int | None], rest: int | None) -> list[int] | None:
    """Return the shape with -1 at its only computed place, or None where that cannot be said.

    >>> _open_at_one([None, 7, 64], None), _open_at_one([None, -1], 3136), _open_at_one([None, -1], None)
    ([-1, 7, 64], [-1, 3136], None)
    """
    if sizes.count(None) != 1:
        return None
    if -1 in sizes:
        if rest is None or sizes[0] is not None or len(sizes) != 2:
            return None
        return [-1, rest]
    return [-1 if size is None else size for size in sizes]


def _constant(tensorflow: Any, node: Any) -> int | None:
    if node is None or node.op != "Const":
        return None
    array = tensorflow.make_ndarray(node.attr["value"].tensor)
    return int(array) if array.size == 1 else None


def _known_rest(node: Any, nodes: dict[str, Any]) -> int | None:
    """Return the product of all sizes but the batch's, as TensorFlow noted them."""
    if node is None or "_output_shapes" not in node.attr or not node.attr["_output_shapes"].list.shape:
        return None
    shape = node.attr["_output_shapes"].list.shape[0]
    sizes = [dim.size for dim in shape.dim]
    if shape.unknown_rank or len(sizes) < 2 or any(size <= 0 for size in sizes[1:]):
        return None
    product = 1
    for size in sizes[1:]:
        product *= size
    return product

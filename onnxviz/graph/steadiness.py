"""Which values of a Loop have the same sizes in all of its steps, so that the steps can be stacked.

By induction, on the flat graph: what a Loop carries is taken to keep the sizes that it has before the first step. Where
the sizes that follow at the end of a step are others, or unknown, that value is taken back and the rest is followed
anew. What is left has sizes that are numbers, or sizes of the model's inputs, whatever step it is.

    v = Loop(n, c, x) { w = Relu(v) }              x (N, 3), so v (N, 3) at first, so w (N, 3): both are steady
    v = Loop(n, c, x) { w = Concat(v, h) }         x (N),    so v (N) at first,    so w (N + 1): neither is
"""

from __future__ import annotations

from collections.abc import Collection

import onnx

from onnxviz.graph.carrying import CARRYING, typing_function
from onnxviz.graph.graph import Graph
from onnxviz.graph.scope import replace_field
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.unfold import Unfolded
from onnxviz.layout import Dimension, TensorSpec


def steady_values(unfolded: Unfolded, values: Collection[str]) -> frozenset[str]:
    """Return those of the values whose sizes are the same in each step of what holds them."""
    inside = [value for value in values if value in unfolded.addresses and unfolded.addresses[value].loops]
    if not inside:
        return frozenset()
    moving: set[str] = set()
    while True:
        graph = _assumed(unfolded, moving)
        types = infer_types(graph)
        symbols = {size for spec in graph.inputs for size in spec.shape or () if isinstance(size, str)}
        found = {one for one, other in _carried(graph) if not _keeps(types.get(one), types.get(other))} - moving
        if not found:
            return frozenset(value for value in inside if _is_fixed(types.get(value), symbols))
        moving |= found


def _assumed(unfolded: Unfolded, moving: Collection[str]) -> Graph:
    """Return the flat graph with what Loops carry typed by what it is before the first step, but for some values.

    What the file notes of it is not believed, and sizes of inputs that it leaves open are named.
    """
    proto = onnx.ModelProto()
    proto.CopyFrom(unfolded.graph.proto)
    carriers = [node for node in proto.graph.node if node.domain == CARRYING and node.op_type == "Carried"]
    noted = {node.output[0] for node in carriers}
    replace_field(proto.graph.value_info, [info for info in proto.graph.value_info if info.name not in noted])
    for info in proto.graph.input:
        for axis, dim in enumerate(info.type.tensor_type.shape.dim):
            if not dim.WhichOneof("value"):
                dim.dim_param = f"{info.name}/{axis}"
    typing = None
    for node in carriers:
        if node.input[0] not in moving:
            # An If of the same value twice: no arithmetic follows numbers through it, only types.
            same = onnx.helper.make_node("If", [node.input[0]] * 3, node.output, domain=CARRYING, overload="1,1,0")
            same.attribute.extend(onnx.helper.make_attribute(name, 1) for name in ("controls", "carried"))
            same.attribute.append(onnx.helper.make_attribute("steps", 0))
            typing = typing or typing_function(same, unfolded.graph.opset)
            node.CopyFrom(same)
    known = {(function.domain, function.name, function.overload) for function in proto.functions}
    if typing is not None and (typing.domain, typing.name, typing.overload) not in known:
        proto.functions.append(typing)
    return Graph.from_checked(proto)


def _carried(graph: Graph) -> list[tuple[str, str]]:
    """Return what each Loop carries before its first step, and at the end of one."""
    pairs: list[tuple[str, str]] = []
    for node in graph.nodes:
        if node.domain == CARRYING and node.op == "Loop":
            controls, carried = node.integer("controls", 0), node.integer("carried", 0)
            before = node.inputs[controls : controls + carried]
            pairs.extend(zip(before, node.inputs[controls + carried :], strict=False))
    return pairs


def _keeps(before: TensorSpec | None, after: TensorSpec | None) -> bool:
    if before is None or after is None or before.shape is None:
        return False
    return before.shape == after.shape and None not in before.shape


def _is_fixed(spec: TensorSpec | None, symbols: Collection[Dimension]) -> bool:
    return (
        spec is not None
        and spec.shape is not None
        and all(isinstance(size, int) or size in symbols for size in spec.shape)
    )

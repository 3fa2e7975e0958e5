"""Questions to a TensorFlow GraphDef: which nodes are inputs, outputs and layers, and what a tensor is called."""

from __future__ import annotations

from typing import Any

from .authors_names import authors_names
from .loaded import Row
from .report import Refusal

PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderWithDefault"})

# Nothing reads these either, and nobody means them as a result.
_NO_RESULTS = frozenset(
    "NoOp Const Assert Assign AssignAdd AssignSub AssignVariableOp Placeholder PlaceholderWithDefault SaveV2 Save "
    "RestoreV2 VarIsInitializedOp ReadVariableOp MergeV2Checkpoints VariableV2 Variable VarHandleOp Print PrintV2 "
    "IsVariableInitialized ScalarSummary HistogramSummary MergeSummary ImageSummary".split()
)

_SPATIAL = frozenset(
    "Conv2D DepthwiseConv2dNative Conv2DBackpropInput Conv3D Conv3DBackpropInputV2 MaxPool MaxPoolV2 AvgPool MaxPool3D "
    "AvgPool3D FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 LRN ResizeBilinear ResizeNearestNeighbor "
    "ResizeBicubic DepthToSpace SpaceToDepth".split()
)

_LAYERS = _SPATIAL | frozenset(
    "BiasAdd Relu Relu6 LeakyRelu Elu Selu Sigmoid Tanh Softmax Softplus Softsign ConcatV2 Concat Add AddV2 AddN "
    "MatMul BatchMatMul BatchMatMulV2 Einsum Mean Max".split()
)

# Of an operator with a bias of its own node the sum is the layer: in ONNX both are one node.
_BIASES = frozenset({"BiasAdd", "Add", "AddV2"})
_BEFORE_BIAS = frozenset("Conv2D DepthwiseConv2dNative Conv2DBackpropInput Conv3D MatMul".split())


def node_of(tensor: str) -> str:
    """Return the node of a tensor's name.

    >>> node_of("stem/conv:0"), node_of("^init"), node_of("x")
    ('stem/conv', 'init', 'x')
    """
    return tensor.lstrip("^").rpartition(":")[0] or tensor.lstrip("^")


def tensor_name(name: str) -> str:
    """Return a tensor's name in full; of a node its first output is meant.

    >>> tensor_name("stem/conv"), tensor_name("split:1")
    ('stem/conv:0', 'split:1')
    """
    return name if name.rpartition(":")[2].isdigit() and ":" in name else f"{name}:0"


def guess_inputs(nodes: Any) -> list[str]:
    """Return the placeholders of a graph as tensor names."""
    return [f"{node.name}:0" for node in nodes if node.op == "Placeholder"]


def guess_outputs(nodes: Any) -> list[str]:
    """Return what nothing in the graph reads and may be a result, as tensor names."""
    read = {node_of(name) for node in nodes for name in node.input}
    return [
        f"{node.name}:0"
        for node in nodes
        if node.name not in read and node.op not in _NO_RESULTS and not node.name.startswith("save/")
    ]


def check_names(nodes: Any, names: list[str], what: str) -> list[str]:
    """Return names that a user gave as tensor names.

    Raises:
        Refusal: The graph has no such node; near matches are offered.
    """
    import difflib

    known = {node.name for node in nodes}
    for name in names:
        if node_of(tensor_name(name)) not in known:
            near = difflib.get_close_matches(node_of(tensor_name(name)), known, 3, 0.5)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise Refusal(f"the graph has no {what} '{name}'{hint}", "usage")
    return [tensor_name(name) for name in names]


def layer_rows(graph: Any) -> list[Row]:
    """Return the layers of a graph that keeps no names but those of its nodes, in the graph's order.

    A convolution whose only reader adds its bias is one layer with it.
    """
    nodes = {node.name: node for node in graph.node}
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(node_of(name), []).append(node)
    rows: list[Row] = []
    biased: set[str] = set()
    for node in _in_order(graph, nodes):
        if node.op not in _LAYERS or not _depends_on_input(node, nodes):
            continue
        if node.name in biased:
            continue
        after = readers.get(node.name, [])
        makes = node.name
        if node.op in _BEFORE_BIAS and len(after) == 1 and _is_bias(after[0], nodes):
            makes = after[0].name
            biased.add(makes)
        rows.append(Row(node.name, node.op, f"{makes}:0", spatial_layout(node)))
    for row, name in zip(rows, authors_names([row.layer for row in rows])):
        row.layer = name
    return rows


def _in_order(graph: Any, nodes: dict[str, Any]) -> list[Any]:
    """Return the nodes so that each comes after what it reads; freezing leaves them in any order."""
    done: dict[str, None] = {}
    for start in graph.node:
        waiting = [start.name]
        while waiting:
            name = waiting[-1]
            unread = [] if name in done else [node_of(read) for read in nodes[name].input]
            unread = [read for read in unread if read in nodes and read not in done and read not in waiting]
            if unread:
                waiting.extend(unread)
            else:
                done.setdefault(waiting.pop())
    return [nodes[name] for name in done]


def spatial_layout(node: Any) -> str | None:
    """Return the layout that a node's operator says it works in."""
    if node.op not in _SPATIAL:
        return None
    if "data_format" in node.attr:
        return node.attr["data_format"].s.decode() or None
    return "NHWC"


def _is_bias(node: Any, nodes: dict[str, Any]) -> bool:
    return node.op in _BIASES and any(_is_constant(name, nodes) for name in node.input)


def _is_constant(name: str, nodes: dict[str, Any]) -> bool:
    node = nodes.get(node_of(name))
    while node is not None and node.op == "Identity" and node.input:
        node = nodes.get(node_of(node.input[0]))
    return node is not None and node.op == "Const"


def _depends_on_input(node: Any, nodes: dict[str, Any]) -> bool:
    """Tell sums of constants, which shape arithmetic is made of, from layers."""
    return not all(_is_constant(name, nodes) for name in node.input)

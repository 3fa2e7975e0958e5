"""The layers of a graph that keeps no names but those of its nodes."""

from __future__ import annotations

from .authors_names import authors_names
from .graph_def import GraphDef, NodeDef
from .graph_nodes import node_of
from .loaded import Row

_SPATIAL = frozenset(
    "Conv2D DepthwiseConv2dNative Conv2DBackpropInput Conv3D Conv3DBackpropInputV2 MaxPool MaxPoolV2 AvgPool MaxPool3D "
    "AvgPool3D FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 LRN ResizeBilinear ResizeNearestNeighbor "
    "ResizeBicubic DepthToSpace SpaceToDepth".split()
)
_LAYERS = _SPATIAL | frozenset(
    "BiasAdd Relu Relu6 LeakyRelu Elu Selu Sigmoid Tanh Softmax Softplus Softsign ConcatV2 Concat Add AddV2 AddN "
    "MatMul BatchMatMul BatchMatMulV2 Einsum Mean Max".split()
)
# Where a node of its own adds the bias, the sum is the layer: in ONNX both are one node.
_BIASES = frozenset({"BiasAdd", "Add", "AddV2"})
_BEFORE_BIAS = frozenset("Conv2D DepthwiseConv2dNative Conv2DBackpropInput Conv3D MatMul".split())


def layer_rows(graph: GraphDef) -> list[Row]:
    """Return the layers of a frozen graph, each after those that it reads.

    A convolution whose only reader adds its bias is one layer with it.
    """
    nodes = {node.name: node for node in graph.node}
    readers: dict[str, list[NodeDef]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(node_of(name), []).append(node)
    found: list[tuple[NodeDef, str]] = []
    biased: set[str] = set()
    for node in _in_order(graph, nodes):
        # What reads constants only, as in the arithmetic of shapes, is not a layer.
        if node.op not in _LAYERS or node.name in biased or all(_is_constant(name, nodes) for name in node.input):
            continue
        after = readers.get(node.name, [])
        makes = node.name
        if node.op in _BEFORE_BIAS and len(after) == 1 and _is_bias(after[0], nodes):
            makes = after[0].name
            biased.add(makes)
        found.append((node, makes))
    names = authors_names([node.name for node, _ in found])
    return [Row(name, node.op, f"{makes}:0", _layout(node)) for name, (node, makes) in zip(names, found)]


def _layout(node: NodeDef) -> str | None:
    """Return the layout that a node's operator says it works in, such as `NHWC`; None where it has none."""
    if node.op not in _SPATIAL:
        return None
    if "data_format" in node.attr:
        return node.attr["data_format"].s.decode() or None
    return "NHWC"


def _in_order(graph: GraphDef, nodes: dict[str, NodeDef]) -> list[NodeDef]:
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


def _is_bias(node: NodeDef, nodes: dict[str, NodeDef]) -> bool:
    return node.op in _BIASES and any(_is_constant(name, nodes) for name in node.input)


def _is_constant(name: str, nodes: dict[str, NodeDef]) -> bool:
    node = nodes.get(node_of(name))
    while node is not None and node.op == "Identity" and node.input:
        node = nodes.get(node_of(node.input[0]))
    return node is not None and node.op == "Const"

"""What a model does not put out and a run can compute all the same: weights of fused attentions, and their rollout.

Attention of opset 23 and onnxruntime's GroupQueryAttention have a fourth output for the weights, which most models
leave without a name. Before: `a: Attention (q, k, v) -> (y)`. Wired: `a: Attention (q, k, v) -> (y, '', '',
'a/weights')`, with the attribute that asks for them behind the softmax.

The rollout (see layers/rollout.py) is written out in operators of ONNX behind the last node.

1. A listing has all of it: each fourth output, and one node that stands for the rollout. That graph is never run.
2. A run has what is asked for and nothing else: a fourth output keeps onnxruntime from fusing, and takes memory.
3. A node that has its fourth output already keeps it as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import onnx
from onnx import NodeProto, TensorProto
from onnx.helper import make_node, make_tensor

from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.attention_matrices import AttentionMatrix, find_attention
from onnxviz.graph.node import Node
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.graph.operators.table import COMPUTED_DOMAIN
from onnxviz.graph.topology import free_name
from onnxviz.layout import Dimension, TensorSpec, TokenGrid

if TYPE_CHECKING:
    from onnxviz.graph.layers.rollout import Rollout

_WEIGHTS_ASKED: Mapping[tuple[str, str], tuple[str, int, str]] = {
    ("", "Attention"): ("qk_matmul_output_mode", 3, "q_num_heads"),
    ("com.microsoft", "GroupQueryAttention"): ("qk_output", 2, "num_heads"),
}
"""By domain and operator: the attribute that asks for weights, its number for those behind the softmax, and the
attribute that has the number of heads."""

_HIDING = frozenset({"Attention", "MultiHeadAttention", "QAttention", "PackedAttention", "PackedMultiHeadAttention"})
"""onnxruntime's own attentions, which never put their weights out."""

_EYE_LIKE = 9
"""The opset that brings EyeLike."""


@dataclass(frozen=True, slots=True)
class Computed:
    """What can be computed besides what a graph's nodes put out.

    Attributes:
        weights: the weights of fused attentions: for each the name that they have, and the first output of the node.
        rollout: the attentions that can be multiplied, if any.
        types: what is known of all these values.
    """

    weights: Mapping[str, str] = field(default_factory=dict)
    rollout: Rollout | None = None
    types: Mapping[str, TensorSpec] = field(default_factory=dict)

    @property
    def values(self) -> frozenset[str]:
        """The names of all of them."""
        return frozenset(self.types)


def find_computed(graph: Graph, types: Mapping[str, TensorSpec]) -> Computed:
    """Return what can be computed of a graph besides its values."""
    fused = {node.index: matrix for node in graph.nodes if (matrix := _fused(graph, node)) is not None}
    specs = {matrix.value: _weights_spec(matrix, types) for matrix in fused.values()}
    matrices = {**find_attention(graph, types), **fused}
    known = {**types, **specs}
    batches = {spec.shape[0] for spec in graph.inputs if spec.shape} | {
        spec.shape[1] for spec in graph.inputs if spec.shape is not None and len(spec.shape) == 3
    }
    rollout = None
    if len(matrices) > 1 and graph.opset >= _EYE_LIKE:
        # Not at the top: most models have no two attentions.
        from onnxviz.graph.layers.rollout import find_rollout

        rollout = find_rollout(graph, known, [matrices[index] for index in sorted(matrices)], batches - {None})
    types = {**specs, **({} if rollout is None else {rollout.value: rollout.spec})}
    return Computed({matrix.value: matrix.mixed for matrix in fused.values()}, rollout, types)


def listing(graph: Graph, computed: Computed) -> Graph:
    """Return the graph with all that can be computed among its values; itself where that is nothing."""
    if not computed.values:
        return graph
    nodes = [_wired(node, computed) for node in graph.nodes]
    rollout = computed.rollout
    if rollout is not None:
        nodes.append(make_node("Rollout", rollout.sources, [rollout.value], rollout.value, domain=COMPUTED_DOMAIN))
    return graph.with_nodes(nodes)


def written_out(graph: Graph, computed: Computed, values: Collection[str]) -> Graph:
    """Return the graph that computes these values; itself where its own nodes make all of them."""
    rollout = computed.rollout if computed.rollout is not None and computed.rollout.value in values else None
    wanted = {*values, *(rollout.sources if rollout is not None else ())} & computed.weights.keys()
    if rollout is None and not wanted:
        return graph
    asked = Computed({value: computed.weights[value] for value in wanted})
    nodes = [_wired(node, asked) for node in graph.nodes]
    return graph.with_nodes([*nodes, *(_rollout_nodes(rollout, graph.opset) if rollout is not None else ())])


def needs_of(computed: Computed, values: Collection[str]) -> list[str]:
    """Return values of a graph's own nodes for which what these values need is needed."""
    rollout, found = computed.rollout, list[str]()
    for value in values:
        sources = rollout.sources if rollout is not None and value == rollout.value else (value,)
        found += [computed.weights.get(source, source) for source in sources]
    return list(dict.fromkeys(found))


def hidden_weights(graph: Graph, values: Collection[str]) -> list[Node]:
    """Return the attentions among the makers of these values whose weights no output can have."""
    makers = dict.fromkeys(graph.producers[value].index for value in values if value in graph.producers)
    nodes = (graph.nodes[index] for index in makers)
    return [node for node in nodes if node.domain == "com.microsoft" and node.operator in _HIDING]


def grid_of(
    value: str, shape: Sequence[int], computed: Computed, graph: Graph, grids: Mapping[str, TokenGrid]
) -> TokenGrid | None:
    """Return where the tokens of what was computed lie: its queries as those it comes from, and its keys likewise.

    Args:
        value: what was computed.
        shape: of its array.
        computed: what can be computed of the graph.
        graph: the graph.
        grids: where the tokens of its values lie.
    """
    if computed.rollout is not None and value == computed.rollout.value:
        first, last = (
            grids.get(source) or grid_of(source, (shape[0], 0, *shape[1:]), computed, graph, grids)
            for source in (computed.rollout.sources[0], computed.rollout.sources[-1])
        )
        return None if first is None or last is None or first.keys is None else _matrix_grid(shape, last, first.keys)
    if value not in computed.weights:
        return None
    queries, keys = (grids.get(side) for side in graph.producers[computed.weights[value]].inputs[:2])
    return None if keys is None else _matrix_grid(shape, queries, keys)


def _matrix_grid(shape: Sequence[int], queries: TokenGrid | None, keys: TokenGrid) -> TokenGrid | None:
    """Return the grid of a matrix `(N, ..., T, T)`, of whose queries and keys each has a cell."""
    *_, rows, columns = shape
    if len(keys.cells) != columns or 1 in (rows, columns) or (queries is not None and len(queries.cells) != rows):
        return None
    split = tuple(size for size in shape if size != 1)
    items = (0,) if shape[0] != 1 else ()
    own = replace(keys, split=split, items=items, tokens=(len(split) - 1,), axes=(), keys=None)
    if queries is None:
        return own
    return replace(queries, split=split, items=items, tokens=(len(split) - 2,), axes=(), keys=own)


def _fused(graph: Graph, node: Node) -> AttentionMatrix | None:
    if node.is_call or (node.domain, node.op) not in _WEIGHTS_ASKED or len(node.inputs) < 3 or not node.outputs[0]:
        return None
    if (node.domain == "" and graph.opset < 23) or any(node.outputs[3:4]) or not all(node.inputs[:3]):
        return None
    value = free_name(f"{node.key}/weights", graph.producers)
    queries, keys, values = node.inputs[:3]
    return AttentionMatrix(value, node, queries, keys, values, node.outputs[0], {value: Axes("NCTT")})


def _weights_spec(matrix: AttentionMatrix, types: Mapping[str, TensorSpec]) -> TensorSpec:
    """Return what is known of a fused attention's weights `(N, heads, T, T)`; of keys with a cache not their number."""
    shapes = [types[value].shape if value in types else None for value in (matrix.queries, matrix.keys)]
    queries, keys = (shape if shape is not None and len(shape) in (3, 4) else (None,) * 4 for shape in shapes)
    node = matrix.scores
    heads = node.attribute(_WEIGHTS_ASKED[node.domain, node.op][2])
    cached = any(node.inputs[4:6]) if node.domain == "" else any(node.inputs[3:5])
    sizes: tuple[Dimension, ...] = (
        queries[0],
        queries[1] if len(queries) == 4 else heads if isinstance(heads, int) else None,
        queries[-2],
        None if cached else keys[-2],
    )
    dtype = types[matrix.queries].dtype if matrix.queries in types else None
    return TensorSpec(matrix.value, dtype, sizes)


def _wired(node: Node, computed: Computed) -> NodeProto:
    """Return a node with its fourth output, if that is among what is computed."""
    name = next((value for value, made in computed.weights.items() if made in node.outputs[:1]), "")
    if not name:
        return node.proto
    proto = NodeProto()
    proto.CopyFrom(node.proto)
    outputs = [*node.outputs, "", "", ""][:3]
    del proto.output[:]
    proto.output.extend([*outputs, name])
    attribute, number, _ = _WEIGHTS_ASKED[node.domain, node.op]
    kept = [each for each in proto.attribute if each.name != attribute]
    del proto.attribute[:]
    proto.attribute.extend([*kept, onnx.helper.make_attribute(attribute, number)])
    return proto


def _rollout_nodes(rollout: Rollout, opset: int) -> Iterator[NodeProto]:
    """Give the nodes that multiply weights: their mean over the heads, half of the identity, the product."""
    prefix, product = f"{rollout.value}:", ""
    for axis in (axis for axis, since in ((1, 18), (2, 13)) if opset >= since):
        axes = make_tensor("", TensorProto.INT64, [1], [axis])
        yield make_node("Constant", [], [f"{prefix}axis{axis}"], value=axes)
    for place, (source, headed) in enumerate(zip(rollout.sources, rollout.headed, strict=True)):
        names = (f"{prefix}{word}{place}" for word in ("float", "mean", "sum", "total", "share", "product"))
        wide, mean, both, total, share, result = names
        yield make_node("Cast", [source], [wide], to=TensorProto.FLOAT)
        yield from _reduced("ReduceMean", wide, mean, (1, 18), opset, prefix) if headed else ()
        held = mean if headed else wide
        if not place:
            zero = make_tensor("", TensorProto.INT64, [], [0])
            yield make_node("Constant", [], [f"{prefix}zero"], value=zero)
            yield make_node("Gather", [held, f"{prefix}zero"], [f"{prefix}first"], axis=0)
            yield make_node("EyeLike", [f"{prefix}first"], [f"{prefix}eye"], dtype=TensorProto.FLOAT)
        yield make_node("Add", [held, f"{prefix}eye"], [both])
        yield from _reduced("ReduceSum", both, total, (2, 13), opset, prefix)
        result = rollout.value if place == len(rollout.sources) - 1 else result
        yield make_node("Div", [both, total], [share])
        if place:
            yield make_node("MatMul", [share, product], [result])
        product = result if place else share


def _reduced(
    operator: str, source: str, result: str, axis: tuple[int, int], opset: int, prefix: str
) -> Iterator[NodeProto]:
    """Give a reduction over an axis, which is an input from some opset on; a sum keeps the axis."""
    number, since = axis
    keep = int(operator == "ReduceSum")
    if opset >= since:
        yield make_node(operator, [source, f"{prefix}axis{number}"], [result], keepdims=keep)
    else:
        yield make_node(operator, [source], [result], axes=[number], keepdims=keep)

"""Values whose channels lie in blocks, as onnxruntime lays them for the processor for which it optimised a model.

Of 32 channels in blocks of 8, `(N, 32, H, W)` is in truth `(N, 4, H, W, 8)`: read as it stands it mixes pixels and
channels. A ReorderOutput brings it into order again. Channels that fill up the last block are 0.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.table import BLOCKED_DOMAIN

ORDERING = "ReorderOutput"


def blocked_values(graph: Graph) -> Mapping[str, int | None]:
    """Return the values in blocks, with the number of their channels, those that fill up included; None if unknown."""
    found: dict[str, int | None] = {}
    for node in graph.nodes:
        data = [value for value in node.inputs if value and not graph.is_constant(value)]
        is_inside = bool(data) and all(value in found for value in data)
        if node.op != ORDERING and (is_inside or node.domain == BLOCKED_DOMAIN):
            found.update(dict.fromkeys(filter(None, node.outputs), _channels(graph, node, found)))
    return found


def _channels(graph: Graph, node: Node, known: Mapping[str, int | None]) -> int | None:
    if node.op == "Conv":
        weights = graph.dims(node.inputs[1])
        return weights[0] if weights else None
    if node.operator == "Concat":
        parts = [known.get(value) for value in node.inputs]
        return None if None in parts else sum(part for part in parts if part is not None)
    return known.get(node.inputs[0])

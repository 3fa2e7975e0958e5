"""Nodes that only hand a value on: as another type, as codes or numbers, or with its axes in another order.

1. Identity, Dropout, Cast, QuantizeLinear, DequantizeLinear, and the reordering of channels into blocks.
2. Transposes between channels first and channels last.
3. The Mul that scales a product of whole numbers, and the two Reshapes around a Dense of tokens (layers/regrouping.py).
4. Reshapes of blocked channels, which onnxruntime writes around an addition of two.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.families import Families
from onnxviz.graph.node import Node
from onnxviz.graph.operators.blocked import blocked_values
from onnxviz.graph.operators.table import BLOCKED_DOMAIN, hands_on

_RECODING = frozenset({"Cast", "CastLike", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})


class Passing:
    """Knows which nodes of one graph only hand a value on."""

    def __init__(self, graph: Graph, families: Families) -> None:
        """Take the graph and what is found about its nodes."""
        self._graph = graph
        self._ends = frozenset(end.index for end in families.ends.values())
        self._others = {*_before_regrouped(graph, families.ends), *self._ends}
        blocked = blocked_values(graph)
        for node in graph.nodes:
            if node.operator == "Reshape" and node.inputs[0] in blocked:
                self._others.add(node.index)
                if graph.producers[node.inputs[0]].domain != BLOCKED_DOMAIN:
                    self._ends |= {node.index}

    def passes(self, node: Node) -> bool:
        """Return whether a node only hands on what it reads first."""
        is_swap = node.operator == "Transpose" and _swaps_layout(node)
        return hands_on(node) or node.operator in _RECODING or node.index in self._others or is_swap

    def shows_better(self, node: Node, value: str, shown: str) -> bool:
        """Return whether what a node makes is how a layer's value is to be shown: as numbers, with channels in order.

        Args:
            node: One that hands on.
            value: What it reads.
            shown: By which value the layer is shown so far.
        """
        if node.op == "ReorderOutput" or node.index in self._ends:
            return True
        if node.operator != "DequantizeLinear":
            return False
        readers = self._graph.consumers.get(shown, ())
        return value == shown or all(reader.operator == "QuantizeLinear" for reader in readers)


def _before_regrouped(graph: Graph, ends: Mapping[int, Node]) -> frozenset[int]:
    """Return the Reshapes before layers that end with one."""
    regrouped = (graph.nodes[index] for index, end in ends.items() if end.operator == "Reshape")
    makers = (graph.producers.get(node.inputs[0]) for node in regrouped)
    return frozenset(maker.index for maker in makers if maker is not None)


def _swaps_layout(node: Node) -> bool:
    """Return whether a Transpose only brings channels from the second place to the last, or back."""
    order = node.attribute("perm") or ()
    rank = len(order)
    return rank > 2 and order in ((0, *range(2, rank), 1), (0, rank - 1, *range(1, rank - 1)))

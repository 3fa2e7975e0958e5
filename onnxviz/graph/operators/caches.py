"""Caches: inputs that a graph appends to, or writes into, what it computes from other inputs, such as past keys.

A cache `(batch, heads, past, 4)` looks like a picture with four channels. But a picture has what is put beside it on
the axis of its channels, and a cache on the axis of its steps.
"""

from __future__ import annotations

from collections.abc import Mapping

from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.reads import moving
from onnxviz.graph.operators.table import operator_of

_KEEPS_AXES = ("Cast", "Identity")


def is_overwritten(node: Node, place: int) -> bool:
    """Return whether a node writes into this operand, or is an attention, whose operands are all steps."""
    operator = operator_of(node)
    return operator.kind == "attention" or (operator.reads is moving.overwritten and "Scatter" in node.op and not place)


def appended_axis(graph: Graph, node: Node, place: int, ranks: Mapping[str, int]) -> int | None:
    """Return the axis of an input along which a Concat puts this operand, which is it, beside others; else None.

    Raises:
        ValueError: An attribute is not what it must be.
    """
    value = node.inputs[place]
    if operator_of(node).reads is not moving.concat or not ranks.get(value):
        return None
    axis = node.integer("axis", 0) % ranks[value]
    while (maker := graph.producers.get(value)) is not None:
        order = maker.integers("perm") or tuple(reversed(range(ranks[node.inputs[place]])))
        if maker.operator == "Transpose" and axis < len(order):
            axis = order[axis]
        elif maker.operator not in _KEEPS_AXES:
            return None
        value = maker.inputs[0]
    return axis

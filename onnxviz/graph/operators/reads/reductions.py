"""Rules of operators that sum up axes: reductions, global pooling, TopK."""

from __future__ import annotations

from onnxviz.graph.operators.reads.rule import (
    AxisRead,
    Operand,
    Reads,
    identity,
    is_given,
    replaced,
    something,
    something_in_place,
    summed,
    without,
)


def over_space(operand: Operand) -> Reads | None:
    """Global pooling: all of space is read, channels stay apart."""
    if operand.node.integer("channels_last", 0):
        return None
    if operand.place:
        return something(operand)
    axes = (AxisRead(0), AxisRead(1), *map(summed, range(2, operand.rank)))
    return Reads(axes[: operand.rank], spatial=True)


def reduced(operand: Operand) -> Reads:
    """Reductions: the reduced axes are read wholly."""
    node = operand.node
    if operand.place:
        return something(operand)
    if node.operator in ("ArgMax", "ArgMin"):
        axes: tuple[int, ...] | None = (node.integer("axis", 0),)
    else:
        axes = operand.sizes.integers(node, 1, "axes")
    if axes is None and is_given(node, 1):
        return something_in_place(operand) if node.integer("keepdims", 1) else something(operand)
    if not axes:
        if node.integer("noop_with_empty_axes", 0):
            return identity(operand.rank)
        axes = tuple(range(operand.rank))
    gone = {operand.counted(axis) for axis in axes}
    if node.integer("keepdims", 1):
        return replaced(operand, {axis: summed(axis) for axis in gone})
    return without(operand.rank, gone)


def top(operand: Operand) -> Reads:
    """TopK: positions along its axis are not positions any more."""
    if operand.place:
        return something(operand)
    axis = operand.axis(-1)
    return replaced(operand, {axis: summed(axis)})

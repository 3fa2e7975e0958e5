"""Rules of operators that read their own position, and whole axes for what they divide by."""

from __future__ import annotations

from onnxviz.graph.operators.reads.elementwise import pointwise
from onnxviz.graph.operators.reads.rule import (
    AxisRead,
    Operand,
    Pull,
    Reads,
    also_whole,
    everything,
    identity,
    replaced,
    something,
)

_FIRST_WITH_ONE_AXIS = 13
"""The operator set from which Softmax and its like read one axis; before, all from their axis on."""


def along_axis(operand: Operand) -> Reads:
    """Softmax and its like: each output reads its line along one axis (from it on, before operator set 13)."""
    if operand.place:
        return something(operand)
    opset = operand.node.integer("opset", operand.sizes.graph.opset)  # QLinearSoftmax says which it follows
    if opset >= _FIRST_WITH_ONE_AXIS or operand.node.operator == "LpNormalization":
        return also_whole(operand, (operand.axis(-1),))
    return also_whole(operand, range(operand.axis(1), operand.rank))


def running_sum(operand: Operand) -> Reads:
    """CumSum: the positions before, or behind; here all of its axis as a bound."""
    axes = operand.sizes.integers(operand.node, 1)
    if operand.place or axes is None:
        return something(operand)
    return also_whole(operand, (operand.counted(axes[0]),), loose=True)


def last_axes(operand: Operand) -> Reads:
    """LayerNormalization: statistics over `axis` and all behind it; its parameters are broadcast."""
    if operand.place:
        return pointwise(operand)
    return something(operand) if operand.output else also_whole(operand, range(operand.axis(-1), operand.rank))


def skip_norm(operand: Operand) -> Reads:
    """SkipLayerNormalization: the norm of the sum of two operands over the last axis; its last output is the sum."""
    if operand.place > 1:
        return pointwise(operand)
    if operand.output:
        return identity(operand.rank) if operand.output == 3 else something(operand)
    return also_whole(operand, (operand.rank - 1,))


def space_normalised(operand: Operand) -> Reads:
    """Instance and group normalisation: statistics over space, and over the channels of a group."""
    if operand.place and operand.node.operator == "InstanceNormalization":
        return Reads((AxisRead(1),))
    if operand.place or operand.output:
        return something(operand)
    space = also_whole(operand, range(2, operand.rank))
    if operand.node.operator == "InstanceNormalization":
        return space
    channels = AxisRead(1, whole=True, inner=(1,) if operand.node.integer("num_groups", 0) != 1 else ())
    return Reads((space.axes[0], channels, *space.axes[2:]))


def mean_variance(operand: Operand) -> Reads:
    """MeanVarianceNormalization over its axes."""
    axes = operand.node.integers("axes") or (0, 2, 3)
    return also_whole(operand, map(operand.counted, axes))


def dynamic_scale(operand: Operand) -> Reads:
    """DynamicQuantizeLinear: the scale is taken from the whole tensor."""
    return everything(operand) if operand.output else also_whole(operand, range(operand.rank))


def across_channels(operand: Operand) -> Reads:
    """LRN: neighbours along the channels, `size` of them."""
    size = operand.node.integer("size", 0)
    return replaced(operand, {1: AxisRead(1, Pull((range(-((size - 1) // 2), size // 2 + 1),), 1))})

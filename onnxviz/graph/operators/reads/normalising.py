"""Rules of operators that read their own position, and whole axes for what they divide by."""

from __future__ import annotations

from onnxviz.graph.operators.reads.elementwise import pointwise
from onnxviz.graph.operators.reads.rule import AxisRead, Call, Pull, Reads, also_whole, everything, replaced, something

_FIRST_WITH_ONE_AXIS = 13
"""The operator set from which Softmax and its like read one axis; before, all from their axis on."""


def along_axis(call: Call) -> Reads:
    """Softmax and its like: each output reads its line along one axis (from it on, before operator set 13)."""
    modern = call.sizes.graph.opset >= _FIRST_WITH_ONE_AXIS or call.node.op == "LpNormalization"
    if modern:
        return also_whole(call, (call.axis(-1),))
    return also_whole(call, range(call.axis(1), call.rank))


def running_sum(call: Call) -> Reads:
    """CumSum: the positions before, or behind; here all of its axis as a bound."""
    axes = call.sizes.numbers(call.node, 1)
    if call.operand or axes is None:
        return something(call)
    return also_whole(call, (call.counted(int(axes[0])),), loose=True)


def last_axes(call: Call) -> Reads:
    """LayerNormalization: statistics over `axis` and all behind it; its parameters are broadcast."""
    if call.operand:
        return pointwise(call)
    return something(call) if call.output else also_whole(call, range(call.axis(-1), call.rank))


def space_normalised(call: Call) -> Reads:
    """Instance and group normalisation: statistics over space, and over the channels of a group."""
    if call.operand and call.node.op == "InstanceNormalization":
        return Reads((AxisRead(1),))
    if call.operand or call.output:
        return something(call)
    space = also_whole(call, range(2, call.rank))
    if call.node.op == "InstanceNormalization":
        return space
    channels = AxisRead(1, whole=True, inner=(1,) if call.node.attribute("num_groups", 0) != 1 else ())
    return Reads((space.axes[0], channels, *space.axes[2:]))


def mean_variance(call: Call) -> Reads:
    """MeanVarianceNormalization over its axes."""
    axes = call.node.attribute("axes") or (0, 2, 3)
    return also_whole(call, map(call.counted, axes))


def dynamic_scale(call: Call) -> Reads:
    """DynamicQuantizeLinear: the scale is taken from the whole tensor."""
    return everything(call) if call.output else also_whole(call, range(call.rank))


def across_channels(call: Call) -> Reads:
    """LRN: neighbours along the channels, `size` of them."""
    size = int(call.node.attribute("size"))
    return replaced(call, {1: AxisRead(1, Pull((range(-((size - 1) // 2), size // 2 + 1),), 1))})

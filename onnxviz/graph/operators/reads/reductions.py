"""Rules of operators that sum up axes: reductions, global pooling, TopK."""

from __future__ import annotations

from onnxviz.graph.operators.reads.rule import (
    GONE,
    AxisRead,
    Call,
    Reads,
    everything,
    identity,
    is_given,
    replaced,
    something,
    without,
)


def over_space(call: Call) -> Reads | None:
    """Global pooling: all of space is read, channels stay apart."""
    if call.node.attribute("channels_last", 0):
        return None
    if call.operand:
        return something(call)
    axes = (AxisRead(0), AxisRead(1), *(GONE,) * (call.rank - 2))
    return Reads(axes[: call.rank], spatial=True)


def reduced(call: Call) -> Reads:
    """Reductions: the reduced axes are read wholly."""
    node = call.node
    if call.operand:
        return something(call)
    if node.op in ("ArgMax", "ArgMin"):
        axes: tuple[int, ...] | None = (int(node.attribute("axis", 0)),)
    else:
        axes = call.sizes.numbers(node, 1, "axes")
    if axes is None and is_given(node, 1):
        return something(call)
    if not axes:
        if node.attribute("noop_with_empty_axes", 0):
            return identity(call.rank)
        axes = tuple(range(call.rank))
    gone = {call.counted(int(axis)) for axis in axes}
    if len(gone) == call.rank:
        return everything(call)
    return replaced(call, dict.fromkeys(gone, GONE)) if node.attribute("keepdims", 1) else without(call.rank, gone)


def top(call: Call) -> Reads:
    """TopK: positions along its axis are no longer positions."""
    return something(call) if call.operand else replaced(call, {call.axis(-1): GONE})

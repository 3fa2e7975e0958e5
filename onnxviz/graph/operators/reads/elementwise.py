"""Rules of operators that work position by position."""

from __future__ import annotations

from onnxviz.graph.operators.reads.rule import (
    GONE,
    MOST_PHASES,
    NOTHING,
    SOME,
    AxisRead,
    Call,
    Pull,
    Reads,
    everything,
    identity,
    replaced,
    something,
)


def pointwise(call: Call) -> Reads:
    """Each output reads the same position, with numpy's broadcasting.

    A size that is not known counts as none that is stretched: fields are those on an input without end.
    """
    source, result = call.sizes.shape(call.source), call.sizes.shape(call.result)
    if call.is_lone or (source == result and source is not None):
        return identity(call.rank)
    if source is None or len(source) != call.rank:
        return something(call)
    rank = len(result) if result is not None else max(call.sizes.rank(value, 0) for value in call.node.inputs if value)
    shift = rank - call.rank
    if shift < 0 or (result is None and not _ranks_are_known(call)):
        return something(call)
    reads = []
    for axis, size in enumerate(source):
        made = result[axis + shift] if result is not None else None
        # A size of 1 that may be stretched is read by every position then.
        reads.append(AxisRead(axis + shift) if size != 1 or made == 1 else GONE if made is not None else SOME)
    return Reads(tuple(reads))


def _ranks_are_known(call: Call) -> bool:
    return all(call.sizes.shape(value) is not None for value in call.node.inputs if value)


def batch_norm(call: Call) -> Reads:
    """BatchNormalization: its parameters lie along the channels; in training its statistics are over all else."""
    node = call.node
    if call.operand:
        return Reads((AxisRead(1),))
    if call.output:
        return something(call)
    return _over_all_but_channels(call) if node.attribute("training_mode", 0) else identity(call.rank)


def _over_all_but_channels(call: Call) -> Reads:
    return replaced(call, {axis: AxisRead(axis, whole=True) for axis in range(call.rank) if axis != 1})


def quantisation(call: Call) -> Reads:
    """QuantizeLinear and DequantizeLinear: scales are one number, or lie along an axis, or are one for each block."""
    if not call.operand:
        return identity(call.rank)
    if not call.rank:
        return Reads(())
    rank, block = call.sizes.rank(call.node.inputs[0], 0), int(call.node.attribute("block_size", 0))
    if not rank:
        return something(call)
    axis = int(call.node.attribute("axis", 1)) % rank
    if call.rank == 1:
        return everything(call) if call.sizes.size(call.source, 0) == 1 else Reads((AxisRead(axis),))
    if call.rank != rank or not 0 < block <= MOST_PHASES:
        return something(call)
    return replaced(call, {axis: AxisRead(axis, Pull(((0,),) * block, 1))})


def cast_like(call: Call) -> Reads:
    """CastLike: of its second operand the type counts alone."""
    return NOTHING if call.operand else identity(call.rank)


def expand(call: Call) -> Reads:
    """Expand: broadcasting to a shape."""
    return something(call) if call.operand or call.sizes.shape(call.result) is None else pointwise(call)

"""Rules of operators that work position by position."""

from __future__ import annotations

from onnxviz.graph.operators.reads.rule import (
    MOST_PHASES,
    NOTHING,
    AxisRead,
    Operand,
    Pull,
    Reads,
    everything,
    identity,
    replaced,
    something,
)


def pointwise(operand: Operand) -> Reads:
    """Each output reads the same position, with numpy's broadcasting.

    A size that is not known counts as none that is stretched: fields are those on an input without end.
    """
    source, result = operand.sizes.shape(operand.source), operand.sizes.shape(operand.result)
    if operand.is_lone or (source == result and source is not None):
        return identity(operand.rank)
    if source is None or len(source) != operand.rank:
        return something(operand)
    ranks = (operand.sizes.rank(value, 0) for value in operand.node.inputs if value)
    rank = len(result) if result is not None else max(ranks)
    shift = rank - operand.rank
    if shift < 0 or (result is None and not _ranks_are_known(operand)):
        return something(operand)
    reads = []
    for axis, size in enumerate(source):
        made = result[axis + shift] if result is not None else None
        followed = size != 1 or made == 1
        # A size of 1 that may be stretched is read by every position then.
        stretched = AxisRead(None, loose=made is None, like=axis + shift)
        reads.append(AxisRead(axis + shift) if followed else stretched)
    return Reads(tuple(reads))


def _ranks_are_known(operand: Operand) -> bool:
    return all(operand.sizes.shape(value) is not None for value in operand.node.inputs if value)


def batch_norm(operand: Operand) -> Reads:
    """BatchNormalization: its parameters lie along the channels; in training its statistics are over all else."""
    node = operand.node
    if operand.place:
        return Reads((AxisRead(1),))
    if operand.output:
        return something(operand)
    return _over_all_but_channels(operand) if node.integer("training_mode", 0) else identity(operand.rank)


def _over_all_but_channels(operand: Operand) -> Reads:
    return replaced(operand, {axis: AxisRead(axis, whole=True) for axis in range(operand.rank) if axis != 1})


def quantisation(operand: Operand) -> Reads:
    """QuantizeLinear and DequantizeLinear: scales are one number, or lie along an axis, or are one for each block."""
    if not operand.place:
        return identity(operand.rank)
    if not operand.rank:
        return Reads(())
    rank, block = operand.sizes.rank(operand.node.inputs[0], 0), operand.node.integer("block_size", 0)
    if not rank:
        return something(operand)
    axis = operand.node.integer("axis", 1) % rank
    if operand.rank == 1:
        return everything(operand) if operand.sizes.size(operand.source, 0) == 1 else Reads((AxisRead(axis),))
    if operand.rank != rank or not 0 < block <= MOST_PHASES:
        return something(operand)
    return replaced(operand, {axis: AxisRead(axis, Pull(((0,),) * block, 1))})


def cast_like(operand: Operand) -> Reads:
    """CastLike: of its second operand the type counts alone."""
    return NOTHING if operand.place else identity(operand.rank)


def expand(operand: Operand) -> Reads:
    """Expand: broadcasting to a shape."""
    return something(operand) if operand.place or operand.sizes.shape(operand.result) is None else pointwise(operand)

"""Rules of operators that look up places of a map which the data themselves say: what is read in space is not known."""

from __future__ import annotations

from onnxviz.graph.operators.reads.rule import (
    GONE,
    SOME,
    AxisRead,
    Operand,
    Reads,
    replaced,
    something,
    something_in_place,
    summed,
    unfollowed,
)


def grid_sample(operand: Operand) -> Reads:
    """GridSample: output (y, x) reads what lies around a place of its map; the grid (N, H, W, 2) has one for each."""
    if operand.place == 0:
        return _any_place(operand)
    if operand.place > 1:
        return something(operand)
    space = operand.rank - 2
    return Reads((AxisRead(0), *(AxisRead(2 + axis) for axis in range(space)), GONE))


def deformed_window(operand: Operand) -> Reads:
    """DeformConv: the taps of each window lie where its offsets say; of offsets and mask it reads its own position."""
    if operand.place == 0:
        return Reads((AxisRead(0), summed(1), *map(unfollowed, range(2, operand.rank))))
    return replaced(operand, {1: GONE}) if operand.place in (2, 4) else something(operand)


def regions_of_interest(operand: Operand) -> Reads:
    """RoiAlign and MaxRoiPool: each item is one box of a map; the boxes (items, 4), of which its item alone counts."""
    if operand.place == 0:
        return Reads((unfollowed(0), AxisRead(1), *map(unfollowed, range(2, operand.rank))))
    return Reads((AxisRead(0), *(GONE,) * (operand.rank - 1)))


def unpooled(operand: Operand) -> Reads:
    """MaxUnpool: values go to the places that its indices say, each within its map."""
    return _any_place(operand) if operand.place < 2 else something(operand)


def reversed_lines(operand: Operand) -> Reads:
    """ReverseSequence: each line is turned round up to a length of its own."""
    if operand.place:
        return Reads((AxisRead(int(operand.node.integer("batch_axis", 1) != 0)),))  # one of the first two
    time = operand.counted(operand.node.integer("time_axis", 0))
    return replaced(operand, {time: unfollowed(time)})


def compressed(operand: Operand) -> Reads:
    """Compress: of an axis some positions are taken; without an axis all lie behind each other first."""
    if operand.place or operand.node.attribute("axis") is None:
        return something(operand)
    axis = operand.axis(0)
    return replaced(operand, {axis: unfollowed(axis)})


def gather_elements(operand: Operand) -> Reads:
    """GatherElements: each output reads a place along one axis, which its own index says."""
    if operand.place:
        return something_in_place(operand) if operand.place > 1 else replaced(operand, {})
    axis = operand.axis(0)
    return replaced(operand, {axis: unfollowed(axis)})


def gather_nd(operand: Operand) -> Reads:
    """GatherND: leading axes are batches; of the axes behind them the indices say a place, the rest is kept."""
    node, sizes = operand.node, operand.sizes
    batches = node.integer("batch_dims", 0)
    indices = sizes.shape(node.inputs[1])
    if indices is None or not isinstance(indices[-1], int) or not 0 <= batches < len(indices):
        return something(operand)
    leading = len(indices) - 1
    if operand.place:
        return Reads((*(AxisRead(axis) for axis in range(leading)), GONE))
    kept = operand.rank - batches - indices[-1]
    if kept < 0:
        return something(operand)
    batch = (AxisRead(axis) for axis in range(batches))
    return Reads((*batch, *(SOME,) * indices[-1], *(AxisRead(leading + axis) for axis in range(kept))))


def _any_place(operand: Operand) -> Reads:
    return replaced(operand, {axis: unfollowed(axis) for axis in range(2, operand.rank)})

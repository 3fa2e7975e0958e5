"""Rules of the nodes that tie bodies to the flat graph around them (carrying.py)."""

from __future__ import annotations

from onnxviz.graph.operators.reads.rule import (
    NOTHING,
    SOME,
    AxisRead,
    Operand,
    Reads,
    everything,
    something,
    summed,
    without,
)


def carried(operand: Operand) -> Reads:
    """A value that each step is given by the one before: it keeps its axes, and comes of all that the steps read."""
    same = operand.sizes.rank(operand.result, operand.rank) == operand.rank
    return Reads(tuple(map(summed, range(operand.rank)))) if same and not operand.place else everything(operand)


def scanned(operand: Operand) -> Reads:
    """One slice a step: of the axis along which they lie, each reads a part."""
    axis = operand.axis(0)
    slices = without(operand.rank, [axis])
    return Reads(tuple(SOME if place == axis else read for place, read in enumerate(slices.axes)))


def joined(operand: Operand) -> Reads:
    """What an If, Loop or Scan makes: of two values one, or the values of all steps with an axis of steps in front."""
    node = operand.node
    controls, carried_on = node.integer("controls", 0), node.integer("carried", 0)
    place = operand.place - controls
    if place < 0 or node.attribute("axes") or not carried_on + node.integer("steps", 0):
        return everything(operand)
    output = place % carried_on if place < 2 * carried_on else place - carried_on
    if output != operand.output:
        return NOTHING
    shift = int(place >= 2 * carried_on)
    if node.op == "If" and operand.sizes.rank(operand.result, operand.rank) != operand.rank:
        return NOTHING  # the other branch is the one that is taken
    if operand.sizes.rank(operand.result, operand.rank + shift) != operand.rank + shift:
        return something(operand)
    return Reads(tuple(AxisRead(axis + shift, loose=not shift) for axis in range(operand.rank)))

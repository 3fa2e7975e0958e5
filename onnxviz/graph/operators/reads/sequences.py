"""Rules of operators that go along a sequence: recurrent layers, and what turns and attends to tokens."""

from __future__ import annotations

from onnxviz.graph.operators.reads.rule import (
    GONE,
    SOME,
    AxisRead,
    Operand,
    Reads,
    is_given,
    replaced,
    something,
    summed,
    unfollowed,
)

_LENGTHS = 4


def recurrent(operand: Operand) -> Reads:
    """LSTM, GRU and RNN: a step sees itself and those before it, backwards those behind it; two directions see all.

    Of X (time, batch, channels) becomes Y (time, directions, batch, units) and, of the last step, Y_h (directions,
    batch, units); with the attribute `layout` the batch comes first. Lengths cut items short.
    """
    node = operand.node
    first, is_short = int(node.integer("layout", 0) != 0), is_given(node, _LENGTHS)
    if operand.place in (5, 6):
        return _from_state(operand, first)
    if operand.place:
        return something(operand)
    if operand.output:
        time, batch = AxisRead(None, loose=is_short), AxisRead(0 if first else 1)
        return Reads((batch, time, GONE) if first else (time, batch, GONE))
    both = node.text("direction", "forward") == "bidirectional"
    directions = 2 if first else 1
    time = AxisRead(first, whole=True, inner=(directions,) if both else (), loose=is_short or not both)
    return Reads((AxisRead(0), time, summed(3)) if first else (time, AxisRead(2), summed(3)))


def _from_state(operand: Operand, first: int) -> Reads:
    """The state that the first step begins with: directions, batch, units."""
    if operand.output:
        return replaced(operand, {2: summed(2)})
    directions, batch = (AxisRead(2), AxisRead(0)) if first else (AxisRead(1), AxisRead(2))
    return Reads((batch, directions, GONE) if first else (directions, batch, GONE))


def rotary(operand: Operand) -> Reads:
    """RotaryEmbedding: the channels of a token are turned pair by pair, by an angle of its position."""
    if operand.place:
        return something(operand)
    return replaced(operand, {operand.rank - 1: unfollowed(operand.rank - 1)})


def grouped_attention(operand: Operand) -> Reads:
    """GroupQueryAttention: a row of the query with the keys and values up to it; all three may come as one."""
    node = operand.node
    if operand.output or operand.place > 4 or operand.rank < 3:
        return something(operand)
    if operand.place:
        return Reads((AxisRead(0), *(SOME,) * (operand.rank - 1)))
    is_packed = not is_given(node, 1)
    return Reads((AxisRead(0), AxisRead(1, whole=is_packed, loose=is_packed), SOME))

"""Rules of operators that compute nothing: they move, pick, repeat and join."""

from __future__ import annotations

from onnxviz.graph.operators.reads.rule import (
    MOST_PHASES,
    SOME,
    AxisRead,
    Call,
    Pull,
    Reads,
    is_given,
    replaced,
    something,
    without,
)


def transpose(call: Call) -> Reads | None:
    """Axes change places."""
    order = call.node.attribute("perm") or tuple(reversed(range(call.rank)))
    if sorted(order) != list(range(call.rank)):
        return None
    return Reads(tuple(AxisRead(order.index(axis)) for axis in range(call.rank)))


def squeeze(call: Call) -> Reads:
    """Axes of size 1 fall away."""
    axes = call.sizes.numbers(call.node, 1, "axes")
    if call.operand or (axes is None and is_given(call.node, 1)):
        return something(call)
    if axes is None:
        axes = tuple(axis for axis in range(call.rank) if call.sizes.size(call.source, axis) == 1)
        if len(axes) != call.rank - call.sizes.rank(call.result, -1):
            return something(call)
    return without(call.rank, [call.counted(int(axis)) for axis in axes])


def unsqueeze(call: Call) -> Reads:
    """Axes of size 1 come in."""
    axes = call.sizes.numbers(call.node, 1, "axes")
    if call.operand or axes is None:
        return something(call)
    rank = call.rank + len(axes)
    added = {int(axis) % rank for axis in axes}
    return Reads(tuple(AxisRead(axis) for axis in range(rank) if axis not in added))


def slice_(call: Call) -> Reads:
    """Slice: output i reads `start + i * step`."""
    node, sizes = call.node, call.sizes
    starts, axes, steps = sizes.numbers(node, 1, "starts"), sizes.numbers(node, 3, "axes"), sizes.numbers(node, 4)
    if call.operand or starts is None:
        return something(call)
    if (axes is None and is_given(node, 3)) or (steps is None and is_given(node, 4)):
        return something(call)
    changes: dict[int, AxisRead] = {}
    for place, start in enumerate(starts):
        axis = call.counted(int(axes[place])) if axes else place
        step = int(steps[place]) if steps else 1
        first = _first_of_slice(int(start), step, sizes.size(call.source, axis))
        changes[axis] = SOME if first is None else AxisRead(axis, Pull(((first,),), step))
    return replaced(call, changes)


def _first_of_slice(start: int, step: int, size: int | None) -> int | None:
    if size is None:
        return start if start >= 0 and step > 0 else None
    start = start + size if start < 0 else start
    return min(max(start, 0), size) if step > 0 else min(max(start, 0), size - 1)


def pad(call: Call) -> Reads:
    """Pad: positions shift; what lies outside follows the mode."""
    node, sizes = call.node, call.sizes
    pads, axes = sizes.numbers(node, 1, "pads"), sizes.numbers(node, 3)
    if call.operand or pads is None or (axes is None and is_given(node, 3)):
        return something(call)
    where = [call.counted(int(axis)) for axis in axes] if axes else list(range(len(pads) // 2))
    mode = node.attribute("mode", "constant")
    border = {"edge": "clamp", "reflect": "reflect", "wrap": "wrap"}.get(mode, "drop")
    changes = {}
    for place, axis in enumerate(where):
        before, behind = int(pads[place]), int(pads[place + len(where)])
        # What is cut off before the border is mirrored is no longer there to be read.
        cut = border != "drop" and min(before, behind) < 0
        if before or behind:
            changes[axis] = SOME if cut else AxisRead(axis, Pull(((-before,),), 1, border))
    return replaced(call, changes)


def concat(call: Call) -> Reads:
    """Concat: operands lie one behind the other along its axis."""
    axis = call.axis(0)
    # The same value may be joined with itself: `operand` says which of its places is meant.
    sizes = [call.sizes.size(value, axis) for value in call.node.inputs[: call.operand]]
    numbers = [size for size in sizes if size is not None]
    read = AxisRead(axis, Pull(((-sum(numbers),),), 1)) if len(numbers) == len(sizes) else SOME
    return Reads(replaced(call, {axis: read}).axes, joins=axis)


def quantised_concat(call: Call) -> Reads:
    """QLinearConcat: each operand comes with its scale and zero point; along the axis no position is followed."""
    if call.operand < 2 or call.operand % 3 != 2:
        return something(call)
    axis = call.axis(0)
    return Reads(replaced(call, {axis: SOME}).axes, joins=axis)


def split(call: Call) -> Reads:
    """Split: each output is a piece of the operand along its axis."""
    if call.operand:
        return something(call)
    axis = call.axis(0)
    sizes = [call.sizes.size(value, axis) for value in call.node.outputs[: call.output]]
    numbers = [size for size in sizes if size is not None]
    read = AxisRead(axis, Pull(((sum(numbers),),), 1)) if len(numbers) == len(sizes) else SOME
    return replaced(call, {axis: read})


def gather(call: Call) -> Reads:
    """Gather: constant indices pick from an axis; looked-up indices are read one by one."""
    axis, sizes = int(call.node.attribute("axis", 0)), call.sizes
    if call.operand:
        table = sizes.rank(call.node.inputs[0], 0)
        if not table:
            return something(call)
        shift = axis % table
        return Reads(tuple(AxisRead(shift + place) for place in range(call.rank)))
    axis = call.counted(axis)
    width = sizes.rank(call.node.inputs[1], -1)
    if width < 0:
        return something(call)
    indices = sizes.numbers(call.node, 1)
    kept = SOME  # one index, or an unknown choice
    if width == 1 and indices is not None and len(indices) <= MOST_PHASES:
        size = sizes.size(call.source, axis)
        if size is not None or all(index >= 0 for index in indices):
            kept = AxisRead(axis, _picked(tuple(int(index) % size if size else int(index) for index in indices)))
    shifted = (kept if a == axis else AxisRead(a if a < axis else a + width - 1) for a in range(call.rank))
    return Reads(tuple(shifted))


def _picked(indices: tuple[int, ...]) -> Pull:
    return Pull(tuple((index,) for index in indices), 0)


def tile(call: Call) -> Reads:
    """Tile: an axis that is repeated is followed by its remainder."""
    repeats = call.sizes.numbers(call.node, 1)
    if call.operand or repeats is None:
        return something(call)
    changes = {}
    for axis in range(call.rank):
        if repeats[axis] != 1:
            size = call.sizes.size(call.source, axis)
            followed = size is not None and 0 < size <= MOST_PHASES
            changes[axis] = AxisRead(axis, _picked(tuple(range(size or 0)))) if followed else SOME
    return replaced(call, changes)

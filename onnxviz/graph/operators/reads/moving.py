"""Rules of operators that compute nothing: they move, pick, repeat and join."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from onnxviz.graph.operators.reads.rule import (
    MOST_PHASES,
    SOME,
    AxisRead,
    Digit,
    Operand,
    Pull,
    Reads,
    is_given,
    replaced,
    something,
    something_in_place,
    unfollowed,
    without,
)


def transpose(operand: Operand) -> Reads | None:
    """Axes change places."""
    order = operand.node.integers("perm") or tuple(reversed(range(operand.rank)))
    if sorted(order) != list(range(operand.rank)):
        return None
    return Reads(tuple(AxisRead(order.index(axis)) for axis in range(operand.rank)))


def squeeze(operand: Operand) -> Reads:
    """Axes of size 1 fall away."""
    axes = operand.sizes.integers(operand.node, 1, "axes")
    if operand.place or (axes is None and is_given(operand.node, 1)):
        return something(operand)
    if axes is None:
        axes = tuple(axis for axis in range(operand.rank) if operand.sizes.size(operand.source, axis) == 1)
        if len(axes) != operand.rank - operand.sizes.rank(operand.result, -1):
            return something(operand)
    return without(operand.rank, [operand.counted(axis) for axis in axes])


def unsqueeze(operand: Operand) -> Reads:
    """Axes of size 1 come in."""
    axes = operand.sizes.integers(operand.node, 1, "axes")
    if operand.place or axes is None:
        return something(operand)
    rank = operand.rank + len(axes)
    added = {axis % rank for axis in axes}
    return Reads(tuple(AxisRead(axis) for axis in range(rank) if axis not in added))


def slice_(operand: Operand) -> Reads:
    """Slice: output i reads `start + i * step`."""
    node, sizes = operand.node, operand.sizes
    starts, axes, steps = sizes.integers(node, 1, "starts"), sizes.integers(node, 3, "axes"), sizes.integers(node, 4)
    if operand.place:
        return something(operand)
    if axes is None and is_given(node, 3):
        return something_in_place(operand)
    if starts is None or (steps is None and is_given(node, 4)):
        count = sizes.size(node.inputs[1], 0) if is_given(node, 1) else None
        sliced = range(operand.rank if count is None else count) if axes is None else map(operand.counted, axes)
        return replaced(operand, {axis: unfollowed(axis) for axis in sliced})
    changes: dict[int, AxisRead] = {}
    for place, start in enumerate(starts):
        axis = operand.counted(axes[place]) if axes else place
        step = steps[place] if steps else 1
        first = _first_of_slice(start, step, sizes.size(operand.source, axis))
        changes[axis] = unfollowed(axis) if first is None else AxisRead(axis, Pull(((first,),), step))
    return replaced(operand, changes)


def _first_of_slice(start: int, step: int, size: int | None) -> int | None:
    if size is None:
        return start if start >= 0 and step > 0 else None
    start = start + size if start < 0 else start
    return min(max(start, 0), size) if step > 0 else min(max(start, 0), size - 1)


def pad(operand: Operand) -> Reads:
    """Pad: positions shift; what lies outside follows the mode."""
    node, sizes = operand.node, operand.sizes
    pads, axes = sizes.integers(node, 1, "pads"), sizes.integers(node, 3)
    if operand.place:
        return something(operand)
    if axes is None and is_given(node, 3):
        return something_in_place(operand)
    if pads is None:
        return replaced(operand, {axis: unfollowed(axis) for axis in map(operand.counted, axes or range(operand.rank))})
    where = [operand.counted(axis) for axis in axes] if axes else list(range(len(pads) // 2))
    mode = node.text("mode", "constant")
    border = {"edge": "clamp", "reflect": "reflect", "wrap": "wrap"}.get(mode, "drop")
    changes = {}
    for place, axis in enumerate(where):
        before, behind = pads[place], pads[place + len(where)]
        # What is cut off before the border is mirrored is no longer there to be read.
        cut = border != "drop" and min(before, behind) < 0
        if before or behind:
            changes[axis] = unfollowed(axis) if cut else AxisRead(axis, Pull(((-before,),), 1, border))
    return replaced(operand, changes)


def concat(operand: Operand) -> Reads:
    """Concat: operands lie one behind the other along its axis."""
    return _joined(operand, operand.node.inputs[: operand.place])


def quantised_concat(operand: Operand) -> Reads:
    """QLinearConcat: a Concat of operands that each come with a scale and a zero point."""
    if operand.place < 2 or operand.place % 3 != 2:
        return something(operand)
    return _joined(operand, operand.node.inputs[2 : operand.place : 3])


def _joined(operand: Operand, before: Sequence[str]) -> Reads:
    axis = operand.axis(0)
    # The same value may be joined with itself: `operand` says which of its places is meant.
    sizes = [operand.sizes.size(value, axis) for value in before]
    numbers = [size for size in sizes if size is not None]
    read = AxisRead(axis, Pull(((-sum(numbers),),), 1)) if len(numbers) == len(sizes) else unfollowed(axis)
    return Reads(replaced(operand, {axis: read}).axes, joins=axis)


def split(operand: Operand) -> Reads:
    """Split: each output is a piece of the operand along its axis."""
    if operand.place:
        return something(operand)
    axis = operand.axis(0)
    sizes = [operand.sizes.size(value, axis) for value in operand.node.outputs[: operand.output]]
    numbers = [size for size in sizes if size is not None]
    read = AxisRead(axis, Pull(((sum(numbers),),), 1)) if len(numbers) == len(sizes) else unfollowed(axis)
    return replaced(operand, {axis: read})


def gather(operand: Operand) -> Reads:
    """Gather: constant indices pick from an axis; looked-up indices are read one by one."""
    axis, sizes = operand.node.integer("axis", 0), operand.sizes
    if operand.place:
        table = sizes.rank(operand.node.inputs[0], 0)
        if not table:
            return something(operand)
        shift = axis % table
        return Reads(tuple(AxisRead(shift + place) for place in range(operand.rank)))
    axis = operand.counted(axis)
    width = sizes.rank(operand.node.inputs[1], -1)
    if width < 0:
        return something(operand)
    indices = sizes.integers(operand.node, 1)
    patches = _patches(operand, axis, indices) if width == 2 else None
    if patches is not None:
        return Reads(tuple(patches if a == axis else AxisRead(a + (a > axis)) for a in range(operand.rank)))
    kept = SOME if width != 1 else unfollowed(axis)  # one index, or an unknown choice
    if width == 1 and indices is not None and len(indices) <= MOST_PHASES:
        size = sizes.size(operand.source, axis)
        if size is not None or all(index >= 0 for index in indices):
            kept = AxisRead(axis, _picked(tuple(index % size if size else index for index in indices)))
    shifted = (kept if a == axis else AxisRead(a if a < axis else a + width - 1) for a in range(operand.rank))
    return Reads(tuple(shifted))


def _patches(operand: Operand, axis: int, indices: Sequence[int] | None) -> AxisRead | None:
    """Return how a table of evenly spaced indices cuts an axis into patches, as im2col does; None for any other table.

    Its rows or columns count the patches; each patch is one row of taps.
    """
    shape, size = operand.sizes.shape(operand.node.inputs[1]), operand.sizes.size(operand.source, axis)
    rows, columns = shape or (None, None)
    if not isinstance(rows, int) or not isinstance(columns, int) or min(rows, columns) < 2 or indices is None:
        return None
    down, across = indices[columns] - indices[0], indices[1] - indices[0]
    even = all(index == indices[0] + n // columns * down + n % columns * across for n, index in enumerate(indices))
    if not even or min(down, across, indices[0] + 1) < 1 or down == across:
        return None
    places = [(down, axis, rows), (across, axis + 1, columns)]
    (tap, inner, taps), (step, patch, patches) = sorted(places)
    is_split = indices[0] == 0 and (tap, step, taps * patches) == (1, taps, size)
    digits = (Digit(patch, step, patches), Digit(inner, tap, taps)) if is_split else ()
    read = range(indices[0], indices[0] + tap * taps, tap)
    return AxisRead(patch, Pull((read,), step), inner=(inner,), covers=is_split, digits=digits)


def _picked(indices: tuple[int, ...]) -> Pull:
    """Return the rule of places that are picked one by one; those at even steps are a Slice."""
    steps = {after - before for before, after in pairwise(indices)} or {1}
    if indices and len(steps) == 1 and 0 not in steps:
        return Pull(((indices[0],),), steps.pop())
    return _repeated(indices)


def _repeated(indices: Iterable[int]) -> Pull:
    return Pull(tuple((index,) for index in indices), 0)


def tile(operand: Operand) -> Reads:
    """Tile: an axis that is repeated is followed by its remainder."""
    repeats = operand.sizes.integers(operand.node, 1)
    if operand.place:
        return something(operand)
    if repeats is None:
        return something_in_place(operand)
    changes = {}
    for axis in range(operand.rank):
        if repeats[axis] != 1:
            size = operand.sizes.size(operand.source, axis)
            followed = size is not None and 0 < size <= MOST_PHASES
            changes[axis] = AxisRead(axis, _repeated(range(size or 0))) if followed else unfollowed(axis)
    return replaced(operand, changes)


def overwritten(operand: Operand) -> Reads:
    """ScatterElements, ScatterND and Trilu: each output reads its own position, or what is put in its place."""
    if operand.place:
        return something(operand)
    return Reads(tuple(AxisRead(axis, loose=True) for axis in range(operand.rank)))


def centred(operand: Operand) -> Reads:
    """CenterCropPad: positions shift by half of what is cut or put on."""
    wanted, axes = operand.sizes.integers(operand.node, 1), operand.node.integers("axes")
    if operand.place:
        return something(operand)
    places = [operand.counted(axis) for axis in axes] if axes else list(range(operand.rank))
    sizes = [operand.sizes.size(operand.source, axis) for axis in places]
    return replaced(
        operand,
        {axis: _centred(axis, size, new) for axis, size, new in zip(places, sizes, wanted or sizes, strict=True)},
    )


def _centred(axis: int, size: int | None, wanted: int | None) -> AxisRead:
    if size is None or wanted is None:
        return unfollowed(axis)
    cut = (size - wanted) // 2 if size > wanted else -((wanted - size) // 2)
    return AxisRead(axis, Pull(((cut,),), 1))

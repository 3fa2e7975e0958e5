"""Operators that pick or write at places: the gradient goes back to where a number came from."""

from __future__ import annotations

from onnxviz.gradient.emit import Signal
from onnxviz.gradient.registry import Adjoint, Gradients, rule


@rule("Slice")
def _slice(at: Adjoint) -> Gradients:
    """By Pad where the places are known and lie side by side, else axis by axis through a scatter."""
    starts, ends = at.numbers(1, "starts"), at.numbers(2, "ends")
    axes, steps = at.known(3, "axes"), at.known(4) if at.has(4) else None
    count = _count(at, starts, ends, axes)
    axes = [at.counted(axis) for axis in axes or range(count)]
    steps = steps or [1] * count
    sizes = [at.shape()[axis] for axis in axes]
    known = [size for size in sizes if isinstance(size, int)]
    if starts is not None and ends is not None and set(steps) <= {1} and len(known) == len(sizes):
        pads = [0] * 2 * at.rank()
        for start, end, axis, size in zip(starts, ends, axes, known, strict=True):
            begin, stop, _ = slice(start, end).indices(size)
            pads[axis], pads[at.rank() + axis] = begin, size - max(begin, stop)
        return at.g.pad(pads)
    g = at.g
    for place, (axis, step) in enumerate(zip(axes, steps, strict=True)):
        every = _range(at, axis)
        first, last = (_one(at, source, place, found) for source, found in ((1, starts), (2, ends)))
        picked = at.emit.op("Slice", every, first, last, at.emit.ints([0]), at.emit.ints([step]))
        g = at.emit.scatter(g, picked, axis, (at.rank(), at.dim(axis)))
    return g


def _count(at: Adjoint, *found: list[int] | None) -> int:
    known = [len(numbers) for numbers in found if numbers is not None]
    if known:
        return known[0]
    (size,) = at.shape(1)
    if not isinstance(size, int):
        at.refuse("how many axes it slices is not known before a run")
    return size


def _one(at: Adjoint, place: int, number: int, found: list[int] | None) -> Signal:
    """Return one of the numbers of an input, `(1,)`."""
    if found is not None:
        return at.emit.ints([found[number]])
    return at.x(place).index().slice(number, number + 1)


def _range(at: Adjoint, axis: int) -> Signal:
    """Return 0, 1, 2 and so on along an axis of the first input."""
    emit = at.emit
    return emit.op("Range", emit.ints(0), at.dim(axis).squeeze([0]), emit.ints(1))


@rule("Pad")
def _pad(at: Adjoint) -> Gradients:
    """What was added is cut away; what was mirrored or repeated goes back to where it came from."""
    mode, rank = at.node.text("mode", "constant"), at.rank()
    old = "paddings" if at.opset < 2 else "pads"
    pads, axes = at.numbers(1, old), at.known(3) if at.has(3) else None
    if pads is None:
        if mode != "constant":
            at.refuse(f"its pads are computed in the run, and it fills by {mode}")
        given = at.emit.ints(axes) if axes else None
        return at.emit.op("Pad", at.g, -at.x(1).index(), 0.0, given)
    places = [at.counted(axis) for axis in axes] if axes else list(range(rank))
    around = {axis: (pads[k], pads[len(places) + k]) for k, axis in enumerate(places)}
    if mode == "constant":
        before, after = ([-around.get(axis, (0, 0))[side] for axis in range(rank)] for side in (0, 1))
        return at.g.pad([*before, *after])
    g = at.g
    for axis, (before_, after_) in around.items():
        if before_ or after_:
            every = _range(at, axis).number()
            picked = at.emit.op("Pad", every, at.emit.ints([before_, after_]), 0.0, mode=mode)
            g = at.emit.scatter(g, picked.index(), axis, (rank, at.dim(axis)))
    return g


@rule("CenterCropPad")
def _center_crop_pad(at: Adjoint) -> Gradients:
    """Cut and padded the other way round: of an odd rest the smaller half goes before."""
    made = at.forward.sizes(at.node.outputs[0])
    own = at.forward.sizes(at.node.inputs[0])
    if made is None or own is None:
        at.refuse("its sizes are known in the run alone")
    before = [
        (size - there) // 2 if size >= there else -((there - size) // 2) for size, there in zip(own, made, strict=True)
    ]
    after = [size - there - first for size, there, first in zip(own, made, before, strict=True)]
    return at.g.pad([*before, *after])


@rule("Gather")
def _gather(at: Adjoint) -> Gradients:
    axis, places = at.axis(0), at.rank(1)
    index = _from_the_front(at, at.x(1), at.dim(axis))
    g = at.g
    if places == 0:
        g, index = g.unsqueeze([axis]), index.reshape([1])
    elif places > 1:
        sizes = g.sizes()
        lead = [sizes.slice(0, axis)] if axis else []
        g = g.reshape(at.emit.concat([*lead, [-1], sizes.slice(axis + places, None)]))
        index = index.reshape([-1])
    return at.emit.scatter(g, index, axis, (at.rank(), at.dim(axis)))


def _from_the_front(at: Adjoint, index: Signal, size: Signal) -> Signal:
    """Return places counted from the front."""
    index = index.index()
    return at.emit.op("Where", index < at.emit.ints(0), index + size, index)


@rule("GatherElements")
def _gather_elements(at: Adjoint) -> Gradients:
    return _added_elements(at, at.x(1), at.g, at.axis(0))


def _added_elements(at: Adjoint, index: Signal, g: Signal, axis: int) -> Signal:
    zeros = at.emit.zeros(at.sizes())
    return at.emit.op("ScatterElements", zeros, index, g, axis=axis, reduction="add")


@rule("GatherND")
def _gather_nd(at: Adjoint) -> Gradients:
    """Leading axes that both share are written into the places, one number more each."""
    index, batches = at.x(1).index(), at.node.integer("batch_dims", 0)
    rank = at.rank(1)
    for axis in reversed(range(batches)):
        size = index.sizes()
        along = [-1 if place == axis else 1 for place in range(rank)]
        zero, one = at.emit.ints(0), at.emit.ints(1)
        every = at.emit.op("Range", zero, size.slice(axis, axis + 1).squeeze([0]), one)
        lead = at.emit.concat([size.slice(0, rank - 1), [1]])
        index = at.emit.concat([at.emit.op("Expand", every.reshape(along), lead), index], axis=rank - 1)
    return at.emit.op("ScatterND", at.emit.zeros(at.sizes()), index, at.g, reduction="add")


@rule("ScatterElements Scatter")
def _scatter_elements(at: Adjoint) -> Gradients:
    """What was written over gets nothing; what was written gets the gradient of its place."""
    reduction, axis, index = at.node.text("reduction", "none"), at.axis(0), at.x(1)
    picked = at.emit.op("GatherElements", at.g, index, axis=axis) if at.wants(2) else None
    if reduction == "add":
        return [at.g, None, picked]
    if reduction != "none":
        at.refuse(f"it joins by {reduction}")
    zeros = at.emit.op("Cast", at.emit.op("ConstantOfShape", index.sizes()), to=at.emit.element_type)
    kept = at.emit.op("ScatterElements", at.g, index, zeros, axis=axis) if at.wants(0) else None
    return [kept, None, picked]


@rule("ScatterND")
def _scatter_nd(at: Adjoint) -> Gradients:
    reduction, index = at.node.text("reduction", "none"), at.x(1)
    picked = at.emit.op("GatherND", at.g, index) if at.wants(2) else None
    if reduction == "add":
        return [at.g, None, picked]
    if reduction != "none":
        at.refuse(f"it joins by {reduction}")
    kept = at.emit.op("ScatterND", at.g, index, at.emit.zeros(at.sizes(2))) if at.wants(0) else None
    return [kept, None, picked]


@rule("TopK")
def _top_k(at: Adjoint) -> Gradients:
    if not at.node.outputs[1]:
        at.refuse("its second output, the places, has no name")
    return _added_elements(at, at.y(1), at.g, at.axis(-1))


@rule("Compress")
def _compress(at: Adjoint) -> Gradients:
    """What was taken goes back to the places where the condition holds."""
    taken = at.x(1).map("NonZero").reshape([-1])
    axis = at.node.attribute("axis")
    if axis is None:
        count = at.sizes().reduce("Prod", [0])
        return at.like(at.emit.scatter(at.g, taken, 0, (1, count)))
    place = at.counted(axis)
    return at.emit.scatter(at.g, taken, place, (at.rank(), at.dim(place)))


@rule("ReverseSequence")
def _reverse_sequence(at: Adjoint) -> Gradients:
    """Turned round once more."""
    axes = {"time_axis": at.node.integer("time_axis", 0), "batch_axis": at.node.integer("batch_axis", 1)}
    return at.emit.op("ReverseSequence", at.g, at.x(1), **axes)

"""Operators that lay the same numbers out in another way: what went apart comes together again."""

from __future__ import annotations

import numpy as np

from onnxviz.gradient.emit import Signal
from onnxviz.gradient.registry import Adjoint, Gradients, rule


@rule("Reshape Flatten Squeeze Unsqueeze")
def _reshape(at: Adjoint) -> Gradients:
    return at.like(at.g)


@rule("Transpose")
def _transpose(at: Adjoint) -> Gradients:
    order = at.node.integers("perm") or tuple(reversed(range(at.rank())))
    return at.g.transpose(np.argsort(order).tolist())


@rule("Expand")
def _expand(at: Adjoint) -> Gradients:
    return at.fitted(at.g, 0)


@rule("Concat")
def _concat(at: Adjoint) -> Gradients:
    axis = at.node.integer("axis", 1)
    count = len(at.node.inputs)
    if count == 1:
        return at.g
    parts = at.emit.concat([at.dim(axis, place) for place in range(count)])
    return at.emit.ops("Split", at.g, _folded(at, axis, parts), outputs=count, axis=axis)


def _folded(at: Adjoint, axis: int, parts: Signal) -> Signal:
    """Return the sizes of the parts as one constant where all are known."""
    sizes = [at.shape(place)[axis] for place in range(len(at.node.inputs))]
    known = [size for size in sizes if isinstance(size, int)]
    return at.emit.ints(known) if len(known) == len(sizes) else parts


@rule("Split", outputs=True)
def _split(at: Adjoint) -> Gradients:
    names = at.node.outputs
    if any(not name for name in names):
        at.refuse("one of its outputs has no name")
    parts = [
        at.emit.zeros(at.emit.shape(name)) if g is None else g for name, g in zip(names, at.gradients, strict=True)
    ]
    return at.emit.concat(parts, axis=at.node.integer("axis", 0))


@rule("Tile")
def _tile(at: Adjoint) -> Gradients:
    """As (repeats, size) of each axis, summed over the repeats."""
    emit, rank = at.emit, at.rank()
    repeats = at.known(1) if at.forward.numbers(at.node.inputs[1]) is not None else None
    sizes = at.forward.sizes(at.node.inputs[0])
    if repeats is not None and sizes is not None:
        pairs = emit.ints([number for pair in zip(repeats, sizes, strict=True) for number in pair])
    else:
        both = emit.concat([at.x(1).index().unsqueeze([0]), at.sizes().unsqueeze([0])], axis=0)
        pairs = both.transpose([1, 0]).reshape([-1])
    return at.g.reshape(pairs).total([2 * axis for axis in range(rank)], keep=False)


@rule("DepthToSpace")
def _depth_to_space(at: Adjoint) -> Gradients:
    block = at.node.integer("blocksize", 1)
    if at.node.text("mode", "DCR") == "DCR":
        return at.emit.op("SpaceToDepth", at.g, blocksize=block)
    rows, columns = at.sizes().slice(2, 3), at.sizes().slice(3, 4)
    sizes = at.emit.concat([at.g.sizes().slice(0, 2), rows, [block], columns, [block]])
    return at.g.reshape(sizes).transpose([0, 1, 3, 5, 2, 4]).reshape(at.sizes())


@rule("SpaceToDepth")
def _space_to_depth(at: Adjoint) -> Gradients:
    mode = at.node.text("mode", "DCR")
    return at.emit.op("DepthToSpace", at.g, blocksize=at.node.integer("blocksize", 1), mode=mode)


@rule("Trilu")
def _trilu(at: Adjoint) -> Gradients:
    diagonal = at.x(1) if at.has(1) else None
    return at.emit.op("Trilu", at.g, diagonal, upper=at.node.integer("upper", 1))

"""Resize: the adjoint of an interpolation is the product with its matrix, transposed, axis by axis.

The matrix of an axis is what the same Resize makes of an identity: right for every mode, and for sizes that only a run
tells. Nearest by a whole factor is a sum over neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxviz.gradient.emit import Signal
from onnxviz.gradient.registry import Adjoint, Gradients, rule

_REFUSED = "tf_crop_and_resize"
_OWN = (
    "mode",
    "coordinate_transformation_mode",
    "nearest_mode",
    "cubic_coeff_a",
    "exclude_outside",
    "extrapolation_value",
)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What a Resize does along one axis: by a known scale, a known size, or what the run computes at a place."""

    axis: int
    place: int
    scale: float | None
    size: int | None
    scale_input: int | None
    attributes: dict[str, Any]


@rule("Resize Upsample")
def _resize(at: Adjoint) -> Gradients:
    g = at.g
    for stretch in _stretches(at):
        g = _neighbours(at, g, stretch) if _is_whole(stretch) else _by_matrix(at, g, stretch)
    return g


def _stretches(at: Adjoint) -> list[_Stretch]:
    """Return what is done along each axis whose size changes or may change."""
    is_old = at.node.op == "Upsample" or at.opset < 11
    attributes = _old_attributes(at) if is_old else _attributes(at)
    axes = [at.counted(axis) for axis in (None if is_old else at.node.integers("axes")) or range(at.rank())]
    sizes = None if is_old or not at.has(3) else at.numbers(3)
    by_scale = is_old or not at.has(3)
    scale_input = (1 if at.has(1) else None) if is_old else (2 if at.has(2) else None)
    scales = _scales(at, scale_input) if by_scale else None
    made = at.forward.shape(at.node.outputs[0])
    found = []
    for place, axis in enumerate(axes):
        own = at.shape()[axis]
        scale, size = scales[place] if scales else None, sizes[place] if sizes else None
        if scale == 1 or (size is not None and size == own):
            continue
        if not scale and made is not None and own is not None and made[axis] == own:
            continue
        found.append(_Stretch(axis, place, scale, size, scale_input if by_scale else None, attributes))
    if not is_old and at.node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        at.refuse("it keeps the ratio of the sides")
    return found


def _scales(at: Adjoint, place: int | None) -> list[float] | None:
    if place is None:
        given = at.node.attribute("scales")
        return None if given is None else [float(scale) for scale in given]
    known = at.forward.numbers(at.node.inputs[place])
    return None if known is None or not known.size else [float(scale) for scale in known.reshape(-1)]


def _old_attributes(at: Adjoint) -> dict[str, Any]:
    mode = at.node.text("mode", "nearest")
    return {
        "mode": "linear" if mode in ("linear", "bilinear") else mode,
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }


def _attributes(at: Adjoint) -> dict[str, Any]:
    if at.node.text("coordinate_transformation_mode", "half_pixel") == _REFUSED:
        at.refuse(f"its coordinate_transformation_mode is {_REFUSED}")
    found = {name: at.node.attribute(name) for name in (*_OWN, "antialias")}
    return {name: value for name, value in found.items() if value is not None}


def _is_whole(stretch: _Stretch) -> bool:
    """Return whether each number is repeated a whole number of times."""
    attributes = stretch.attributes
    return (
        stretch.scale is not None
        and stretch.scale.is_integer()
        and attributes.get("mode", "nearest") == "nearest"
        and attributes.get("coordinate_transformation_mode") == "asymmetric"
        and attributes.get("nearest_mode") == "floor"
    )


def _neighbours(at: Adjoint, g: Signal, stretch: _Stretch) -> Signal:
    """Return the sums over the copies of each number."""
    axis, sizes = stretch.axis, g.sizes()
    lead = [sizes.slice(0, axis)] if axis else []
    rest = [sizes.slice(axis + 1, None)] if axis + 1 < at.rank() else []
    parted = g.reshape(at.emit.concat([*lead, [-1, int(stretch.scale or 1)], *rest]))
    return parted.total([axis + 1], keep=False)


def _by_matrix(at: Adjoint, g: Signal, stretch: _Stretch) -> Signal:
    axis, rank = stretch.axis, at.rank()
    matrix = _matrix(at, stretch)
    if axis == rank - 2:
        return at.emit.op("MatMul", matrix, g)
    order = [*(other for other in range(rank) if other != axis), axis]
    turned = g if axis == rank - 1 else g.transpose(order)
    product = at.emit.op("MatMul", turned, matrix.transpose([1, 0]))
    return product if axis == rank - 1 else product.transpose(np.argsort(order).tolist())


def _matrix(at: Adjoint, stretch: _Stretch) -> Signal:
    """Return how much of each output, a column, comes from each input, a row."""
    emit, own = at.emit, at.dim(stretch.axis)
    square = emit.op("Expand", np.zeros((1, 1), np.float32), emit.concat([own, own]))
    identity = square.map("EyeLike")
    resize = {**stretch.attributes}
    if stretch.scale is not None:
        made = emit.op("Resize", identity, None, np.array([1, stretch.scale], np.float32), **resize)
    elif stretch.scale_input is not None:
        scale = emit.op("Gather", at.x(stretch.scale_input), emit.ints([stretch.place]), axis=0)
        scales = emit.op("Concat", np.ones(1, np.float32), emit.op("Cast", scale, to=1), axis=0)
        made = emit.op("Resize", identity, None, scales, **resize)
    else:
        size = emit.ints([stretch.size]) if stretch.size is not None else emit.dim(at.node.outputs[0], stretch.axis)
        made = emit.op("Resize", identity, None, None, emit.concat([own, size]), **resize)
    return made if emit.dtype == np.float32 else made.number()

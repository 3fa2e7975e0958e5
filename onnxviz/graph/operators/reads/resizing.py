"""The rule of Resize and Upsample, by the coordinates of the operator's definition (ONNX, Resize)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from onnxviz.graph.node import Node
from onnxviz.graph.operators.reads.rule import (
    MOST_PHASES,
    AxisRead,
    Operand,
    Pull,
    Reads,
    replaced,
    something,
    something_in_place,
    unfollowed,
)

Taps = Callable[[Fraction], Sequence[int]]

_ROUNDING = Fraction(1, 1 << 10)
"""How far a coordinate may lie off in float32, in which runtimes compute it: 2^-24 of some thousand pixels."""


@dataclass(frozen=True, slots=True)
class _Coordinates:
    """Where the outputs lie on an axis of the input: output i at `i * pace + shift`."""

    pace: Fraction
    shift: Fraction

    @property
    def is_rounded(self) -> bool:
        """Whether float32 cannot hold the numbers, so that a coordinate may lie on either side of a position."""
        scale = 1 / self.pace if self.pace else Fraction(1)
        return any(number.denominator & (number.denominator - 1) for number in (self.pace, self.shift, scale))


def resize(operand: Operand) -> Reads:
    """Each output is interpolated between the positions around its coordinate."""
    if operand.place:
        return something(operand)
    node = operand.node
    listed = operand.sizes.numbers(node, 4)
    axes = node.integers("axes") or tuple(range(operand.rank))
    if node.text("keep_aspect_ratio_policy", "stretch") != "stretch" and listed != ():
        return something_in_place(operand)
    scales = operand.sizes.numbers(node, 1 if _is_old(node) else 2, "scales")
    places = enumerate(map(operand.counted, axes))
    return replaced(operand, {axis: _axis(operand, axis, scales[place] if scales else None) for place, axis in places})


def _axis(operand: Operand, axis: int, factor: float | None) -> AxisRead:
    """Give the rule of an axis, whose factor is given or that of its sizes."""
    node, sizes = operand.node, operand.sizes
    size, wanted = sizes.size(operand.source, axis), sizes.size(operand.result, axis)
    if factor is not None:
        if not math.isfinite(factor):
            raise ValueError(f"the scale {factor} is not a number")
        # It is float32: 1/3 has to be seen as a third, or the pattern would never repeat.
        scale = Fraction(float(factor)).limit_denominator(1 << 12)
    elif size and wanted:
        scale = Fraction(wanted, size)
    else:
        return AxisRead(axis) if _is_kept(operand, axis) else unfollowed(axis)
    if scale == 1 and size == wanted:
        return AxisRead(axis)
    return _resized(node, axis, _coordinates(node, scale, size, wanted)) or unfollowed(axis)


def _is_kept(operand: Operand, axis: int) -> bool:
    """Return whether an axis has one symbol before and behind."""
    before, after = (operand.sizes.shape(value) or () for value in (operand.source, operand.result))
    return isinstance(before[axis], str) and before[axis : axis + 1] == after[axis : axis + 1]


def _is_old(node: Node) -> bool:
    """Return whether it is an Upsample, or a Resize from when that had no more inputs than an Upsample."""
    return node.operator == "Upsample" or len(node.inputs) == 2


def _coordinates(node: Node, scale: Fraction, size: int | None, wanted: int | None) -> _Coordinates | None:
    mode = node.text("coordinate_transformation_mode", "asymmetric" if _is_old(node) else "half_pixel")
    if scale <= 0:
        return None
    pace = 1 / scale
    centred = _Coordinates(pace, pace / 2 - Fraction(1, 2))
    if mode == "pytorch_half_pixel":
        return _Coordinates(Fraction(0), Fraction(0)) if wanted == 1 else centred
    if mode == "half_pixel_symmetric":
        if not size or not wanted:
            return None
        return _Coordinates(pace, centred.shift + Fraction(size, 2) * (1 - wanted / (scale * size)))
    if mode == "align_corners":
        if not size or not wanted:
            return None
        return _Coordinates(Fraction(size - 1, wanted - 1) if wanted > 1 else Fraction(0), Fraction(0))
    shifts = {"half_pixel": centred.shift, "tf_half_pixel_for_nn": pace / 2, "asymmetric": Fraction(0)}
    return _Coordinates(pace, shifts[mode]) if mode in shifts else None


def _resized(node: Node, axis: int, at: _Coordinates | None) -> AxisRead | None:
    """Give the rule of one axis: a phase for each coordinate that comes up between two positions."""
    if at is None or at.pace.denominator > MOST_PHASES:
        return None
    taps = _interpolation(node, max(at.pace, Fraction(1)))
    if taps is None:
        return None
    coordinates = [at.pace * phase + at.shift for phase in range(at.pace.denominator)]
    offsets = tuple(tuple(taps(x)) for x in coordinates)
    loose = bool(node.integer("antialias", 0))
    if at.is_rounded:
        exact = offsets
        offsets = tuple(tuple(sorted({*taps(x - _ROUNDING), *taps(x), *taps(x + _ROUNDING)})) for x in coordinates)
        loose = loose or offsets != exact
    return AxisRead(axis, Pull(offsets, at.pace.numerator, "clamp"), loose=loose)


def _interpolation(node: Node, width: Fraction) -> Taps | None:
    """Return which whole positions have a weight at a coordinate; `width` is the kernel's with antialiasing."""
    mode = node.text("mode", "nearest")
    half = Fraction(1, 2)
    if mode == "nearest":
        return {
            "round_prefer_floor": lambda x: (-((half - x) // 1),),
            "round_prefer_ceil": lambda x: ((x + half) // 1,),
            "floor": lambda x: (x // 1,),
            "ceil": lambda x: (-(-x // 1),),
        }.get(node.text("nearest_mode", "floor" if _is_old(node) else "round_prefer_floor"))
    reach = {"linear": 1, "cubic": 2}.get(mode)
    if reach is None:
        return None
    if node.integer("antialias", 0):
        return lambda x: range(-((reach * width - x) // 1), (x + reach * width) // 1 + 1)
    # On a whole position the kernels of both are 1 there and 0 at every other.
    return lambda x: (int(x),) if x.denominator == 1 else range(x // 1 - reach + 1, x // 1 + reach + 1)

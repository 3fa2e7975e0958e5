"""One axis of the input, followed from value to value: where it lies in each, and what positions there see of it.

A convolution with a kernel of 3 and a stride of 2 makes of an axis whose position i sees pixel i one whose position i
sees the pixels 2 i - 1 to 2 i + 1: `stride` 2, `low` -1, `high` 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from onnxviz.graph.operators.reads.rule import AxisRead, Pull, Reads
from onnxviz.layout import Dimension


@dataclass(frozen=True, slots=True)
class Fold:
    """Where rows or columns lie in an axis of tokens: those of token t are `(t - shift) // inner % size`."""

    inner: int
    size: int
    shift: int = 0

    def moved(self, by: int) -> Fold:
        """Return the fold of tokens that were moved towards the front."""
        around, shift = max(self.inner * self.size, 0), self.shift - by
        return replace(self, shift=(shift + around // 2) % around - around // 2 if around else shift)


@dataclass(frozen=True, slots=True)
class InputAxis:
    """Where an axis of the input lies in a value: at `place`, whose position i sees low..high, moved by i * stride.

    `varies`: other axes, such as channels, each of whose positions sees only part of this field. `fold`: where tokens
    lie at the place, how they are counted; i is then that number.
    """

    place: int | None
    stride: Fraction = Fraction(1)
    low: Fraction = Fraction(0)
    high: Fraction = Fraction(0)
    loose: bool = False
    whole: bool = False
    varies: frozenset[int] = frozenset()
    fold: Fold | None = None


GONE = InputAxis(None, whole=True)
"""An axis of which each position has seen all."""

UNFOLLOWED = InputAxis(None, whole=True, loose=True)
"""An axis that went through what is not understood: of it each position has seen some, at most all."""


def follow_axis(axis: InputAxis, rule: Reads, *, is_lone: bool) -> InputAxis:
    """Follow an axis through a node: where it lies, and where what its positions see varies.

    Args:
        axis: where it lies in an operand of the node.
        rule: how the node reads that operand.
        is_lone: whether the node reads nothing else that depends on the input.
    """
    read = rule.axes[axis.place or 0]
    folded = _folded(axis, read)
    if folded is not None:
        axis, read = folded
    if read.out is None:
        return UNFOLLOWED if read.loose else GONE
    if read.pull is not None and not read.pull.step:  # each position sees some of the axis, wherever it lies itself
        return UNFOLLOWED
    moved = axis if read.pull is None else _pulled(axis, read.pull)
    joins = None if is_lone and rule.joins == read.out else rule.joins  # beside constants a position sees all there is
    varying = axis.varies - {joins}  # joined, none of an axis is left out
    others = [rule.axes[place] for place in varying if place < len(rule.axes)]
    # An axis that is read wholly brings its parts together; of one that is read in part, the part is not followed.
    parted = len(others) < len(varying) or any(other.loose or (other.pull and not other.covers) for other in others)
    varies = {other.out for other in others if other.out is not None and not other.whole}
    varies.update(place for other in (read, *others) for place in other.inner)
    return replace(
        moved,
        place=read.out,
        loose=moved.loose or read.loose or parted,
        whole=moved.whole or read.whole,
        varies=frozenset(varies if joins is None else varies | {joins}),
    )


def _folded(axis: InputAxis, read: AxisRead) -> tuple[InputAxis, AxisRead] | None:
    """Follow an axis into tokens, along them, and out of them; None where it neither is in them nor goes there."""
    fold, digits = axis.fold, read.digits
    if fold is None:
        if len(digits) != 1:
            return None
        fold = Fold(digits[0].inner, digits[0].size)
        return replace(axis, fold=fold), AxisRead(digits[0].place)
    if not digits:
        shift = 0 if read.pull is None else _shift(read.pull)
        if shift is None:
            return axis, replace(read, out=None, loose=True)
        return replace(axis, fold=fold.moved(shift)), replace(read, pull=None)
    if len(digits) == 1 and min(fold.inner, digits[0].inner) < 0:
        return axis, replace(read, out=None, loose=True, digits=())
    if len(digits) == 1:  # the tokens themselves are merged with another axis
        fold, digit = replace(fold, inner=fold.inner * digits[0].inner), digits[0]
    else:
        over = fold.inner * fold.size
        digit = next((one for one in digits if one.inner <= fold.inner and over <= one.inner * one.size), digits[0])
        if fold.inner % digit.inner or not digit.inner <= fold.inner:
            return axis, replace(read, out=None, loose=True)
        fold = replace(fold, inner=fold.inner // digit.inner)
    if fold.shift:
        return axis, replace(read, out=None, loose=True)
    is_alone = len(digits) > 1 and (fold.inner, fold.size) == (1, digit.size)
    return replace(axis, fold=None if is_alone else fold), AxisRead(digit.place)


def _shift(pull: Pull) -> int | None:
    """Return by how much a rule moves positions, None where it does more."""
    is_shift = len(pull.offsets) == len(pull.offsets[0]) == pull.step == 1
    return pull.offsets[0][0] if is_shift else None


def _pulled(axis: InputAxis, pull: Pull) -> InputAxis:
    """Follow a periodic rule: of several phases the hull is taken, which is a bound for each of them."""
    phases = len(pull.offsets)
    pace = Fraction(pull.step, phases)
    filled = [(phase, taps) for phase, taps in enumerate(pull.offsets) if len(taps)]
    if not filled:
        return GONE
    # Taps lie in order; a damaged kernel may claim 2^60 of them.
    lows = [min(taps[0], taps[-1]) - phase * pace for phase, taps in filled]
    highs = [max(taps[0], taps[-1]) - phase * pace for phase, taps in filled]
    uneven = len(filled) < phases or len(set(lows)) > 1 or len(set(highs)) > 1
    ends = (axis.stride * min(lows), axis.stride * max(highs))  # in falling order where a Slice turned the axis round
    return replace(
        axis,
        stride=axis.stride * pace,
        low=axis.low + min(ends),
        high=axis.high + max(ends),
        loose=axis.loose or uneven,
    )


def merged(axes: Sequence[InputAxis], lengths: Sequence[Dimension] = ()) -> InputAxis:
    """Join what the operands of a node see of one input axis; `lengths` are the sizes of what the node makes."""
    local: Sequence[InputAxis] = [axis for axis in axes if axis.place is not None]
    gone = [axis for axis in axes if axis.place is None]
    if not local:
        return UNFOLLOWED if all(axis.loose for axis in gone) else GONE
    # Beside a field, what may be seen may lie anywhere in the input: all of it, and no gate, is the bound then.
    aligned = None if any(axis.loose for axis in gone) else _aligned(local, lengths)
    if aligned is None:
        return UNFOLLOWED
    local = aligned
    return InputAxis(
        local[0].place,
        local[0].stride,
        min(axis.low for axis in local),
        max(axis.high for axis in local),
        any(axis.loose for axis in local),
        any(axis.whole for axis in axes),
        frozenset().union(*(axis.varies for axis in local)),
        local[0].fold,
    )


def _aligned(axes: Sequence[InputAxis], lengths: Sequence[Dimension]) -> Sequence[InputAxis] | None:
    """Return axes that lie at one place with one stride, None where they do not and cannot be brought to it.

    What paths of different strides see is widened to bounds for any of the positions there are, with the stride of one
    of them: paths through an Upsample with aligned corners drift apart from those beside it by less than a pixel.
    """
    if len({axis.place for axis in axes}) > 1:
        return None
    place = axes[0].place or 0
    length = lengths[place] if place < len(lengths) else None
    if len({axis.fold for axis in axes}) > 1:
        axes = [axis if axis.fold is None else unfolded(axis, axis.fold, length) for axis in axes]
    if any(axis.fold != axes[0].fold for axis in axes):
        return None
    if len({axis.stride for axis in axes}) == 1:
        return _unrolled(axes, length)
    if axes[0].fold is not None or not isinstance(length, int):
        return None
    return min([_at_stride(axes, axis.stride, length) for axis in axes], key=_span)


def unfolded(axis: InputAxis, fold: Fold, length: Dimension) -> InputAxis:
    """Return a bound for each position of an axis, where each sees what its window does: windows of 4 reach 3 aside."""
    if fold.inner * fold.size != length or fold.inner < 1:
        return axis
    stride = axis.stride / fold.inner
    low, high = axis.low - (fold.inner - 1 + fold.shift) * stride, axis.high - fold.shift * stride
    return replace(axis, stride=stride, low=low, high=high, loose=axis.loose or fold.inner > 1, fold=None)


def _unrolled(axes: Sequence[InputAxis], length: Dimension) -> Sequence[InputAxis]:
    """Return paths of one stride without those that come round from the other end of the axis, as in a roll.

    What they see lies beyond a border for those that go straight.
    """
    if not isinstance(length, int):
        return axes
    straight = min(axes, key=lambda axis: abs(axis.low + axis.high))
    around = abs(straight.stride * length)
    if not around:
        return axes
    kept = [axis for axis in axes if abs(axis.low - straight.low) != around or abs(axis.high - straight.high) != around]
    return kept if len(axes) > 1 else axes


def _at_stride(axes: Sequence[InputAxis], stride: Fraction, length: int) -> list[InputAxis]:
    drifts = [(axis.stride - stride) * max(length - 1, 0) for axis in axes]
    return [
        replace(
            axis, stride=stride, low=min(axis.low, axis.low + drift), high=max(axis.high, axis.high + drift), loose=True
        )
        for axis, drift in zip(axes, drifts, strict=True)
    ]


def _span(axes: Sequence[InputAxis]) -> Fraction:
    return max([axis.high for axis in axes]) - min([axis.low for axis in axes])

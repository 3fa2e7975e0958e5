"""What the difference of a layer's values looks like, in words: clipped, scaled, shifted, moved, in another order.

Each rule is asked in turn and answers where it explains most of the squared difference; the first answer is taken. The
order is from what is surest. No rule looks at the graph: that values are shifted is seen, that a bias is missing is the
likely reason. What differs in the graph stands before it (`matching/written_differences.py`).

| rule | what is seen | likely |
|---|---|---|
| not finite | B has NaN or infinities | overflow |
| all shifted | one shift leads from A to B, beyond A's ends too | zero point, bias |
| clipped | what differs lies beyond B's least or greatest value | the range of a quantiser or Clip |
| not clipped | what differs lies beyond A's ends, where many of A lie, and B has no ends | a lost nonlinearity |
| other ends | the same, and many of B lie at ends of its own | a zero point, the range of a quantiser |
| gone | most of it lies in channels that are constant in B and not in A | weights, biases |
| all alike | one scale, one shift or both lead from A to B | scale, zero point, bias |
| reordered | B's channels are other channels of A | order of channels, layout |
| moved | B is A moved by up to two positions | padding, alignment |
| other places | B holds A's values, in another order | channels, a Transpose, a layout |
| border | the difference lies on the outermost positions | padding |
| each channel | a scale or shift for each channel leads from A to B | scales of weights, biases |
| few channels | nearly all of it lies in a few channels | weights of these |
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from onnxviz.layout import Array, channel_axis, spatial_axes
from onnxviz.words import listed, number_text

_LEFT = 0.2
"""A rule explains a difference if it leaves less than this part of its squares."""

_MOST_CHANNELS = 96
_MOST_VALUES = 1 << 21
"""Of larger arrays the rules look at a part: what they compute takes several times its memory."""

_BAND = 16
"""Rows of a map that are looked at together."""


def cause(a: Array, b: Array, layout: str | None) -> str:
    """Return what the difference of two arrays of one shape looks like; empty where no rule explains it.

    >>> import numpy as np
    >>> a = np.random.default_rng(0).normal(size=(1, 4, 8, 8)).astype(np.float32)
    >>> cause(a, a * 1.3, "NCHW")
    'all scaled by 1.3: a scale'
    >>> cause(a, a.clip(-1, 1), "NCHW")[:18]
    'clipped to -1 to 1'
    """
    values = Values.of(a, b, layout)
    if not_finite := _not_finite(values):
        return not_finite
    values = _fewer(values)
    if values.noise <= 1e-12 * values.signal:
        return ""
    return next(filter(None, (rule(values) for rule in _RULES)), "")


def _fewer(values: Values) -> Values:
    """Return of very many values the first items; of a large item bands of rows, evenly spread, as items of their own.

    The first and the last band lie at the border, and each is high enough for a move by two rows to be seen in it.
    """
    channels, items, height, width = values.a.shape
    taken = max(1, min(items, _MOST_VALUES // (channels * height * width)))
    bands = max(2, _MOST_VALUES // (taken * channels * width * _BAND))
    if taken > 1 or height <= bands * _BAND:
        return Values(values.a[:, :taken], values.b[:, :taken])
    starts = np.linspace(0, height - _BAND, bands).astype(int)
    rows = starts[:, None] + np.arange(_BAND)
    return Values(values.a[:, 0][:, rows], values.b[:, 0][:, rows])


@dataclass
class Values:
    """A's and B's values as `(C, N, H, W)`, float64 sums of them, and what several rules need.

    Without a channel axis C is 1. Without axes of space H and W are 1, and N holds all that a channel has.
    """

    a: Array
    b: Array

    @classmethod
    def of(cls, a: Array, b: Array, layout: str | None) -> Values:
        """Order the axes of both by their layout."""
        axis, space = channel_axis(layout), spatial_axes(layout)
        space = space if len(space) == 2 and len(layout or "") == a.ndim else ()
        first = [] if axis is None or axis >= a.ndim else [axis]
        rest = [place for place in range(a.ndim) if place not in (*first, *space)]
        order = [*first, *rest, *space]
        channels = a.shape[first[0]] if first else 1
        size = tuple(a.shape[place] for place in space) or (1, 1)
        shape = (channels, -1, *size)
        one, other = (each.transpose(order).reshape(shape).astype(np.float32, copy=False) for each in (a, b))
        return cls(one, other)

    @cached_property
    def difference(self) -> Array:
        """B - A."""
        return self.b - self.a

    @cached_property
    def noise(self) -> float:
        """The squared difference."""
        return _squares(self.difference)

    @cached_property
    def signal(self) -> float:
        """A squared."""
        return _squares(self.a)

    @cached_property
    def by_channel(self) -> Array:
        """The squared difference of each channel."""
        found: Array = np.einsum("cnhw,cnhw->c", self.difference, self.difference).astype(np.float64)
        return found

    @cached_property
    def inside(self) -> Array:
        """What no clipping touched, in A or in B."""
        found: Array = (self.a > self.a.min()) & (self.a < self.a.max())
        found &= (self.b > self.b.min()) & (self.b < self.b.max())
        return found

    @cached_property
    def worst(self) -> Array:
        """As many channels as hold 90 % of the squared difference, the worst first."""
        order = np.argsort(-self.by_channel, kind="stable")
        count = int(np.searchsorted(np.cumsum(self.by_channel[order]), 0.9 * self.by_channel.sum())) + 1
        found: Array = order[:count]
        return found


def _not_finite(values: Values) -> str:
    count = int(np.count_nonzero(~np.isfinite(values.b)))
    return f"{count:,} values are not finite: overflow" if count else ""


def _all_shifted(values: Values) -> str:
    shift = float(values.difference.mean(dtype=np.float64))
    left = values.noise - shift * shift * values.a.size
    scale = float(np.ravel(values.a) @ np.ravel(values.difference)) / max(values.signal, 1e-30)
    # What is nearly one number everywhere is as well scaled as shifted.
    if left >= min(_LEFT * values.noise, 2 * (values.noise - scale * scale * values.signal)):
        return ""
    return f"all shifted by {number_text(shift)}: a zero point or bias"


def _clipped(values: Values) -> str:
    low, high = float(values.b.min()), float(values.b.max())
    beyond = ((values.b >= high) & (values.a > high)) | ((values.b <= low) & (values.a < low))
    count = int(np.count_nonzero(beyond))
    share = _squares(values.difference[beyond]) / values.noise
    if share <= 0.5 or count <= min(8, max(1, 0.05 * beyond.size)) or count <= 1e-4 * beyond.size:
        return ""
    part = f"{number_text(100 * count / beyond.size, 2)} % of the values lie beyond"
    return f"clipped to {number_text(low)} to {number_text(high)}: {part}, {100 * share:.0f} % of the error"


def _not_clipped(values: Values) -> str:
    low, high = float(values.a.min()), float(values.a.max())
    ends = float(values.b.min()), float(values.b.max())
    beyond = ((values.a <= low) & (values.b < low)) | ((values.a >= high) & (values.b > high))
    count = int(np.count_nonzero(beyond))
    share = _squares(values.difference[beyond]) / values.noise
    if share <= 0.5 or count <= 8 or count <= 1e-2 * beyond.size:
        return ""
    part = f"{number_text(100 * count / beyond.size, 2)} % of B's values lie beyond, {100 * share:.0f} % of the error"
    at_ends = np.count_nonzero(beyond & ((values.b <= ends[0]) | (values.b >= ends[1])))
    if at_ends > max(8, 5e-3 * beyond.size):
        others = f"B at {number_text(ends[0])} and {number_text(ends[1])}"
        why = "a zero point, or the range of a quantiser or Clip"
    else:
        others, why = "B does not", "a nonlinearity or Clip is lost"
    return f"A ends at {number_text(low)} and {number_text(high)}, {others}: {part}: {why}"


def _gone(values: Values) -> str:
    flat = [each.reshape(len(each), -1) for each in (values.a, values.b)]
    spread_a, spread_b = (np.ptp(each, axis=1) for each in flat)
    gone = (spread_b <= 1e-6 * np.abs(flat[1]).max()) & (spread_a > 1e-3 * spread_a.max())
    if flat[0].shape[1] < 2 or values.by_channel[gone].sum() <= 0.5 * values.noise:
        return ""
    return f"{int(gone.sum())} of {len(gone)} channels are constant in B: weights or biases"


def _all_alike(values: Values) -> str:
    x, y = (each[values.inside].astype(np.float64) for each in (values.a, values.b))
    if x.size <= 0.02 * values.a.size or _squares(y - x) <= 0.2 * values.noise:
        return ""
    noise, shift = _squares(y - x), float(y.mean() - x.mean())
    if _squares(y - x - shift) < _LEFT * noise:
        return f"all shifted by {number_text(shift)}: a zero point or bias"
    through_zero = float(x @ y) / max(float(x @ x), 1e-30)
    if _squares(y - through_zero * x) < _LEFT * noise:
        return f"all scaled by {number_text(through_zero)}: a scale"
    scale = float(((x - x.mean()) * (y - y.mean())).mean() / (x.var() + 1e-30))
    shift = float(y.mean() - scale * x.mean())
    if _squares(y - scale * x - shift) < _LEFT * noise:
        return f"all scaled by {number_text(scale)} and shifted by {number_text(shift)}: a scale and a zero point"
    return ""


def _reordered(values: Values) -> str:
    rows_a, rows_b = (each.reshape(len(each), -1) for each in (values.a, values.b))
    if len(rows_a) < 2 or rows_a.shape[1] <= 4:
        return ""
    spreads = [rows.std(1) for rows in (rows_a, rows_b)]
    live = np.logical_and.reduce([spread > 1e-3 * spread.max() for spread in spreads])
    looked = np.array([place for place in values.worst[:_MOST_CHANNELS] if live[place]], dtype=int)
    if len(looked) < 2:
        return ""
    normal = [
        (rows - rows.mean(1, keepdims=True)) / (spread[:, None] + 1e-9)
        for rows, spread in zip((rows_a, rows_b), spreads, strict=True)
    ]
    likeness = normal[1][looked] @ normal[0].T / rows_a.shape[1]
    likeness[:, ~live] = -1
    best = likeness.argmax(1)
    numbers = np.arange(len(looked))
    others = (best != looked) & (likeness[numbers, looked] < 0.8) & (likeness[numbers, best] > 0.97)
    if others.mean() <= 0.5:
        return ""
    first = int(np.argmax(others))
    example = f"B's {looked[first]} is A's {best[first]}"
    return f"channels in another order: {int(others.sum())} of {len(looked)} looked at are others, such as {example}"


def _moved(values: Values) -> str:
    height, width = values.a.shape[2:]
    if min(height, width) <= 4:
        return ""
    gaps = {}
    for down, right in product(range(-2, 3), repeat=2):
        if down or right:
            a = values.a[:, :, max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]
            b = values.b[:, :, max(0, -down) : height + min(0, -down), max(0, -right) : width + min(0, -right)]
            gaps[-down, -right] = _squares(b - a) / a.size
    best = min(gaps, key=gaps.__getitem__)
    if gaps[best] >= 0.3 * values.noise / values.a.size:
        return ""
    return f"maps moved by {best[0]}, {best[1]} positions (y, x): padding or alignment"


def _other_places(values: Values) -> str:
    one, other = (np.sort(each, axis=None) for each in (values.a, values.b))
    if one.size < 8 or _squares(other - one) >= 1e-6 * values.noise:
        return ""
    return "the same values in other places: the order of channels, a Transpose or a layout"


def _border(values: Values) -> str:
    height, width = values.a.shape[2:]
    if min(height, width) <= 4 or (height - 2) * (width - 2) <= 0.4 * height * width:
        return ""
    inner = _squares(values.difference[:, :, 1:-1, 1:-1]) / values.noise
    return f"{100 * (1 - inner):.0f} % of the error lies on the border: padding" if inner < 0.1 else ""


def _each_channel(values: Values) -> str:
    if len(values.a) < 2:
        return ""
    x, y, inside = (each.reshape(len(each), -1).astype(np.float64) for each in (values.a, values.b, values.inside))
    count = inside.sum(1)
    weight = np.maximum(count, 1)
    mean_x, mean_y = (x * inside).sum(1) / weight, (y * inside).sum(1) / weight
    spread = (x * x * inside).sum(1) / weight - mean_x**2
    slope = ((x * y * inside).sum(1) / weight - mean_x * mean_y) / (spread + 1e-20)
    through_zero = (x * y * inside).sum(1) / ((x * x * inside).sum(1) + 1e-20)
    noise = ((y - x) ** 2 * inside).sum(1)
    enough = (count > 8) & (noise > 0)
    total = noise[enough].sum()
    if total <= 0.2 * values.noise:
        return ""
    shift = mean_y - mean_x

    def left(expected: Array) -> float:
        return float((((y - expected) ** 2 * inside).sum(1))[enough].sum() / total)

    worst = np.argsort(-noise * enough, kind="stable")[: len(values.worst)]
    many = f"{len(worst)} of {len(x)} channels" if len(worst) < 0.5 * len(x) else "channels"
    each = "" if len(worst) == 1 else " each by its own"
    by_shift = left(x + shift[:, None])
    by_line = left(slope[:, None] * x + (mean_y - slope * mean_x)[:, None])
    # A line always leaves less than a shift; where it leaves next to nothing, it is the better answer.
    if by_shift < _LEFT and by_line > 0.4 * by_shift:
        return f"{many} shifted{each} ({_ends(shift[worst])}): biases"
    if by_line < 0.12 or left(through_zero[:, None] * x) < _LEFT:
        return f"{many} scaled{each} ({_ends(slope[worst])}): scales of weights"
    return ""


def _few_channels(values: Values) -> str:
    count = len(values.worst)
    if len(values.a) < 2 or count > max(2, 0.05 * len(values.a)):
        return ""
    share = 100 * values.by_channel[values.worst].sum() / values.noise
    return f"{share:.0f} % of the error lies in {count} of {len(values.a)} channels: {listed(map(str, values.worst))}"


_RULES: tuple[Callable[[Values], str], ...] = (
    _all_shifted, _clipped, _not_clipped, _gone, _all_alike, _reordered, _moved, _other_places, _border, _each_channel,
    _few_channels,
)  # fmt: skip


def _squares(values: Array) -> float:
    flat = np.ravel(values)
    if flat.dtype != np.float64 and flat.size and np.abs(flat).max() > 1e15:
        flat = flat.astype(np.float64)
    return float(flat @ flat)


def _ends(values: Array) -> str:
    low, high = float(values.min()), float(values.max())
    return number_text(low) if len(values) == 1 else f"{number_text(low)} to {number_text(high)}"

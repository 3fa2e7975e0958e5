"""Statistics of channels, and the ends of the scale on which each channel is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxviz.draw.style import Style
from onnxviz.errors import UsageError
from onnxviz.layout import Array
from onnxviz.words import number_text

Floats = NDArray[np.float64]

MODES = ("auto", "clipped", "channel", "signed", "layer", "percentile", "symmetric", "std")

SCALE_WORDS = {
    "clipped": "each channel on its own, top 2 % clipped",
    "channel": "each channel on its own min..max",
    "signed": "each channel symmetric about 0, top 2 % clipped",
    "layer": "one scale for all",
    "percentile": "each channel on its own 1..99 %",
    "symmetric": "one scale, symmetric about 0",
    "std": "each channel mean ± 3 std",
    "fixed": "fixed scale {low} .. {high}",
}
"""Each scale as a picture says it."""

CONSTANT = 1e-6
"""A range this small, as a share of the greatest magnitude, is a constant but for rounding."""

HELD = 0.98
"""The share of a channel's magnitudes within the scales `signed` and `clipped`.

An edge detector answers weakly to most pixels and strongly to a few, such as the border of a letterbox: on its whole
range all others would have the colour of zero.
"""

KEPT = 0.1
"""The least share of a channel's greatest value at which the scale `clipped` ends.

In a map of probabilities two in a hundred values may be all that was found: the rest, next to nothing, stays dark.
"""

PERCENTILES = (0.01, 0.99)
"""The shares of a channel's values below the ends of the scale `percentile`."""

DEVIATIONS = 3
"""Standard deviations from the mean to the ends of the scale `std`."""

ONE_SIDED = 10
"""Values count as one-sided while the greatest is at least so many times as large as their dip below zero."""

MOST_CHANNELS = 1 << 15
"""More channels than this are not listed one by one. Usual vocabularies and lists of classes have fewer, maps that were
flattened have more: of these the strongest units are kept, and numbers of the whole."""

# The most values of a channel from which that share is found.
_SAMPLES = 1024

# Values handled at once: they stay in the second-level cache.
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """Numbers about each channel, over its finite values.

    Attributes:
        minimum, maximum, mean, deviation: (C,) float64, NaN where no value is finite; the deviation is that over
            space, divided by n.
        nan, inf: (C,) how many values are NaN or infinite.
        constant: (C,) whether all values are finite and the same but for rounding; False for maps of one value.
    """

    minimum: Floats
    maximum: Floats
    mean: Floats
    deviation: Floats
    nan: NDArray[np.int64]
    inf: NDArray[np.int64]
    constant: NDArray[np.bool_]

    @property
    def irregular(self) -> NDArray[np.bool_]:
        """(C,) whether a channel has values that are not finite."""
        return (self.nan + self.inf) > 0

    @property
    def live(self) -> NDArray[np.bool_]:
        """(C,) whether a channel varies and has a finite value."""
        return ~self.constant & ~np.isnan(self.minimum)

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest finite value of the layer; NaN if no value is finite."""
        return float(np.fmin.reduce(self.minimum, initial=np.nan)), float(np.fmax.reduce(self.maximum, initial=np.nan))

    def take(self, channels: NDArray[np.intp] | slice) -> ChannelStatistics:
        """Return the statistics of some channels, in this order."""
        return ChannelStatistics(*(getattr(self, name)[channels] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class Limits:
    """The ends of the scale on which channels are drawn.

    Attributes:
        low, high: (C,) float64, finite, low <= high.
        mode: what `auto` became: `clipped`, `channel`, `signed`, `layer`, `percentile`, `symmetric`, `std` or `fixed`.
        words: the mode as a picture says it.
        clips: whether values may lie outside; they are drawn as the nearer end.
        diverging: whether zero is in the middle, which asks for a diverging colormap.
    """

    low: Floats
    high: Floats
    mode: str
    words: str
    clips: bool
    diverging: bool

    @property
    def own(self) -> bool:
        """Whether each channel has a scale of its own."""
        return self.mode in ("clipped", "channel", "signed", "percentile", "std")

    def take(self, channels: NDArray[np.intp] | slice) -> Limits:
        """Return the scale of some channels, in this order."""
        return replace(self, low=self.low[channels], high=self.high[channels])


@dataclass(frozen=True, slots=True)
class SharedScale:
    """One scale for the maps of several inputs; it begins without any, as NaN.

    Attributes:
        low, high: the least of their low ends and the greatest of their high ends.
        held: with the scale `auto`, of which the ends are then the range, the greatest magnitude that is held.
    """

    low: float = math.nan
    high: float = math.nan
    held: float = math.nan

    def joined(self, other: SharedScale) -> SharedScale:
        """Return the scale for the maps of both."""
        low, high = np.fmin(self.low, other.low), np.fmax(self.high, other.high)
        return SharedScale(float(low), float(high), float(np.fmax(self.held, other.held)))

    @property
    def ends(self) -> tuple[float, float]:
        """The ends of the scale; NaN if no value is finite."""
        if math.isnan(self.held):
            return self.low, self.high
        if both_signs(self.low, self.high):
            return -self.held, self.held
        return self.low, max(self.low, min(max(self.held, KEPT * self.high), self.high))


def as_floats(maps: Array) -> Array:
    """Return maps as float32 or float64, which of them holds their values; an array of these types is not copied.

    numpy finds the minimum of float16 fifty times slower than that of float32.
    """
    if maps.dtype in (np.float32, np.float64):
        return maps
    narrow = maps.dtype.kind in "biu" and maps.dtype.itemsize <= 2
    wide = maps.dtype.kind in "iufc" and maps.dtype.itemsize >= 4
    return maps.astype(np.float32 if narrow or not wide else np.float64)


def channel_statistics(maps: Array) -> ChannelStatistics:
    """Return the statistics of maps (C, ...) of any real dtype.

    >>> channel_statistics(np.array([[0.0, 4.0], [3.0, 3.0]])).deviation
    array([2., 0.])
    """
    values = as_floats(maps).reshape(len(maps), math.prod(maps.shape[1:]))
    if values.shape[1] == 1:
        return _single_values(values[:, 0])
    columns = np.full((4, len(values)), np.nan)
    counts = np.zeros((2, len(values)), np.int64)
    if values.size:
        with np.errstate(all="ignore"):
            for block in channel_blocks(values):
                columns[:, block] = _moments(values[block])
        # NaN shows in a minimum and infinity in either end, so finite channels need no pass of their own.
        for channel in np.flatnonzero(~np.isfinite(columns).all(axis=0)):
            columns[:, channel], counts[:, channel] = _careful(values[channel].astype(np.float64))
    minimum, maximum, mean, deviation = columns
    constant = _constant(minimum, maximum) & (counts.sum(axis=0) == 0) & (values.shape[1] > 1)
    return ChannelStatistics(minimum, maximum, mean, deviation, counts[0], counts[1], constant)


def _single_values(values: Array) -> ChannelStatistics:
    """Return the statistics of channels of one value each; a vector may have millions, so that columns are shared."""
    nan, finite = np.isnan(values), np.isfinite(values)
    known = np.where(finite, values, np.nan).astype(np.float64)
    deviation, none = np.where(finite, 0.0, np.nan), np.zeros(len(values), np.bool_)
    return ChannelStatistics(
        known, known, known, deviation, nan.astype(np.int64), (~finite & ~nan).astype(np.int64), none
    )


def channel_blocks(values: Array) -> Iterator[slice]:
    """Cut channels (C, ...) into groups that are worked on at once, about 256 KiB of float32 each."""
    step = max(1, _BLOCK // max(1, math.prod(values.shape[1:])))
    return (slice(start, start + step) for start in range(0, len(values), step))


def channel_extremes(maps: Array) -> ChannelStatistics:
    """Return the statistics of maps (C, ...) with NaN for mean and deviation, in a fifth of the time."""
    values = as_floats(maps).reshape(len(maps), math.prod(maps.shape[1:]))
    if values.size:
        with np.errstate(invalid="ignore"):
            minimum, maximum = values.min(axis=1).astype(np.float64), values.max(axis=1).astype(np.float64)
        if np.isfinite(minimum).all() and np.isfinite(maximum).all():
            unknown, none = np.full(len(values), np.nan), np.zeros(len(values), np.int64)
            constant = _constant(minimum, maximum) & (values.shape[1] > 1)
            return ChannelStatistics(minimum, maximum, unknown, unknown, none, none, constant)
    return channel_statistics(values)


def not_finite(values: Array, nan: bool = True) -> list[str]:
    """Return which of `NaN`, `inf` and `-inf` are among values; without `nan` the first is not looked for.

    >>> not_finite(np.array([1.0, -np.inf, np.nan]))
    ['NaN', '-inf']
    """
    found = {"NaN": nan and bool(np.isnan(values).any())}
    found |= {"inf": bool((values == np.inf).any()), "-inf": bool((values == -np.inf).any())}
    return [name for name, there in found.items() if there]


def strongest_channels(statistics: ChannelStatistics, most: int) -> NDArray[np.intp]:
    """Return the channels that vary most in space or, of a vector, are farthest from zero, in index order.

    >>> strongest_channels(channel_statistics(np.array([1.0, -3.0, 2.0])), 2).tolist()
    [1, 2]
    """
    varied = bool((statistics.deviation > 0).any())
    strength = np.nan_to_num(statistics.deviation if varied else np.abs(statistics.mean), nan=-1.0)
    return np.sort(np.argsort(-strength, kind="stable")[:most])


def irregular_words(maps: Array, statistics: ChannelStatistics) -> str:
    """Return in how many channels (C, ...) values are not finite, in words; nothing where all are.

    >>> maps = np.array([[1.0, np.nan], [np.inf, 2.0], [3.0, 4.0]])
    >>> irregular_words(maps, channel_statistics(maps))
    'NaN in 1, inf in 1 of 3'
    """
    if not statistics.irregular.any():
        return ""
    infinite = maps[statistics.inf > 0]
    space = tuple(range(1, infinite.ndim))
    above, below = (np.count_nonzero((infinite == end).any(axis=space)) for end in (np.inf, -np.inf))
    counts = {"NaN": np.count_nonzero(statistics.nan), "inf": above, "-inf": below}
    return ", ".join(f"{name} in {count}" for name, count in counts.items() if count) + f" of {len(maps)}"


def limits(maps: Array, statistics: ChannelStatistics, style: Style, signed: bool | None = None) -> Limits:
    """Return the ends of the scale of maps (C, ...).

    `auto` is `signed` where values have both signs, else `clipped`. Maps of a single value have no range of their own;
    for them it is `symmetric` or `layer`.

    Args:
        maps: of any real dtype.
        statistics: of the same channels.
        style: its `scale` and `limits` are used.
        signed: whether the layer has both signs, if these maps are a part of it; None: their range decides.

    Raises:
        UsageError: the style's scale does not exist.
    """
    mode, low, high = parse_scale(style.scale)
    if style.limits is not None:
        mode, (low, high) = "fixed", style.limits
    if mode == "auto":
        single = maps[0].size == 1 if len(maps) else False
        both = both_signs(*statistics.range) if signed is None else signed
        mode = ("symmetric" if single else "signed") if both else "layer" if single else "clipped"
    lows, highs = _ends(mode, maps, statistics, (low, high))
    # Channels without a finite value get the scale 0..1.
    empty = ~(np.isfinite(lows) & np.isfinite(highs))
    return Limits(
        low=np.where(empty, 0.0, lows),
        high=np.where(empty, 1.0, highs),
        mode=mode,
        words=SCALE_WORDS[mode].format(low=number_text(low, 6), high=number_text(high, 6)),
        clips=mode in ("clipped", "percentile", "signed", "std", "fixed"),
        diverging=mode in ("signed", "symmetric") or (mode == "fixed" and low == -high),
    )


def own_scale(maps: Array, style: Style) -> SharedScale:
    """Return the scale of maps (C, ...) in a style, with all of them as one channel."""
    if not maps.size:
        return SharedScale()
    whole = maps.reshape(1, -1)
    statistics = channel_statistics(whole)
    low, high = statistics.range
    if style.scale == "auto" or math.isnan(low):
        return SharedScale(low, high, float(reaches(whole, statistics)[0]))
    found = limits(whole, statistics, style)
    return SharedScale(float(found.low[0]), float(found.high[0]))


def both_signs(low: float, high: float) -> bool:
    """Return whether a range reaches below zero by more than a tenth of what it reaches above.

    SiLU and GELU go down to -0.28 and -0.17 only: on a symmetric scale half of the colours would be spent on that.

    >>> both_signs(-2.0, 3.0), both_signs(-0.28, 5.0)
    (True, False)
    """
    return low < 0 and -ONE_SIDED * low > high


def parse_scale(text: str) -> tuple[str, float, float]:
    """Return a scale's mode and, for `fixed:LOW,HIGH`, its ends (else 0 and 0).

    >>> parse_scale("fixed:-1,2.5")
    ('fixed', -1.0, 2.5)

    Raises:
        UsageError: the scale does not exist.
    """
    if text in MODES:
        return text, 0.0, 0.0
    name, colon, ends = text.partition(":")
    if name == "fixed" and colon:
        try:
            low, high = map(float, ends.split(","))
        except ValueError:
            low = high = math.nan
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise UsageError(f"scale {text!r}: two numbers, the lower first, such as fixed:0,6")
        return "fixed", low, high
    raise UsageError(f"no scale {text!r}: {', '.join(MODES)} or fixed:LOW,HIGH")


def _ends(mode: str, maps: Array, statistics: ChannelStatistics, fixed: tuple[float, float]) -> tuple[Floats, Floats]:
    count = len(maps)
    low, high = statistics.range
    if mode == "layer":
        return np.full(count, low), np.full(count, high)
    if mode == "symmetric":
        reach = max(-low, high)
        return np.full(count, -reach), np.full(count, reach)
    if mode == "fixed":
        return np.full(count, fixed[0]), np.full(count, fixed[1])
    if mode == "percentile":
        return _percentiles(maps, statistics)
    if mode in ("signed", "clipped"):
        held = reaches(maps, statistics)
        if mode == "signed":
            return -held, held
        held = np.fmax(held, KEPT * statistics.maximum)
        return statistics.minimum.copy(), np.clip(held, statistics.minimum, statistics.maximum)
    if mode == "std":
        spread = DEVIATIONS * statistics.deviation
        return statistics.mean - spread, statistics.mean + spread
    return statistics.minimum.copy(), statistics.maximum.copy()


def reaches(maps: Array, statistics: ChannelStatistics) -> Floats:
    """Return for each channel the magnitude at which the scales `signed` and `clipped` end, (C,).

    The share HELD of its magnitudes above the least does not exceed it: a channel that is zero but for a few values is
    judged by these. Where they are too few to leave any out, it is the greatest magnitude. For large maps this is found
    from evenly spaced values, in a tenth of the time; the share moves by half a percent.
    """
    greatest = np.fmax(np.abs(statistics.minimum), np.abs(statistics.maximum))
    values = as_floats(maps).reshape(len(maps), -1)
    step = max(1, -(-values.shape[1] // _SAMPLES))
    # Else maps 1024 wide would be judged by their first column.
    while step > 1 and math.gcd(step, maps.shape[-1]) > 1:
        step += 1
    found = _held(values[:, ::step], greatest)
    for channel in np.flatnonzero(statistics.irregular):
        finite = values[channel][np.isfinite(values[channel])]
        found[channel] = _held(finite[None], greatest[channel])[0]
    return found


def _held(values: Array, greatest: Floats) -> Floats:
    """Return the magnitude that holds the share HELD of the values of each channel (C, n), (C,); if all, `greatest`."""
    # numpy sorts with SIMD, faster than it partitions.
    ordered = np.sort(np.abs(values), axis=1)
    clipped = ((1 - HELD) * np.count_nonzero(ordered > ordered[:, :1], axis=1)).astype(np.intp)
    held = np.take_along_axis(ordered, -1 - clipped[:, None], axis=1)[:, 0] if ordered.size else greatest
    return np.where(clipped > 0, held, greatest).astype(np.float64)


def _percentiles(maps: Array, statistics: ChannelStatistics) -> tuple[Floats, Floats]:
    """Return the 1st and the 99th percentile of each channel, its ends where they are the same."""
    values = as_floats(maps).reshape(len(maps), -1)
    low, high, irregular = statistics.minimum.copy(), statistics.maximum.copy(), statistics.irregular
    for channel, row in enumerate(values):
        if irregular[channel]:
            row = row[np.isfinite(row)]
        if row.size:
            ordered = np.sort(row)
            below, above = ((row.size - 1) * share for share in PERCENTILES)
            first, last = ordered[int(below)], ordered[math.ceil(above)]
            if last > first:
                low[channel], high[channel] = first, last
    return low, high


def _constant(minimum: Floats, maximum: Floats) -> NDArray[np.bool_]:
    with np.errstate(all="ignore"):
        spread = maximum - minimum
        return spread <= CONSTANT * np.maximum(np.abs(minimum), np.abs(maximum))


def _moments(values: Array) -> Floats:
    """Return minimum, maximum, mean and deviation of each row; not finite where its values or their squares are not."""
    # The mean is subtracted before squaring, and its rounding error afterwards.
    mean = values.mean(axis=1)
    centred = values - mean[:, None]
    rest = centred.mean(axis=1, dtype=np.float64)
    squares = np.einsum("ij,ij->i", centred, centred).astype(np.float64) / values.shape[1]
    deviation = np.sqrt(np.maximum(squares - rest**2, 0))
    return np.stack([values.min(axis=1), values.max(axis=1), mean + rest, deviation]).astype(np.float64)


def _careful(row: Floats) -> tuple[Floats, tuple[int, int]]:
    """Return the four statistics of the finite values of one channel, and the counts of NaN and infinities."""
    finite = row[np.isfinite(row)]
    counts = int(np.isnan(row).sum()), int(np.isinf(row).sum())
    if not finite.size:
        return np.full(4, np.nan), counts
    # Divided by the greatest, so that no square overflows.
    size = float(np.abs(finite).max()) or 1.0
    parts = finite / size
    return np.array([finite.min(), finite.max(), parts.mean() * size, parts.std() * size]), counts

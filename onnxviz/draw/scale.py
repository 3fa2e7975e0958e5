"""The scale on which each channel is drawn: its mode, and the ends that this gives each channel or several inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxviz.draw.clipping import percentiles, reaches
from onnxviz.draw.statistics import ChannelStatistics, Floats, channel_statistics
from onnxviz.draw.style import Style
from onnxviz.errors import UsageError
from onnxviz.layout import Array
from onnxviz.words import number_text

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

KEPT = 0.1
"""The least share of a channel's greatest value at which the scale `clipped` ends.

In a map of probabilities two in a hundred values may be all that was found: the rest, next to nothing, stays dark.
"""

DEVIATIONS = 3
"""Standard deviations from the mean to the ends of the scale `std`."""

ONE_SIDED = 10
"""Values count as one-sided while the greatest is at least so many times as large as their dip below zero."""


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
    found = limits(whole, statistics, style)
    if found.mode == "fixed" or not (style.scale == "auto" or math.isnan(low)):
        return SharedScale(float(found.low[0]), float(found.high[0]))
    return SharedScale(low, high, float(reaches(whole, statistics)[0]))


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
        return percentiles(maps, statistics)
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

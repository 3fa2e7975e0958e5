"""What a picture of any kind needs to know before a pixel is drawn, worked out once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxviz.draw.page import Page
from onnxviz.draw.palette import default_colormap, melts_into_page
from onnxviz.draw.scale import (
    ChannelStatistics,
    Limits,
    channel_extremes,
    channel_statistics,
    irregular_words,
    limits,
    not_finite,
)
from onnxviz.draw.style import Caption, Drawing, Style, channel_numbers
from onnxviz.errors import UsageError
from onnxviz.layout import Array
from onnxviz.words import number_text

_FOLDED = 0.2
"""The share of constant channels above which they are left out."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Maps, and all that is worked out of them before they are drawn.

    Attributes:
        maps: (C, ...), all channels of one item, of any real dtype; NaN and infinities are shown as such.
        caption: the words above, and the names of channels.
        style: how to draw.
        statistics: of all channels; mean and deviation are NaN where the style does not need them.
        limits: the ends of the scale of all channels.
        channels: those that are drawn, in order.
        folded: whether constant channels were taken from these.
        gamma: the exponent of the colours; 0.5 lifts what is near the low end.
    """

    maps: Array
    caption: Caption
    style: Style
    statistics: ChannelStatistics
    limits: Limits
    channels: NDArray[np.intp]
    folded: bool = False
    gamma: float = 1.0

    @property
    def colormap(self) -> str:
        """The name of the colormap, also where the style says `auto`."""
        automatic = self.style.colormap == "auto"
        return default_colormap(self.limits.diverging, self.style.theme) if automatic else self.style.colormap

    @property
    def framed(self) -> bool:
        """Whether maps need a line around them, as their edge has the colour of the page."""
        return melts_into_page(self.colormap, self.style.theme, self.limits.diverging)

    @property
    def scale_words(self) -> str:
        """The scale as a file says it."""
        return f"{self.limits.mode}: {self.limits.words}"

    @property
    def range_words(self) -> str:
        """The range of all channels in words."""
        low, high = self.statistics.range
        if math.isnan(low):
            return "no finite value"
        return f"range {number_text(low)} .. {number_text(high)}" if low < high else f"all {number_text(low)}"

    @property
    def irregular_words(self) -> list[str]:
        """In how many channels values are not finite, as a note; no note where all are."""
        words = irregular_words(self.maps, self.statistics)
        return [words] if words else []

    def name(self, channel: int) -> str:
        """Return what a channel is called: its label, or its number."""
        return self.caption.labels[channel] if self.caption.labels else str(channel)

    def legend(self, channels: NDArray[np.intp]) -> list[str]:
        """Return which of `constant`, `NaN`, `inf` and `-inf` some channels show."""
        shown = self.statistics.take(channels)
        constant = ["constant"] if shown.constant.any() else []
        return constant + (not_finite(self.maps[channels[shown.irregular]]) if shown.irregular.any() else [])

    def without_constant(self) -> Prepared:
        """Return the same without constant channels where they are many, unless the style says which are drawn."""
        constant = self.statistics.constant[self.channels]
        many = constant.sum() > max(8, _FOLDED * len(constant)) and not constant.all()
        if self.style.channels is not None or self.style.top is not None or not many:
            return self
        return replace(self, channels=self.channels[~constant], folded=True)

    def drawing(self, page: Page, enlarged: bool, **facts: str) -> Drawing:
        """Return a finished page; `facts` go into the file's text, behind title, description and colormap."""
        text = {"Title": self.caption.title, "Description": self.caption.line, "Colormap": self.colormap, **facts}
        return Drawing(page.image(self.colormap, self.style.theme), enlarged, text)


def prepare(maps: Array, caption: Caption, style: Style, statistics: ChannelStatistics | None = None) -> Prepared:
    """Work out what any picture of maps (C, ...) needs; `statistics` are theirs, where they are known already.

    Raises:
        UsageError: there are no values, or the style names a scale, an order or a channel that does not exist.
    """
    if not maps.size:
        raise UsageError(f"nothing to draw in an array of shape {' x '.join(map(str, maps.shape))}")
    if statistics is None:
        whole = style.order == "deviation" or style.scale == "std"
        statistics = channel_statistics(maps) if whole else channel_extremes(maps)
    scale = limits(maps, statistics, style)
    return Prepared(maps, caption, style, statistics, scale, _chosen_channels(maps, statistics, style))


def check_order(order: str) -> None:
    """Raise UsageError for an order that does not exist."""
    if order not in ("index", "deviation", "mean"):
        raise UsageError(f"no order {order!r}: index, deviation or mean")


def _chosen_channels(maps: Array, statistics: ChannelStatistics, style: Style) -> NDArray[np.intp]:
    """Return which channels of maps (C, ...) are drawn, in order, by the style's channels, order and top."""
    chosen = np.arange(len(maps)) if style.channels is None else _named_channels(style.channels, len(maps))
    check_order(style.order)
    if style.order != "index":
        strength = statistics.deviation if style.order == "deviation" else _mean_magnitudes(maps)
        chosen = chosen[np.argsort(-np.nan_to_num(strength[chosen], nan=-np.inf), kind="stable")]
    if style.top is not None and style.top < 1:
        raise UsageError(f"top must be 1 or more, not {style.top}")
    return chosen[: style.top]


def _named_channels(channels: str | Sequence[int], count: int) -> NDArray[np.intp]:
    """Return the channels that a style names; those below 0 count from the end."""
    named = channel_numbers(channels)
    outside = [channel for channel in named if not -count <= channel < count]
    if outside:
        raise UsageError(f"no channel {outside[0]}: the layer has {count}, 0 to {count - 1}")
    return np.array(named, np.intp) % count


def _mean_magnitudes(maps: Array) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        means: NDArray[np.float64] = np.abs(maps.reshape(len(maps), -1)).mean(axis=1, dtype=np.float64)
        return means

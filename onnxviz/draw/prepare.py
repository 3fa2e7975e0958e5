"""What a picture of any kind needs to know before a pixel is drawn, worked out once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from onnxviz.draw.header import WIDEST_RANGE
from onnxviz.draw.page import Page
from onnxviz.draw.palette import default_colormap, melts_into_page
from onnxviz.draw.scale import SCALE_WORDS, Limits, limits
from onnxviz.draw.statistics import ChannelStatistics, channel_extremes, channel_statistics, irregular_words, not_finite
from onnxviz.draw.style import RANKED, Caption, Drawing, Style, channel_numbers
from onnxviz.errors import UsageError
from onnxviz.layout import Array
from onnxviz.words import number_text

# What the scale `auto` becomes where each channel has its own.
_AUTOMATIC = ("signed", "clipped")

_FOLDED = 0.2
"""The share of constant channels above which they are left out."""


@dataclass(frozen=True, slots=True)
class FoundWords:
    """What a picture says of one input: scale and range, live channels (may be empty), and what is not finite."""

    scale: str
    range: str
    live: str
    irregular: tuple[str, ...]


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
        prefix: tokens (C, n) that stand beside the maps.
        mark: a position (y, x) that is marked on every map.
        gamma: the exponent of the colours; 0.5 lifts what is near the low end.
        unused: the fields of the style that were given and mean nothing for this kind of picture.
        groups: how many groups of as many channels there are, one behind the other.
    """

    maps: Array
    caption: Caption
    style: Style
    statistics: ChannelStatistics
    limits: Limits
    channels: NDArray[np.intp]
    folded: bool = False
    gamma: float = 1.0
    unused: tuple[str, ...] = ()
    prefix: Array | None = None
    mark: tuple[int, int] | None = None
    groups: int = 1

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
    def found_words(self) -> FoundWords:
        """What is said of the values of this input."""
        count, live = len(self.maps), int(self.statistics.live.sum())
        irregular = irregular_words(self.maps, self.statistics)
        return FoundWords(
            self.limits.words,
            self.range_words,
            f"live {live} of {count}" if live < count else "",
            (irregular,) if irregular else (),
        )

    @property
    def widest_words(self) -> FoundWords:
        """What takes the most room of all that may be said of another input."""
        count = len(self.maps)
        scales = [self.limits.words, *(map(SCALE_WORDS.__getitem__, _AUTOMATIC) if self.style.scale == "auto" else ())]
        return FoundWords(
            max(scales, key=len), WIDEST_RANGE, f"live {count} of {count}", (f"NaN in {count} of {count}",)
        )

    @property
    def order_words(self) -> list[str]:
        """The order of the channels as a picture says it, and what of the style it has no use for."""
        by = "magnitude" if self.maps[0].size == 1 else self.style.order
        words = [f"greatest {by} first"] if self.style.order in RANKED else []
        return words + ([f"no use here for {', '.join(self.unused)}"] if self.unused else [])

    @property
    def count_words(self) -> list[str]:
        """How many channels are drawn, where the style asks for some."""
        shown, count = len(self.channels), len(self.maps)
        return [f"{shown} of {count} channels"] if not self.folded and shown < count else []

    def name(self, channel: int) -> str:
        """Return what a channel is called: its label, or its number."""
        return self.caption.labels[channel] if self.caption.labels else str(channel)

    def blocks(self, channels: NDArray[np.intp]) -> list[NDArray[np.intp]]:
        """Cut channels that are drawn in their order where a group ends."""
        if self.style.order != "index":
            return [channels]
        return np.split(channels, group_starts(channels, len(self.maps) // self.groups))

    def legend(self, channels: NDArray[np.intp]) -> list[str]:
        """Return which of `constant`, `NaN`, `inf` and `-inf` some channels show."""
        shown = self.statistics
        if len(channels) < len(self.maps):
            shown, maps = shown.take(channels), self.maps[channels]
        else:
            maps = self.maps
        constant = ["constant"] if shown.constant.any() else []
        return constant + (not_finite(maps[shown.irregular]) if shown.irregular.any() else [])

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
    return Prepared(maps, caption, style, statistics, scale, chosen_channels(maps, style, statistics))


def check_order(order: str) -> None:
    """Raise UsageError for an order that does not exist."""
    if order not in ("index", "listed", *RANKED):
        raise UsageError(f"no order {order!r}: index, deviation, mean or listed")


def group_starts(channels: NDArray[np.intp], each: int) -> list[int]:
    """Return where channels, in their order, go on to the next group of `each`.

    >>> group_starts(np.array([0, 2, 4, 5]), 3)
    [2]
    """
    starts: list[int] = (np.flatnonzero(np.diff(channels // each)) + 1).tolist()
    return starts


def chosen_channels(maps: Array, style: Style, statistics: ChannelStatistics | None = None) -> NDArray[np.intp]:
    """Return which channels of maps (C, ...) are drawn, in order, by the style's channels, order and top.

    Maps of one value have no deviation: both orders are by their magnitude.

    Raises:
        UsageError: there is no such channel or order, or `top` is less than 1.
    """
    chosen = np.arange(len(maps)) if style.channels is None else _named_channels(style.channels, maps)
    check_order(style.order)
    if style.order in RANKED:
        if style.order == "deviation" and maps[0].size > 1:
            strength = (channel_statistics(maps) if statistics is None else statistics).deviation
        else:
            strength = _mean_magnitudes(maps)
        chosen = chosen[np.argsort(-np.nan_to_num(strength[chosen], nan=-np.inf), kind="stable")]
    if style.top is not None and style.top < 1:
        raise UsageError(f"top must be 1 or more, not {style.top}")
    return chosen[: style.top]


def _named_channels(channels: str | Sequence[int], maps: Array) -> NDArray[np.intp]:
    """Return the channels that a style names; those below 0 count from the end. A vector may lack some of them."""
    named, count = channel_numbers(channels), len(maps)
    inside = [channel for channel in named if -count <= channel < count]
    if len(inside) < len(named) and (not inside or maps[0].size > 1):
        outside = next(channel for channel in named if channel not in inside)
        raise UsageError(f"no channel {outside}: the layer has {count}, 0 to {count - 1}")
    return np.array(inside, np.intp) % count


def _mean_magnitudes(maps: Array) -> NDArray[np.float64]:
    with np.errstate(all="ignore"):
        means: NDArray[np.float64] = np.abs(maps.reshape(len(maps), -1)).mean(axis=1, dtype=np.float64)
        return means

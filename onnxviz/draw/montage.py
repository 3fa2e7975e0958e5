"""Feature maps side by side: the picture of a layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxviz.draw import grid as grids
from onnxviz.draw.grid import Grid, Tile
from onnxviz.draw.header import TALLEST, Header, header_width
from onnxviz.draw.page import BARE, MARGIN, Page, hatch
from onnxviz.draw.palette import FAINT_RULE, FRAME, HATCH_BACK, NAN, RULE, default_colormap, melts_into_page
from onnxviz.draw.quantise import quantise_into
from onnxviz.draw.scale import Array, ChannelStatistics, Limits, channel_statistics, limits
from onnxviz.draw.style import Caption, Drawing, Style, channel_numbers
from onnxviz.draw.text import Face, face, number
from onnxviz.errors import UsageError

_FOLDED = 0.2
"""The share of constant channels above which they are not drawn."""

_LABEL_ROWS = 15
_ABOVE = 16
_BAR_ROWS = 5
_NARROWEST_LABELLED = 28
# From a channel's name to its range, and from there to the next tile, in pixels.
_RANGE_GAP = 8


def draw_montage(
    maps: Array,
    caption: Caption,
    style: Style,
    names: Sequence[str] | None = None,
    statistics: ChannelStatistics | None = None,
    *,
    gamma: float = 1.0,
) -> list[Drawing]:
    """Draw maps (C, H, W) as tiles on pages of at most 2000 px a side.

    Args:
        maps: of any real dtype; NaN and infinities are shown as such.
        caption: the words above.
        style: how to draw.
        names: what to write under each channel, its index if None.
        statistics: of the maps, if they are known already. The range bars and the scale `channel` go by them.
        gamma: an exponent for the colours; 0.5 lifts what is near the low end.

    Raises:
        UsageError: the style cannot be honoured.
    """
    montage = plan_montage(maps, style, names, statistics, gamma)
    colormap = montage.colormap
    text = {"Title": caption.title, "Description": caption.line, "Colormap": colormap, **montage.facts}
    return [
        Drawing(page.image(colormap, style.theme), montage.grid.tile.enlarged, text) for page in montage.pages(caption)
    ]


def choose_channels(maps: Array, statistics: ChannelStatistics, style: Style) -> NDArray[np.intp]:
    """Return which channels of maps (C, ...) are drawn, in order, by the style's channels, order and top.

    Raises:
        UsageError: a channel that the maps do not have, or an unknown order.
    """
    count = len(statistics.minimum)
    named = None if style.channels is None else channel_numbers(style.channels)
    outside = [channel for channel in named or () if not -count <= channel < count]
    if outside:
        raise UsageError(f"no channel {outside[0]}: the layer has {count}, 0 to {count - 1}")
    chosen = np.arange(count) if named is None else np.array(named, np.intp)
    chosen = chosen % max(count, 1)
    check_order(style.order)
    if style.order != "index":
        strength = statistics.deviation if style.order == "deviation" else _mean_magnitudes(maps)
        chosen = chosen[np.argsort(-np.nan_to_num(strength[chosen], nan=-np.inf), kind="stable")]
    if style.top is not None and style.top < 1:
        raise UsageError(f"top must be 1 or more, not {style.top}")
    return chosen[: style.top]


def live_channels(maps: Array, statistics: ChannelStatistics, style: Style) -> tuple[NDArray[np.intp], bool]:
    """Return the channels that are drawn and whether constant ones were left out, which are then many."""
    channels = choose_channels(maps, statistics, style)
    constant = statistics.constant[channels]
    many = constant.sum() > max(8, _FOLDED * len(channels)) and not constant.all()
    if style.channels is not None or style.top is not None or not many:
        return channels, False
    return channels[~constant], True


def _mean_magnitudes(maps: Array) -> NDArray[np.float64]:
    """Return the mean of the absolute values of each channel of maps (C, ...)."""
    with np.errstate(all="ignore"):
        means: NDArray[np.float64] = np.abs(maps.reshape(len(maps), -1)).mean(axis=1, dtype=np.float64)
        return means


def legend(maps: Array, statistics: ChannelStatistics, channels: NDArray[np.intp]) -> list[str]:
    """Return which of `constant`, `NaN`, `inf` and `-inf` some channels of maps (C, ...) show."""
    shown = statistics.take(channels)
    infinite = shown.inf > 0
    values = maps[channels[infinite]] if infinite.any() else np.zeros(0)
    found = {
        "constant": bool(shown.constant.any()),
        "NaN": bool(shown.nan.any()),
        "inf": bool((values == np.inf).any()),
        "-inf": bool((values == -np.inf).any()),
    }
    return [name for name, there in found.items() if there]


def check_order(order: str) -> None:
    """Refuse an order that is none of ours, with a UsageError."""
    if order not in ("index", "deviation", "mean"):
        raise UsageError(f"no order {order!r}: index, deviation or mean")


@dataclass(frozen=True, slots=True)
class Montage:
    """All that is decided before a pixel is drawn.

    Attributes:
        maps: (C, H, W), all channels.
        channels: those that are drawn, in order.
        names: of all channels.
        statistics: of all channels.
        limits: the scale of all channels.
        grid: where they go.
        style: as it was asked for.
        labels: whether names stand under the tiles, else at the left of rows and above columns.
        aside: pixels at the left of the tiles for the latter.
        framed: whether tiles have a line around them, as their own edge would not be seen.
        ranges: what is written behind each name, empty where it does not fit under every tile.
        shares: (C, 2) where each channel's range lies within the layer's, for the bars; None where there are no bars.
        folded: whether constant channels are left out.
        gamma: the exponent of the colours.
    """

    maps: Array
    channels: NDArray[np.intp]
    names: Sequence[str]
    statistics: ChannelStatistics
    limits: Limits
    grid: Grid
    style: Style
    labels: bool
    aside: int
    framed: bool
    ranges: Sequence[str]
    shares: NDArray[np.float64] | None
    folded: bool
    gamma: float

    @property
    def colormap(self) -> str:
        """The colormap's name."""
        return _colormap(self.style, self.limits)

    @property
    def range(self) -> str:
        """The layer's range in words."""
        low, high = self.statistics.range
        if math.isnan(low):
            return "no finite value"
        return f"range {number(low)} .. {number(high)}" if low < high else f"all {number(low)}"

    @property
    def facts(self) -> dict[str, str]:
        """What a file's text says of the picture."""
        return {"Scale": f"{self.limits.mode}: {self.limits.words}", "Range": self.range, "Zoom": self.grid.tile.words}

    @property
    def in_order(self) -> bool:
        """Whether all channels are drawn in their own order, so that a row and a column tell the channel."""
        return len(self.channels) == len(self.maps) and bool((np.diff(self.channels) == 1).all())

    def pages(self, caption: Caption) -> Iterator[Page]:
        """Draw the pages one after the other."""
        for number_of_page in range(self.grid.pages):
            yield self._page(caption, number_of_page)

    def _page(self, caption: Caption, number_of_page: int) -> Page:
        grid, aside, above = self.grid, self.aside, 0 if self.labels else _ABOVE
        first = number_of_page * grid.page_rows
        rows = range(first, min(grid.rows, first + grid.page_rows))
        if self.style.bare:
            page = Page(grid.width + 2 * BARE, grid.height(len(rows)) + 2 * BARE)
            for place, row in enumerate(rows):
                self._tiles(page, row, (BARE + place * grid.step[0], BARE))
            return page
        header = self._header(caption, number_of_page)
        width = header_width(grid.width + aside)
        top = header.height(width, self.style.font) + (20 if self.folded else 0)
        page = Page(width, top + above + grid.height(len(rows)) + MARGIN, self.style.font)
        header.draw(page)
        if self.folded:
            self._fold_strip(page, top - 24)
        for place, row in enumerate(rows):
            self._row(page, row, (top + above + place * grid.step[0], MARGIN + aside))
        if not self.labels and self.in_order:
            self._column_labels(page, top + above - 6, MARGIN + aside)
        return page

    def _header(self, caption: Caption, number_of_page: int) -> Header:
        statistics = self.statistics
        live, irregular = int(statistics.live.sum()), int(statistics.irregular.sum())
        notes = [self.limits.words, self.grid.tile.words, self.range]
        if self.gamma != 1:
            notes.insert(1, f"gamma {self.gamma:g}")
        if self.style.order != "index":
            notes.append(f"greatest {'deviation' if self.style.order == 'deviation' else 'mean'} first")
        if not self.folded and len(self.channels) < len(self.maps):
            notes.append(f"{len(self.channels)} of {len(self.maps)} channels")
        if live < len(self.maps):
            notes.append(f"live {live} of {len(self.maps)}{', constant ones not drawn' if self.folded else ''}")
        if irregular:
            notes.append(f"not finite in {irregular}")
        if self.grid.pages > 1:
            line = f"{caption.line} · " if caption.line else ""
            caption = Caption(caption.title, f"{line}page {number_of_page + 1} of {self.grid.pages}")
        return Header(caption, notes, self.limits, legend(self.maps, self.statistics, self.channels), self.gamma)

    def _fold_strip(self, page: Page, y: int) -> None:
        """Draw one tick a channel, live or constant, in place of the channels that are left out."""
        count, width = len(self.maps), page.width - 2 * MARGIN
        ticks = ~self.statistics.constant[np.arange(width) * count // width]
        page.canvas[y : y + 8, MARGIN : MARGIN + width] = np.where(ticks, RULE, HATCH_BACK)
        page.text(MARGIN, y + 18, "0", 10, 135)
        page.text(MARGIN + width, y + 18, str(count - 1), 10, 135, "r")
        live = int(self.statistics.live.sum())
        page.text(MARGIN + width / 2, y + 18, f"live {live} of {count}", 10, 150, "m")

    def _tiles(self, page: Page, row: int, corner: tuple[int, int]) -> NDArray[np.intp]:
        """Draw the tiles of a row, whose first has its corner at (y, x), and return their channels."""
        grid = self.grid
        channels = self.channels[row * grid.columns :][: grid.columns]
        if self.framed:
            for column in range(len(channels)):
                y, x = corner[0] - 1, corner[1] + column * grid.step[1] - 1
                page.canvas[y : y + grid.tile.height + 2, x : x + grid.tile.width + 2] = FRAME
        _write_row(page, grid, corner, self.maps, channels, self.limits, self.statistics, self.gamma)
        for column in np.flatnonzero((self.statistics.constant | self.statistics.irregular)[channels]).tolist():
            self._mark(page, int(channels[column]), corner[0], corner[1] + column * grid.step[1])
        return channels

    def _row(self, page: Page, row: int, corner: tuple[int, int]) -> None:
        """Draw the tiles of a row and the words to them."""
        grid, first = self.grid, row * self.grid.columns
        channels = self._tiles(page, row, corner)
        if self.shares is not None:
            self._bars(page, channels, (corner[0] + grid.tile.height + 2, corner[1]))
        if self.labels:
            baseline = corner[0] + grid.step[0] - grid.tile.gap - 4
            for column, channel in enumerate(channels.tolist()):
                self._label(page, channel, first + column, baseline, corner[1] + column * grid.step[1])
        if not self.labels and row % math.ceil(13 / grid.step[0]) == 0:
            middle = corner[0] + grid.tile.height / 2 + 4
            page.text(corner[1] - 8, middle, self.names[channels[0]], 11, 165, "r", width=self.aside - 8)

    def _mark(self, page: Page, channel: int, y: int, x: int) -> None:
        """Hatch what has nothing to show, and mark what is not finite."""
        tile, statistics = self.grid.tile, self.statistics
        view = page.canvas[y : y + tile.height, x : x + tile.width]
        if statistics.constant[channel]:
            hatch(view, 6 if tile.width >= 24 else 4)
        if statistics.nan[channel] + statistics.inf[channel]:
            if np.isnan(statistics.minimum[channel]) and not statistics.inf[channel]:
                hatch(view, line=NAN, crossed=True)
            size = min(9, tile.height, tile.width)
            view[:size, -size:][np.triu(np.ones((size, size), bool))] = NAN

    def _bars(self, page: Page, channels: NDArray[np.intp], corner: tuple[int, int]) -> None:
        """Draw the range bars of a row, whose first has its corner at (y, x)."""
        assert self.shares is not None
        width, ink = self.grid.tile.width, np.where(self.statistics.constant[channels], FAINT_RULE, RULE)
        # Where nothing is finite, the ends are NaN, and nothing lies between them.
        start, end = self.shares[channels].T[:, :, None] * width
        left, pixels = np.minimum(np.floor(start), width - 1), np.arange(width)
        inside = (pixels >= left) & (pixels < np.maximum(left + 1, np.ceil(end)))
        bars = grids.strip_view(page.canvas, self.grid, corner, (len(channels), 3))
        bars[:] = np.where(inside, ink[:, None], HATCH_BACK)[:, None]

    def _label(self, page: Page, channel: int, place: int, y: int, x: int) -> None:
        muted = bool(self.statistics.constant[channel])
        page.text(x, y, self.names[channel], 11, 120 if muted else 215)
        if self.ranges:
            x += math.ceil(page.measure(self.names[channel], 11)) + _RANGE_GAP
            page.text(x, y, self.ranges[place], 10, 110 if muted else 150)

    def _column_labels(self, page: Page, y: int, x: int) -> None:
        step = self.grid.step[1]
        every = next((every for every in (1, 2, 4, 5, 8, 10, 20) if every * step >= 28), 40)
        for column in range(0, self.grid.columns, every):
            page.text(x + column * step + self.grid.tile.width / 2, y, f"+{column}", 11, 140, "m")


def plan_montage(
    maps: Array,
    style: Style,
    names: Sequence[str] | None = None,
    statistics: ChannelStatistics | None = None,
    gamma: float = 1.0,
) -> Montage:
    """Decide where everything goes; see `draw_montage`."""
    if maps.ndim != 3 or 0 in maps.shape:
        raise UsageError(f"nothing to draw in an array of shape {' x '.join(map(str, maps.shape))}")
    statistics = statistics or channel_statistics(maps)
    scale = limits(maps, statistics, style)
    channels, folded = live_channels(maps, statistics, style)
    names = names or [str(channel) for channel in range(len(maps))]
    tile = grids.choose_tile(len(channels), maps.shape[1], maps.shape[2], style)
    letters, drawn = face(style.font), [names[channel] for channel in channels]
    widest = max(letters.width(name, 11) for name in drawn)
    labels = not style.bare and tile.width >= max(_NARROWEST_LABELLED, widest)
    aside, above = (0, 0) if labels or style.bare else (min(max(40, math.ceil(widest) + 8), 200), _ABOVE)
    bars = not style.bare and scale.own and tile.width >= 16 and statistics.range[1] > statistics.range[0]
    ranges = _ranges(letters, tile, drawn, statistics.take(channels)) if labels and scale.own else []
    room = grids.PAGE - TALLEST - above - MARGIN - (20 if folded else 0), grids.PAGE - 2 * MARGIN - aside
    strip = _LABEL_ROWS * labels + _BAR_ROWS * bars
    grid = grids.arrange(len(channels), tile, strip, style, room)
    shares = _shares(statistics) if bars else None
    return Montage(
        maps=maps,
        channels=channels,
        names=names,
        statistics=statistics,
        limits=scale,
        grid=grid,
        style=style,
        labels=labels,
        aside=aside,
        framed=melts_into_page(_colormap(style, scale), style.theme, scale.diverging),
        ranges=ranges,
        shares=shares,
        folded=folded,
        gamma=gamma,
    )


def _ranges(letters: Face, tile: Tile, names: Sequence[str], statistics: ChannelStatistics) -> list[str]:
    """Return the range of each channel in words if each fits beside its name, else nothing."""
    if tile.width < 60:
        return []
    texts = []
    for name, low, high, constant in zip(
        names, statistics.minimum.tolist(), statistics.maximum.tolist(), statistics.constant.tolist(), strict=True
    ):
        text = f"{number(low)} .. {number(high)}" if low < high and not constant else number(low)
        if letters.width(name, 11) + letters.width(text, 10) + 2 * _RANGE_GAP > tile.width:
            return []
        texts.append(text)
    return texts


def _shares(statistics: ChannelStatistics) -> NDArray[np.float64]:
    """Return where the range of each channel lies in the layer's (C, 2), from 0 to 1; NaN where nothing is finite."""
    low, high = statistics.range
    ends = np.stack([statistics.minimum, statistics.maximum], axis=1)
    # Halves, since the range itself may overflow.
    return (ends / 2 - low / 2) / (high / 2 - low / 2)


def _write_row(
    page: Page,
    grid: Grid,
    corner: tuple[int, int],
    maps: Array,
    channels: NDArray[np.intp],
    scale: Limits,
    statistics: ChannelStatistics,
    gamma: float = 1.0,
) -> None:
    """Draw the tiles of one row."""
    tile = grid.tile
    view = grids.row_view(page.canvas, grid, corner, len(channels))
    adjacent = len(channels) == channels[-1] - channels[0] + 1 and bool((np.diff(channels) == 1).all())
    part = slice(int(channels[0]), int(channels[-1]) + 1) if adjacent else channels
    row_scale = scale.take(part)
    row_statistics = statistics.take(part) if statistics.irregular[part].any() else None
    if not tile.enlarged:
        quantise_into(view[:, :, 0, :, 0], maps[part], row_scale, row_statistics, shrink=tile.shrink, gamma=gamma)
        return
    # Quantised first and repeated after, which is two to three times cheaper than the other way round.
    indices = np.empty((len(channels), *tile.values), np.uint8)
    quantise_into(indices, maps[part], row_scale, row_statistics, shrink=tile.shrink, gamma=gamma)
    view[:] = indices[:, :, None, :, None]


def _colormap(style: Style, scale: Limits) -> str:
    return default_colormap(scale.diverging, style.theme) if style.colormap == "auto" else style.colormap

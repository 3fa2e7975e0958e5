"""Feature maps side by side: the picture of a layer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from onnxviz.draw import grid as grids
from onnxviz.draw.arrange import beside_words
from onnxviz.draw.grid import Grid, Tile
from onnxviz.draw.header import TALLEST, Header, header_width
from onnxviz.draw.page import BARE, MARGIN, Page, hatch
from onnxviz.draw.palette import FAINT_RULE, FRAME, HATCH_BACK, INK, INK_STEPS, RULE, SIGNS
from onnxviz.draw.prepare import FoundWords, Prepared
from onnxviz.draw.quantise import quantise_beside, quantise_into
from onnxviz.draw.statistics import ChannelStatistics, not_finite
from onnxviz.draw.style import Drawing
from onnxviz.draw.text import Face, face
from onnxviz.draw.token_names import MOST, ZOOM, TokenNames, names_of_sides
from onnxviz.words import number_text

_LABEL_ROWS = 15
_ABOVE = 16
_BAR_ROWS = 5
_NARROWEST_LABELLED = 28
# From a channel's name to its range, and from there to the next tile, in pixels.
_RANGE_GAP = 8


def draw_montage(prepared: Prepared) -> list[Drawing]:
    """Draw maps (C, H, W) as tiles on pages of at most 2000 px a side.

    Constant channels are left out where they are many. Where each channel has a scale of its own, a bar under its
    tile shows its range within the layer's.

    Raises:
        UsageError: the style's tile, columns or rows cannot be drawn.
    """
    montage = plan_montage(prepared)
    tile, facts = montage.grid.tile, {"Scale": prepared.scale_words, "Range": prepared.range_words}
    return [prepared.drawing(page, tile.enlarged, **facts, Zoom=tile.words) for page in montage.pages()]


@dataclass(frozen=True, slots=True)
class Montage:
    """Where everything on the pages of a montage stands.

    Attributes:
        prepared: the maps, without the channels that are left out.
        grid: where the tiles stand.
        labels: whether names stand under the tiles, else at the left of rows and above columns.
        aside, above: pixels at the left of the tiles and above them for names of rows and columns.
        ranges: the range behind each name; empty if they do not fit under every tile.
        shares: (C, 2) where each channel's range lies within the layer's, for the bars; None for no bars.
        beside: columns of values at the left of each map for tokens that stand for no place of it, and a gap.
        sides: the names of queries and keys at the sides of each matrix.
    """

    prepared: Prepared
    grid: Grid
    labels: bool
    aside: int
    above: int
    ranges: Sequence[str]
    shares: NDArray[np.float64] | None
    beside: int = 0
    sides: TokenNames = field(default_factory=TokenNames)

    def pages(self) -> Iterator[Page]:
        """Draw the pages one after the other."""
        for page_number in range(self.grid.pages):
            yield self._page(page_number)

    def _page(self, page_number: int) -> Page:
        grid, aside, above = self.grid, self.aside, self.above
        style, folded = self.prepared.style, self.prepared.folded
        first = page_number * grid.page_rows
        rows = range(first, min(grid.rows, first + grid.page_rows))
        if style.bare:
            page = Page(grid.width + 2 * BARE, grid.height(len(rows)) + 2 * BARE)
            for place, row in enumerate(rows):
                self._tiles(page, row, (BARE + place * grid.step[0], BARE))
            return page
        header = self._header(page_number)
        width = header_width(grid.width + aside)
        top = header.height(width, style.font) + (20 if folded else 0)
        page = Page(width, top + above + grid.height(len(rows)) + MARGIN, style.font)
        header.draw(page)
        if folded:
            self._fold_strip(page, top - 24)
        for place, row in enumerate(rows):
            self._row(page, row, (top + above + place * grid.step[0], MARGIN + aside))
        # Row and column give the channel where all are drawn in their own order.
        if not self.labels and np.array_equal(self.prepared.channels, np.arange(len(self.prepared.maps))):
            self._column_labels(page, top + above - 6, MARGIN + aside)
        if self.labels:
            columns = min(grid.columns, len(self.prepared.channels))
            self.sides.draw(page, grid, (top + above, MARGIN + aside), (len(rows), columns))
        return page

    def _header(self, page_number: int) -> Header:
        prepared, caption = self.prepared, self.prepared.caption
        if self.grid.pages > 1:
            line = f"{caption.line} · " if caption.line else ""
            caption = replace(caption, line=f"{line}page {page_number + 1} of {self.grid.pages}")
        legend = prepared.legend(prepared.channels)
        notes, widest = self._notes(prepared.found_words), self._notes(prepared.widest_words)
        return Header(caption, notes, prepared.limits, legend, prepared.gamma, widest)

    def _notes(self, found: FoundWords) -> list[str]:
        prepared = self.prepared
        gamma = [f"gamma {prepared.gamma:g}"] if prepared.gamma != 1 else []
        live = [f"{found.live}{', constant ones not drawn' if prepared.folded else ''}"] if found.live else []
        asked = [*prepared.order_words, *prepared.count_words]
        left = [beside_words(prepared.prefix)] if self.beside and prepared.prefix is not None else []
        return [found.scale, *gamma, self.grid.tile.words, found.range, *asked, *live, *found.irregular, *left]

    def _fold_strip(self, page: Page, y: int) -> None:
        """Draw one tick a channel, live or constant, in place of the channels that are left out."""
        statistics, width = self.prepared.statistics, page.width - 2 * MARGIN
        count = len(statistics.constant)
        ticks = ~statistics.constant[np.arange(width) * count // width]
        page.canvas[y : y + 8, MARGIN : MARGIN + width] = np.where(ticks, RULE, HATCH_BACK)
        page.text(MARGIN, y + 18, "0", 10, 135)
        page.text(MARGIN + width, y + 18, str(count - 1), 10, 135, "r")
        page.text(MARGIN + width / 2, y + 18, f"live {int(statistics.live.sum())} of {count}", 10, 150, "m")

    def _tiles(self, page: Page, row: int, corner: tuple[int, int]) -> NDArray[np.intp]:
        """Draw the tiles of a row, whose first has its corner at (y, x), and return their channels."""
        grid, statistics = self.grid, self.prepared.statistics
        channels = self.prepared.channels[row * grid.columns :][: grid.columns]
        aside = self.beside * grid.tile.zoom[1]
        for column in range(len(channels)):
            y, x = corner[0], corner[1] + column * grid.step[1]
            if self.prepared.framed:
                _frame(page, (y, x + aside), (grid.tile.height, grid.tile.width - aside))
            if self.beside:
                _frame(page, (y, x), self._prefix_size)
        view = grids.row_view(page.canvas, grid, corner, len(channels))
        if self.beside:
            self._write_prefix(view[..., :aside], channels)
        self._write(view[..., aside:], channels)
        for column in np.flatnonzero((statistics.constant | statistics.irregular)[channels]).tolist():
            self._mark(page, int(channels[column]), corner[0], corner[1] + column * grid.step[1])
        for column in range(len(channels) if self.prepared.mark is not None else 0):
            self._ring(page, (corner[0], corner[1] + column * grid.step[1] + aside))
        return channels

    def _ring(self, page: Page, corner: tuple[int, int]) -> None:
        """Draw a ring of ink, edged by the page's colour, around the marked position of a map with this corner."""
        tile = self.grid.tile
        assert self.prepared.mark is not None
        (y, x), (down, across) = corner, tile.zoom
        top, left = (place // by for place, by in zip(self.prepared.mark, tile.shrink, strict=True))
        for ink, out in ((INK, 1), (INK + INK_STEPS - 1, 0)):
            rows = slice(y + top * down - out, y + (top + 1) * down + out)
            columns = slice(x + left * across - out, x + (left + 1) * across + out)
            page.canvas[[rows.start, rows.stop - 1], columns] = ink
            page.canvas[rows, [columns.start, columns.stop - 1]] = ink

    def _write(self, view: NDArray[np.uint8], channels: NDArray[np.intp]) -> None:
        """Write channels into the `row_view` of their tiles."""
        prepared, tile = self.prepared, self.grid.tile
        adjacent = len(channels) == channels[-1] - channels[0] + 1 and bool((np.diff(channels) == 1).all())
        part = slice(int(channels[0]), int(channels[-1]) + 1) if adjacent else channels
        maps, scale, gamma = prepared.maps[part], prepared.limits.take(part), prepared.gamma
        statistics = prepared.statistics.take(part) if prepared.statistics.irregular[part].any() else None
        if not tile.enlarged:
            quantise_into(view[:, :, 0], maps, scale, statistics, shrink=tile.shrink, gamma=gamma)
            return
        # Quantised first and repeated after, which is two to three times cheaper than the other way round, as repeating
        # across before down is than both at once.
        indices = np.empty(
            (len(channels), *prepared.maps.shape[1:]) if self.beside else (len(channels), *tile.values), np.uint8
        )
        quantise_into(indices, maps, scale, statistics, shrink=tile.shrink, gamma=gamma)
        view[:] = indices.repeat(tile.zoom[1], axis=2)[:, :, None]

    def _write_prefix(self, view: NDArray[np.uint8], channels: NDArray[np.intp]) -> None:
        """Write tokens that stand for no place, from the top on, into the columns at the left of their tiles."""
        prefix = self.prepared.prefix
        assert prefix is not None
        indices = quantise_beside(prefix[channels], self.prepared.limits.take(channels), self.prepared.gamma)
        across = self.grid.tile.zoom[1]
        for place in range(indices.shape[1]):
            column, row = divmod(place, view.shape[1])
            view[:, row, :, column * across : (column + 1) * across] = indices[:, place, None, None]

    @property
    def _prefix_size(self) -> tuple[int, int]:
        """The pixels, down and across, that the tokens beside a map take."""
        assert self.prepared.prefix is not None
        down, across = self.grid.tile.zoom
        return min(self.prepared.prefix.shape[1], self.prepared.maps.shape[1]) * down, (self.beside - 1) * across

    def _row(self, page: Page, row: int, corner: tuple[int, int]) -> None:
        grid, first = self.grid, row * self.grid.columns
        channels = self._tiles(page, row, corner)
        if self.shares is not None:
            self._bars(page, channels, (corner[0] + grid.tile.height + 2, corner[1]))
        if self.labels:
            baseline = corner[0] + grid.step[0] - grid.tile.gap - 4
            for column, channel in enumerate(channels.tolist()):
                self._label(page, channel, first + column, (baseline, corner[1] + column * grid.step[1]))
        elif row % math.ceil(13 / grid.step[0]) == 0:
            middle = corner[0] + grid.tile.height / 2 + 4
            name = self.prepared.name(int(channels[0]))
            page.text(corner[1] - 8, middle, name, 11, 165, "r", width=self.aside - 8)

    def _mark(self, page: Page, channel: int, y: int, x: int) -> None:
        """Hatch a constant channel, and mark one that is not finite."""
        tile, statistics = self.grid.tile, self.prepared.statistics
        view = page.canvas[y : y + tile.height, x + self.beside * tile.zoom[1] : x + tile.width]
        if statistics.constant[channel]:
            hatch(view, 6 if tile.width >= 24 else 4)
        if statistics.irregular[channel]:
            size = min(9, tile.height, tile.width)
            signs = not_finite(self.prepared.maps[channel])
            view[:size, -size:][np.triu(np.ones((size, size), bool))] = SIGNS[signs[0]]

    def _bars(self, page: Page, channels: NDArray[np.intp], corner: tuple[int, int]) -> None:
        """Draw the range bars of a row, whose first has its corner at (y, x)."""
        assert self.shares is not None
        width, constant = self.grid.tile.width, self.prepared.statistics.constant[channels]
        # Where nothing is finite, the ends are NaN, and nothing lies between them.
        start, end = self.shares[channels].T[:, :, None] * width
        left, pixels = np.minimum(np.floor(start), width - 1), np.arange(width)
        inside = (pixels >= left) & (pixels < np.maximum(left + 1, np.ceil(end)))
        bars = grids.strip_view(page.canvas, self.grid, corner, (len(channels), 3))
        bars[:] = np.where(inside, np.where(constant, FAINT_RULE, RULE)[:, None], HATCH_BACK)[:, None]

    def _label(self, page: Page, channel: int, place: int, corner: tuple[int, int]) -> None:
        (y, x), name = corner, self.prepared.name(channel)
        muted = bool(self.prepared.statistics.constant[channel])
        page.text(x, y, name, 11, 120 if muted else 215)
        if self.ranges:
            x += math.ceil(page.face.width(name, 11)) + _RANGE_GAP
            page.text(x, y, self.ranges[place], 10, 120 if muted else 150)

    def _column_labels(self, page: Page, y: int, x: int) -> None:
        step = self.grid.step[1]
        every = next((every for every in (1, 2, 4, 5, 8, 10, 20) if every * step >= 28), 40)
        for column in range(0, self.grid.columns, every):
            page.text(x + column * step + self.grid.tile.width / 2, y, f"+{column}", 11, 140, "m")


def plan_montage(prepared: Prepared) -> Montage:
    """Decide where everything stands; see `draw_montage`."""
    prepared = prepared.without_constant()
    statistics, style, channels = prepared.statistics, prepared.style, prepared.channels
    tile, beside = _choose_tile(prepared)
    letters, names = face(style.font), [prepared.name(channel) for channel in channels.tolist()]
    widest = max(letters.width(name, 11) for name in names)
    labels = not style.bare and tile.width >= max(_NARROWEST_LABELLED, widest)
    sides = TokenNames() if style.bare else names_of_sides(prepared.caption.token_names, prepared.maps.shape[1:], tile)
    aside, above = (min(max(40, math.ceil(widest) + 8), 200), _ABOVE)
    if labels or style.bare:
        aside = above = sides.side(letters)
    own = prepared.limits.own
    bars = not style.bare and own and tile.width >= 16
    strip = _LABEL_ROWS * labels + _BAR_ROWS * bars
    room = grids.PAGE - TALLEST - above - MARGIN - (20 if prepared.folded else 0), grids.PAGE - 2 * MARGIN - aside
    return Montage(
        prepared=prepared,
        grid=grids.arrange(len(channels), tile, strip, style, room),
        labels=labels,
        aside=aside,
        above=above,
        ranges=_ranges(letters, tile, names, prepared) if labels and own else [],
        shares=_shares(statistics) if bars else None,
        beside=beside,
        sides=sides,
    )


def _choose_tile(prepared: Prepared) -> tuple[Tile, int]:
    """Return how maps are drawn, and how many columns of values stand beside each; none beside maps that shrink."""
    count, (height, width) = len(prepared.channels), prepared.maps.shape[1:]
    if prepared.prefix is not None:
        beside = -(-prepared.prefix.shape[1] // height) + 1
        tile = grids.choose_tile(count, height, width + beside, prepared.style)
        if tile.shrink == (1, 1):
            # What stands beside a map is nearer to it than to the map before.
            return replace(tile, gap=max(tile.gap, tile.zoom[1] * 3 // 2)), beside
    tile = grids.choose_tile(count, height, width, prepared.style)
    named = not prepared.caption.token_names.keys().isdisjoint((height, width)) and max(height, width) <= MOST
    sized = prepared.style.tile or prepared.style.columns or prepared.style.rows
    if named and not sized and min(tile.zoom) < ZOOM:
        larger = replace(prepared.style, tile=ZOOM * max(height, width))
        tile = grids.choose_tile(count, height, width, larger)
    return tile, 0


def _frame(page: Page, corner: tuple[int, int], size: tuple[int, int]) -> None:
    """Fill a rectangle with the colour of frames, one pixel wider on each side than what is drawn over it."""
    (y, x), (height, width) = corner, size
    page.canvas[y - 1 : y + height + 1, x - 1 : x + width + 1] = FRAME


def _ranges(letters: Face, tile: Tile, names: Sequence[str], prepared: Prepared) -> list[str]:
    """Return the range of each channel in words, or nothing if one of them does not fit beside its name."""
    if tile.width < 60:
        return []
    texts = []
    for name, channel in zip(names, prepared.channels.tolist(), strict=True):
        text = _range_text(prepared, channel)
        if letters.width(name, 11) + letters.width(text, 10) + 2 * _RANGE_GAP > tile.width:
            return []
        texts.append(text)
    return texts


def _range_text(prepared: Prepared, channel: int) -> str:
    statistics = prepared.statistics
    low, high = float(statistics.minimum[channel]), float(statistics.maximum[channel])
    if math.isnan(low):
        return ", ".join(not_finite(prepared.maps[channel]))
    if statistics.constant[channel] or low == high:
        return number_text(low)
    return f"{number_text(low)} .. {number_text(high)}"


def _shares(statistics: ChannelStatistics) -> NDArray[np.float64]:
    """Return where the range of each channel lies in the layer's (C, 2), from 0 to 1; NaN if that is a point."""
    low, high = statistics.range
    ends = np.stack([statistics.minimum, statistics.maximum], axis=1)
    # Halves, since the range itself may overflow.
    span = high / 2 - low / 2
    return (ends / 2 - low / 2) / (span if span > 0 else np.nan)

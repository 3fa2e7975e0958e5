"""Sequences: a band of colour for each channel, one below the other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from onnxviz.draw import palette
from onnxviz.draw.grid import PAGE
from onnxviz.draw.header import RULER, Header, draw_ruler, header_width
from onnxviz.draw.page import BARE, MARGIN, Canvas, Page, hatch
from onnxviz.draw.prepare import FoundWords, Prepared
from onnxviz.draw.quantise import quantise
from onnxviz.draw.style import Drawing, Style
from onnxviz.extremes import as_floats
from onnxviz.layout import Array

WIDTH = 1200
TALLEST = 24
AXIS = 44
RANGE_BAR = 56
GROUP_GAP = 8
"""In pixels: the width that bands come near to, the thickest band, the room for channel numbers at the left, the
room for the range of each channel at the right, and the gap between groups of channels."""


@dataclass(frozen=True, slots=True)
class BandGrid:
    """Where bands stand.

    Attributes:
        zoom: pixels a sample.
        shrink: samples that become one pixel, see `strongest`; 1 where zoom is more.
        thickness: rows of pixels a band.
        width: pixels of a band.
        page_rows: bands on a page.
    """

    zoom: int
    shrink: int
    thickness: int
    width: int
    page_rows: int

    @property
    def words(self) -> str:
        """The zoom as a picture says it."""
        if self.shrink > 1:
            return f"{self.shrink} samples to 1 px, the one farthest from 0"
        return f"1 sample = {self.zoom} px"


def draw_bands(prepared: Prepared) -> list[Drawing]:
    """Draw sequences `(C, L)`: channels downwards, their samples across; a page where there are not too many.

    Of longer sequences each pixel shows the strongest of a whole number of samples, shorter ones are enlarged by a
    whole factor. Groups of channels, such as the directions of a recurrent layer, stand apart. Constant channels are
    hatched, and where each channel has a scale of its own, its range within the layer's stands at the right.
    """
    channels = prepared.channels
    grid = choose_bands(len(channels), prepared.maps.shape[1], prepared.style)
    bands = _Bands(prepared, grid)
    facts = {"Scale": prepared.scale_words, "Range": prepared.range_words, "Zoom": grid.words}
    enlarged = grid.zoom > 1 or grid.thickness > 1
    groups = (channels[start : start + grid.page_rows] for start in range(0, len(channels), grid.page_rows))
    return [prepared.drawing(bands.page(group), enlarged, **facts) for group in groups]


def choose_bands(channels: int, length: int, style: Style | None = None) -> BandGrid:
    """Return how long and how thick the bands are, and how many go on a page.

    A style's tile is the width that they come near to, its rows are the bands on a page.

    >>> choose_bands(64, 4000).words
    '4 samples to 1 px, the one farthest from 0'
    >>> choose_bands(24, 150).words
    '1 sample = 8 px'
    """
    style = style or Style()
    width = style.tile or WIDTH
    shrink = math.ceil(length / width)
    zoom = max(1, min(TALLEST * 2, width // length))
    # Up to 900 channels fit on a page with 2 rows each.
    thickness = max(2 if channels <= 900 else 1, min(TALLEST, 640 // channels))
    page_rows = min(max(1, (PAGE - 200) // thickness), style.rows or channels)
    return BandGrid(zoom, shrink, thickness, -(-length // shrink) * zoom, min(page_rows, channels))


def strongest(sequences: Array, starts: npt.NDArray[np.intp]) -> Array:
    """Return of sequences `(C, L)` the value farthest from 0 in each part, the parts beginning at `starts`: `(C, n)`.

    The mean of an oscillation is near 0, and what is left of it is an alias. A part that holds NaN is NaN.

    >>> import numpy as np
    >>> strongest(np.array([[0.1, -0.4, 0.3, 0.0, 0.2]]), np.array([0, 2, 4])).tolist()
    [[-0.4, 0.3, 0.2]]
    """
    values = as_floats(sequences)
    high, low = np.maximum.reduceat(values, starts, axis=1), np.minimum.reduceat(values, starts, axis=1)
    return np.where(-low > high, low, high)


@dataclass(frozen=True, slots=True)
class _Bands:
    """Sequences, and where their bands stand on each page."""

    prepared: Prepared
    grid: BandGrid

    def page(self, channels: npt.NDArray[np.intp]) -> Page:
        """Draw the bands of some channels."""
        prepared, style, own = self.prepared, self.prepared.style, self.prepared.limits.own
        *_, (last, block) = self._blocks(channels)
        height = last + len(block) * self.grid.thickness
        if style.bare:
            page = Page(self.grid.width + 2 * BARE, height + 2 * BARE)
            for start, block in self._blocks(channels):
                self._fill(page.canvas, (BARE + start, BARE), block)
            return page
        notes, widest = (self._notes(channels, words) for words in (prepared.found_words, prepared.widest_words))
        legend = prepared.legend(channels)
        header = Header(prepared.caption, notes, prepared.limits, legend, prepared.gamma, widest)
        width = header_width(AXIS + self.grid.width + (RANGE_BAR + 12 if own else 0))
        top, left = header.height(width, style.font), MARGIN + AXIS
        page = Page(width, top + height + RULER + MARGIN, style.font)
        header.draw(page)
        aside = left + self.grid.width + 12
        for start, block in self._blocks(channels):
            self._fill(page.canvas, (top + start, left), block)
            self._number(page, (top + start, left - 8), block)
            if own:
                self._ranges(page.canvas[top + start : top + height, aside : aside + RANGE_BAR], block)
        if own:
            page.text(aside + RANGE_BAR, top + height + 20, "ranges", 11, 150, "r")
        self._ruler(page, (top + height, left))
        return page

    def _ruler(self, page: Page, corner: tuple[int, int]) -> None:
        """Name each step below its samples where the names fit, else number some."""
        (y, x), zoom = corner, self.grid.zoom
        names = self.prepared.caption.token_names.get(self.prepared.maps.shape[1], ())
        if not names or self.grid.shrink > 1 or max(page.face.width(name, 11) for name in names) + 4 > zoom:
            first, count = self.prepared.caption.first_step, self.prepared.maps.shape[1]
            draw_ruler(page, corner, self.grid.width, range(first, first + count))
            return
        for place, name in enumerate(names):
            page.text(x + (place + 0.5) * zoom, y + 20, name, 11, 170, "m")

    def _blocks(self, channels: npt.NDArray[np.intp]) -> list[tuple[int, npt.NDArray[np.intp]]]:
        """Return the channels of each group with the pixels above them."""
        blocks = self.prepared.blocks(channels)
        heights = [len(block) * self.grid.thickness + GROUP_GAP for block in blocks]
        return list(zip(accumulate(heights, initial=0), blocks, strict=False))

    def _fill(self, canvas: Canvas, corner: tuple[int, int], channels: npt.NDArray[np.intp]) -> None:
        """Draw the bands themselves, the first with its corner at (y, x)."""
        (top, left), grid, shown = corner, self.grid, self.prepared.statistics.take(channels)
        bottom, right = top + len(channels) * grid.thickness, left + grid.width
        if self.prepared.framed:
            canvas[top - 1 : bottom + 1, left - 1 : right + 1] = palette.FRAME
        view = canvas[top:bottom, left:right]
        values = self.prepared.maps[channels]
        if grid.shrink > 1:
            values = strongest(values, np.arange(0, values.shape[1], grid.shrink))
        scale, gamma = self.prepared.limits.take(channels), self.prepared.gamma
        bands = quantise(values[:, None], scale, shown, gamma=gamma)[:, 0].repeat(grid.zoom, axis=1)
        for offset in range(grid.thickness):
            view[offset :: grid.thickness] = bands
        for place in np.flatnonzero(shown.constant):
            start = place * grid.thickness
            hatch(view[start : start + grid.thickness], step=5)

    def _number(self, page: Page, place: tuple[int, int], channels: npt.NDArray[np.intp]) -> None:
        """Number the bands at the left; where they are thin only every second, fifth, tenth..."""
        top, right = place
        every = next(count for count in (1, 2, 5, 10, 20, 50) if count * self.grid.thickness >= 14)
        for band in range(0, len(channels), every):
            middle = top + band * self.grid.thickness + self.grid.thickness / 2
            page.text(right, middle + 4, f"{channels[band]}", 11, 170, "r")

    def _ranges(self, view: Canvas, channels: npt.NDArray[np.intp]) -> None:
        """Draw where each channel's range lies within the layer's, which cannot be seen if each has its own scale."""
        (low, high), shown = self.prepared.statistics.range, self.prepared.statistics.take(channels)
        if not high > low:
            return
        starts, ends = (
            # Halves first, since the difference of two large numbers can overflow.
            (values / 2 - low / 2) / (high / 2 - low / 2) * view.shape[1]
            for values in (shown.minimum, shown.maximum)
        )
        thick = max(1, min(3, self.grid.thickness))
        for band in np.flatnonzero(np.isfinite(starts)).tolist():
            row = band * self.grid.thickness + (self.grid.thickness - thick) // 2
            view[row : row + thick] = palette.HATCH_BACK
            first = min(int(starts[band]), view.shape[1] - 1)
            view[row : row + thick, first : max(first + 1, math.ceil(ends[band]))] = palette.RULE

    def _notes(self, channels: npt.NDArray[np.intp], found: FoundWords) -> list[str]:
        count, asked = len(self.prepared.maps), self.prepared.order_words
        gamma = [f"gamma {self.prepared.gamma:g}"] if self.prepared.gamma != 1 else []
        notes = [found.scale, *gamma, self.grid.words, found.range, *asked, *filter(None, [found.live])]
        notes += found.irregular
        if len(channels) < count:
            adjacent = bool((np.diff(channels) == 1).all())
            which = f"channels {channels[0]} to {channels[-1]}" if adjacent else f"{len(channels)} channels"
            notes.append(f"{which} of {count}")
        return notes

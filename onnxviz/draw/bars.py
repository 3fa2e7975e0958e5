"""Vectors: a bar about zero for each value, and a list of the largest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onnxviz.draw import palette
from onnxviz.draw.header import RULER, WIDEST_RANGE, Header, draw_ruler, ticks
from onnxviz.draw.page import BARE, MARGIN, Canvas, Page
from onnxviz.draw.prepare import Prepared
from onnxviz.draw.scale import own_scale
from onnxviz.draw.statistics import MOST_SORTED
from onnxviz.draw.style import Drawing
from onnxviz.words import number_text

BAR = round(palette.LEVELS * 0.62)
"""The palette index of a bar: a clear colour of every colormap, on dark and on light."""

NAMED = 10
HEIGHT = 220
WIDEST = 1000
THICKEST = 40
AXIS = 44
LIST_GAP = 28
"""How many values are named; and in pixels the plot's height and greatest width, the thickest bar, the room for
numbers at the left and the gap before the list at the right."""


_WHOLE = ("auto", "layer")


@dataclass(frozen=True, slots=True)
class Columns:
    """The range of values in each pixel column of a plot.

    Attributes:
        low, high: the least and the greatest, with 0 among them: bars stand on it.
        marks: the palette index of NaN or of an infinity where a column has one, else 0.
    """

    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    marks: npt.NDArray[np.uint8]


def draw_bars(prepared: Prepared) -> list[Drawing]:
    """Draw a vector `(C,)` as bars about zero, with its largest values listed, and named where all have a label.

    Where there are more values than pixels, each column shows the least and the greatest of its values. NaN and
    the infinities fill their columns in colours of their own. A scale that the style asks for gives the ends of the
    axis, of `auto` and `layer` the whole range does.
    """
    bars = _Bars.of(prepared)
    page, (top, right) = bars.page(LIST_GAP + (300 if prepared.caption.labels else 110))
    if not prepared.style.bare:
        _list(page, (top, right + LIST_GAP), bars)
    return [bars.drawing(page)]


def draw_wave(prepared: Prepared) -> list[Drawing]:
    """Draw a single sequence `(1, L)`, such as a sound, as bars about zero; see `draw_bars`."""
    bars = _Bars.of(prepared)
    page, _ = bars.page(0)
    return [bars.drawing(page)]


@dataclass(frozen=True, slots=True)
class _Bars:
    """Bars about zero.

    Attributes:
        prepared: the vector or the wave.
        values: those that are drawn; `numbers` are their indices.
        columns: what each column of pixels spans.
        thick: pixels a bar.
        ends: of the axis.
    """

    prepared: Prepared
    values: npt.NDArray[np.float64]
    numbers: npt.NDArray[np.intp]
    columns: Columns
    thick: int
    ends: tuple[float, float]

    @classmethod
    def of(cls, prepared: Prepared) -> _Bars:
        values = np.asarray(prepared.maps[prepared.channels], np.float64).reshape(-1)
        numbers = np.arange(len(values)) if prepared.maps[0].size > 1 else prepared.channels
        numbers = numbers + prepared.caption.first_step
        columns = spans(values, min(len(values), WIDEST))
        scale = own_scale(prepared.maps, prepared.style)
        ends = vertical_limits(scale.low, scale.high)
        return cls(prepared, values, numbers, columns, min(THICKEST, WIDEST // len(columns.low)), ends)

    @property
    def width(self) -> int:
        """Pixels of all bars."""
        return self.thick * len(self.columns.low)

    def page(self, aside: int) -> tuple[Page, tuple[int, int]]:
        """Return a page with the bars and `aside` pixels to their right, and where their upper right corner is."""
        style = self.prepared.style
        if style.bare:
            page, top, left = Page(self.width + 2 * BARE, HEIGHT + 2 * BARE), BARE, BARE
        else:
            width = max(2 * MARGIN + AXIS + self.width + aside, 480)
            legend = self.prepared.legend(self.prepared.channels)
            header = Header(self.prepared.caption, self._notes(), None, legend, widest=self._notes(widest=True))
            top, left = header.height(width, style.font), MARGIN + AXIS
            page = Page(width, top + HEIGHT + RULER + MARGIN, style.font)
            header.draw(page)
            draw_ruler(page, (top + HEIGHT, left), self.width, self.numbers)
        view = page.canvas[top : top + HEIGHT, left : left + self.width]
        view[:] = palette.PANEL
        if not style.bare:
            _axis(page, view, (top, left), self.ends)
        plot(view, self.columns, self.ends, self.thick)
        return page, (top, left + self.width)

    def drawing(self, page: Page) -> Drawing:
        return self.prepared.drawing(page, self.thick > 1, Range=self._range_words())

    def _range_words(self) -> str:
        low, high = self.prepared.statistics.range
        return f"value {number_text(low)}" if len(self.values) == 1 and low == high else self.prepared.range_words

    def _notes(self, *, widest: bool = False) -> list[str]:
        """Return what stands below the description; `widest`: with the longest numbers that other values may bring."""
        maps, prepared = self.prepared.maps, self.prepared
        live = maps.size if widest else np.count_nonzero(maps)
        notes = [WIDEST_RANGE if widest else self._range_words()]
        notes += (prepared.widest_words if widest else prepared.found_words).irregular
        notes += [f"live {live} of {maps.size}"] if maps[0].size == 1 and maps.size > 1 else []
        return [*notes, *self._zoom(), *self._scale(), *prepared.order_words, *prepared.count_words]

    def _scale(self) -> list[str]:
        """Say a scale that was asked for."""
        low, high = self.ends
        style = self.prepared.style
        name = "fixed" if style.limits is not None else style.scale.partition(":")[0]
        return [] if name in _WHOLE else [f"scale {name}, axis {number_text(low)} .. {number_text(high)}"]

    def _zoom(self) -> list[str]:
        values, columns = len(self.values), len(self.columns.low)
        return [f"{-(-values // columns)} values to 1 px, least and greatest"] if columns < values else []


def spans(values: npt.NDArray[np.float64], width: int) -> Columns:
    """Return the least and the greatest value of each of `width` columns.

    >>> import numpy as np
    >>> columns = spans(np.array([1.0, -2.0, 3.0, 4.0]), 2)
    >>> columns.low.tolist(), columns.high.tolist()
    ([-2.0, 0.0], [1.0, 4.0])
    """
    starts = np.arange(width) * len(values) // width
    nan = np.isnan(values)
    known = np.where(nan, 0.0, values)
    low, high = np.minimum.reduceat(known, starts), np.maximum.reduceat(known, starts)
    marks = np.where(low == -np.inf, palette.NEGATIVE_INFINITY, 0)
    marks[high == np.inf] = palette.POSITIVE_INFINITY
    marks[np.logical_or.reduceat(nan, starts)] = palette.NAN
    return Columns(np.minimum(low, 0.0), np.maximum(high, 0.0), marks.astype(np.uint8))


def vertical_limits(low: float, high: float) -> tuple[float, float]:
    """Return the values at the bottom and the top of a plot of this range; 0 is always inside, and they differ.

    >>> vertical_limits(1.0, 3.0), vertical_limits(float("nan"), float("nan"))
    ((0.0, 3.0), (0.0, 1.0))
    """
    low, high = float(np.fmin(low, 0.0)), float(np.fmax(high, 0.0))
    return (low, high) if high > low else (0.0, 1.0)


def plot(view: Canvas, columns: Columns, ends: tuple[float, float], thick: int = 1) -> None:
    """Draw bars `thick` pixels wide into part of a canvas; from 4 pixels on they have a gap between them."""
    gap = 1 if thick >= 4 else 0
    top, bottom = (_rows(part, ends, len(view)) for part in (columns.high, columns.low))
    # Of 16 bits, which numpy compares four times faster than 64.
    rows = np.arange(len(view), dtype=np.int16)[:, None]
    inside = (rows >= top) & (rows <= bottom) | (columns.marks != 0)
    inside[:, (columns.low == columns.high) & (columns.marks == 0)] = False
    colours = np.where(columns.marks == 0, BAR, columns.marks).astype(np.uint8)
    for offset in range(thick - gap):
        np.copyto(view[:, offset::thick], colours, where=inside)
    view[_rows(np.zeros(1), ends, len(view))[0]] = palette.RULE


def _rows(values: npt.NDArray[np.float64], ends: tuple[float, float], height: int) -> npt.NDArray[np.int16]:
    """Return the row of each value, counted from the top."""
    low, high = ends
    inside = np.clip(values, low, high)
    # Halves first, since the difference of two large numbers can overflow.
    return np.rint((high / 2 - inside / 2) / (high / 2 - low / 2) * (height - 1)).astype(np.int16)


def _axis(page: Page, view: Canvas, place: tuple[int, int], ends: tuple[float, float]) -> None:
    """Draw dotted lines at round values, and the values at the left."""
    top, left = place
    for tick in ticks(*ends, 4):
        row = int(_rows(np.array([tick]), ends, len(view))[0])
        view[row, ::3] = palette.FAINT_RULE
        page.text(left - 8, top + row + 4, number_text(tick), 11, 170, "r")


def _list(page: Page, place: tuple[int, int], bars: _Bars) -> None:
    """Write the largest values, the greatest first; NaN comes last."""
    values, names = bars.values, bars.prepared.caption.labels
    top, left = place
    for row, index in enumerate(_greatest(values, NAMED).tolist()):
        baseline = top + 14 + row * 21
        page.text(left + 36, baseline, f"{bars.numbers[index]}", 12, 215, "r")
        page.text(left + 96, baseline, number_text(float(values[index])), 12, 170, "r")
        if names:
            name, room = names[int(bars.numbers[index])], page.width - left - 112 - MARGIN // 2
            page.text(left + 112, baseline, name, 12, 170, width=room)


def _greatest(values: npt.NDArray[np.float64], most: int) -> npt.NDArray[np.intp]:
    """Return where the greatest values are, the greatest first, NaN last; a million are sorted at a time."""
    kept = np.empty(0, np.intp)
    for start in range(0, len(values), MOST_SORTED):
        places = np.concatenate([kept, np.arange(start, min(start + MOST_SORTED, len(values)))])
        some = values[places]
        kept = places[np.lexsort((-some, np.isnan(some)))[:most]]
    return kept

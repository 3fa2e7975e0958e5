"""Vectors: a bar about zero for each value, and the largest by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxviz.draw import palette, ruler
from onnxviz.draw.header import Header, ticks
from onnxviz.draw.page import MARGIN, Page
from onnxviz.draw.scale import parse_scale
from onnxviz.draw.style import Caption, Drawing, Style
from onnxviz.draw.text import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from onnxviz.draw.page import Canvas

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


@dataclass(frozen=True, slots=True)
class Columns:
    """What each pixel column of a plot spans.

    Attributes:
        low, high: from where to where, 0 included: bars stand on it. Infinities reach the edge.
        marks: the palette index of NaN or of infinity where a column has one, else 0.
    """

    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]
    marks: npt.NDArray[np.uint8]


def draw_bars(
    values: npt.NDArray[Any], caption: Caption, style: Style, labels: Sequence[str] | None = None
) -> list[Drawing]:
    """Draw a vector `(C,)` as bars about zero, with its largest values listed and named by `labels`.

    Where there are more values than pixels, each column keeps the least and the greatest of its values. What is
    NaN fills its column in the colour of NaN, an infinity reaches the edge in the accent colour.

    Args:
        values: a vector; NaN and infinities are allowed.
        caption: the words above.
        style: theme and colormap are used, and a fixed scale in place of the vector's own range.
        labels: names, used where there is one for each value.
    """
    values = np.asarray(values, np.float64).reshape(-1)
    names = labels if labels is not None and len(labels) == len(values) else None
    columns = spans(values, min(len(values), WIDEST))
    thick = min(THICKEST, WIDEST // len(columns.low))
    width = thick * len(columns.low)
    mode, *ends = parse_scale(style.scale)
    limits = vertical_limits(values, style.limits or ((ends[0], ends[1]) if mode == "fixed" else None))

    page_width = max(2 * MARGIN + AXIS + width + LIST_GAP + (300 if names else 110), 480)
    header = Header(caption, _notes(values, len(columns.low)))
    top, left = header.height(page_width, style.font), MARGIN + AXIS
    page = Page(page_width, top + HEIGHT + ruler.HEIGHT + MARGIN, style.font)
    header.draw(page)
    view = page.canvas[top : top + HEIGHT, left : left + width]
    view[:] = palette.PANEL
    _axis(page, view, (top, left), limits)
    plot(view, columns, limits, thick)
    ruler.draw_ruler(page, (top + HEIGHT, left), width, len(values))
    _list(page, (top, left + width + LIST_GAP), values, names)
    colormap = "viridis" if style.colormap == "auto" else style.colormap
    text = {"Title": caption.title, "Description": caption.line, "Colormap": colormap, "Range": header.notes[0]}
    return [Drawing(page.image(colormap, style.theme), thick > 1, text)]


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
    marks = np.where(np.isinf(low) | np.isinf(high), palette.ACCENT, 0)
    marks[np.logical_or.reduceat(nan, starts)] = palette.NAN
    return Columns(np.minimum(low, 0.0), np.maximum(high, 0.0), marks.astype(np.uint8))


def vertical_limits(values: npt.NDArray[np.float64], given: tuple[float, float] | None = None) -> tuple[float, float]:
    """Return the values at the bottom and the top of the plot; 0 is always inside, and they differ."""
    finite = values[np.isfinite(values)]
    low, high = given or (float(finite.min(initial=0.0)), float(finite.max(initial=0.0)))
    low, high = min(low, 0.0), max(high, 0.0)
    return (low, high) if high > low else (0.0, 1.0)


def plot(view: Canvas, columns: Columns, limits: tuple[float, float], thick: int = 1) -> None:
    """Draw bars `thick` pixels wide into part of a canvas; from 4 pixels on they have a gap between them."""
    gap = 1 if thick >= 4 else 0
    top, bottom = (_rows(part, limits, len(view)) for part in (columns.high, columns.low))
    rows = np.arange(len(view))[:, None]
    inside = (rows >= top) & (rows <= bottom) | (columns.marks == palette.NAN)
    inside[:, (columns.low == columns.high) & (columns.marks == 0)] = False
    colours = np.where(columns.marks == 0, BAR, columns.marks).astype(np.uint8)
    for offset in range(thick - gap):
        np.copyto(view[:, offset::thick], colours, where=inside)
    view[_rows(np.zeros(1), limits, len(view))[0]] = palette.RULE


def _rows(values: npt.NDArray[np.float64], limits: tuple[float, float], height: int) -> npt.NDArray[np.int64]:
    """Return the row of each value, counted from the top."""
    low, high = limits
    inside = np.clip(values, low, high)
    # Halves first, since the difference of two large numbers can overflow.
    return np.rint((high / 2 - inside / 2) / (high / 2 - low / 2) * (height - 1)).astype(np.int64)


def _axis(page: Page, view: Canvas, place: tuple[int, int], limits: tuple[float, float]) -> None:
    """Draw dotted lines at round values, and the values at the left."""
    top, left = place
    for tick in ticks(*limits, 4):
        row = int(_rows(np.array([tick]), limits, len(view))[0])
        view[row, ::3] = palette.FAINT_RULE
        page.text(left - 8, top + row + 4, number(tick), 11, 170, "r")


def _list(page: Page, place: tuple[int, int], values: npt.NDArray[np.float64], names: Sequence[str] | None) -> None:
    """Write the largest values, the greatest first; NaN comes last."""
    order = np.lexsort((-values, np.isnan(values)))[:NAMED]
    top, left = place
    for row, index in enumerate(order.tolist()):
        baseline = top + 14 + row * 21
        page.text(left + 36, baseline, f"{index}", 12, 215, "r")
        page.text(left + 96, baseline, number(float(values[index])), 12, 170, "r")
        if names:
            page.text(left + 112, baseline, names[index], 12, 170, width=page.width - left - 112 - MARGIN // 2)


def _notes(values: npt.NDArray[np.float64], columns: int) -> list[str]:
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (np.nan, np.nan)
    same = f"all {number(low)}" if len(values) > 1 else f"value {number(low)}"
    ends = "no finite value" if not finite.size else same if low == high else f"range {number(low)} .. {number(high)}"
    notes = [ends]
    if len(values) > 1:
        notes.append(f"zero {np.count_nonzero(values == 0)} of {len(values)}")
    if finite.size < len(values):
        notes.append(f"not finite {len(values) - finite.size}")
    if columns < len(values):
        notes.append(f"{-(-len(values) // columns)} values to 1 px, least and greatest")
    return notes

"""One picture of a whole network at work: the input, the top classes, and a row for each layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from onnxviz.draw import palette
from onnxviz.draw.arrange import SEQUENCES
from onnxviz.draw.overview.boxes import CURVE, TILE
from onnxviz.draw.overview.head import Head
from onnxviz.draw.overview.row import Curve, MapsLook, OverviewRow, VectorLook, summarise
from onnxviz.draw.overview.row_places import ROWS, row_places
from onnxviz.draw.overview.sheet import CURVES, MEAN, PROJECTION, SMALL, TILES, WIDTH, Sheet
from onnxviz.draw.overview.strips import draw_maps_strip, draw_sequences_strip, draw_vector_strip
from onnxviz.draw.page import MARGIN, Page
from onnxviz.draw.style import RANKED, Caption, Drawing, Style
from onnxviz.draw.text import Face, face
from onnxviz.words import number_text

__all__ = ["Head", "OverviewRow", "draw_overview", "summarise"]

NAMES_WIDTH = MEAN - MARGIN - 20
HEADER = 92
"""In pixels: the width of a layer's name, and the height above the input."""
UNDER = 38
"""Pixels below the pictures of a row: their words, and what parts it from the next."""
LINE = 17
"""Pixels from one line about a layer to the next."""


def draw_overview(caption: Caption, head: Head, rows: Sequence[OverviewRow], style: Style) -> Drawing:
    """Draw a whole network at work on one input.

    Args:
        caption: the model's name, and a line about it.
        head: the input as it was fed, and the top classes.
        rows: a summary of each layer, see `summarise`.
        style: theme, colormap, scale and font are used, and for the words channels, order and top. With the scale
            `auto` each tile is on its own range, symmetric about zero where the layer has both signs.

    Returns:
        A page of mode RGB, each layer as high as its pictures and the words beside them, 150 px at the most.
    """
    top = HEADER + head.height + 44
    texts = [_describe(face(style.font), row) for row in rows]
    heights = [max(pictures_height(row) + UNDER, words.height) for row, words in zip(rows, texts, strict=True)]
    page = Page(WIDTH, top + sum(heights) + MARGIN, style.font)
    sheet = Sheet(page, style, titled=_mostly_usual(rows))
    sheet.page.text(MARGIN, 48, caption.title, 28, width=WIDTH - 2 * MARGIN)
    sheet.page.text(MARGIN, 72, caption.line, 14, 170, width=WIDTH - 2 * MARGIN)
    head.draw(sheet, HEADER)
    for x, column in column_titles(rows, style):
        sheet.page.text(x, top - 14, column, 13, 150)
    tops = list(accumulate(heights, initial=top))
    for row, words, y in zip(rows, texts, tops, strict=False):
        _draw_row(sheet, row, words, y)
    text = {"Title": caption.title, "Description": caption.line, "Scale": style.scale, "Colormap": style.colormap}
    text[ROWS] = row_places(rows, tops)
    return Drawing(sheet.image(), True, text)


def column_titles(rows: Sequence[OverviewRow], style: Style) -> list[tuple[int, str]]:
    """Return the titles of the columns and where they stand."""
    if rows and all(isinstance(row.look, VectorLook) for row in rows):
        curves = [(CURVES, "magnitudes, sorted")] if any(row.curve for row in rows) else []
        return [(MEAN, f"values {'by magnitude' if style.order in RANKED else 'by index'}"), *curves]
    scale = "each on its own scale" if style.scale == "auto" else f"scale {style.scale}"
    if style.limits is not None or any(row.limits is not None for row in rows):
        scale = "one scale for all inputs"
    asked = style.channels is not None or style.top is not None
    varied = "most varied of the channels asked for" if asked else "most varied channels"
    varied = f"{varied} (largest spatial deviation), {scale}"
    if style.order == "listed":
        varied = f"the channels that are listed, {scale}"
    if style.order in RANKED:
        varied = f"channels{' asked for' if asked else ''}, greatest {style.order} first, {scale}"
    deviation = (CURVES, "spatial deviation, sorted")
    if not _mostly_usual(rows):
        return [(MEAN, f"mean, principal components as RGB (PCA), and the {varied}"), deviation]
    return [(MEAN, "mean"), (PROJECTION, "PCA to RGB"), (TILES, varied), deviation]


def _mostly_usual(rows: Sequence[OverviewRow]) -> bool:
    """Return whether at least half of the rows of maps stand in columns that can have titles."""
    looks = [(row.look, row.kind) for row in rows if isinstance(row.look, MapsLook)]
    return 2 * sum(kind not in SEQUENCES and look.boxes.usual for look, kind in looks) >= len(looks)


def pictures_height(row: OverviewRow) -> int:
    """Return how high the pictures of a row are, in pixels."""
    usual = isinstance(row.look, MapsLook) and row.kind not in SEQUENCES and row.look.boxes.usual
    return row.look.boxes.size[0] if usual and isinstance(row.look, MapsLook) else TILE


@dataclass(frozen=True, slots=True)
class _RowWords:
    """The words at the left of a row: lines with their ink, how full the bar below them is, and notes below that."""

    title: str
    lines: Sequence[tuple[str, int]]
    live: float | None
    notes: Sequence[str]

    @property
    def height(self) -> int:
        return 35 + LINE * len(self.lines) + (11 if self.live is not None else 0) + LINE * len(self.notes)

    def draw(self, page: Page, y: int) -> None:
        page.text(MARGIN, y + 16, self.title, 16, width=NAMES_WIDTH)
        for place, (words, ink) in enumerate(self.lines):
            page.text(MARGIN, y + 35 + LINE * place, words, 13, ink, width=NAMES_WIDTH)
        y += 35 + LINE * len(self.lines)
        if self.live is not None:
            bar = page.canvas[y - 8 : y - 4, MARGIN : MARGIN + NAMES_WIDTH - 20]
            bar[:] = palette.HATCH_BACK
            bar[:, : round(bar.shape[1] * self.live)] = palette.INK + 8
            y += 11
        for place, words in enumerate(self.notes):
            page.text(MARGIN, y + LINE * place, words, SMALL, 140, width=NAMES_WIDTH)


def _describe(letters: Face, row: OverviewRow) -> _RowWords:
    parts = [part.strip() for part in row.caption.line.split(" · ")]
    lines = [(line, 175) for line in letters.lines(parts, 13, NAMES_WIDTH)[:2]]
    if not math.isnan(row.range[0]):
        lines.append((f"range {number_text(row.range[0])} .. {number_text(row.range[1])}", 140))
    if row.channels:
        lines.append((f"live {row.live} of {row.channels}", 140))
    notes = [*row.notes, *([row.irregular] if row.irregular else [])]
    live = row.live / row.channels if row.channels else None
    return _RowWords(row.caption.title, lines, live, letters.lines(notes, SMALL, NAMES_WIDTH)[:2])


def _draw_row(sheet: Sheet, row: OverviewRow, words: _RowWords, y: int) -> None:
    sheet.page.canvas[y - 6, MARGIN : WIDTH - MARGIN] = palette.INK + 2
    words.draw(sheet.page, y)
    if isinstance(row.look, VectorLook):
        draw_vector_strip(sheet, row, row.look, y)
    elif isinstance(row.look, MapsLook):
        (draw_sequences_strip if row.kind in SEQUENCES else draw_maps_strip)(sheet, row, row.look, y)
    if row.curve is not None:
        _draw_curve(sheet.page, row.curve, y, pictures_height(row))


def _draw_curve(page: Page, curve: Curve, y: int, height: int) -> None:
    view = page.canvas[y : y + height, CURVES : CURVES + CURVE]
    view[:] = palette.PANEL
    points = curve.points[np.arange(CURVE) * len(curve.points) // CURVE]
    heights = np.rint(points / (curve.greatest or 1.0) * (height - 4)).astype(int)
    view[np.arange(height)[:, None] >= height - heights] = palette.INK + 8
    greatest = f"max {number_text(curve.greatest)}"
    page.text(CURVES, y + height + 14, greatest, SMALL, 140)
    room = CURVE - page.face.width(greatest, SMALL) - 8
    for words in (f"median {number_text(curve.median)}", f"med. {number_text(curve.median)}"):
        if page.face.width(words, SMALL) <= room:
            page.text(CURVES + CURVE, y + height + 14, words, SMALL, 140, "r")
            break

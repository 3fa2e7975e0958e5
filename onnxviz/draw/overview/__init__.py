"""One picture of a whole network at work: the input, the top classes, and a row for each layer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from onnxviz.draw import palette
from onnxviz.draw.arrange import SEQUENCES
from onnxviz.draw.overview.boxes import CURVE, TILE
from onnxviz.draw.overview.head import Head
from onnxviz.draw.overview.row import Curve, MapsLook, OverviewRow, VectorLook, summarise
from onnxviz.draw.overview.sheet import CURVES, MEAN, PROJECTION, TILES, WIDTH, Sheet
from onnxviz.draw.overview.strips import draw_maps_strip, draw_sequences_strip, draw_vector_strip
from onnxviz.draw.page import MARGIN, Page
from onnxviz.draw.style import Caption, Drawing, Style
from onnxviz.words import number_text

__all__ = ["Head", "OverviewRow", "draw_overview", "summarise"]

NAMES_WIDTH = MEAN - MARGIN - 20
HEADER = 92
ROW = TILE + 38
"""In pixels: the width of a layer's name, the height above the input, and the height of a layer."""


def draw_overview(caption: Caption, head: Head, rows: Sequence[OverviewRow], style: Style) -> Drawing:
    """Draw a whole network at work on one input.

    Args:
        caption: the model's name, and a line about it.
        head: the input as it was fed, and the top classes.
        rows: a summary of each layer, see `summarise`.
        style: theme, colormap, scale and font are used, and for the words channels, order and top. With the scale
            `auto` each tile is on its own range, symmetric about zero where the layer has both signs.

    Returns:
        A page of mode RGB, 150 px a layer in height.
    """
    top = HEADER + head.height + 44
    page = Page(WIDTH, top + ROW * len(rows) + MARGIN, style.font)
    sheet = Sheet(page, style, titled=_mostly_usual(rows))
    sheet.page.text(MARGIN, 48, caption.title, 28, width=WIDTH - 2 * MARGIN)
    sheet.page.text(MARGIN, 72, caption.line, 13, 170, width=WIDTH - 2 * MARGIN)
    head.draw(sheet, HEADER)
    for x, words in column_titles(rows, style):
        sheet.page.text(x, top - 14, words, 12, 150)
    for place, row in enumerate(rows):
        _draw_row(sheet, row, top + place * ROW)
    text = {"Title": caption.title, "Description": caption.line, "Scale": style.scale, "Colormap": style.colormap}
    return Drawing(sheet.image(), True, text)


def column_titles(rows: Sequence[OverviewRow], style: Style) -> list[tuple[int, str]]:
    """Return the titles of the columns and where they stand."""
    if rows and all(isinstance(row.look, VectorLook) for row in rows):
        curves = [(CURVES, "magnitudes, sorted")] if any(row.curve for row in rows) else []
        return [(MEAN, f"values {'by index' if style.order == 'index' else 'by magnitude'}"), *curves]
    scale = "each on its own scale" if style.scale == "auto" else f"scale {style.scale}"
    if style.limits is not None or any(row.limits is not None for row in rows):
        scale = "one scale for all inputs"
    asked = style.channels is not None or style.top is not None
    varied = "most varied of the channels asked for" if asked else "most varied channels"
    varied = f"{varied} (largest spatial deviation), {scale}"
    if style.order != "index":
        varied = f"channels{' asked for' if asked else ''}, greatest {style.order} first, {scale}"
    deviation = (CURVES, "spatial deviation, sorted")
    if not _mostly_usual(rows):
        return [(MEAN, f"mean, principal components as RGB (PCA), and the {varied}"), deviation]
    return [(MEAN, "mean"), (PROJECTION, "PCA to RGB"), (TILES, varied), deviation]


def _mostly_usual(rows: Sequence[OverviewRow]) -> bool:
    """Return whether at least half of the rows of maps stand in columns that can have titles."""
    looks = [(row.look, row.kind) for row in rows if isinstance(row.look, MapsLook)]
    return 2 * sum(kind not in SEQUENCES and look.boxes.usual for look, kind in looks) >= len(looks)


def _draw_row(sheet: Sheet, row: OverviewRow, y: int) -> None:
    sheet.page.canvas[y - 6, MARGIN : WIDTH - MARGIN] = palette.INK + 2
    _describe(sheet.page, row, y)
    if isinstance(row.look, VectorLook):
        draw_vector_strip(sheet, row, row.look, y)
    elif isinstance(row.look, MapsLook):
        (draw_sequences_strip if row.kind in SEQUENCES else draw_maps_strip)(sheet, row, row.look, y)
    if row.curve is not None:
        _draw_curve(sheet.page, row.curve, y)


def _describe(page: Page, row: OverviewRow, y: int) -> None:
    page.text(MARGIN, y + 16, row.caption.title, 15, width=NAMES_WIDTH)
    parts = [part.strip() for part in row.caption.line.split(" · ")]
    lines = [(line, 175) for line in page.face.lines(parts, 12, NAMES_WIDTH)[:2]]
    if not math.isnan(row.range[0]):
        lines.append((f"range {number_text(row.range[0])} .. {number_text(row.range[1])}", 140))
    if row.channels:
        lines.append((f"live {row.live} of {row.channels}", 140))
    for place, (words, ink) in enumerate(lines):
        page.text(MARGIN, y + 35 + 17 * place, words, 12, ink, width=NAMES_WIDTH)
    bottom = y + 35 + 17 * len(lines)
    if row.channels:
        bar = page.canvas[bottom - 8 : bottom - 4, MARGIN : MARGIN + NAMES_WIDTH - 20]
        bar[:] = palette.HATCH_BACK
        bar[:, : round(bar.shape[1] * row.live / row.channels)] = palette.INK + 8
        bottom += 11
    notes = [*row.notes, *([row.irregular] if row.irregular else [])]
    for place, words in enumerate(page.face.lines(notes, 11, NAMES_WIDTH)[:2]):
        page.text(MARGIN, bottom + 15 * place, words, 11, 140, width=NAMES_WIDTH)


def _draw_curve(page: Page, curve: Curve, y: int) -> None:
    view = page.canvas[y : y + TILE, CURVES : CURVES + CURVE]
    view[:] = palette.PANEL
    points = curve.points[np.arange(CURVE) * len(curve.points) // CURVE]
    heights = np.rint(points / (curve.greatest or 1.0) * (TILE - 4)).astype(int)
    view[np.arange(TILE)[:, None] >= TILE - heights] = palette.INK + 8
    greatest = f"max {number_text(curve.greatest)}"
    page.text(CURVES, y + TILE + 14, greatest, 11, 140)
    room = CURVE - page.face.width(greatest, 11) - 8
    for words in (f"median {number_text(curve.median)}", f"med. {number_text(curve.median)}"):
        if page.face.width(words, 11) <= room:
            page.text(CURVES + CURVE, y + TILE + 14, words, 11, 140, "r")
            break

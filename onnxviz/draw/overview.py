"""One picture of a whole network at work: the input, the top classes, and a row for each layer."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from onnxviz.draw import palette
from onnxviz.draw.arrange import ATTENTION
from onnxviz.draw.bars import BAR, plot, vertical_limits
from onnxviz.draw.kinds import ATTENTION_GAMMA
from onnxviz.draw.overview_row import CURVE, STRIP, THINNEST, TILE, Curve, MapsLook, OverviewRow, VectorLook, summarise
from onnxviz.draw.page import MARGIN, Page, hatch
from onnxviz.draw.quantise import quantise
from onnxviz.draw.scale import Limits, both_signs, channel_statistics, limits
from onnxviz.draw.style import Drawing, Style
from onnxviz.draw.text import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["OverviewRow", "draw_overview", "summarise"]

MEAN = MARGIN + 240
PROJECTION = MEAN + TILE + 10
TILES = PROJECTION + TILE + 24
CURVES = MEAN + STRIP + 16
WIDTH = CURVES + CURVE + MARGIN
"""Where the columns of an overview begin, and its width."""

NAMES_WIDTH = MEAN - MARGIN - 20
FILLED = 0.8
"""The share of a tile's side that a map fills at least."""

PICTURE = 160
HEADER = 92
CLASS = 26
ROW = TILE + 38
"""In pixels: room for a layer's name, the input's longer side, the rows above it, and those of a class and a layer."""


def draw_overview(
    title: str,
    line: str,
    picture: npt.NDArray[np.uint8] | None,
    fed_lines: Sequence[str],
    top: Sequence[tuple[str, float]],
    rows: Sequence[OverviewRow],
    style: Style,
) -> Drawing:
    """Draw a whole network at work on one input.

    Args:
        title: the model's name.
        line: what is to be said of it.
        picture: the input as it was fed, `(H, W, 3)`; None for what is no picture.
        fed_lines: what was fed, in words.
        top: the top classes and their scores, the greatest first; empty where the model does not classify.
        rows: a summary of each layer, see `summarise`.
        style: theme, colormap, scale and font are used. With the scale `auto` each tile is on its own range,
            symmetric about zero where the layer has both signs.

    Returns:
        A page of mode RGB, 150 px a layer in height.
    """
    sides = PICTURE if picture is not None else 0, 24 + 18 * len(fed_lines), 26 + CLASS * len(top) if top else 0
    head = HEADER + max(sides) + 44
    sheet = _Sheet(Page(WIDTH, head + ROW * len(rows) + MARGIN, style.font), style)
    sheet.page.text(MARGIN, 48, title, 28, width=WIDTH - 2 * MARGIN)
    sheet.page.text(MARGIN, 72, line, 13, 170, width=WIDTH - 2 * MARGIN)
    sheet.draw_input(picture, fed_lines)
    sheet.draw_classes(top)
    for x, words in column_titles(rows, style):
        sheet.page.text(x, head - 14, words, 12, 150)
    for place, row in enumerate(rows):
        sheet.draw_row(row, head + place * ROW)
    text = {"Title": title, "Description": line, "Scale": style.scale, "Colormap": style.colormap}
    return Drawing(sheet.image(), True, text)


def column_titles(rows: Sequence[OverviewRow], style: Style) -> list[tuple[int, str]]:
    """Return the titles of the columns and where they stand."""
    if rows and all(isinstance(row.look, VectorLook) for row in rows):
        return [(MEAN, "values by index"), (CURVES, "magnitudes, sorted")]
    scale = "each on its own scale" if style.scale == "auto" and style.limits is None else f"scale {style.scale}"
    return [
        (MEAN, "mean"),
        (PROJECTION, "PCA to RGB"),
        (TILES, f"most varied channels (largest spatial deviation), {scale}"),
        (CURVES, "spatial deviation, sorted"),
    ]


class _Sheet:
    """An overview in the making: a page of indices, and pictures in colours of their own that are pasted on it."""

    def __init__(self, page: Page, style: Style) -> None:
        self.page = page
        self.style = style
        self._pictures: list[tuple[tuple[int, int], Image.Image]] = []

    def image(self) -> Image.Image:
        """Return the page with its pictures, mode RGB."""
        colormap = "viridis" if self.style.colormap == "auto" else self.style.colormap
        image = self.page.image(colormap, self.style.theme).convert("RGB")
        for place, picture in self._pictures:
            image.paste(picture, place)
        return image

    def draw_input(self, picture: npt.NDArray[np.uint8] | None, lines: Sequence[str]) -> None:
        """Draw the input as it was fed, and say what it is."""
        left = MARGIN
        if picture is not None:
            shown = Image.fromarray(picture)
            scale = PICTURE / max(shown.size)
            size = max(1, round(shown.width * scale)), max(1, round(shown.height * scale))
            resampling = Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST
            self._pictures.append(((MARGIN, HEADER), shown.resize(size, resampling)))
            left += PICTURE + 20
        self.page.text(left, HEADER + 14, "input as fed", 15)
        for place, words in enumerate(lines):
            ink = 170 if place == 0 else 140
            self.page.text(left, HEADER + 34 + 18 * place, words, 12, ink, width=TILES - left - 20)

    def draw_classes(self, top: Sequence[tuple[str, float]]) -> None:
        """Draw the scores of the top classes: as shares of one where they can be, else as shares of the greatest."""
        if not top:
            return
        scores = [score for _, score in top]
        shares = all(0 <= score <= 1 for score in scores)
        whole = 1.0 if shares else max(max(scores), 1e-30)
        self.page.text(TILES, HEADER + 14, "top classes", 15)
        for place, (name, score) in enumerate(top):
            y = HEADER + 26 + CLASS * place
            bar = self.page.canvas[y : y + 18, TILES : TILES + 360]
            bar[:] = palette.HATCH_BACK
            share = score / whole if math.isfinite(score) else 0
            bar[:, : max(1, round(360 * min(max(share, 0), 1)))] = BAR
            self.page.text(TILES + 372, y + 14, f"{score * 100:.1f} %" if shares else number(score), 12, 235)
            self.page.text(TILES + 434, y + 14, name, 12, 190, width=WIDTH - TILES - 434 - MARGIN)

    def draw_row(self, row: OverviewRow, y: int) -> None:
        """Draw a layer."""
        self.page.canvas[y - 6, MARGIN : WIDTH - MARGIN] = palette.INK + 2
        self._describe(row, y)
        if isinstance(row.look, MapsLook):
            self._draw_maps(row, row.look, y)
        elif isinstance(row.look, VectorLook):
            self._draw_vector(row, row.look, y)
        if row.curve is not None:
            self._draw_curve(row.curve, y)

    def _describe(self, row: OverviewRow, y: int) -> None:
        page = self.page
        page.text(MARGIN, y + 16, row.name, 15, width=NAMES_WIDTH)
        parts = [part.strip() for part in row.line.split(" · ")]
        lines = [(line, 175) for line in page.face.lines(parts, 12, NAMES_WIDTH)[:2]]
        if not math.isnan(row.range[0]):
            lines.append((f"range {number(row.range[0])} .. {number(row.range[1])}", 140))
        if row.channels:
            counted = "not zero" if isinstance(row.look, VectorLook) else "live"
            lines.append((f"{counted} {row.live} of {row.channels}", 140))
        for place, (words, ink) in enumerate(lines):
            page.text(MARGIN, y + 35 + 17 * place, words, 12, ink, width=NAMES_WIDTH)
        bottom = y + 35 + 17 * len(lines)
        if row.channels:
            bar = page.canvas[bottom - 8 : bottom - 4, MARGIN : MARGIN + NAMES_WIDTH - 20]
            bar[:] = palette.HATCH_BACK
            bar[:, : round(bar.shape[1] * row.live / row.channels)] = palette.INK + 8
            bottom += 11
        notes = [*row.notes, *([f"not finite in {row.irregular}"] if row.irregular else [])]
        for place, words in enumerate(page.face.lines(notes, 11, NAMES_WIDTH)[:2]):
            page.text(MARGIN, bottom + 15 * place, words, 11, 140, width=NAMES_WIDTH)

    def _draw_maps(self, row: OverviewRow, look: MapsLook, y: int) -> None:
        low, high = look.mean_range
        mean, signed = look.mean[None], both_signs(*row.range)
        scale = limits(mean, channel_statistics(mean), Style(), signed)
        self._paste(self._coloured(mean, scale, row)[0], MEAN, y, low == high)
        self.page.text(MEAN, y + TILE + 14, f"{number(low)} .. {number(high)}", 11, 140)
        self._paste(look.projection, PROJECTION, y, not look.share)
        self.page.text(PROJECTION, y + TILE + 14, f"{round(look.share * 100)} % of variance", 11, 140)
        tiles = self._coloured(look.tiles, tile_limits(row, look, self.style), row)
        ranges = self._tile_ranges(look)
        for place, (channel, tile) in enumerate(zip(look.top, tiles, strict=True)):
            x = TILES + place * (TILE + 6)
            self._paste(tile, x, y, bool(look.statistics.constant[place]))
            self.page.text(x, y + TILE + 14, f"{channel}", 11, 210)
            if ranges:
                # Not to the very end: the next channel's number stands close by.
                self.page.text(x + TILE - 4, y + TILE + 14, ranges[place], 10, 140, "r")

    def _tile_ranges(self, look: MapsLook) -> list[str]:
        """Return the range of each tile in words if each fits beside its channel's number, else nothing."""
        measure = self.page.measure
        ends = zip(look.statistics.minimum.tolist(), look.statistics.maximum.tolist(), strict=True)
        ranges = ["NaN" if math.isnan(low) else f"{number(low)} .. {number(high)}" for low, high in ends]
        fits = (
            measure(f"{channel}", 11) + measure(words, 10) + 10 <= TILE
            for channel, words in zip(look.top, ranges, strict=True)
        )
        return ranges if all(fits) else []

    def _coloured(self, maps: npt.NDArray[np.float32], scale: Limits, row: OverviewRow) -> npt.NDArray[np.uint8]:
        """Return maps `(n, h, w)` in colours, `(n, h, w, 3)`."""
        gamma = ATTENTION_GAMMA if row.kind == ATTENTION else 1.0
        indices = quantise(maps, scale, channel_statistics(maps), gamma=gamma)
        return palette.palette(self._colormap(scale, row), self.style.theme)[indices]

    def _colormap(self, scale: Limits, row: OverviewRow) -> str:
        if self.style.colormap != "auto":
            return self.style.colormap
        return "magma" if row.kind == ATTENTION else palette.default_colormap(scale.diverging, self.style.theme)

    def _paste(self, colours: npt.NDArray[np.uint8], x: int, y: int, constant: bool) -> None:
        """Paste colours `(h, w, 3)`, enlarged and centred in a tile; hatch what is constant."""
        image = enlarged(colours)
        left, top = x + (TILE - image.width) // 2, y + (TILE - image.height) // 2
        if constant:
            hatch(self.page.canvas[top : top + image.height, left : left + image.width])
        else:
            self._pictures.append(((left, top), image))

    def _draw_vector(self, row: OverviewRow, look: VectorLook, y: int) -> None:
        count = len(look.columns.low)
        thick = min(24, STRIP // count)
        view = self.page.canvas[y : y + TILE, MEAN : MEAN + thick * count]
        self.page.canvas[y : y + TILE, MEAN : MEAN + STRIP] = palette.PANEL
        low, high = row.range if not math.isnan(row.range[0]) else (0.0, 0.0)
        plot(view, look.columns, vertical_limits(np.array([low, high])), thick)
        largest = (f"{index}: {number(value)}" for index, value in zip(look.top, look.values, strict=True))
        words = "values by index, the largest  " + "  ·  ".join(largest)
        self.page.text(MEAN, y + TILE + 14, words, 11, 140, width=STRIP)

    def _draw_curve(self, curve: Curve, y: int) -> None:
        view = self.page.canvas[y : y + TILE, CURVES : CURVES + CURVE]
        view[:] = palette.PANEL
        points = curve.points[np.arange(CURVE) * len(curve.points) // CURVE]
        heights = np.rint(points / (curve.greatest or 1.0) * (TILE - 4)).astype(int)
        view[np.arange(TILE)[:, None] >= TILE - heights] = palette.INK + 8
        greatest = f"max {number(curve.greatest)}"
        self.page.text(CURVES, y + TILE + 14, greatest, 11, 140)
        room = CURVE - self.page.measure(greatest, 11) - 8
        for words in (f"median {number(curve.median)}", f"med. {number(curve.median)}"):
            if self.page.measure(words, 11) <= room:
                self.page.text(CURVES + CURVE, y + TILE + 14, words, 11, 140, "r")
                break


def enlarged(colours: npt.NDArray[np.uint8]) -> Image.Image:
    """Return colours `(h, w, 3)`, no side longer than TILE, as an image that comes near to that.

    They are enlarged by a whole factor where that fills most of the tile, as for 7, 14, 28 and 56 values; else, as for
    64, by the next factor and then shrunk to the tile by area means, which keeps the edges of the values even.
    """
    height, width = colours.shape[:2]
    longer = max(height, width)
    zoom = TILE // longer
    over = zoom * longer < FILLED * TILE
    zoom += over
    # A sequence has one row, which fills the tile; other thin maps are made thick enough to see.
    down, across = (TILE // side if side == 1 else max(zoom, -(-THINNEST // side)) for side in (height, width))
    image = Image.fromarray(colours).resize((width * across, height * down), Image.Resampling.NEAREST)
    if not over:
        return image
    shrunk_height, shrunk_width = (
        TILE if values == 1 else round(side * TILE / (longer * zoom))
        for values, side in ((height, image.height), (width, image.width))
    )
    return image.resize((shrunk_width, shrunk_height), Image.Resampling.BOX)


def tile_limits(row: OverviewRow, look: MapsLook, style: Style) -> Limits:
    """Return the scale of a row's tiles, which is that of the layer's own picture, whatever few are shown here."""
    low, high = row.range
    if style.limits is None and style.scale in ("layer", "symmetric") and not math.isnan(low):
        reach = max(-low, high)
        style = replace(style, limits=(low, high) if style.scale == "layer" else (-reach, reach))
    return limits(look.tiles, look.statistics, style, both_signs(low, high))

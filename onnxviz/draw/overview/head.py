"""The head of an overview: the input as it was fed, and the top classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from onnxviz.draw import palette
from onnxviz.draw.bands import strongest
from onnxviz.draw.bars import BAR, plot, spans, vertical_limits
from onnxviz.draw.overview.sheet import TILES, WIDTH, Sheet
from onnxviz.draw.overview.strips import THICKEST, coloured
from onnxviz.draw.page import MARGIN, Canvas
from onnxviz.draw.scale import limits
from onnxviz.draw.statistics import channel_extremes
from onnxviz.draw.style import Style
from onnxviz.layout import Array
from onnxviz.words import number_text

PICTURE = (160, 240)
"""The box (height, width) in pixels that the input's picture fills."""

WAVE = (90, 240)
"""The same for a sequence; without classes beside it, it is WIDER times as long."""

WAVES = 2
"""Up to so many channels, as a sound has, are drawn as waves, more of them as bands."""

WIDER = 3
CLASS = 26
BAR_WIDTH = 360
WAVE_GAP = 2
"""In pixels: the height of a class, the length of its bar at the score 1, and what lies between two waves."""


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above the rows.

    Attributes:
        shown: the input, a picture `(H, W, 3) uint8` or a sequence `(C, L)`; None if it is neither.
        lines: words about the input.
        top: the top classes and their scores, the greatest first; empty where the model does not classify.
    """

    shown: Array | None
    lines: Sequence[str]
    top: Sequence[tuple[str, float]]

    @property
    def height(self) -> int:
        """The rows of pixels that it takes."""
        return max(self._size()[0], 24 + 18 * len(self.lines), 26 + CLASS * len(self.top) if self.top else 0)

    def draw(self, sheet: Sheet, y: int) -> None:
        """Draw the input as it was fed, the words about it and the top classes beside it."""
        height, width = self._size()
        if self._has_bands and self.shown is not None:
            sheet.paste(_bands(self.shown, (height, width), sheet.style), MARGIN, y)
        elif self.shown is not None and self.shown.ndim == 2:
            _draw_waves(sheet.page.canvas[y : y + height, MARGIN : MARGIN + width], self.shown)
        elif self.shown is not None:
            picture = Image.fromarray(self.shown)
            resampling = Image.Resampling.BOX if height < picture.height else Image.Resampling.NEAREST
            sheet.paste(picture.resize((width, height), resampling), MARGIN, y)
        left = MARGIN + width + 20 if width else MARGIN
        room = (TILES - 20 if self.top else WIDTH - MARGIN) - left
        downwards = f", {len(self.shown)} channels downwards" if self.shown is not None and self._has_bands else ""
        sheet.page.text(left, y + 14, f"input as fed{downwards}", 16)
        for place, words in enumerate(self.lines):
            ink = 170 if place == 0 else 140
            sheet.page.text(left, y + 34 + 18 * place, words, 13, ink, width=room)
        if self.top:
            _draw_classes(sheet, y, self.top)

    @property
    def _has_bands(self) -> bool:
        return self.shown is not None and self.shown.ndim == 2 and len(self.shown) > WAVES

    def _size(self) -> tuple[int, int]:
        """Return the size (height, width) of the input's picture in pixels."""
        if self.shown is None:
            return 0, 0
        if self.shown.ndim == 2:
            thickness = max(1, min(THICKEST, PICTURE[0] // len(self.shown)))
            height = min(PICTURE[0], thickness * len(self.shown)) if self._has_bands else WAVE[0]
            return height, WAVE[1] * (1 if self.top else WIDER)
        scale = min(PICTURE[0] / self.shown.shape[0], PICTURE[1] / self.shown.shape[1])
        return max(1, round(self.shown.shape[0] * scale)), max(1, round(self.shown.shape[1] * scale))


def _draw_waves(view: Canvas, channels: Array) -> None:
    """Fill part of a canvas with channels `(C, L)`; each column of pixels spans its least to its greatest sample."""
    ends, width = vertical_limits(*channel_extremes(channels).range), view.shape[1]
    height = (view.shape[0] + WAVE_GAP) // len(channels)
    for place, samples in enumerate(channels.astype(np.float64)):
        wave = view[place * height : (place + 1) * height - WAVE_GAP]
        columns = spans(samples, min(len(samples), width))
        thick = width // len(columns.low)
        wave[:] = palette.PANEL
        plot(wave[:, : thick * len(columns.low)], columns, ends, thick)


def _bands(channels: Array, size: tuple[int, int], style: Style) -> Image.Image:
    """Return channels `(C, L)`, the first at the top; where they are too many, or too long, the strongest values."""
    values = channels
    for side in size[::-1]:
        count = min(side, values.shape[1])
        values = strongest(values, np.arange(count) * values.shape[1] // count).T
    maps = values[None].astype(np.float32)
    extremes = channel_extremes(maps)
    colours, _ = coloured(maps, limits(maps, extremes, Style()), style)
    return Image.fromarray(colours[0]).resize(size[::-1], Image.Resampling.NEAREST)


def _draw_classes(sheet: Sheet, y: int, top: Sequence[tuple[str, float]]) -> None:
    """Draw the scores of the top classes; bars are shares of 1 if all lie in 0..1, else of the greatest."""
    scores = [score for _, score in top]
    shares = all(0 <= score <= 1 for score in scores)
    whole = 1.0 if shares else max(max(scores), 1e-30)
    sheet.page.text(TILES, y + 14, "top classes", 16)
    for place, (name, score) in enumerate(top):
        row = y + 26 + CLASS * place
        bar = sheet.page.canvas[row : row + 18, TILES : TILES + BAR_WIDTH]
        bar[:] = palette.HATCH_BACK
        share = score / whole if math.isfinite(score) else 0
        bar[:, : max(1, round(BAR_WIDTH * min(max(share, 0), 1)))] = BAR
        words = f"{score * 100:.1f} %" if shares else number_text(score)
        sheet.page.text(TILES + BAR_WIDTH + 12, row + 14, words, 13, 235)
        left = TILES + BAR_WIDTH + 74
        sheet.page.text(left, row + 14, name, 13, 190, width=WIDTH - left - MARGIN)

"""What frames maps of any kind: above them name, description, scale in words, colour bar and legend; below a ruler."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxviz.draw.page import MARGIN, Page, hatch
from onnxviz.draw.palette import FAINT_RULE, LEVELS, RULE, SIGNS
from onnxviz.draw.scale import Limits
from onnxviz.draw.style import Caption
from onnxviz.draw.text import Face, face
from onnxviz.words import number_text

NARROWEST = 640
"""The least width of a page with a header."""
TALLEST = 194
"""The most rows that a header takes: with three lines of description and five of notes."""

WIDEST_RANGE = "range -1.23e-38 .. -1.23e-38"
"""The most room that the words about a range take."""

RULER = 28
"""Pixels that a ruler takes below a drawing."""

_BAR = 220
ENDS = {
    "clipped": ("min of channel", "", "max less 2 %"),
    "channel": ("min of channel", "", "max of channel"),
    "signed": ("negative", "0", "positive"),
    "percentile": ("1st percentile", "", "99th"),
    "std": ("mean - 3 std", "", "mean + 3 std"),
}
"""What stands below the ends and the middle of a colour bar where each channel has a scale of its own."""


@dataclass(frozen=True, slots=True)
class Header:
    """The words and the colour bar above maps.

    Attributes:
        caption: title and second line.
        notes: scale, zoom, range and the like; they stand in the third line, which wraps between them.
        limits: the scale that the colour bar shows; None for no bar.
        legend: which of `constant`, `NaN`, `inf`, `-inf` are explained.
        gamma: the exponent of the colours, for the ticks of the bar.
        widest: the notes with the longest numbers that another input may bring: room is left for them, so that the maps
            of a layer stand at one place on the pictures of all inputs.
    """

    caption: Caption
    notes: Sequence[str]
    limits: Limits | None = None
    legend: Sequence[str] = ()
    gamma: float = 1.0
    widest: Sequence[str] = ()

    def height(self, width: int, font: str | None = None) -> int:
        """Return the rows of pixels that it takes on a page of this width."""
        lines, notes = self._lines(face(font), width)
        count = max(len(notes), len(face(font).lines(self.widest, 12, self._room(width))))
        return max(63 + 17 * len(lines) + 16 * count, 96 if self.limits or self.legend else 0)

    def draw(self, page: Page) -> None:
        """Draw it at the top of a page."""
        baseline, room = 42, self._room(page.width)
        page.text(MARGIN, baseline, self.caption.title, 22, width=room)
        baseline += 5
        lines, notes = self._lines(page.face, page.width)
        for line in lines:
            baseline += 17
            page.text(MARGIN, baseline, line, 13, 175, width=room)
        for note in notes:
            baseline += 16
            page.text(MARGIN, baseline, note, 12, 135, width=room)
        if self.limits is not None:
            colour_bar(page, page.width - MARGIN - _BAR, 36, self.limits, self.gamma)
        _draw_legend(page, self.legend)

    def _room(self, width: int) -> int:
        return width - 2 * MARGIN - (_BAR + 24 if self.limits is not None or self.legend else 0)

    def _lines(self, face: Face, width: int) -> tuple[list[str], list[str]]:
        room = self._room(width)
        parts = [part.strip() for part in self.caption.line.split(" · ") if part.strip()]
        lines = face.lines(parts, 13, room)
        # The third line of the description holds all that is left, shortened, so that a header stays small.
        lines[2:] = ["  ·  ".join(lines[2:])] if lines[2:] else []
        return lines, face.lines(self.notes, 12, room)


def colour_bar(page: Page, x: int, y: int, limits: Limits, gamma: float = 1.0, width: int = _BAR) -> None:
    """Draw the colours of a scale with its ticks, or with words where each channel has a scale of its own."""
    page.canvas[y : y + 8, x : x + width] = np.arange(width) * LEVELS // width
    if limits.own:
        start, middle, end = ENDS[limits.mode]
        baseline = y + (23 if middle else 21)
        page.text(x, baseline, start, 11, 165)
        page.text(x + width, baseline, end, 11, 165, "r")
        if middle:
            page.canvas[y + 8 : y + 12, x + width // 2] = RULE
            page.text(x + width / 2, baseline, middle, 11, 175, "m")
        return
    low, high = float(limits.low[0]), float(limits.high[0])
    free = -math.inf
    for value in ticks(low, high):
        share = (value - low) / (high - low) if high > low else 0.5
        place = x + round(min(max(share, 0.0), 1.0) ** gamma * (width - 1))
        text = number_text(value)
        half = page.face.width(text, 11) / 2
        centre = min(max(place, x + half - 8), x + width - half + 8)
        if centre - half < free:
            continue
        free = centre + half + 6
        page.canvas[y + 8 : y + 12, place] = RULE
        page.text(centre, y + 23, text, 11, 175, "m")


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Return about `count` round numbers from low to high.

    >>> ticks(-35.6, 50.3)
    [-20.0, 0.0, 20.0, 40.0]
    """
    if not (math.isfinite(low) and math.isfinite(high) and high - low > max(abs(low), abs(high)) * 1e-6):
        return [low]
    rough = high / count - low / count
    if not 1e-300 < rough < 1e300:
        return [low, high]
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((factor * power for factor in (1, 2, 2.5, 5, 10)), key=lambda candidate: abs(candidate - rough))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [place * step for place in range(first, last + 1)]


def header_width(width: int) -> int:
    """Return the width of a page with maps of this width and a header."""
    return max(width + 2 * MARGIN, NARROWEST)


def draw_ruler(page: Page, place: tuple[int, int], width: int, numbers: Sequence[int] | NDArray[np.intp]) -> None:
    """Write the numbers of what stands side by side along the bottom of a drawing.

    `place` (y, x) is the drawing's lower left corner. A tick stands at the left of what it numbers, or under its middle
    where that is 8 pixels wide or more.
    """
    (top, left), count = place, len(numbers)
    middle = width // count // 2 if width // count >= 8 else 0
    for index in ticks(0, count - 1, min(10, max(2, width // 50))):
        if index == int(index):
            x = left + int(index * width / count) + middle
            page.canvas[top + 2 : top + 7, x] = RULE
            page.text(x, top + 20, f"{numbers[int(index)]}", 11, 170, "m")


def _draw_legend(page: Page, names: Sequence[str]) -> None:
    x = page.width - MARGIN
    for name in names:
        x -= math.ceil(page.face.width(name, 11))
        page.text(x, 80, name, 11, 165)
        x -= 18
        swatch = page.canvas[71:81, x : x + 14]
        if name == "constant":
            hatch(swatch, step=5)
        else:
            swatch[:] = FAINT_RULE
            swatch[1:-1, 1:-1] = SIGNS[name]
        x -= 12

"""The bar of colours beside or below the maps of a figure, with round numbers, and the legend of its signs."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np

from onnxviz.draw.figure.figure_parts import POINT, FigureArea, FigureBar, FigureImage, FigureMarks, Rectangle
from onnxviz.draw.figure.look import Look
from onnxviz.draw.header import ticks
from onnxviz.draw.page import hatch
from onnxviz.draw.palette import LEVELS, SIGNS, palette
from onnxviz.words import number_text

THICK = 0.2
"""Centimetres that a bar is wide, or high where it lies."""

_TICK, _TICK_WIDTH, _GAP = 0.06, 0.018, 0.05
_SQUARE = 0.22
# Numbers beside a standing bar.
_MOST = 5


@dataclass(frozen=True, slots=True)
class BarScale:
    """What a colour bar shows; equal ones of several rows are drawn once.

    Attributes:
        colormap: by name.
        low, high: the ends; (0, 1) where each channel has a scale of its own.
        words: what stands at the ends and in the middle in place of numbers; empty for numbers.
        gamma: the exponent of the colours.
    """

    colormap: str
    low: float
    high: float
    words: tuple[str, str, str] | None = None
    gamma: float = 1.0


def room_beside(scale: BarScale, look: Look) -> float:
    """Return the width of a standing bar with its numbers."""
    if scale.words is not None:
        return THICK + _GAP + look.line(look.small)
    # A short bar has other numbers than a long one.
    numbers = {number_text(tick) for count in range(2, _MOST + 1) for tick in _numbers(scale, count)}
    widest = max(look.width(number, look.small) for number in numbers)
    return THICK + _TICK + _GAP + widest


def room_below(look: Look) -> float:
    """Return the height of a lying bar with its numbers."""
    return THICK + _TICK + look.line(look.small)


def standing_bar(scale: BarScale, room: Rectangle, layers: tuple[str, ...], look: Look) -> FigureBar:
    """Return a bar whose greatest value is at the top, in a room with the numbers at its ends."""
    above = look.small * POINT / 2 if scale.words is None else 0.0
    place = replace(room, top=room.top + above, height=room.height - 2 * above)
    colours = np.arange(LEVELS, dtype=np.uint8)[::-1, None]
    image = FigureImage(place, colours, palette(scale.colormap, look.theme))
    areas, texts = [], []
    x = place.right + _TICK + _GAP
    if scale.words is not None:
        start, _, end = _fitting(scale.words, place.height, look)
        baseline = place.right + _GAP + look.small * POINT * 0.8
        texts = [
            look.note(start, baseline, place.bottom, turned=True),
            look.note(end, baseline, place.top, "r", turned=True),
        ]
    else:
        for value, share in _places(scale, max(2, min(_MOST, int(place.height / 0.6)))):
            y = place.bottom - share * place.height
            areas.append(FigureArea(Rectangle(place.right, y - _TICK_WIDTH / 2, _TICK, _TICK_WIDTH), look.rule))
            texts.append(look.number(value, x, y, room))
    return FigureBar(layers, place, FigureMarks(tuple(areas), (image,), tuple(texts)), *_ends(scale))


def lying_bar(scale: BarScale, place: Rectangle, layers: tuple[str, ...], look: Look) -> FigureBar:
    """Return a bar whose greatest value is at the right."""
    colours = np.arange(LEVELS, dtype=np.uint8)[None]
    image = FigureImage(place, colours, palette(scale.colormap, look.theme))
    baseline = place.bottom + _TICK + look.small * POINT
    if scale.words is not None:
        (start, middle, end), y = _fitting(scale.words, place.width, look), place.bottom + look.small * POINT + 0.03
        texts = [look.note(start, place.left, y), look.note(end, place.right, y, "r")]
        texts += [look.note(middle, place.left + place.width / 2, y, "m")] if middle else []
        return FigureBar(layers, place, FigureMarks((), (image,), tuple(texts)), *_ends(scale))
    areas, texts = [], []
    free = -math.inf
    for value, share in _places(scale, max(2, min(6, int(place.width / 0.9)))):
        x, text = place.left + share * place.width, number_text(value)
        half = look.width(text, look.small) / 2
        if x - half < free:
            continue
        free = x + half + 0.1
        areas.append(FigureArea(Rectangle(x - _TICK_WIDTH / 2, place.bottom, _TICK_WIDTH, _TICK), look.rule))
        texts.append(look.note(text, x, baseline, "m"))
    return FigureBar(layers, place, FigureMarks(tuple(areas), (image,), tuple(texts)), *_ends(scale))


def legend(signs: Collection[str], left: float, top: float, look: Look) -> FigureMarks:
    """Return a square and a word for each of `constant`, `NaN`, `inf` and `-inf` that is there, from left to right."""
    colours = palette("viridis", look.theme)
    areas, images, texts = [], [], []
    for sign in filter(signs.__contains__, ("constant", *SIGNS)):
        square = Rectangle(left, top, _SQUARE, _SQUARE)
        if sign == "constant":
            lines = np.empty((12, 12), np.uint8)
            hatch(lines, 4)
            images.append(FigureImage(square, lines, colours))
        else:
            red, green, blue = colours[SIGNS[sign]].tolist()
            areas.append(FigureArea(square, (red, green, blue)))
        texts.append(look.note(sign, square.right + 0.08, top + _SQUARE * 0.5 + look.small * POINT * 0.35))
        left = square.right + 0.08 + look.width(sign, look.small) + 0.35
    return FigureMarks(tuple(areas), tuple(images), tuple(texts))


def _fitting(words: tuple[str, str, str], length: float, look: Look) -> tuple[str, str, str]:
    """Return the words at a bar's start, middle and end, or their beginnings where they do not fit on its length."""
    first = tuple(word.partition(" ")[0] for word in words)
    for start, middle, end in (words, first):
        widest = max(look.width(start, look.small), look.width(end, look.small))
        if 2 * widest + 2 * look.width(middle, look.small) + 0.1 <= length:
            return start, middle, end
    start, _, end = (look.fitted(word, look.small, length / 2 - 0.05) for word in words)
    return start, "", end


def _numbers(scale: BarScale, count: int) -> list[float]:
    return ticks(scale.low, scale.high, count)


def _places(scale: BarScale, count: int) -> Iterator[tuple[float, float]]:
    """Yield round numbers of a scale, and the share of the bar below each."""
    span = scale.high / 2 - scale.low / 2
    for value in _numbers(scale, count):
        share = (value / 2 - scale.low / 2) / span if span > 0 else 0.5
        yield value, min(max(share, 0.0), 1.0) ** scale.gamma


def _ends(scale: BarScale) -> tuple[float, float]:
    return (scale.low, scale.high) if scale.words is None else (math.nan, math.nan)

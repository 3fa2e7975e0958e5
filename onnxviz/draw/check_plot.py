"""A small plot of what becomes of an answer while a picture is covered and uncovered, beside random orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from onnxviz.draw.palette import Colour, Theme, find_theme

_FINE = 4
"""Lines are drawn this much larger and reduced."""

CheckCurve = Sequence[float]


@dataclass(frozen=True, slots=True)
class CheckPlot:
    """Four curves of as many numbers each: while covered and uncovered in the order of a map, and at random."""

    deletion: CheckCurve
    insertion: CheckCurve
    random_deletion: CheckCurve
    random_insertion: CheckCurve


def scale_of(plots: Iterable[CheckPlot]) -> tuple[float, float]:
    """Return the ends of a scale for some plots: from 0, or what lies below it, to the greatest number."""
    curves = [(*one.deletion, *one.insertion, *one.random_deletion, *one.random_insertion) for one in plots]
    numbers = [number for curve in curves for number in curve]
    return min(0.0, *numbers), max(0.0, *numbers)


def draw_check_plot(plot: CheckPlot, size: tuple[int, int], ends: tuple[float, float], theme: str) -> Image.Image:
    """Draw a plot of mode RGB: covered in orange, uncovered in blue, at random the same with dots.

    Args:
        plot: the curves, from nothing covered or uncovered at the left to everything at the right.
        size: width and height.
        ends: what lies at the lower and at the upper border.
        theme: `dark` or `light`.
    """
    look = find_theme(theme)
    image = Image.new("RGB", (size[0] * _FINE, size[1] * _FINE), look.panel)
    drawn = ImageDraw.Draw(image)
    drawn.line([(0, image.height - 1), (image.width, image.height - 1)], fill=look.hatch_line, width=2 * _FINE)
    for curve, colour in zip((plot.random_deletion, plot.random_insertion), colours(look), strict=True):
        _dots(drawn, _points(curve, ends, image.size), colour)
    for curve, colour in zip((plot.deletion, plot.insertion), colours(look), strict=True):
        drawn.line(_points(curve, ends, image.size), fill=colour, width=2 * _FINE, joint="curve")
    return image.reduce(_FINE)


def draw_swatch(which: int, dotted: bool, theme: str) -> Image.Image:
    """Draw a piece of a curve for the legend: of deletion (0) or insertion (1)."""
    look = find_theme(theme)
    image = Image.new("RGB", (26 * _FINE, 8 * _FINE), look.background)
    points = [(x * _FINE, 4.0 * _FINE) for x in range(2, 26, 4)]
    if dotted:
        _dots(ImageDraw.Draw(image), points, colours(look)[which])
    else:
        ImageDraw.Draw(image).line(points, fill=colours(look)[which], width=2 * _FINE)
    return image.reduce(_FINE)


def colours(look: Theme) -> tuple[Colour, Colour]:
    """Return the colours of deletion and insertion."""
    return look.accent, look.negative_infinity


def _points(curve: CheckCurve, ends: tuple[float, float], size: tuple[int, int]) -> list[tuple[float, float]]:
    low, span = ends[0], (ends[1] - ends[0]) or 1.0
    margin = 4 * _FINE
    across, down = size[0] - 2 * margin, size[1] - 2 * margin
    step = across / max(1, len(curve) - 1)
    return [(margin + step * place, margin + down * (1 - (value - low) / span)) for place, value in enumerate(curve)]


def _dots(drawn: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]], colour: Colour) -> None:
    radius = 1.1 * _FINE
    for x, y in points:
        drawn.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)

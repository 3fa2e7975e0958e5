"""A sheet of two models side by side: their difference over depth, and the maps of one layer that differ most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from onnxviz.draw.palette import Colour, Theme, data_colours, default_colormap, find_theme
from onnxviz.draw.text import face
from onnxviz.layout import Array
from onnxviz.words import number_text

WIDTH, MARGIN = 1280, 32
TILE, TILE_GAP, LABEL = 150, 32, 150
"""In pixels: a map, the gap to the next, and the room for the words before a row of maps."""

_PLOT_HEIGHT = 240
_FINE = 4
"""Lines are drawn at this many times their size and reduced."""

_STEPS = (20, 40)
_HIGHEST = 140

# Blue, and red for what is wrong; the theme's accent is the orange of own errors. All have 4.5 : 1 on the background.
_BLUES = {"dark": (104, 170, 255), "light": (22, 98, 196)}
_REDS = {"dark": (255, 106, 106), "light": (196, 24, 40)}


@dataclass(frozen=True, slots=True)
class ErrorCurve:
    """Errors over depth, in dB; infinite where nothing differs, None where nothing is known.

    Attributes:
        overall: of each layer in graph order, with what it inherits.
        own: of each layer by itself.
        broken: the places of layers whose values are not finite.
        marked: the place of the layer to point at, None for none.
        label: what is written there.
        is_alarm: whether it is written in red.
    """

    overall: Sequence[float | None]
    own: Sequence[float | None]
    broken: frozenset[int]
    marked: int | None
    label: str
    is_alarm: bool


@dataclass(frozen=True, slots=True)
class MapRows:
    """Channels of one layer in both models.

    Attributes:
        title: a line above them.
        names: what stands before the rows of A, of B and of the difference.
        captions: what stands under each channel.
        a, b: `(n, H, W)`, `(n, L)` or `(n,)`.
    """

    title: str
    names: tuple[str, str, str]
    captions: Sequence[str]
    a: Array
    b: Array


@dataclass(frozen=True, slots=True)
class SideBySide:
    """All that a sheet shows; `curve` and `maps` are None where there is nothing to draw, `rows` a small table."""

    title: str
    facts: Sequence[str]
    headline: str
    is_alarm: bool
    curve: ErrorCurve | None
    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    maps: MapRows | None
    foot: str


def draw_side_by_side(content: SideBySide, theme: str) -> Image.Image:
    """Draw a sheet, mode RGB.

    Raises:
        UsageError: There is no such theme.
    """
    sheet = _ErrorSheet(find_theme(theme), theme, _height(content))
    y = sheet.head(content)
    if content.curve is not None:
        y = sheet.curve(content.curve, y + 34)
    if content.rows:
        y = sheet.table(content.titles, content.rows, y + 44)
    if content.maps is not None:
        y = sheet.maps(content.maps, y + 34)
    sheet.text(MARGIN, sheet.image.height - 18, content.foot, 12, sheet.dim, WIDTH - 2 * MARGIN)
    return sheet.image


def _height(content: SideBySide) -> int:
    rows = 44 + 24 * (len(content.rows) + 1) if content.rows else 0
    maps = 0
    if content.maps is not None:
        maps = 34 + 30 + 3 * (_tile_size(content.maps.a)[1] + 12) + 10
    curve = 34 + _PLOT_HEIGHT + 30 if content.curve is not None else 0
    return 64 + 22 * len(content.facts) + 34 + curve + rows + maps + 44


def _tile_size(maps: Array) -> tuple[int, int]:
    """Return width and height of the tiles of maps."""
    if maps.ndim < 3:
        return TILE, 36
    height, width = maps.shape[-2:]
    scale = TILE / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


class _ErrorSheet:
    def __init__(self, theme: Theme, name: str, height: int) -> None:
        self.theme, self.name = theme, name
        self.ink, self.blue, self.orange, self.red = theme.ink, _BLUES[name], theme.accent, _REDS[name]
        self.dim = _mixed(theme.background, theme.ink, 0.62)
        self.image = Image.new("RGB", (WIDTH, height), theme.background)
        self._face = face()

    def text(
        self, x: float, y: float, text: str, size: int, colour: Colour, width: float | None = None, anchor: str = "l"
    ) -> float:
        """Write a text with its baseline at y; return where it ends."""
        text = self._face.plain(text) if width is None else self._face.fit(text, size, width)
        length = self._face.width(text, size)
        left = round(x - {"l": 0, "m": length / 2, "r": length}[anchor])
        mask = Image.fromarray(self._face.coverage(text, size))
        self.image.paste(colour, (left, round(y) - size), mask)
        return left + length

    def head(self, content: SideBySide) -> float:
        """Write what is above the curve."""
        room = WIDTH - 2 * MARGIN
        self.text(MARGIN, 46, content.title, 24, self.ink, room)
        y = 50.0
        for fact in content.facts:
            y += 22
            self.text(MARGIN, y, fact, 14, self.dim, room)
        y += 34
        self.text(MARGIN, y, content.headline, 18, self.red if content.is_alarm else self.ink, room)
        return y

    def curve(self, curve: ErrorCurve, top: float) -> float:
        """Draw both errors over depth; return the lower end."""
        left, right, bottom = MARGIN + 34, WIDTH - MARGIN, top + 22 + _PLOT_HEIGHT
        top += 22
        ends = _ends([*curve.overall, *curve.own])
        place = _CurvePlaces(len(curve.overall), (left, right), (top, bottom), ends)
        self._axes(place, top)
        lines = Image.new("L", (WIDTH * _FINE, round(bottom - top + 24) * _FINE))
        for values, colour, width in ((curve.overall, self.blue, 2.2), (curve.own, self.orange, 1.6)):
            lines.paste(0, (0, 0, *lines.size))
            _draw_line(ImageDraw.Draw(lines), place, values, top - 12, width, dots=colour == self.orange)
            self.image.paste(colour, (0, round(top - 12)), lines.reduce(_FINE))
        for broken in curve.broken:
            x = place.x(broken)
            ImageDraw.Draw(self.image).line([x, top, x, bottom], fill=self.theme.nan, width=2)
        if curve.marked is not None:
            self._mark(curve, place)
        self.text(left, bottom + 20, "first layer", 13, self.dim)
        self.text(right, bottom + 20, "last", 13, self.dim, anchor="r")
        return bottom + 20

    def _axes(self, place: _CurvePlaces, top: float) -> None:
        drawn = ImageDraw.Draw(self.image)
        grid = _mixed(self.theme.background, self.theme.ink, 0.14)
        low, high = place.ends
        step = _STEPS[high - low > 100]
        for value in range(low, high + 1, step):
            y = place.y(value)
            drawn.line([place.across[0], y, place.across[1], y], fill=grid)
            self.text(place.across[0] - 8, y + 4, str(value), 13, self.dim, anchor="r")
        x = self.text(MARGIN, top - 20, "SQNR in dB, higher is nearer to A:  ", 13, self.dim)
        x = self.text(x, top - 20, "error of B with what it inherits", 13, self.blue)
        x = self.text(x, top - 20, "   ·   ", 13, self.dim)
        self.text(x, top - 20, "the layer's own, given A's values", 13, self.orange)

    def _mark(self, curve: ErrorCurve, place: _CurvePlaces) -> None:
        assert curve.marked is not None
        value = curve.own[curve.marked]
        value = curve.overall[curve.marked] if value is None else value
        x, y = place.x(curve.marked), place.y(place.ends[0] if value is None else value)
        colour = self.red if curve.is_alarm else self.ink
        ring = Image.new("L", (26 * _FINE, 26 * _FINE))
        ImageDraw.Draw(ring).ellipse([4 * _FINE, 4 * _FINE, 22 * _FINE, 22 * _FINE], outline=255, width=2 * _FINE)
        self.image.paste(colour, (round(x) - 13, round(y) - 13), ring.reduce(_FINE))
        length = self._face.width(self._face.plain(curve.label), 14)
        at_left = x > (place.across[0] + place.across[1]) / 2
        baseline = place.down[0] + 16
        if y - 13 > baseline - 10:
            ImageDraw.Draw(self.image).line(
                [x, baseline - 10, x, y - 11], fill=_mixed(self.theme.background, colour, 0.5)
            )
        self.text(x - 8 - length if at_left else x + 8, baseline, curve.label, 14, colour)

    def table(self, titles: Sequence[str], rows: Sequence[Sequence[str]], y: float) -> float:
        """Write a small table, the last column with the room that is left; return the lower end."""
        if not rows:
            return y - 44
        size, gap = 14, 26
        columns = list(zip(titles, *rows, strict=True))
        widths = [
            min(420.0, max(self._face.width(self._face.plain(cell), size) for cell in column)) for column in columns
        ]
        lefts = [MARGIN + sum(widths[:place]) + gap * place for place in range(len(widths))]
        widths[-1] = WIDTH - MARGIN - lefts[-1]
        for number, row in enumerate((titles, *rows)):
            for left, width, cell in zip(lefts, widths, row, strict=True):
                self.text(left, y + 24 * number, cell, size, self.dim if number == 0 else self.ink, width)
        return y + 24 * len(rows)

    def maps(self, rows: MapRows, y: float) -> float:
        """Draw the rows of A, B and their difference; return the lower end."""
        self.text(MARGIN, y, rows.title, 15, self.ink, WIDTH - 2 * MARGIN)
        y += 18
        difference = rows.b - rows.a
        width, height = _tile_size(rows.a)
        step = TILE + TILE_GAP
        finite = np.abs(difference[np.isfinite(difference)])
        reach = float(finite.max()) if finite.size else 1.0
        for number, (name, maps) in enumerate(zip(rows.names, (rows.a, rows.b, difference), strict=True)):
            self.text(MARGIN, y + height / 2 + 5, name, 14, self.ink, LABEL)
            for place, values in enumerate(maps):
                corner = (MARGIN + LABEL + step * place + (TILE - width) // 2, round(y))
                if maps.ndim == 1:
                    middle = MARGIN + LABEL + step * place + TILE / 2
                    self.text(middle, y + height / 2 + 5, number_text(float(values)), 15, self.ink, anchor="m")
                    continue
                ends = (-reach, reach) if number == 2 else _range(rows.a[place], rows.b[place])
                self.image.paste(self._tile(values, ends, (width, height), diverging=number == 2), corner)
            y += height + 12
        for place, caption in enumerate(rows.captions):
            self.text(MARGIN + LABEL + step * place + TILE / 2, y + 8, caption, 13, self.dim, TILE + 20, "m")
        return y + 8

    def _tile(self, values: Array, ends: tuple[float, float], size: tuple[int, int], *, diverging: bool) -> Image.Image:
        """Return one map in colours, enlarged by nearest neighbours or reduced by means."""
        maps = np.atleast_2d(values).astype(np.float32)
        if maps.shape[0] > size[1] or maps.shape[1] > size[0]:
            maps = np.asarray(Image.fromarray(maps).resize(size, Image.Resampling.BOX))
        table = data_colours(default_colormap(diverging, self.name), 256)
        span = (ends[1] - ends[0]) or 1.0
        with np.errstate(invalid="ignore", over="ignore"):
            places = np.nan_to_num(np.clip((maps - ends[0]) / span, 0, 1)) * 255
        picture: NDArray[np.uint8] = table[places.astype(np.uint8)]
        picture[~np.isfinite(maps)] = self.theme.nan
        image = Image.fromarray(picture).resize(size, Image.Resampling.NEAREST)
        ImageDraw.Draw(image).rectangle(
            [0, 0, size[0] - 1, size[1] - 1], outline=_mixed(self.theme.background, self.theme.ink, 0.25)
        )
        return image


@dataclass(frozen=True, slots=True)
class _CurvePlaces:
    """Where the points of a curve are: layers from left to right, dB from bottom to top."""

    count: int
    across: tuple[float, float]
    down: tuple[float, float]
    ends: tuple[int, int]

    def x(self, layer: int) -> float:
        left, right = self.across
        return left + 8 + (right - left - 16) * (layer / max(1, self.count - 1) if self.count > 1 else 0.5)

    def y(self, value: float) -> float:
        low, high = self.ends
        share = (min(max(value, low), high) - low) / (high - low)
        return self.down[1] - share * (self.down[1] - self.down[0])


def _ends(values: Sequence[float | None]) -> tuple[int, int]:
    """Return the ends of the axis: whole steps of 20 dB around all values."""
    known = [value for value in values if value is not None and np.isfinite(value)] or [0.0, 80.0]
    low = min(0, int(np.floor(min(known) / 20)) * 20)
    return max(low, -40), max(80, min(_HIGHEST, int(np.ceil(max(known) / 20)) * 20))


def _draw_line(
    drawn: ImageDraw.ImageDraw,
    place: _CurvePlaces,
    values: Sequence[float | None],
    top: float,
    width: float,
    *,
    dots: bool,
) -> None:
    """Draw a curve into a mask that begins at the row `top`; it is broken where nothing is known."""
    points = [
        None if value is None else (place.x(number) * _FINE, (place.y(value) - top) * _FINE)
        for number, value in enumerate(values)
    ]
    for one, other in pairwise(points):
        if one is not None and other is not None:
            drawn.line([one, other], fill=255, width=round(width * _FINE))
    radius = (2.6 if dots else 1.4) * _FINE
    for x, y in filter(None, points):
        drawn.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)


def _range(*maps: Array) -> tuple[float, float]:
    finite = [each[np.isfinite(each)] for each in maps]
    return (
        min((float(each.min()) for each in finite if each.size), default=0.0),
        max((float(each.max()) for each in finite if each.size), default=1.0),
    )


def _mixed(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue

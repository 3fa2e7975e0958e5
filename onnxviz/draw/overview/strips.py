"""The pictures of a layer in its row of an overview: maps as tiles, sequences as bands, a vector as bars."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from onnxviz.draw import palette
from onnxviz.draw.arrange import ATTENDED, ATTENDED_BANDS, ATTENTION
from onnxviz.draw.bars import plot
from onnxviz.draw.kinds import KINDS
from onnxviz.draw.overview.boxes import CAPTION, GAP, LABEL, SAMPLES, STRIP, THINNEST, TILE
from onnxviz.draw.overview.row import MapsLook, OverviewRow, VectorLook
from onnxviz.draw.overview.sheet import MEAN, PROJECTION, SMALL, TILE_STEP, TILES, Sheet
from onnxviz.draw.page import hatch
from onnxviz.draw.quantise import quantise
from onnxviz.draw.scale import Limits, both_signs, limits
from onnxviz.draw.statistics import channel_extremes, not_finite
from onnxviz.draw.style import RANKED, Style
from onnxviz.words import number_text

FILLED = 0.8
"""The least share of a box's side that a map fills."""

THICKEST, BAND_GAP = 24, 2
"""The most pixels from one sequence to the next, and how many of them stay free."""

NAME_GAP = 8
"""Pixels between a picture's name and the words about it."""


@dataclass(frozen=True, slots=True)
class _StripTile:
    """A picture in a row: its colours `(h, w, 3)`, whether it is hatched or framed, its name, and words about it."""

    colours: npt.NDArray[np.uint8]
    constant: bool
    framed: bool
    name: str
    words: str


def draw_maps_strip(sheet: Sheet, row: OverviewRow, look: MapsLook, y: int) -> None:
    """Draw maps: their mean, their principal components and the most varied channels."""
    pictures = _pictures(sheet.style, row, look)
    width = look.boxes.size[1]
    measure = sheet.page.face.width
    titled = 2 if sheet.titled and look.boxes.usual else 0
    fit = all(
        measure(each.name, SMALL) + measure(each.words, SMALL) + 2 * NAME_GAP <= width + GAP
        for each in pictures[titled:]
    )
    for place, picture in enumerate(pictures):
        top, left = _usual_place(place) if look.boxes.usual else look.boxes.place(place)
        image = enlarged(picture.colours, look.boxes.size)
        _put(sheet, image, (y + top, MEAN + left), picture)
        x, baseline = MEAN + left, y + top + image.height + 14
        if place >= titled:
            sheet.page.text(x, baseline, picture.name, SMALL, 210)
            x += math.ceil(measure(picture.name, SMALL)) + NAME_GAP
        if fit or place < titled:
            sheet.page.text(x, baseline, picture.words, SMALL, 140)


def draw_sequences_strip(sheet: Sheet, row: OverviewRow, look: MapsLook, y: int) -> None:
    """Draw sequences one below the other, so that one instant is one column through all layers."""
    pictures = _pictures(sheet.style, row, look)
    step = min(THICKEST, (TILE + CAPTION) // len(pictures))
    for place, picture in enumerate(pictures):
        top, left = y + place * step, MEAN + LABEL
        image = Image.fromarray(picture.colours).resize((SAMPLES, step - BAND_GAP), Image.Resampling.NEAREST)
        _put(sheet, image, (top, left), picture)
        middle = top + (step - BAND_GAP) // 2 + 4
        sheet.page.text(left - 10, middle, picture.name, SMALL, 210, "r")
        sheet.page.text(left + SAMPLES + 10, middle, picture.words, SMALL, 140)


def draw_vector_strip(sheet: Sheet, row: OverviewRow, look: VectorLook, y: int) -> None:
    """Draw the bars of a vector, or of a single sequence, and name the largest values."""
    count = len(look.columns.low)
    thick = min(24, STRIP // count)
    view = sheet.page.canvas[y : y + TILE, MEAN : MEAN + thick * count]
    sheet.page.canvas[y : y + TILE, MEAN : MEAN + STRIP] = palette.PANEL
    plot(view, look.columns, look.ends, thick)
    largest = (f"{index}: {number_text(value)}" for index, value in zip(look.top, look.values, strict=True))
    order = "by magnitude" if sheet.style.order in RANKED else "by index"
    words = f"values {order}, the largest  " + "  ·  ".join(largest)
    sheet.page.text(MEAN, y + TILE + 14, words, SMALL, 140, width=STRIP)


def enlarged(colours: npt.NDArray[np.uint8], box: tuple[int, int]) -> Image.Image:
    """Return colours `(h, w, 3)`, no larger than a box (height, width), as an image that comes near to that.

    They are enlarged by a whole factor where that fills most of the box, as for 7, 14, 28 and 56 values; else, as for
    64, by the next factor and then shrunk to the box by area means, which keeps the edges of the values even.
    """
    height, width = colours.shape[:2]
    share = min(box[0] / height, box[1] / width)
    zoom = int(share)
    over = zoom < FILLED * share
    zoom += over
    # Thin maps are made thick enough to see.
    thin = max(THINNEST, min(*box, max(box) // 8))
    down, across = (
        max(zoom, min(-(-thin // side), room // side)) for side, room in zip((height, width), box, strict=True)
    )
    image = Image.fromarray(colours).resize((width * across, height * down), Image.Resampling.NEAREST)
    if not over:
        return image
    shrunk_height, shrunk_width = (
        side if factor > zoom else round(side * share / zoom)
        for side, factor in ((image.height, down), (image.width, across))
    )
    return image.resize((shrunk_width, shrunk_height), Image.Resampling.BOX)


def tile_limits(row: OverviewRow, look: MapsLook, style: Style) -> Limits:
    """Return the scale of a row's tiles: that of the layer's own picture, though only a few channels are shown."""
    low, high = row.range
    style = replace(KINDS[row.kind].style(style), limits=row.limits or style.limits)
    if style.limits is None and style.scale in ("layer", "symmetric") and not math.isnan(low):
        reach = max(-low, high)
        style = replace(style, limits=(low, high) if style.scale == "layer" else (-reach, reach))
    return limits(look.tiles, look.statistics, style, both_signs(low, high))


def _pictures(style: Style, row: OverviewRow, look: MapsLook) -> list[_StripTile]:
    """Return the mean, the principal components and the tiles of a layer; the tile alone of a single channel."""
    gamma = KINDS[row.kind].gamma
    if row.kind in (ATTENTION, ATTENDED, ATTENDED_BANDS) and style.colormap == "auto":
        style = replace(style, colormap="magma")
    tiles, framed = coloured(look.tiles, tile_limits(row, look, style), style, gamma)
    ends = zip(look.statistics.minimum.tolist(), look.statistics.maximum.tolist(), strict=True)
    # A mean of both infinities is NaN, which the channel itself need not hold.
    nan = look.statistics.nan > 0
    ranges = [_range_words(*pair, look.tiles[place], bool(nan[place])) for place, pair in enumerate(ends)]
    pictures = [
        _StripTile(tile, bool(look.statistics.constant[place]), framed, f"{look.top[place]}", ranges[place])
        for place, tile in enumerate(tiles)
    ]
    if row.channels == 1:
        return pictures
    mean, (low, high) = look.mean[None], look.mean_range
    scale = limits(mean, channel_extremes(mean), Style(), both_signs(*row.range))
    colours, framed = coloured(mean, scale, style, gamma)
    return [
        _StripTile(colours[0], low == high, framed, "mean", _range_words(low, high, mean, digits=2)),
        _StripTile(look.projection, not look.share, False, "PCA", f"{round(look.share * 100)} % of variance"),
        *pictures,
    ]


def _range_words(low: float, high: float, picture: npt.NDArray[np.float32], nan: bool = True, digits: int = 3) -> str:
    """Return the range of what is finite in words; where nothing is, what there is instead."""
    if math.isnan(low):
        return ", ".join(not_finite(picture, nan))
    return f"{number_text(low, digits)} .. {number_text(high, digits)}"


def coloured(
    maps: npt.NDArray[np.float32], scale: Limits, style: Style, gamma: float = 1.0
) -> tuple[npt.NDArray[np.uint8], bool]:
    """Return maps `(n, h, w)` in colours, `(n, h, w, 3)`, and whether they need a frame."""
    indices = quantise(maps, scale, channel_extremes(maps), gamma=gamma)
    name = style.colormap
    if name == "auto":
        name = palette.default_colormap(scale.diverging, style.theme)
    return palette.palette(name, style.theme)[indices], palette.melts_into_page(name, style.theme, scale.diverging)


def _usual_place(place: int) -> tuple[int, int]:
    """Return where a picture stands below the titles of the columns, from the first one's corner."""
    return 0, (0, PROJECTION - MEAN)[place] if place < 2 else TILES - MEAN + (place - 2) * TILE_STEP


def _put(sheet: Sheet, image: Image.Image, corner: tuple[int, int], picture: _StripTile) -> None:
    """Put an image with its corner at (y, x), or hatch its place if the picture is constant."""
    y, x = corner
    if picture.constant:
        hatch(sheet.page.canvas[y : y + image.height, x : x + image.width])
    else:
        sheet.paste(image, x, y, framed=picture.framed)

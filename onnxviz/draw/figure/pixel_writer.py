"""A figure as pixels: PNG or TIFF."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from onnxviz.draw.encode import encode
from onnxviz.draw.figure.figure_parts import POINT, Figure, FigureImage, FigureText, Rectangle
from onnxviz.draw.text import face
from onnxviz.errors import UsageError

LARGEST = 20_000
"""The most pixels that a side may have."""

_INCH = 2.54
# Letters are drawn so many times larger and averaged: at print size a hinted font would move them.
_OVERSAMPLING = 4


def pixels_of(figure: Figure, suffix: str, dpi: int) -> bytes:
    """Return a figure as the bytes of a PNG or TIFF with `dpi` pixels in an inch.

    Raises:
        UsageError: A side would have more than LARGEST pixels, or none.
    """
    image = Image.fromarray(rasterised(figure, dpi))
    return encode(image, suffix, enlarged=True, small=True, dpi=dpi)


def rasterised(figure: Figure, dpi: int) -> npt.NDArray[np.uint8]:
    """Return the pixels of a figure, (H, W, 3)."""
    scale = dpi / _INCH
    width, height = math.ceil(figure.width_cm * scale - 1e-6), math.ceil(figure.height_cm * scale - 1e-6)
    if not 0 < max(width, height) <= LARGEST:
        raise UsageError(f"at {dpi} dpi the figure has {width} x {height} px; at most {LARGEST} a side")
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = figure.background
    for area in figure.marks.areas:
        top, bottom, left, right = _rounded(area.place, scale)
        canvas[top:bottom, left:right] = area.colour
    for picture in figure.marks.images:
        _paste(canvas, picture, scale)
    page = Image.fromarray(canvas)
    for text in figure.marks.texts:
        _write(page, text, figure.font, scale)
    return np.asarray(page)


def _rounded(place: Rectangle, scale: float) -> tuple[int, int, int, int]:
    """Return the first and the last row, and the first and the last column, with at least one of each between them."""
    top, left = round(place.top * scale), round(place.left * scale)
    return top, max(top + 1, round(place.bottom * scale)), left, max(left + 1, round(place.right * scale))


def _paste(canvas: npt.NDArray[np.uint8], picture: FigureImage, scale: float) -> None:
    """Draw a picture: its own pixels, each a whole number of times, where they fit, else the mean of what is covered.

    Nothing is smoothed: a pixel of the page that two values share is their mean by area.
    """
    top, bottom, left, right = _rounded(picture.place, scale)
    rgb = picture.rgb
    # First a whole factor larger than needed, by repeating, then the mean of boxes: both are exact.
    down, across = -(-(bottom - top) // rgb.shape[0]), -(-(right - left) // rgb.shape[1])
    large = Image.fromarray(rgb.repeat(down, axis=0).repeat(across, axis=1))
    canvas[top:bottom, left:right] = np.asarray(large.resize((right - left, bottom - top), Image.Resampling.BOX))


def _write(page: Image.Image, text: FigureText, font: str | None, scale: float) -> None:
    if not text.text:
        return
    size, times = text.size * POINT * scale, _OVERSAMPLING
    letters = face(font).at(size * times)
    length, height = letters.getlength(text.text), size * times
    drawn = Image.new("L", (math.ceil(length / times + 4) * times, math.ceil(2 * height / times) * times))
    baseline = math.ceil(1.3 * height / times) * times
    along = (text.y if text.turned else text.x) * scale
    start = along + length / times * {"l": 0.0, "m": 0.5, "r": 1.0}[text.anchor] * (1 if text.turned else -1)
    across = (text.x if text.turned else text.y) * scale
    # The fractions of a pixel go into the drawing, the rest is where it is laid.
    first = math.floor(-start if text.turned else start)
    part, rest = (-start if text.turned else start) - first, across - math.floor(across)
    pen = ((part + 1) * times, baseline + rest * times)
    ImageDraw.Draw(drawn).text(pen, text.text, font=letters, fill=255, anchor="ls")
    mask = drawn.reduce(times)
    up = baseline // times
    if text.turned:
        mask = mask.transpose(Image.Transpose.ROTATE_90)
        corner = math.floor(across) - up, -first + 1 - mask.height
    else:
        corner = first - 1, math.floor(across) - up
    page.paste(Image.new("RGB", mask.size, text.colour), corner, mask)

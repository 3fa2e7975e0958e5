"""Explanations as pictures: heat over the greyed input, signed maps about zero, gradients in colours about grey."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onnxviz.draw.palette import LEVELS, data_colours, find_theme
from onnxviz.layout import Array

RgbPixels = NDArray[np.uint8]

CLIPPED = 99.5
"""The percentile of the magnitudes at which colours end: single pixels of a gradient are far above all others."""

OPACITY = 0.45
"""How much of the heat covers the picture at most: at three quarters the subject can no longer be seen."""

CONTOURS = (0.25, 0.5, 0.75)
"""The shares of the greatest heat at which lines are drawn."""

_GREY = 0.6


def draw_heat(array: Array, picture: RgbPixels, look: str, theme: str) -> Image.Image:
    """Draw an explanation.

    Args:
        array: (h, w) numbers, stretched plainly over the picture; (H, W, C) for the look `colours`.
        picture: the input as it was fed, (H, W, 3).
        look: `heat`, `signed`, `magnitude`, `signed alone` or `colours`.
        theme: `dark` or `light`, which decides what zero looks like where a map stands alone.

    Returns:
        Mode RGB, of the picture's size.
    """
    return Image.fromarray(_LOOKS[look](np.nan_to_num(np.asarray(array, np.float32)), picture, theme))


def stretched(array: Array, size: tuple[int, int]) -> Array:
    """Return a map as (height, width), linearly between its cells, whose centres are spread evenly over the picture."""
    if array.shape == size:
        return array
    image = Image.fromarray(array.astype(np.float32))
    return np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))


def _heat(array: Array, picture: RgbPixels, theme: str) -> RgbPixels:
    """Return the picture, greyed, under a heat whose opacity follows its value, with contours."""
    shares = np.clip(stretched(array, picture.shape[:2]) / (float(array.max()) or 1.0), 0, 1)
    cover = (OPACITY * shares**0.8)[..., None]
    blended = _greyed(picture, _GREY) * (1 - cover) + _coloured("inferno", shares) * cover
    for level in CONTOURS:
        edge = _edges(shares > level)
        ink = 255.0 if level >= 0.5 else 190.0
        blended[edge] = 0.25 * blended[edge] + 0.75 * ink
    return _pixels(blended)


def _signed(array: Array, picture: RgbPixels, theme: str) -> RgbPixels:
    """Return the picture in grey under red where the map is above zero and blue where it is below, smoothed: the steps
    of the squares that covered it say nothing."""
    smooth = blurred(stretched(array, picture.shape[:2]), min(picture.shape[:2]) / 36)
    shares = _signed_shares(smooth, 100)
    cover = (0.8 * np.abs(shares) ** 0.8)[..., None]
    return _pixels(_greyed(picture, 1.0) * (1 - cover) + _coloured("RdBu_r", 0.5 + shares / 2) * cover)


def _magnitude(array: Array, picture: RgbPixels, theme: str) -> RgbPixels:
    end = float(np.percentile(array, CLIPPED)) or float(array.max()) or 1.0
    return _pixels(_coloured("inferno", np.clip(stretched(array, picture.shape[:2]) / end, 0, 1)))


def _signed_alone(array: Array, picture: RgbPixels, theme: str) -> RgbPixels:
    """Return a signed map, slightly blurred: neighbouring pixels of a gradient cancel each other for the eye."""
    shares = _signed_shares(blurred(stretched(array, picture.shape[:2]), 2.0), CLIPPED)
    return _pixels(_coloured(find_theme(theme).diverging, 0.5 + shares / 2))


def _colours(array: Array, picture: RgbPixels, theme: str) -> RgbPixels:
    """Return a gradient in colours about grey, on one scale for all three; of other channels the sum in grey."""
    values = array if array.shape[-1] == 3 else np.repeat(array.sum(-1, keepdims=True), 3, axis=-1)
    return _pixels(127.5 + 127.5 * _signed_shares(values, 99.9))


_LOOKS: Mapping[str, Callable[[Array, RgbPixels, str], RgbPixels]] = {
    "heat": _heat,
    "signed": _signed,
    "magnitude": _magnitude,
    "signed alone": _signed_alone,
    "colours": _colours,
}


def _signed_shares(array: Array, percentile: float) -> Array:
    """Return values as shares of the percentile of their magnitudes, -1 to 1."""
    magnitudes = np.abs(array)
    end = float(np.percentile(magnitudes, percentile)) or float(magnitudes.max()) or 1.0
    return np.clip(array / end, -1, 1)


def _coloured(colormap: str, shares: Array) -> Array:
    colours = data_colours(colormap).astype(np.float64)
    found: Array = colours[np.rint(shares * (LEVELS - 1)).astype(int)]
    return found


def _greyed(picture: RgbPixels, share: float) -> Array:
    whole = picture.astype(np.float64)
    found: Array = whole.mean(-1, keepdims=True) * share + whole * (1 - share)
    return found


def _edges(inside: Array) -> Array:
    """Return which pixels have a neighbour to the right or below on the other side."""
    found = np.zeros(inside.shape, bool)
    found[:-1] |= inside[:-1] != inside[1:]
    found[:, :-1] |= inside[:, :-1] != inside[:, 1:]
    return found


def blurred(array: Array, deviation: float, axes: tuple[int, int] = (0, 1)) -> Array:
    """Return an array smoothed along two axes by a normal kernel; its borders go on beyond themselves."""
    reach = max(1, int(3 * deviation))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    kernel /= kernel.sum()
    for axis in axes:
        around = [(reach, reach) if which == axis else (0, 0) for which in range(array.ndim)]
        padded = np.pad(array, around, mode="edge")
        parts = [weight * padded.take(range(k, k + array.shape[axis]), axis) for k, weight in enumerate(kernel)]
        array = np.sum(parts, axis=0)
    return array


def _pixels(values: Array) -> RgbPixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)

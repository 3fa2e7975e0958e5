"""Small pictures cut out of large ones, and whole ones lit where a map is high."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

PatchPixels = npt.NDArray[np.uint8]
"""Pixels `(size, size, 3)`."""
Box = tuple[float, float, float, float]
"""`(top, left, bottom, right)` in pixels, at their edges; it may reach beyond the picture."""

_DIM = 0.4
"""How much light is left where a map is low: at 0.22 what a picture shows was not recognised."""
_FULL_FROM = 0.5
"""The share of a map's greatest number from which on it is fully lit."""
MOST_LIGHTS = 16
"""Rows and columns up to which a map is kept; a patch of 50 pixels shows no more."""


def cut_out(picture: PatchPixels, box: Box, size: int, outside: tuple[int, int, int]) -> PatchPixels:
    """Return a box of a picture at `(size, size, 3)`; what lies beyond the picture has one colour.

    Fewer pixels than a third of the size are enlarged without smoothing, so that each can be seen.
    """
    top, left, bottom, right = box
    height, width = picture.shape[:2]
    across, down = size / (right - left), size / (bottom - top)
    inside = max(top, 0.0), max(left, 0.0), min(bottom, float(height)), min(right, float(width))
    tile = np.empty((size, size, 3), np.uint8)
    tile[:] = outside
    if inside[2] <= inside[0] or inside[3] <= inside[1]:
        return tile
    first = min(size - 1, round((inside[0] - top) * down)), min(size - 1, round((inside[1] - left) * across))
    end = round((inside[2] - top) * down), round((inside[3] - left) * across)
    shape = max(1, min(size, end[0]) - first[0]), max(1, min(size, end[1]) - first[1])
    # Only what is shown goes to Pillow, whole pixels: a picture of 12 million is not copied for each patch.
    row, column = int(inside[0]), int(inside[1])
    part = picture[row : -int(-inside[2] // 1), column : -int(-inside[3] // 1)]
    few = bottom - top < size / 3
    resample = Image.Resampling.NEAREST if few else Image.Resampling.BILINEAR
    within = (inside[1] - column, inside[0] - row, inside[3] - column, inside[2] - row)
    drawn = Image.fromarray(np.ascontiguousarray(part)).resize((shape[1], shape[0]), resample, within)
    tile[first[0] : first[0] + shape[0], first[1] : first[1] + shape[1]] = np.asarray(drawn)
    return tile


def thumbnail(picture: PatchPixels, size: int) -> PatchPixels:
    """Return a whole picture at `(size, size, 3)`."""
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR))


def lights_of(maps: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return how brightly maps `(n, h, w)` light a picture: 255 where they are above half of their greatest number.

    Negative numbers are dark; of a map without positive ones, the lowest is. Maps of more than 16 rows are reduced.
    """
    small = _reduced(np.where(np.isfinite(maps), maps, 0))
    high, low = small.max(axis=(1, 2), keepdims=True), small.min(axis=(1, 2), keepdims=True)
    floor = np.where(high > 0, 0, low)
    share = (small - floor) / np.maximum(high - floor, 1e-30)
    lights: npt.NDArray[np.uint8] = np.rint(np.clip(share / _FULL_FROM, 0, 1) * 255).astype(np.uint8)
    return lights


def lit(thumb: PatchPixels, lights: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return a small picture lit by each of `(n, h, w)` lights, as `(n, size, size, 3)`."""
    size = len(thumb)
    rows, columns = _spread(lights.shape[1], size), _spread(lights.shape[2], size)
    light = rows @ lights.astype(np.float32) @ columns.T
    levels = (light * np.float32((1 - _DIM) * 256 / 255) + np.float32(_DIM * 256)).astype(np.uint16)
    tiles: npt.NDArray[np.uint8] = (thumb.astype(np.uint16) * levels[..., None] >> 8).astype(np.uint8)
    return tiles


def _reduced(maps: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    for axis in (1, 2):
        step = -(-maps.shape[axis] // MOST_LIGHTS)
        if step > 1:
            maps = np.maximum.reduceat(maps, np.arange(0, maps.shape[axis], step), axis=axis)
    return maps


@lru_cache(64)
def _spread(count: int, size: int) -> npt.NDArray[np.float32]:
    """Return the weights, `(size, count)`, that interpolate between the middles of as many cells."""
    places = np.clip((np.arange(size) + 0.5) * count / size - 0.5, 0, count - 1)
    weights: npt.NDArray[np.float32] = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(count))).astype(np.float32)
    return weights

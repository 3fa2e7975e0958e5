"""Floating-point maps to palette indices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onnxviz.draw.palette import LEVELS, NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY
from onnxviz.draw.scale import Limits
from onnxviz.draw.statistics import ChannelStatistics, Floats, channel_blocks, channel_extremes
from onnxviz.extremes import as_floats
from onnxviz.layout import Array

Indices = NDArray[np.uint8]
Float32s = NDArray[np.float32]

# LEVELS / range rounds up in float32 for a fifth of all channels, whose maximum would get the index LEVELS.
_TOP = LEVELS * (1 - 2.0**-20)


@dataclass(frozen=True, slots=True)
class Slopes:
    """How the values of each channel become levels: 0 at the low end of its range, `top` at the high end.

    Attributes:
        low, high: (C,) float64, the ends of the range, finite.
        slope: (C,) float64, levels per unit of the value; 1 where the range is empty.
        hard: (C,) whether the range or the slope is too large for float32.
        top: the level of the high end.
    """

    low: Floats
    high: Floats
    slope: Floats
    hard: NDArray[np.bool_]
    top: float

    def write_levels(self, target: Float32s, values: Array, channels: slice) -> None:
        """Write the levels of some channels, values (n, ...) float32 or float64, into an array of the same shape."""
        column = (-1, *[1] * (values.ndim - 1))
        # First subtract, then multiply: a * slope + offset would lose all bits of values far from zero.
        with np.errstate(all="ignore"):
            np.subtract(values, self.low[channels].astype(values.dtype).reshape(column), out=target, casting="unsafe")
            np.multiply(target, self.slope[channels].astype(np.float32).reshape(column), out=target)
            for place in np.flatnonzero(self.hard[channels]):
                target[place] = self._hard_levels(values[place], channels.start + int(place))

    def _hard_levels(self, values: Array, channel: int) -> Floats:
        """Return the levels of a channel in float64, everything divided by the end that is farther from 0."""
        size = max(abs(self.low[channel]), abs(self.high[channel]))
        start, end = self.low[channel] / size, self.high[channel] / size
        levels: Floats = (values.astype(np.float64) / size - start) * (self.top / (end - start))
        return levels


def slopes(low: Floats, high: Floats, top: float) -> Slopes:
    """Return how channels with these ends, (C,) float64 and finite, become levels from 0 to `top`.

    >>> slopes(np.array([0.0, 1.0]), np.array([4.0, 1.0]), 256).slope
    array([64.,  1.])
    """
    with np.errstate(all="ignore"):
        span = high - low
        slope = np.where(span > 0, top / span, 1.0)
    return Slopes(low, high, slope, (slope > 1e37) | (span > 1e37), top)


def quantise_into(
    target: Indices,
    maps: Array,
    limits: Limits,
    statistics: ChannelStatistics | None = None,
    *,
    shrink: tuple[int, int] = (1, 1),
    gamma: float = 1.0,
) -> None:
    """Write maps (C, H, W) into a view (C, H, W) of a canvas as indices 0 to LEVELS - 1.

    NaN and the infinities get indices of their own.

    Args:
        target: uint8 of any strides; (C, ceil(H / ky), ceil(W / kx)) where the maps are shrunk.
        maps: of any real dtype.
        limits: the ends of the scale, one a channel.
        statistics: of the same channels; None if all values are finite.
        shrink: (ky, kx), how many rows and columns of values become one by their mean.
        gamma: an exponent for the place on the scale, 0..1; 0.5 lifts values near the low end.
    """
    values, scale = as_floats(maps), slopes(limits.low, limits.high, _TOP)
    for block in channel_blocks(values):
        levels = np.empty(values[block].shape, np.float32)
        scale.write_levels(levels, values[block], block)
        if statistics is not None and bool(statistics.irregular[block].any()):
            target[block] = _irregular(levels, values[block], shrink, gamma)
            continue
        if limits.clips:
            np.clip(levels, 0, _TOP, out=levels)
        np.copyto(target[block], _bend(_shrink(levels, shrink), gamma), casting="unsafe")


def quantise(
    maps: Array, limits: Limits, statistics: ChannelStatistics | None = None, *, gamma: float = 1.0
) -> Indices:
    """Return maps (C, H, W) as indices of the same shape; see `quantise_into`."""
    target = np.empty(maps.shape, np.uint8)
    quantise_into(target, maps, limits, statistics, gamma=gamma)
    return target


def quantise_beside(values: Array, limits: Limits, gamma: float = 1.0) -> Indices:
    """Return values (C, n) that are not of the maps of a scale as its indices; beyond its ends they have those."""
    low, high = limits.low[:, None], limits.high[:, None]
    held = np.where(np.isfinite(values), np.clip(values, low, high), values)[:, None]
    return quantise(held, limits, channel_extremes(held), gamma=gamma)[:, 0]


def _irregular(levels: Float32s, values: Array, shrink: tuple[int, int], gamma: float) -> Indices:
    """Return the indices of levels whose values are not all finite; a mean over NaN is NaN."""
    with np.errstate(invalid="ignore", over="ignore"):
        # The level of a finite value far off the scale may have overflowed; the value is not an infinity.
        levels = np.where(np.isfinite(values), np.clip(levels, 0, _TOP), values).astype(np.float32)
        levels = _shrink(levels, shrink)
    indices = _bend(np.clip(np.nan_to_num(levels), 0, _TOP), gamma).astype(np.uint8)
    indices[np.isnan(levels)] = NAN
    indices[levels == np.inf] = POSITIVE_INFINITY
    indices[levels == -np.inf] = NEGATIVE_INFINITY
    return indices


def _shrink(levels: Float32s, by: tuple[int, int]) -> Float32s:
    """Return area means, by Pillow, which takes half as long as numpy."""
    if by == (1, 1):
        return levels
    return np.stack([np.asarray(Image.fromarray(plane).reduce((by[1], by[0]))) for plane in levels])


def _bend(levels: Float32s, gamma: float) -> Float32s:
    if gamma == 1:
        return levels
    return np.power(np.maximum(levels, 0) / np.float32(_TOP), np.float32(gamma)) * np.float32(_TOP)

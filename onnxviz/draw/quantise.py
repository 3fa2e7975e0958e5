"""Floating-point maps to palette indices."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onnxviz.draw.palette import LEVELS, NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY
from onnxviz.draw.scale import Array, ChannelStatistics, Floats, Limits, as_floats

Indices = NDArray[np.uint8]
Float32s = NDArray[np.float32]

# LEVELS / range rounds up in float32 for a fifth of all channels, and then their maximum has the index LEVELS.
_TOP = LEVELS * (1 - 2.0**-20)

# Values handled at once, about 256 KiB of float32: they stay in the second-level cache, and no second array of the
# size of the maps is needed.
_BLOCK = 1 << 16


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
        statistics: of the same channels; None says that all values are finite.
        shrink: (ky, kx), by which rows and columns are averaged.
        gamma: an exponent for the place on the scale, 0..1; 0.5 lifts what is near the low end.
    """
    values = as_floats(maps)
    step = max(1, _BLOCK // max(1, values[0].size)) if len(values) else 1
    buffer = np.empty((min(step, len(values)), *values.shape[1:]), np.float32)
    slope, hard = _slopes(limits)
    for start in range(0, len(values), step):
        block = slice(start, start + step)
        levels = buffer[: len(values[block])]
        _normalise(levels, values[block], limits.low[block], limits.high[block], slope[block], hard[block])
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


def _slopes(limits: Limits) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the levels in a unit of each channel, and for which channels float32 cannot hold them."""
    with np.errstate(all="ignore"):
        span = limits.high - limits.low
        slope = np.where(span > 0, _TOP / span, 1.0)
    return slope, ~np.isfinite(slope) | (slope > 1e37) | (span > 1e37)


def _normalise(
    levels: Float32s, values: Array, low: Floats, high: Floats, slope: Floats, hard: NDArray[np.bool_]
) -> None:
    # First subtract, then multiply: a * slope + offset would lose all bits of values far from zero.
    with np.errstate(all="ignore"):
        lows = low.astype(values.dtype)[:, None, None]
        np.subtract(values, lows, out=levels, casting="unsafe")
        np.multiply(levels, slope.astype(np.float32)[:, None, None], out=levels)
        for channel in np.flatnonzero(hard):
            # Ranges that overflow or vanish in float32: everything is divided by the greater end.
            size = max(abs(low[channel]), abs(high[channel]))
            start, end = low[channel] / size, high[channel] / size
            levels[channel] = (values[channel].astype(np.float64) / size - start) * (_TOP / (end - start))


def _irregular(levels: Float32s, values: Array, shrink: tuple[int, int], gamma: float) -> Indices:
    """Return the indices of levels whose values are not all finite; a mean that meets NaN is NaN."""
    with np.errstate(invalid="ignore", over="ignore"):
        # A finite value far off the scale may have overflowed, and is not an infinity for that.
        levels = np.where(np.isfinite(values), np.clip(levels, 0, _TOP), values).astype(np.float32)
        levels = _shrink(levels, shrink)
    indices = _bend(np.clip(np.nan_to_num(levels), 0, _TOP), gamma).astype(np.uint8)
    indices[np.isnan(levels)] = NAN
    indices[levels == np.inf] = POSITIVE_INFINITY
    indices[levels == -np.inf] = NEGATIVE_INFINITY
    return indices


def _shrink(levels: Float32s, by: tuple[int, int]) -> Float32s:
    """Return area means: Pillow's reduction takes half of the time that numpy's means take."""
    if by == (1, 1):
        return levels
    return np.stack([np.asarray(Image.fromarray(plane).reduce((by[1], by[0]))) for plane in levels])


def _bend(levels: Float32s, gamma: float) -> Float32s:
    if gamma == 1:
        return levels
    bent: Float32s = np.power(np.maximum(levels, 0) / np.float32(_TOP), np.float32(gamma)) * np.float32(_TOP)
    return bent

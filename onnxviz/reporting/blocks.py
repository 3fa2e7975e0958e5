"""A layer of one run as a block: every channel's values as 8 bits on the channel's own range, deflated."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxviz.draw.arrange import BARS, Arranged
from onnxviz.draw.scale import Array, ChannelStatistics, Floats, channel_statistics
from onnxviz.reporting.planes import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, Codes, Marks, Planes, deflate

STEPS = 256

# Values handled at once: they stay in the second-level cache.
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Block:
    """A layer of one run, as it stands in the page.

    Attributes:
        data: deflated (zlib): codes `(C, *extent) uint8`, then the plane of extras where there is one, then the bits of
            the ends; or the values of a vector.
        extent: the sizes of space; empty for a vector.
        statistics: of the channels that are stored, over the whole map.
        exact: whether the values stand there as they are, and not as codes.
        extra: whether a plane of the same size says where a value is not finite.
        wide: whether float64 holds what float32 cannot: the ends of the channels, the values of a vector.
    """

    data: bytes
    extent: tuple[int, ...]
    statistics: ChannelStatistics
    exact: bool
    extra: bool
    wide: bool


def make_block(arranged: Arranged, statistics: ChannelStatistics | None = None) -> Block:
    """Return what was arranged to be drawn as a block; `statistics`, if they are known, are of the same channels."""
    values = arranged.values
    found = statistics if statistics is not None else channel_statistics(values)
    wide = not (_fits(found.minimum) and _fits(found.maximum))
    if arranged.kind == BARS:
        plain = np.ascontiguousarray(values, "<f8" if wide else "<f4")
        return Block(deflate(plain.tobytes()), (), found, exact=True, extra=False, wide=wide)
    extra = bool(found.irregular.any())
    planes = Planes(quantise(values, found), extras(values) if extra else None, ends(values, found))
    return Block(planes.packed(), values.shape[1:], found, exact=False, extra=extra, wide=wide)


def quantise(values: Array, statistics: ChannelStatistics) -> Codes:
    """Return values (C, ...) as codes of the same shape, each channel on its own range.

    A code stands for `low + (code + 0.5) * (high - low) / 256`, at most range / 512 off; for `low` where the channel
    has a single value. What is not finite has the code 0.

    >>> quantise(np.array([[0.0, 1.0, 2.0, 4.0]]), channel_statistics(np.array([[0.0, 1.0, 2.0, 4.0]])))
    array([[  0,  64, 128, 255]], dtype=uint8)
    """
    flat = values.reshape(len(values), -1)
    codes = np.zeros(flat.shape, np.uint8)
    low, slope, hard = _slopes(statistics)
    for block in _blocks(flat):
        levels = np.empty(flat[block].shape, np.float32)
        with np.errstate(all="ignore"):
            np.subtract(flat[block], low[block].astype(flat.dtype)[:, None], out=levels, casting="unsafe")
            np.multiply(levels, slope[block].astype(np.float32)[:, None], out=levels)
        for channel in np.flatnonzero(hard[block]):
            levels[channel] = _hard_levels(flat[block][channel], statistics, block.start + int(channel))
        if statistics.irregular[block].any():
            levels[~np.isfinite(flat[block])] = 0
        # The greatest value lies on 256, or by rounding a little above it.
        codes[block] = np.minimum(levels, STEPS - 0.5, out=levels)
    return codes.reshape(values.shape)


def ends(values: Array, statistics: ChannelStatistics) -> Marks:
    """Return a plane that is true where a value is its channel's minimum or maximum itself, and not only near it."""
    flat = values.reshape(len(values), -1)
    found = np.empty(flat.shape, np.bool_)
    low, high = statistics.minimum[:, None], statistics.maximum[:, None]
    for block in _blocks(flat):
        np.equal(flat[block], low[block], out=found[block])
        found[block] |= flat[block] == high[block]
    return found.reshape(values.shape)


def extras(values: Array) -> Codes:
    """Return a plane that is 0 for finite values, else says which kind it is."""
    plane = np.zeros(values.shape, np.uint8)
    plane[np.isnan(values)] = NAN
    plane[values == np.inf] = POSITIVE_INFINITY
    plane[values == -np.inf] = NEGATIVE_INFINITY
    return plane


def _blocks(flat: Array) -> Iterator[slice]:
    """Cut channels `(C, values)` into groups that are handled at once."""
    step = max(1, _BLOCK // max(1, flat.shape[1]))
    return (slice(start, start + step) for start in range(0, len(flat), step))


def _slopes(statistics: ChannelStatistics) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return each channel's low end, its codes in a unit, and whether float32 cannot hold them."""
    low = np.nan_to_num(statistics.minimum, posinf=0, neginf=0)
    high = np.nan_to_num(statistics.maximum, posinf=0, neginf=0)
    with np.errstate(all="ignore"):
        span = high - low
        slope = np.where(span > 0, STEPS / span, 0.0)
    return low, slope, (span > 0) & ((slope > 1e37) | (span > 1e37))


def _hard_levels(row: NDArray[Any], statistics: ChannelStatistics, channel: int) -> Floats:
    """Return the levels of a channel whose range overflows or vanishes in float32: all is divided by an end."""
    low, high = float(statistics.minimum[channel]), float(statistics.maximum[channel])
    size = max(abs(low), abs(high))
    with np.errstate(all="ignore"):
        levels: Floats = (row.astype(np.float64) / size - low / size) * (STEPS / (high / size - low / size))
    return levels


def _fits(values: Floats) -> bool:
    """Tell whether float32 holds numbers as they are; NaN is none that matters."""
    with np.errstate(all="ignore"):
        return bool(np.array_equal(values.astype(np.float32).astype(np.float64), values, equal_nan=True))

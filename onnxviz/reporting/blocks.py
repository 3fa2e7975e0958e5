"""A layer of one run as a block of bytes: 8 bits a value, on the range of the value's channel, deflated."""

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

# Values handled at once, so that they stay in the second-level cache.
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Block:
    """A layer of one run, as the page holds it.

    Attributes:
        data: a zlib stream: codes `(C, *extent) uint8`, the plane of extras if there is one, the bits of the ends; or
            the values of a vector.
        extent: the sizes of space; empty for a vector.
        statistics: of the stored channels, over the whole map.
        exact: whether `data` holds the values themselves, not codes.
        extra: whether `data` has a plane of extras, for values that are not finite.
        wide: whether the ends of the channels, or the values of a vector, need float64.
    """

    data: bytes
    extent: tuple[int, ...]
    statistics: ChannelStatistics
    exact: bool
    extra: bool
    wide: bool


def make_block(arranged: Arranged, statistics: ChannelStatistics | None = None) -> Block:
    """Return arranged maps as a block; `statistics` are those of `arranged.values`, if they are known."""
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

    A code stands for `low + (code + 0.5) * (high - low) / 256`, at most range / 512 off; in a channel of a single
    value it stands for that value. Values that are not finite have the code 0.

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
    """Return a plane that is true where a value equals the minimum or the maximum of its channel."""
    flat = values.reshape(len(values), -1)
    found = np.empty(flat.shape, np.bool_)
    low, high = statistics.minimum[:, None], statistics.maximum[:, None]
    for block in _blocks(flat):
        np.equal(flat[block], low[block], out=found[block])
        found[block] |= flat[block] == high[block]
    return found.reshape(values.shape)


def extras(values: Array) -> Codes:
    """Return a plane that is 0 for finite values, else NAN, POSITIVE_INFINITY or NEGATIVE_INFINITY."""
    plane = np.zeros(values.shape, np.uint8)
    plane[np.isnan(values)] = NAN
    plane[values == np.inf] = POSITIVE_INFINITY
    plane[values == -np.inf] = NEGATIVE_INFINITY
    return plane


def _blocks(flat: Array) -> Iterator[slice]:
    """Return channels `(C, values)` as groups that are handled at once."""
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
    """Return whether float32 holds all these numbers exactly, or as NaN."""
    with np.errstate(all="ignore"):
        return bool(np.array_equal(values.astype(np.float32).astype(np.float64), values, equal_nan=True))

"""A layer of one run as a block: every channel's values as 8 bits on the channel's own range, deflated."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxviz.draw.arrange import BARS, Arranged
from onnxviz.draw.quantise import slopes
from onnxviz.draw.scale import ChannelStatistics, Floats, channel_blocks, channel_statistics
from onnxviz.layout import Array
from onnxviz.reporting.planes import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, Codes, Marks, Planes, deflate

STEPS = 256


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
    scale = slopes(np.nan_to_num(statistics.minimum), np.nan_to_num(statistics.maximum), STEPS)
    for block in channel_blocks(flat):
        levels = np.empty(flat[block].shape, np.float32)
        scale.write_levels(levels, flat[block], block)
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
    for block in channel_blocks(flat):
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


def _fits(values: Floats) -> bool:
    """Tell whether float32 holds numbers as they are; NaN is none that matters."""
    with np.errstate(all="ignore"):
        return bool(np.array_equal(values.astype(np.float32).astype(np.float64), values, equal_nan=True))

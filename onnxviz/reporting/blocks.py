"""A layer of one run as a block of bytes: 8 bits a value, on the range of the value's channel, deflated."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxviz.draw.arrange import BARS, Arranged
from onnxviz.draw.clipping import reaches
from onnxviz.draw.quantise import slopes
from onnxviz.draw.statistics import ChannelStatistics, Floats, channel_blocks, channel_statistics
from onnxviz.layout import Array
from onnxviz.reporting.block_store import BlockStore
from onnxviz.reporting.contents import RunPart

Codes = NDArray[np.uint8]
Marks = NDArray[np.bool_]

NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY = 1, 2, 3
"""What a plane of extras holds for a value that is not finite; it holds 0 for a finite one."""

STEPS = 256


@dataclass(frozen=True, slots=True)
class Planes:
    """The maps of a layer in one run as they are stored, each plane `(C, *extent)`.

    Attributes:
        codes: see `quantise`.
        extra: see `extras`; None where all values are finite.
        ends: marks values equal to the channel's minimum or maximum, so that an exact zero after ReLU can be told from
            a small value with the same code. Stored as one bit for each code 0 and 255.
    """

    codes: Codes
    extra: Codes | None
    ends: Marks

    @classmethod
    def unpacked(cls, data: bytes, extra: bool, shape: tuple[int, ...]) -> Planes:
        """Return the planes that `packed` wrote; `extra` says whether a plane of extras is among them."""
        plain = np.frombuffer(zlib.decompress(data), np.uint8)
        count = math.prod(shape)
        codes = plain[:count].reshape(shape)
        marks = plain[count : 2 * count].reshape(shape) if extra else None
        ends, places = np.zeros(shape, np.bool_), _at_ends(codes)
        ends[places] = np.unpackbits(plain[(1 + extra) * count :], count=int(places.sum()))
        return cls(codes, marks, ends)

    def packed(self) -> bytes:
        """Return the planes as one zlib stream."""
        bits = np.packbits(self.ends[_at_ends(self.codes)])
        return deflate(*(plane.data for plane in (self.codes, self.extra, bits) if plane is not None))

    def take(self, channels: NDArray[np.intp]) -> Planes:
        """Return the planes of some channels, in the order given."""
        return Planes(self.codes[channels], None if self.extra is None else self.extra[channels], self.ends[channels])


def store_block(
    store: BlockStore,
    shape: tuple[int, ...],
    arranged: Arranged,
    statistics: ChannelStatistics | None = None,
    kept: NDArray[np.intp] | None = None,
) -> RunPart:
    """Store the arranged maps of an activation of this shape as a block, and return what the index says of it.

    Of its channels only those `kept` are stored, if they are given.

    The block is a zlib stream: codes `(C, *extent) uint8`, the plane of extras if there is one, the bits of the ends;
    or the values of a vector. `statistics` are those of `arranged.values`, if they are known.
    """
    values, exact = arranged.values, arranged.kind == BARS
    found = statistics if statistics is not None else channel_statistics(values)
    live = _live(found, () if exact else values.shape[1:])
    if kept is not None and len(kept) < len(values):
        values, found = values[kept], found.take(kept)
    wide = not (_fits(found.minimum) and _fits(found.maximum))
    extra = not exact and bool(found.irregular.any())
    if exact:
        data = deflate(np.ascontiguousarray(values, "<f8" if wide else "<f4").tobytes())
    else:
        data = Planes(quantise(values, found), extras(values) if extra else None, ends(values, found)).packed()
    extent = () if exact else values.shape[1:]
    return RunPart(
        block=store.add(data),
        shape=shape,
        extent=extent,
        statistics=found,
        held=reaches(values, found),
        live=live,
        exact=exact,
        extra=extra,
        wide=wide,
    )


def quantise(values: Array, statistics: ChannelStatistics) -> Codes:
    """Return values (C, ...) as codes of the same shape, each channel on its own range.

    A code stands for `low + (code + 0.5) * (high - low) / 256`, at most range / 512 off; in a channel of a single
    value it stands for that value. Values that are not finite have the code 0.

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
    """Return a plane that is true where a value equals the minimum or the maximum of its channel."""
    flat = values.reshape(len(values), -1)
    found = np.empty(flat.shape, np.bool_)
    low, high = statistics.minimum[:, None], statistics.maximum[:, None]
    for block in channel_blocks(flat):
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


def deflate(*parts: bytes | memoryview) -> bytes:
    """Return bytes as a zlib stream.

    Run-length coding takes a sixth of the time of level 6, and 2 % fewer bytes on the maps of the bundled model.
    """
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)
    return b"".join([*(packer.compress(part) for part in parts), packer.flush()])


def _at_ends(codes: Codes) -> Marks:
    """Return where codes are 0 or 255: as uint8, only these two are below 2 when 1 is added."""
    return codes + np.uint8(1) < 2


def _live(statistics: ChannelStatistics, extent: tuple[int, ...]) -> int:
    low = statistics.minimum
    shown = low != 0 if math.prod(extent) == 1 else ~statistics.constant
    return int(np.count_nonzero(shown & ~np.isnan(low)))


def _fits(values: Floats) -> bool:
    """Return whether float32 holds all these numbers exactly, or as NaN."""
    with np.errstate(all="ignore"):
        return bool(np.array_equal(values.astype(np.float32).astype(np.float64), values, equal_nan=True))

"""The maps of a layer as they are stored: 8-bit codes, marks of values that are not finite, marks of exact ends."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]
Marks = NDArray[np.bool_]

NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY = 1, 2, 3
"""What a plane of extras holds for a value that is not finite; it holds 0 for a finite one."""


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


def deflate(*parts: bytes | memoryview) -> bytes:
    """Return bytes as a zlib stream.

    Run-length coding takes a sixth of the time of level 6, and 2 % fewer bytes on the maps of the bundled model.
    """
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)
    return b"".join([*(packer.compress(part) for part in parts), packer.flush()])


def _at_ends(codes: Codes) -> Marks:
    """Return where codes are 0 or 255: as uint8, only these two are below 2 when 1 is added."""
    return codes + np.uint8(1) < 2

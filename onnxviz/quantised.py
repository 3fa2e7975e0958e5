"""`Quantised`: what the numbers of a quantised value are made of, and how many of them lie at an end of its codes.

A code q stands for `(q - zero point) * scale`. Of 8 bits and a scale of 0.5 about zero point 128 the codes 0..255 reach
from -64 to 63.5; what a network computes beyond that is put to the end. So many values at an end are a sign that the
scale is too small, unless the end stands for 0, as that of a ReLU does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from onnxviz.bounds import NO_END, Bounds
from onnxviz.words import number_text

if TYPE_CHECKING:
    from onnxviz.layout import Array


@dataclass(frozen=True, slots=True)
class Quantised:
    """How a value is quantised.

    Attributes:
        dtype: that of the codes.
        scale: one number, or one for each place along `axis`.
        zero_point: likewise.
        axis: along which the scales differ, None where there is one.
        at_low: the share of values at the low end of the codes, 0 where this end stands for 0.
        at_high: the same of the high end.
    """

    dtype: str
    scale: float | tuple[float, ...]
    zero_point: int | tuple[int, ...] = 0
    axis: int | None = None
    at_low: float = 0.0
    at_high: float = 0.0

    def counted(self, array: Array) -> Quantised:
        """Return the same with the shares of these values, which are numbers and not codes.

        A value counts where the end is the code nearest to it: whoever multiplied may have rounded in the last digit.

        >>> import numpy as np
        >>> eight = Quantised("uint8", scale=0.5, zero_point=128)
        >>> found = eight.counted(np.array([-64, -64, 0, 63.5], np.float32))
        >>> found.at_low, found.at_high
        (0.5, 0.25)
        """
        ends = _ENDS.get(self.dtype)
        if ends is None or array.size == 0:
            return self
        import numpy as np

        axis = None if self.axis is None else self.axis % array.ndim
        with np.errstate(over="ignore"):
            low, high = (end.astype("float32") for end in self.bounds.ends(array.shape))
        beyond = (array < low, array > high)
        at_low, at_high = (float(np.count_nonzero(each) / array.size) for each in beyond)
        return replace(self, axis=axis, at_low=at_low, at_high=at_high)

    @property
    def bounds(self) -> Bounds:
        """From where on a value is nearer to an end than to the next code; none of an end that stands for 0."""
        ends = _ENDS.get(self.dtype)
        if ends is None:
            return Bounds()
        (lowest, highest, step), paired = ends, isinstance(self.scale, tuple) or isinstance(self.zero_point, tuple)
        scales = self.scale if isinstance(self.scale, tuple) else (self.scale,)
        zeros = self.zero_point if isinstance(self.zero_point, tuple) else (self.zero_point,) * len(scales)
        pairs = list(zip(scales, zeros, strict=True))
        low = tuple(_end(lowest, step, *pair) for pair in pairs)
        high = tuple(_end(highest, -step, *pair) for pair in pairs)
        return Bounds(low, high, self.axis) if paired else Bounds(low[0], high[0])

    def numbers(self, codes: Array) -> Array:
        """Return what codes stand for, in float32.

        >>> import numpy as np
        >>> Quantised("uint8", scale=0.5, zero_point=128).numbers(np.array([0, 130], np.uint8)).tolist()
        [-64.0, 1.0]
        """
        import numpy as np

        scale, zero = self._along(codes.ndim)
        found = codes.astype(np.float32)
        found -= zero
        found *= scale
        return found

    def codes(self, values: Array) -> Array:
        """Return the codes nearest to values, as QuantizeLinear does: ties go to even, what is beyond to the ends.

        >>> import numpy as np
        >>> Quantised("uint8", scale=0.5, zero_point=128).codes(np.array([-90, 1.2], np.float32)).tolist()
        [0, 130]
        """
        import numpy as np

        scale, zero = self._along(values.ndim)
        ends = np.iinfo(self.dtype)
        found = values / scale
        np.rint(found, out=found)
        found += zero
        return np.clip(found, ends.min, ends.max, out=found).astype(self.dtype)

    def _along(self, rank: int) -> tuple[Array, Array]:
        """Return scale and zero point as arrays that fit one of this rank."""
        import numpy as np

        shape = [1] * rank
        if self.axis is not None:
            shape[self.axis % rank] = -1
        pair = (np.asarray(numbers, np.float32) for numbers in (self.scale, self.zero_point))
        scale, zero = (each.reshape(shape) if each.ndim else each for each in pair)
        return scale, zero

    @property
    def behind_an_axis(self) -> Quantised:
        """The same for an array with one more axis in front."""
        return self if self.axis is None else replace(self, axis=self.axis + 1)

    @property
    def formula(self) -> str:
        """How a code q becomes a number.

        >>> Quantised("uint8", 0.4308, 113).formula, Quantised("int8", 0.02, -28).formula
        ('(q - 113) x 0.431', '(q + 28) x 0.02')
        >>> Quantised("int8", (0.5, 0.25), (0, 0), axis=1).formula
        '(q - z) x s, 2 of each along axis 1'
        """
        if isinstance(self.scale, tuple) or isinstance(self.zero_point, tuple):
            count = len(self.scale) if isinstance(self.scale, tuple) else 1
            return f"(q - z) x s, {count} of each along axis {self.axis}"
        zero = self.zero_point
        code = f"(q {'-' if zero > 0 else '+'} {abs(zero)})" if zero else "q"
        return f"{code} x {number_text(self.scale)}"

    @property
    def shares(self) -> str:
        """The shares at the low and the high end.

        >>> Quantised("uint8", 0.5, 0, at_high=0.0772).shares
        '0 % and 7.72 %'
        """
        return f"{number_text(100 * self.at_low)} % and {number_text(100 * self.at_high)} %"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Quantised:
        """Return what `as_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: It did not write this.
        """
        scale, zero = document["scale"], document["zero_point"]
        axis = document["axis"]
        return cls(
            str(document["dtype"]),
            tuple(map(float, scale)) if isinstance(scale, list) else float(scale),
            tuple(map(int, zero)) if isinstance(zero, list) else int(zero),
            None if axis is None else int(axis),
            float(document["at_low"]),
            float(document["at_high"]),
        )


def _end(end: int, step: int, scale: float, zero: int) -> float:
    """Return what lies half a step inside of an end of the codes, NaN where the end stands for 0."""
    return (end + step / 2 - zero) * scale if scale > 0 and zero != end else NO_END


# The least and the greatest code of each dtype, and how far the next one lies from them.
_ENDS: Mapping[str, tuple[int, int, int]] = {
    "int2": (-2, 1, 1), "uint2": (0, 3, 1), "int4": (-8, 7, 1), "uint4": (0, 15, 1),
    "int8": (-128, 127, 1), "uint8": (0, 255, 1), "int16": (-32768, 32767, 1), "uint16": (0, 65535, 1),
    "float8_e4m3fn": (-448, 448, 32), "float8_e4m3fnuz": (-240, 240, 16),
    "float8_e5m2": (-57344, 57344, 8192), "float8_e5m2fnuz": (-57344, 57344, 8192),
}  # fmt: skip


def code_ends(dtype: str) -> tuple[int, int] | None:
    """Return the least and the greatest code of a dtype; None where it holds no codes.

    >>> code_ends("uint8"), code_ends("float32")
    ((0, 255), None)
    """
    ends = _ENDS.get(dtype)
    return None if ends is None else ends[:2]

"""`Bounds`: the ends of what a layer can put out; values there are saturated.

A ReLU6 lets nothing above 6 through, so that a value of 6 may have been 6 or 60: `Bounds(high=6)`. Its 0 does not
count: there the unit is off, as behind any ReLU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from onnxviz.strict_json import number

if TYPE_CHECKING:
    from onnxviz.layout import Array

NO_END = float("nan")
"""An end that does not count: no value is at or beyond it."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """From where on values are saturated: those at or below `low`, and those at or above `high`.

    Attributes:
        low, high: a number, or one for each place along `axis`; NaN where this end does not count.
        axis: along which they differ, None where they do not.
    """

    low: float | tuple[float, ...] = NO_END
    high: float | tuple[float, ...] = NO_END
    axis: int | None = None

    @property
    def behind_an_axis(self) -> Bounds:
        """The same for an array with one more axis in front."""
        return self if self.axis is None else Bounds(self.low, self.high, self.axis + 1)

    def ends(self, shape: tuple[int, ...]) -> tuple[Array, Array]:
        """Return both ends for an array of a shape: as arrays without axes, or where they differ of this shape."""
        import numpy as np

        low, high = (np.asarray(end, np.float64) for end in (self.low, self.high))
        if self.axis is None:
            return low, high
        along = [-1 if place == self.axis % len(shape) else 1 for place in range(len(shape))]
        return np.broadcast_to(low.reshape(along), shape), np.broadcast_to(high.reshape(along), shape)

    def as_json(self) -> dict[str, Any]:
        """Return it for strict JSON, null for an end that does not count."""
        low, high = (list(map(number, end)) if isinstance(end, tuple) else number(end) for end in (self.low, self.high))
        return {"low": low, "high": high, "axis": self.axis}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Bounds:
        """Return what `as_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: It did not write this.
        """
        axis = document["axis"]
        return cls(_end(document["low"]), _end(document["high"]), None if axis is None else int(axis))


def _end(found: Any) -> float | tuple[float, ...]:
    if isinstance(found, list):
        return tuple(NO_END if each is None else float(each) for each in found)
    return NO_END if found is None else float(found)

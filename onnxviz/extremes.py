"""`Extremes`: the least and the greatest finite value of each row of an array, and how many values are not finite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxviz.layout import Array

CONSTANT = 1e-6
"""A range this small, as a share of the greatest magnitude, is a constant but for rounding."""

# Values handled at once: they stay in the second-level cache.
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Extremes:
    """What is known of rows: (C,) each.

    Attributes:
        minimum, maximum: float64, NaN where no value is finite.
        nan, inf: how many values are NaN or infinite.
    """

    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]
    nan: NDArray[np.int64]
    inf: NDArray[np.int64]


def extremes_of(rows: Array) -> Extremes:
    """Return the extremes of rows (C, n) of any real dtype, a block at a time.

    >>> found = extremes_of(np.array([[1.0, 3.0], [np.nan, 2.0]]))
    >>> found.maximum, found.nan
    (array([3., 2.]), array([0, 1]))
    """
    ends = np.full((2, len(rows)), np.nan)
    counts = np.zeros((2, len(rows)), np.int64)
    step = max(1, _BLOCK // max(1, rows.shape[1]))
    with np.errstate(invalid="ignore"):
        for start in range(0, len(rows) if rows.size else 0, step):
            block = as_floats(rows[start : start + step])
            ends[:, start : start + step] = block.min(axis=1), block.max(axis=1)
    # NaN shows in a minimum and infinity in either end, so finite rows need no pass of their own.
    for place in np.flatnonzero(~np.isfinite(ends).all(axis=0)) if rows.size else ():
        ends[:, place], counts[:, place] = _careful(as_floats(rows[place]))
    return Extremes(*ends, *counts)


def is_constant(minimum: NDArray[np.float64], maximum: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return whether values between these ends are the same but for rounding; False where an end is NaN."""
    with np.errstate(all="ignore"):
        spread = maximum - minimum
        found: NDArray[np.bool_] = spread <= CONSTANT * np.maximum(np.abs(minimum), np.abs(maximum))
    return found


def as_floats(values: Array) -> Array:
    """Return values as float32 or float64, which of them holds them; an array of these types is not copied.

    numpy finds the minimum of float16 fifty times slower than that of float32.
    """
    if values.dtype in (np.float32, np.float64):
        return values
    narrow = values.dtype.kind in "biu" and values.dtype.itemsize <= 2
    wide = values.dtype.kind in "iufc" and values.dtype.itemsize >= 4
    return values.astype(np.float32 if narrow or not wide else np.float64)


def _careful(row: Array) -> tuple[tuple[Any, Any], tuple[int, int]]:
    """Return the ends of the finite values of a row, and the counts of NaN and infinite values."""
    finite = row[np.isfinite(row)]
    counts = int(np.count_nonzero(np.isnan(row))), int(np.count_nonzero(np.isinf(row)))
    return (finite.min(), finite.max()) if finite.size else (np.nan, np.nan), counts

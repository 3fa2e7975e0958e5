"""Numbers for strict JSON, which has no NaN and no infinities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def number(value: float) -> float | None:
    """Return a number for strict JSON: None where it is not finite.

    >>> number(float("nan")), number(2)
    (None, 2.0)
    """
    value = float(value)
    return value if math.isfinite(value) else None


def numbers(values: np.ndarray[Any, Any]) -> list[float | None]:
    """Return the numbers of a flat array for strict JSON, None for each that is not finite."""
    listed: list[float] = values.tolist()
    return list(listed) if all(map(math.isfinite, listed)) else [number(value) for value in listed]

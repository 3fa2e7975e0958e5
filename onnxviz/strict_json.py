"""Numbers for strict JSON, which has no NaN and no infinities."""

from __future__ import annotations

import math


def number(value: float) -> float | None:
    """Return a number for strict JSON: None where it is not finite.

    >>> number(float("nan")), number(2)
    (None, 2.0)
    """
    value = float(value)
    return value if math.isfinite(value) else None

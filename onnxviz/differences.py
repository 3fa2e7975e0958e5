"""By how much the outputs of two runs differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much a model's own outputs moved: the largest absolute and relative difference."""

    max_abs: float
    max_rel: float


def difference(ours: Sequence[Any], theirs: Sequence[Any]) -> Difference:
    """Compare pairs of outputs: arrays, or lists of them where the model gives sequences.

    Equal infinities, NaN on both sides and equal texts count as equal; another shape or dtype, another text, or a
    value that is finite on one side only is an infinite difference. The relative one is of the largest finite value.
    """
    both = [_gap(one, other) for one, other in zip(ours, theirs, strict=True)]
    return Difference(max((gap for gap, _ in both), default=0.0), max((share for _, share in both), default=0.0))


def _gap(one: Any, other: Any) -> tuple[float, float]:
    """Return the largest absolute and relative difference of a pair."""
    if not isinstance(one, np.ndarray) or not isinstance(other, np.ndarray):
        if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            inner = difference(one, other)
            return inner.max_abs, inner.max_rel
        return (0.0, 0.0) if one == other else (np.inf, np.inf)
    if one.shape != other.shape or one.dtype != other.dtype:
        return np.inf, np.inf
    if one.dtype.kind in "OUST":
        return (0.0, 0.0) if np.array_equal(one, other) else (np.inf, np.inf)
    wide = np.complex128 if one.dtype.kind == "c" else np.float64  # bfloat16 and its like have kind V
    a, b = one.astype(wide), other.astype(wide)
    with np.errstate(invalid="ignore"):
        gap = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    largest = float(np.where(np.isnan(gap), np.inf, gap).max(initial=0.0))
    top = float(np.abs(b[np.isfinite(b)]).max(initial=0.0))
    return largest, largest / top if top else largest

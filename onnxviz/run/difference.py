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
    """Compare pairs of arrays; equal infinities and NaN on both sides count as equal."""
    largest = relative = 0.0
    for one, other in zip(ours, theirs, strict=True):
        if not isinstance(one, np.ndarray) or one.dtype.kind not in "fiub" or not one.size:
            continue
        a, b = one.astype(np.float64), other.astype(np.float64)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        with np.errstate(invalid="ignore"):
            gap = np.where(same, 0.0, np.abs(a - b))
        gap = np.where(np.isnan(gap), np.inf, gap)
        top = float(np.nanmax(np.abs(b), initial=0.0))
        largest = max(largest, float(gap.max()))
        relative = max(relative, float(gap.max()) / top if top else float(gap.max()))
    return Difference(largest, relative)

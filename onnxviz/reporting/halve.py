"""Stored maps at half of their size, without going back to the values."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxviz.reporting.planes import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, Codes, Planes


def halve(codes: Codes) -> Codes:
    """Return codes (C, ...) with each axis of space halved, rounded up: the rounded means of boxes of 2.

    >>> halve(np.array([[[0, 10, 7], [20, 31, 8]]], np.uint8))
    array([[[15,  8]]], dtype=uint8)
    """
    boxes = _boxes(codes)
    total = np.sum(boxes, axis=0, dtype=np.uint16)
    return np.asarray((total + len(boxes) // 2) // len(boxes), np.uint8)


def halve_extras(extra: Codes) -> Codes:
    """Return a plane of extras halved: a box that meets NaN, or both infinities, is NaN; one, that one."""
    boxes = _boxes(extra)
    nan, up, down = (
        np.any([box == kind for box in boxes], axis=0) for kind in (NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY)
    )
    return np.select([nan | (up & down), up, down], [NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY], 0).astype(np.uint8)


def halve_planes(planes: Planes) -> Planes:
    """Return planes halved; the mean of a box is an end of the channel's range where all of its values are."""
    extra = None if planes.extra is None else halve_extras(planes.extra)
    return Planes(halve(planes.codes), extra, np.all(_boxes(planes.ends), axis=0))


def _boxes(planes: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the corners of all boxes of 2; a box that the border cuts has its last row or column twice."""
    padding = [(0, 0), *((0, size % 2 if size > 1 else 0) for size in planes.shape[1:])]
    padded = np.pad(planes, padding, mode="edge")
    steps = [(0, 1) if size > 1 else (0,) for size in padded.shape[1:]]
    return [
        padded[(slice(None), *(slice(start, None, len(step)) for start, step in zip(starts, steps, strict=True)))]
        for starts in product(*steps)
    ]

"""A report that would be too large: weak channels are left out first, then maps are halved."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from onnxviz.draw.scale import Floats
from onnxviz.reporting.blocks import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, Codes, deflate
from onnxviz.reporting.parts import LayerPart, RunPart
from onnxviz.reporting.store import BlockStore

FEWEST = 16
"""Channels that a layer keeps before maps are halved."""
SMALLEST = 8
"""Maps whose sides are no longer than this are not halved before channels are given up below FEWEST."""


@dataclass(frozen=True, slots=True)
class Measure:
    """How far all layers are reduced: channels that each keeps at most, and the longest side that a map may have."""

    channels: int
    side: int


def fit(layers: Sequence[LayerPart], store: BlockStore, room: int) -> tuple[LayerPart, ...]:
    """Return the layers reduced until their blocks take no more than `room` bytes, as base64.

    Vectors stay whole. What is left when nothing can be reduced any more may still be larger.
    """
    fitted, aim = tuple(layers), room
    while (size := weight(fitted, store)) > room:
        measure = next((found for found in _measures(layers) if _estimate(layers, store, found) <= aim), Measure(1, 1))
        fitted = tuple(_reduced(layer, measure, store) for layer in layers)
        if measure == Measure(1, 1):
            return fitted
        # What was left out deflates better or worse than what stays.
        aim = int(aim * min(0.95, room / max(1, weight(fitted, store))))
        del size
    return fitted


def weight(layers: Sequence[LayerPart], store: BlockStore) -> int:
    """Return the bytes that all blocks take as base64."""
    return sum(_base64(store.size(run.block)) for layer in layers for run in layer.runs if run is not None)


def _measures(layers: Sequence[LayerPart]) -> list[Measure]:
    """Return all measures from the mildest to the hardest: channels down to FEWEST, then sides, then channels."""
    most = max((layer.channels for layer in layers), default=1)
    longest = max((side for layer in layers for run in layer.runs if run for side in run.extent), default=1)
    counts = _falling(most)
    sides = _falling(longest)
    return [
        *(Measure(count, longest) for count in counts if count >= FEWEST),
        *(Measure(min(FEWEST, most), side) for side in sides if side >= SMALLEST),
        *(Measure(count, min(SMALLEST, longest)) for count in counts if count < FEWEST),
        *(Measure(1, side) for side in sides if side < SMALLEST),
        Measure(1, 1),
    ]


def _falling(most: int) -> list[int]:
    """Return numbers from `most` down to 1, each a sixteenth less than the one before, but at least by 1."""
    counts = [most]
    while counts[-1] > 1:
        counts.append(min(counts[-1] - 1, counts[-1] * 15 // 16))
    return counts


def _estimate(layers: Sequence[LayerPart], store: BlockStore, measure: Measure) -> float:
    total = 0.0
    for layer in layers:
        size = sum(_base64(store.size(run.block)) for run in layer.runs if run is not None)
        if _reducible(layer):
            halved = _halvings(layer, measure)
            axes = sum(side > 1 for side in _extent(layer))
            size_left = size * min(1.0, measure.channels / layer.channels) / 2.0 ** (halved * axes)
            total += size_left
        else:
            total += size
    return total


def _reducible(layer: LayerPart) -> bool:
    return all(not run.exact for run in layer.runs if run is not None)


def _extent(layer: LayerPart) -> tuple[int, ...]:
    """Return the longest sizes of space that any run has."""
    extents = [run.extent for run in layer.runs if run is not None]
    return tuple(max(sizes) for sizes in zip(*extents, strict=True))


def _halvings(layer: LayerPart, measure: Measure) -> int:
    longest = max(_extent(layer), default=1)
    return max(0, math.ceil(math.log2(longest / measure.side))) if longest > measure.side else 0


def _reduced(layer: LayerPart, measure: Measure, store: BlockStore) -> LayerPart:
    halved = _halvings(layer, measure)
    if not _reducible(layer) or (layer.channels <= measure.channels and not halved):
        return layer
    kept = _strongest(layer, measure.channels)
    runs = tuple(None if run is None else _reduced_run(run, kept, halved, store) for run in layer.runs)
    return replace(layer, runs=runs, kept=kept, halved=halved)


def _strongest(layer: LayerPart, count: int) -> tuple[int, ...]:
    """Return the channels that vary most in space in any run, in index order."""
    deviation: Floats = np.max(
        [_shares(run.statistics.deviation) for run in layer.runs if run is not None], axis=0, initial=0
    )
    return tuple(sorted(int(place) for place in np.argsort(-deviation, kind="stable")[:count]))


def _shares(deviation: Floats) -> Floats:
    """Return deviations as shares of the run's greatest, so that runs compare; channels without one come last."""
    known = np.where(np.isfinite(deviation), deviation, 0)
    return known / (known.max(initial=0) or 1)


def _reduced_run(run: RunPart, kept: tuple[int, ...], halved: int, store: BlockStore) -> RunPart:
    places = np.array(kept, np.intp)
    planes = np.frombuffer(zlib.decompress(store.read(run.block)), np.uint8)
    planes = planes.reshape(2 if run.extra else 1, -1, *run.extent)[:, places]
    codes, extra = planes[0], planes[1] if run.extra else None
    for _ in range(halved):
        codes, extra = halve(codes), None if extra is None else _halve_extras(extra)
    statistics = run.statistics.take(places)
    data = deflate(codes.tobytes(), *([] if extra is None else [extra.tobytes()]))
    return replace(run, block=store.add(data), extent=codes.shape[1:], statistics=statistics)


def halve(codes: Codes) -> Codes:
    """Return codes (C, ...) with each axis of space halved, rounded up: the rounded means of boxes of 2.

    >>> halve(np.array([[[0, 10, 7], [20, 31, 8]]], np.uint8))
    array([[[15,  8]]], dtype=uint8)
    """
    boxes = _boxes(codes)
    total = np.sum(boxes, axis=0, dtype=np.uint16)
    return np.asarray((total + len(boxes) // 2) // len(boxes), np.uint8)


def _halve_extras(extra: Codes) -> Codes:
    """Return what the mean of a box is: NaN where it meets one or both infinities."""
    boxes = _boxes(extra)
    nan, up, down = (
        np.any([box == kind for box in boxes], axis=0) for kind in (NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY)
    )
    return np.select([nan | (up & down), up, down], [NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY], 0).astype(np.uint8)


def _boxes(planes: Codes) -> list[Codes]:
    """Return the corners of all boxes of 2; a box that the border cuts has its last row or column twice."""
    padding = [(0, 0), *((0, size % 2 if size > 1 else 0) for size in planes.shape[1:])]
    padded = np.pad(planes, padding, mode="edge")
    steps = [(0, 1) if size > 1 else (0,) for size in padded.shape[1:]]
    return [
        padded[(slice(None), *(slice(start, None, len(step)) for start, step in zip(starts, steps, strict=True)))]
        for starts in product(*steps)
    ]


def _base64(length: int) -> int:
    return (length + 2) // 3 * 4

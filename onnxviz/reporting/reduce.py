"""Makes a report smaller: channels that vary little are left out, then maps are halved.

Each layer may take the same number of bytes. A layer that takes less stays whole. One that takes more keeps the
channels that vary most in space, as many as fit; if fewer than FEWEST would fit, its maps are halved first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onnxviz.reporting.block_store import BlockStore
from onnxviz.reporting.blocks import NAN, NEGATIVE_INFINITY, POSITIVE_INFINITY, Codes, Planes
from onnxviz.reporting.contents import LayerPart, RunPart

FEWEST = 16
"""Channels that a layer keeps as long as its maps can be halved instead."""
SMALLEST = 8
"""The longest side of maps that are not halved any more."""
CHANNEL_BYTES = 42
"""Roughly what a channel of a run takes in the index: five numbers as base64, two counts, its number."""


@dataclass(frozen=True, slots=True)
class Reduction:
    """How many channels of a layer stay, how often its maps are halved, and the bytes that this takes, estimated."""

    channels: int
    halved: int
    size: float


def fit(layers: Sequence[LayerPart], store: BlockStore, room: int) -> tuple[LayerPart, ...]:
    """Return the layers reduced until they weigh no more than `room` bytes.

    Vectors and explanations stay whole. The layers may still weigh more when nothing is left to reduce.
    """
    fitted, aim = tuple(layers), room
    size, share = weight(fitted, store), 2
    while size > room and share > 1:
        share = _fair_share(layers, store, aim)
        fitted = tuple(_reduced(layer, _reduction(layer, store, share), store) for layer in layers)
        size = weight(fitted, store)
        # Channels that stay may deflate worse than those left out: the aim is corrected by that factor.
        aim = int(aim * min(0.98, room / size))
    return fitted


def weight(layers: Sequence[LayerPart], store: BlockStore) -> int:
    """Return the bytes that all blocks take as base64, together with their channels in the index."""
    return sum(_weight(layer, store) for layer in layers)


def halve(codes: Codes) -> Codes:
    """Return codes (C, ...) with each axis of space at half its size, rounded up: rounded means of boxes of 2.

    >>> halve(np.array([[[0, 10, 7], [20, 31, 8]]], np.uint8))
    array([[[15,  8]]], dtype=uint8)
    """
    boxes = _boxes(codes)
    total = np.sum(boxes, axis=0, dtype=np.uint16)
    return np.asarray((total + len(boxes) // 2) // len(boxes), np.uint8)


def halve_extras(extra: Codes) -> Codes:
    """Return a plane of extras halved: the kind of a box's mean, which is NaN for a box with both infinities."""
    boxes = _boxes(extra)
    nan, up, down = (
        np.any([box == kind for box in boxes], axis=0) for kind in (NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY)
    )
    return np.select([nan | (up & down), up, down], [NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY], 0).astype(np.uint8)


def halve_planes(planes: Planes) -> Planes:
    """Return planes halved; the mean of a box equals an end of the range only where all of its values are ends."""
    extra = None if planes.extra is None else halve_extras(planes.extra)
    return Planes(halve(planes.codes), extra, np.all(_boxes(planes.ends), axis=0))


def _weight(layer: LayerPart, store: BlockStore) -> int:
    runs = [run for run in layer.runs if run is not None]
    return sum((store.size(run.block) + 2) // 3 * 4 + CHANNEL_BYTES * len(layer.kept) for run in runs)


def _fair_share(layers: Sequence[LayerPart], store: BlockStore, aim: int) -> int:
    """Return the most bytes that each layer may take so that all together take no more than `aim`, at least 1."""
    low, high = 1, max(_weight(layer, store) for layer in layers)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(_reduction(layer, store, middle).size for layer in layers) <= aim:
            low = middle
        else:
            high = middle - 1
    return low


def _reduction(layer: LayerPart, store: BlockStore, share: int) -> Reduction:
    size = _weight(layer, store)
    if size <= share or layer.facts.explains or any(run.exact for run in layer.runs if run is not None):
        return Reduction(layer.channels, 0, size)
    side, axes = max(_extent(layer)), sum(length > 1 for length in _extent(layer))
    each, halved = size / layer.channels, 0
    while side > SMALLEST and each * min(layer.channels, FEWEST) > share:
        side, each, halved = (side + 1) // 2, each / 2**axes, halved + 1
    channels = min(layer.channels, max(1, int(share / each)))
    return Reduction(channels, halved, channels * each)


def _extent(layer: LayerPart) -> tuple[int, ...]:
    """Return for each axis of space the greatest size in any run."""
    extents = [run.extent for run in layer.runs if run is not None]
    return tuple(max(sizes) for sizes in zip(*extents, strict=True))


def _reduced(layer: LayerPart, reduction: Reduction, store: BlockStore) -> LayerPart:
    if reduction.channels == layer.channels and not reduction.halved:
        return layer
    kept = _strongest(layer, reduction.channels)
    runs = tuple(None if run is None else _reduced_run(run, kept, reduction.halved, store) for run in layer.runs)
    return replace(layer, runs=runs, kept=kept, halved=reduction.halved)


def _strongest(layer: LayerPart, count: int) -> tuple[int, ...]:
    """Return the channels that vary most in space in any run, in index order."""
    deviations = [run.statistics.deviation for run in layer.runs if run is not None]
    known = [np.where(np.isfinite(deviation), deviation, 0) for deviation in deviations]
    shares = [deviation / (deviation.max() or 1) for deviation in known]  # of each run's greatest, to compare runs
    order = np.argsort(-np.max(shares, axis=0), kind="stable")
    return tuple(sorted(int(channel) for channel in order[:count]))


def _reduced_run(run: RunPart, kept: tuple[int, ...], halved: int, store: BlockStore) -> RunPart:
    shape = (len(run.statistics.minimum), *run.extent)
    channels = np.array(kept, np.intp)
    planes = Planes.unpacked(store.read(run.block), run.extra, shape).take(channels)
    for _ in range(halved):
        planes = halve_planes(planes)
    statistics = run.statistics.take(channels)
    block, extent = store.add(planes.packed()), planes.codes.shape[1:]
    return replace(run, block=block, extent=extent, statistics=statistics, held=run.held[channels])


def _boxes(planes: NDArray[Any]) -> list[NDArray[Any]]:
    """Return the first, second, ... value of every box of 2; the last row or column is doubled if it has no partner."""
    padding = [(0, 0), *((0, size % 2 if size > 1 else 0) for size in planes.shape[1:])]
    padded = np.pad(planes, padding, mode="edge")
    steps = [(0, 1) if size > 1 else (0,) for size in padded.shape[1:]]
    return [
        padded[(slice(None), *(slice(start, None, len(step)) for start, step in zip(starts, steps, strict=True)))]
        for starts in product(*steps)
    ]

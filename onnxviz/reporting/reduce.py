"""A report that would be too large: weak channels are left out first, then maps are halved.

Each layer may take the same number of bytes. A layer that takes less stays whole; one that takes more keeps the
channels that vary most in space, as many as fit, and where these would be fewer than sixteen, its maps are halved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from onnxviz.draw.scale import Floats
from onnxviz.reporting.halve import halve_planes
from onnxviz.reporting.parts import LayerPart, RunPart
from onnxviz.reporting.planes import Planes
from onnxviz.reporting.store import BlockStore

FEWEST = 16
"""Channels that a layer keeps as long as its maps can be halved instead."""
SMALLEST = 8
"""Maps whose longest side is no longer are not halved."""


@dataclass(frozen=True, slots=True)
class Reduction:
    """How many of a layer's channels stay, and how often its maps are halved; `size` estimates what that takes."""

    channels: int
    halved: int
    size: float


CHANNEL_BYTES = 36
"""What a channel of a run takes in the index, about: four numbers as base64, two counts, its number."""


def fit(layers: Sequence[LayerPart], store: BlockStore, room: int) -> tuple[LayerPart, ...]:
    """Return the layers reduced until they weigh no more than `room` bytes.

    Vectors stay whole. What is left when nothing can be reduced any more may still be larger.
    """
    fitted, aim = tuple(layers), room
    size, share = weight(fitted, store), 2
    while size > room and share > 1:
        share = _fair_share(layers, store, aim)
        fitted = tuple(_reduced(layer, _reduction(layer, store, share), store) for layer in layers)
        size = weight(fitted, store)
        # What stays may deflate worse than what was left out: then the aim was wrong by so much.
        aim = int(aim * min(0.98, room / size))
    return fitted


def weight(layers: Sequence[LayerPart], store: BlockStore) -> int:
    """Return the bytes that all blocks take as base64, and their channels in the index."""
    return sum(_weight(layer, store) for layer in layers)


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
    if size <= share or any(run.exact for run in layer.runs if run is not None):
        return Reduction(layer.channels, 0, size)
    side, axes = max(_extent(layer)), sum(length > 1 for length in _extent(layer))
    each, halved = size / layer.channels, 0
    while side > SMALLEST and each * min(layer.channels, FEWEST) > share:
        side, each, halved = (side + 1) // 2, each / 2**axes, halved + 1
    channels = min(layer.channels, max(1, int(share / each)))
    return Reduction(channels, halved, channels * each)


def _extent(layer: LayerPart) -> tuple[int, ...]:
    """Return the longest sizes of space that any run has."""
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
    shares = [_shares(run.statistics.deviation) for run in layer.runs if run is not None]
    order = np.argsort(-np.max(shares, axis=0), kind="stable")
    return tuple(sorted(int(channel) for channel in order[:count]))


def _shares(deviation: Floats) -> Floats:
    """Return deviations as shares of the run's greatest, so that runs compare; channels without one come last."""
    known = np.where(np.isfinite(deviation), deviation, 0)
    return np.asarray(known / (known.max() or 1), np.float64)


def _reduced_run(run: RunPart, kept: tuple[int, ...], halved: int, store: BlockStore) -> RunPart:
    shape = (len(run.statistics.minimum), *run.extent)
    channels = np.array(kept, np.intp)
    planes = Planes.unpacked(store.read(run.block), run.extra, shape).take(channels)
    for _ in range(halved):
        planes = halve_planes(planes)
    statistics = run.statistics.take(channels)
    return replace(run, block=store.add(planes.packed()), extent=planes.codes.shape[1:], statistics=statistics)

"""`MiningJob`: the work of `mine` on shards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from onnxviz.layout import Array
from onnxviz.mining.state import Rows, State, merged, side_by_side, state_of
from onnxviz.sweeping.dataset import Shard
from onnxviz.sweeping.model_run import ModelRun, OpenRun
from onnxviz.sweeping.shard_job import ShardResult


@dataclass(frozen=True, slots=True)
class MinedLayer:
    """Where the channels of a layer lie among those of all layers, and what is fetched of them.

    Attributes:
        first: the number of its first channel among all.
        channels: how many it has.
        places: the sizes of its axes of places, empty for a vector.
        greatest, mean, row: the outputs; `row` are those that say where the greatest number is.
        ceiling: from which number on a channel is at the end of its nonlinearity; inf for none.
    """

    first: int
    channels: int
    places: tuple[int, ...]
    greatest: str
    mean: str
    row: tuple[str, ...]
    ceiling: float = float("inf")

    @property
    def part(self) -> slice:
        """Its channels among all."""
        return slice(self.first, self.first + self.channels)


@dataclass(frozen=True, slots=True)
class MiningJob:
    """What to run, which layers come out, how many strongest places are kept, and how many classes there are."""

    run: ModelRun
    layers: tuple[MinedLayer, ...]
    count: int
    kinds: int
    fingerprint: str = ""

    @property
    def channels(self) -> int:
        """How many channels all layers have together."""
        return sum(layer.channels for layer in self.layers)

    def open(self) -> OpenMiningJob:
        """Open a session."""
        return OpenMiningJob(self, self.run.open())

    def merge(self, first: ShardResult, second: ShardResult) -> ShardResult:
        """Return the state after the pictures of both."""
        both = merged(State.of(first.arrays), State.of(second.arrays))
        return ShardResult(both.as_arrays(), (*first.failed, *second.failed))


class OpenMiningJob:
    """Mines shards with one session."""

    def __init__(self, job: MiningJob, run: OpenRun) -> None:
        """Take the job and its session."""
        self._job = job
        self._run = run

    def shard(self, shard: Shard, stopped: Callable[[], bool]) -> ShardResult:
        """Return the state after the pictures of a shard."""
        job, failed = self._job, list[tuple[int, str]]()
        rows, used = Rows.of_size(len(shard.sources), job.channels), list[int]()

        def leave_out(place: int, reason: str) -> None:
            failed.append((shard.first + place, reason))

        for places, arrays in self._run.results(shard, leave_out, stopped):
            for layer in job.layers:
                fill(rows, slice(len(used), len(used) + len(places)), layer, arrays)
            used += places
        numbers, classes = np.array(used, np.int64) + shard.first, np.array(shard.classes, np.int64)[used]
        states = []
        for layer in job.layers:
            ceiling = np.full(layer.channels, layer.ceiling, np.float32)
            part = rows.part(len(used), layer.part)
            states.append(state_of(part, numbers, classes, ceiling, (job.count, job.kinds)))
        return ShardResult(side_by_side(states).as_arrays(), tuple(sorted(failed)))


def fill(rows: Rows, into: slice, layer: MinedLayer, arrays: Mapping[str, Array]) -> None:
    """Write what a run made of a layer into the rows of its pictures.

    Where a model folds windows into the batch, those of a picture are taken together, its windows in their order.
    """
    pictures = into.stop - into.start
    greatest, mean = arrays[layer.greatest], arrays[layer.mean]
    place = _flat(layer, [arrays[name][..., 0] for name in layer.row])
    if len(greatest) != pictures:
        greatest, place, mean = _over_windows(greatest, place, mean, pictures, layer)
    rows.greatest[into, layer.part] = greatest
    rows.mean[into, layer.part] = mean
    if place is not None:
        rows.place[into, layer.part] = place


def _flat(layer: MinedLayer, parts: Sequence[Array]) -> Array | None:
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else parts[0] * layer.places[-1] + parts[1]


def _over_windows(
    greatest: Array, place: Array | None, mean: Array, pictures: int, layer: MinedLayer
) -> tuple[Array, Array | None, Array]:
    split = pictures, -1, layer.channels
    parts = greatest.reshape(split)
    window = parts.argmax(axis=1)
    size = int(np.prod(layer.places)) if layer.places else 1
    inside = 0 if place is None else np.take_along_axis(place.reshape(split), window[:, None], axis=1)[:, 0]
    return parts.max(axis=1), window * size + inside, mean.reshape(split).mean(axis=1, dtype=np.float64)

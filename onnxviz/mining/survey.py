"""What is to be mined: the layers of a model for a data set, and the job that follows from them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from onnxviz.feed.feed import Feed
from onnxviz.inference.reduction import ReducedLayer, ReducedRun, reduced_run
from onnxviz.mining.histogram import BINS
from onnxviz.mining.mine_options import MineOptions
from onnxviz.mining.mining_job import MinedLayer, MiningJob
from onnxviz.model import Model
from onnxviz.results.command_facts import CommandFacts
from onnxviz.results.observer import Observer
from onnxviz.runtime.devices import Placement
from onnxviz.sweeping.beginning import choose, fingerprint
from onnxviz.sweeping.dataset import SHARD, Dataset

_ROWS = 256 * 2**20
"""Bytes that the rows of one shard may take: greatest number, place and mean, 12 a picture and channel."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What is mined.

    Attributes:
        job: the work on shards.
        reduced: the run, with its layers as the job's.
        fed_size: height and width of the picture as it was fed; None where what is fed is not a picture.
        remark: what is to be said of the selection.
        shard: pictures of a shard.
        facts: what the results depend on.
        placement: where the first picture was run.
        left_out: values that cannot be mined, each with the reason.
    """

    job: MiningJob
    reduced: ReducedRun
    fed_size: tuple[int, int] | None
    remark: str
    shard: int
    facts: CommandFacts
    placement: Placement
    left_out: tuple[tuple[str, str], ...]

    @property
    def state_bytes(self) -> int:
        """Bytes of one state."""
        job = self.job
        return job.channels * (4 * 8 + 2 * 4 + 4 * 8 + BINS * 4 + job.count * 20 + job.kinds * 16)


def survey(model: Model, dataset: Dataset, options: MineOptions, observer: Observer) -> Survey:
    """Choose the layers, run the first picture that can be fed, and make the job.

    Raises:
        InputError: No picture can be fed.
        UnsupportedError: No layer that was chosen has channels.
    """
    work = choose(model, dataset, options, observer)
    reduced = reduced_run(model.inference, work.choices, work.fed, work.executor, work.leave_out())
    job = MiningJob(work.model_run(reduced.piece), _numbered(reduced.layers), options.count, len(dataset.classes))
    shard = max(1, min(SHARD, _ROWS // (12 * max(job.channels, 1))))
    facts = work.facts([layer.choice.value for layer in reduced.layers], {"k": options.count})
    job, left = replace(job, fingerprint=fingerprint(facts, shard)), tuple(work.left_out.items())
    return Survey(job, reduced, _fed_size(work.fed), work.remark, shard, facts, work.placement, left)


def _fed_size(fed: Feed) -> tuple[int, int] | None:
    picture = fed.main.picture
    return None if picture is None else (picture.shape[0], picture.shape[1])


def _numbered(layers: tuple[ReducedLayer, ...]) -> tuple[MinedLayer, ...]:
    found, first = [], 0
    for layer in layers:
        outputs = layer.outputs
        places = tuple(size or 0 for size in layer.shape.places)
        ceiling = float("inf") if layer.bound is None else layer.bound.ceiling
        found.append(MinedLayer(first, layer.channels, places, outputs.greatest, outputs.mean, outputs.places, ceiling))
        first += layer.channels
    return tuple(found)

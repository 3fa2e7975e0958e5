"""What is to be mined: the layers of a model for a data set, and the job that follows from them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from onnxviz.errors import InputError, UsageError
from onnxviz.feed.feed import Feed
from onnxviz.graph.selection.choices import Choice
from onnxviz.inference.reduction import ReducedLayer, ReducedRun, reduced_run
from onnxviz.mining.histogram import BINS
from onnxviz.mining.mine_options import MineOptions
from onnxviz.mining.mining_job import MinedLayer, MiningJob
from onnxviz.model import Model, choices_of
from onnxviz.results.command_facts import CommandFacts, command_facts
from onnxviz.results.observer import Observer
from onnxviz.runtime.devices import Placement, runtime
from onnxviz.runtime.session import RunOptions
from onnxviz.sweeping.dataset import SHARD, Dataset
from onnxviz.sweeping.model_run import ModelRun, item_of

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
    choices, remark = choices_of(model, options.layers, options.exclude, options.tap)
    observer.chosen(choices, remark)
    run = replace(options.run, many=True, threads=options.run.threads or 1)
    values = [choice.value for choice in choices]
    fed = _first(model, dataset, options, values)
    observer.started(fed, len(choices), 0)
    lost: dict[str, str] = {}

    def left_out(choice: Choice, reason: str) -> None:
        lost[choice.name] = reason

    executor = model.inference.executor(run, placed=observer.placed, noted=observer.noted)
    reduced = reduced_run(model.inference, choices, fed, executor, left_out)
    inputs = model.inference.inputs(values)
    _check_batch(model, options)
    sizes = {name: array.shape for name, array in fed.arrays.items()}
    model_run = ModelRun(str(model.path), inputs, reduced.piece, options.feed, run, sizes, options.batch)
    job = MiningJob(model_run, _numbered(reduced.layers), options.count, len(dataset.classes))
    shard = max(1, min(SHARD, _ROWS // (12 * max(job.channels, 1))))
    facts = _facts(model, [layer.choice.value for layer in reduced.layers], options, dataset, run)
    key = hashlib.sha256(json.dumps([facts, shard], sort_keys=True).encode()).hexdigest()
    job, left = replace(job, fingerprint=key), tuple(lost.items())
    return Survey(job, reduced, _fed_size(fed), remark, shard, facts, executor.placement, left)


def _fed_size(fed: Feed) -> tuple[int, int] | None:
    picture = fed.main.picture
    return None if picture is None else (picture.shape[0], picture.shape[1])


def _first(model: Model, dataset: Dataset, options: MineOptions, values: list[str]) -> Feed:
    """Return the feed of the first picture that can be fed."""
    errors: list[InputError] = []
    for source in dataset.sources:
        try:
            return model.inference.feed(item_of(source), options.feed, values)
        except InputError as error:
            errors.append(error)
    raise InputError(f"none of the {len(dataset):,} pictures can be fed; the first: {errors[0]}") from None


def _check_batch(model: Model, options: MineOptions) -> None:
    fixed = [spec for spec in model.inputs if spec.shape and isinstance(spec.shape[0], int)]
    if options.batch > 1 and fixed:
        raise UsageError(f"the model takes {fixed[0].shape[0] if fixed[0].shape else 1} at a time: it has no --batch")


def _numbered(layers: tuple[ReducedLayer, ...]) -> tuple[MinedLayer, ...]:
    found, first = [], 0
    for layer in layers:
        outputs = layer.outputs
        places = tuple(size or 0 for size in layer.shape.places)
        ceiling = float("inf") if layer.bound is None else layer.bound.ceiling
        found.append(MinedLayer(first, layer.channels, places, outputs.greatest, outputs.mean, outputs.places, ceiling))
        first += layer.channels
    return tuple(found)


def _facts(model: Model, values: list[str], options: MineOptions, dataset: Dataset, run: RunOptions) -> CommandFacts:
    ort = runtime()
    results: Mapping[str, Any] = {
        "tap": options.tap,
        "feed": options.feed,
        "device": run.device,
        "level": run.level,
        "threads": run.threads,
        "onnxruntime": ort.__version__,
        "k": options.count,
        "every": options.every,
        "classes": options.classes,
    }
    facts = dict(command_facts(model, values, results, ()))
    return facts | {"data": [len(dataset), dataset.fingerprint]}


def workers_of(options: MineOptions) -> int:
    """Return how many workers there are."""
    return options.workers or os.cpu_count() or 1

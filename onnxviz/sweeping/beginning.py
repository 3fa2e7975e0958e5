"""What every command over a data set begins with: its model and pictures, the first feed, the folder, the engine."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from onnxviz.errors import InputError, UsageError
from onnxviz.feed.feed import Feed
from onnxviz.files import safe_name
from onnxviz.graph.selection.choices import Choice
from onnxviz.inference.refusals import LeftOut
from onnxviz.model import Model, choices_of
from onnxviz.opening import open
from onnxviz.results.command_facts import CommandFacts, command_facts
from onnxviz.results.folder import Folder
from onnxviz.results.observer import Observer
from onnxviz.runtime.devices import Placement, check_name, runtime
from onnxviz.runtime.executor import Executor, Piece
from onnxviz.runtime.session import RunOptions
from onnxviz.sweeping.dataset import Dataset, file_of, find_dataset
from onnxviz.sweeping.engines import Engine, engine_of
from onnxviz.sweeping.model_run import ModelRun, item_of
from onnxviz.sweeping.sweep import Goal
from onnxviz.sweeping.sweep_options import SweepOptions

Data = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
"""A folder, a glob, a file, `@list.txt`, a `.npy` batch, or a list of these."""


@dataclass(frozen=True, slots=True)
class SweepWork:
    """A model, a data set and the options, with what was chosen of the model and the first picture that it is fed.

    Attributes:
        model, dataset, options: what was given.
        choices: the values that are asked for.
        remark: what is to be said of the selection.
        run: the options of the run: one thread a worker, unless asked otherwise.
        fed: the first picture that can be fed.
        executor: what ran, or will run, that picture.
        left_out: the names of choices that cannot be had, each with the reason.
    """

    model: Model
    dataset: Dataset
    options: SweepOptions
    choices: tuple[Choice, ...]
    remark: str
    run: RunOptions
    fed: Feed
    executor: Executor
    left_out: dict[str, str]

    @property
    def placement(self) -> Placement:
        """Where the first picture was run."""
        return self.executor.placement

    def leave_out(self) -> LeftOut:
        """Return what is to be called with a choice that cannot be had, and the reason."""

        def left_out(choice: Choice, reason: str) -> None:
            self.left_out[choice.name] = reason

        return left_out

    def model_run(self, piece: Piece) -> ModelRun:
        """Return the run of a piece of the model on every picture.

        Raises:
            UsageError: A batch is asked for that the model does not take.
        """
        fixed = [spec for spec in self.model.inputs if spec.shape and isinstance(spec.shape[0], int)]
        if self.options.batch > 1 and fixed:
            raise UsageError(
                f"the model takes {fixed[0].shape[0] if fixed[0].shape else 1} at a time: it has no --batch"
            )
        sizes = {name: array.shape for name, array in self.fed.arrays.items()}
        inputs = self.model.inference.inputs([choice.value for choice in self.choices])
        feed = self.options.feed
        return ModelRun(str(self.model.path), inputs, piece, feed, self.run, sizes, self.options.batch)

    def facts(self, values: Sequence[str], more: Mapping[str, Any]) -> CommandFacts:
        """Return what the results depend on: the model, these values of it, the options and the pictures."""
        options, run = self.options, self.run
        results: Mapping[str, Any] = {
            "tap": options.tap,
            "feed": options.feed,
            "device": run.device,
            "level": run.level,
            "threads": run.threads,
            "onnxruntime": runtime().__version__,
            "every": options.every,
            "classes": options.classes,
            **more,
        }
        facts = dict(command_facts(self.model, values, results, ()))
        return facts | {"data": [len(self.dataset), self.dataset.fingerprint]}


def begin(
    model: Model | str | os.PathLike[str], data: Data, options: SweepOptions, observer: Observer
) -> tuple[Model, Dataset]:
    """Open the model and find the pictures.

    Raises:
        InputError: There are no pictures.
    """
    check_name(options.run.device)
    opened = model if isinstance(model, Model) else open(model, stage=observer.stage, converted=observer.converted)
    return opened, find_dataset(_texts(data), options.classes, options.every)


def choose(model: Model, dataset: Dataset, options: SweepOptions, observer: Observer) -> SweepWork:
    """Choose the layers, and make the feed of the first picture that can be fed.

    Raises:
        InputError: No picture can be fed.
    """
    choices, remark = choices_of(model, options.layers, options.exclude, options.tap)
    observer.chosen(choices, remark)
    run = replace(options.run, many=True, threads=options.run.threads or 1)
    fed = _first(model, dataset, options, [choice.value for choice in choices])
    if options.feed.draft:
        observer.noted("large JPEGs are decoded smaller (--draft): numbers differ a little from those without")
    observer.started(fed, len(choices), 0)
    executor = model.inference.executor(run, placed=observer.placed, noted=observer.noted)
    return SweepWork(model, dataset, options, tuple(choices), remark, run, fed, executor, {})


def goal_of(
    model: Model, data: Data, directory: str | os.PathLike[str] | None, options: SweepOptions, kind: tuple[str, str]
) -> Goal:
    """Return where results go: `MODEL-DATA-NOUN` in the current folder where nothing is said.

    Args:
        model, data, options: what is worked on.
        directory: the folder that was asked for.
        kind: the command and what it makes, such as `("mine", "units")`.
    """
    command, noun = kind
    path = Path(directory) if directory is not None else default_folder(model, data, noun)
    needed = [Path(file_of(text.removeprefix("@"))[0]) for text in _texts(data)]
    Folder(path).check(model, needed)
    listing, schema = f"{command}.json", f"onnxviz.{command}/"
    return Goal(path, listing, schema, restart=options.restart, force=options.force)


def default_folder(model: Model, data: Data, noun: str) -> Path:
    """Return where results go when nothing is said."""
    first = Path(_texts(data)[0].lstrip("@"))
    return Path(f"{safe_name(model.file.origin.stem)}-{safe_name(first.resolve().stem)}-{noun}")


def fingerprint(facts: CommandFacts, shard: int) -> str:
    """Return what the results of shards of so many pictures depend on, as a hash."""
    return hashlib.sha256(json.dumps([facts, shard], sort_keys=True).encode()).hexdigest()


def workers_of(options: SweepOptions) -> int:
    """Return how many workers there are."""
    return options.workers or os.cpu_count() or 1


def engine_for(options: SweepOptions) -> Engine:
    """Return who computes the shards.

    Raises:
        RunError: Dask is asked for and distributed is not installed.
    """
    if options.dask is None:
        return engine_of(workers_of(options))
    # Not at the top: most runs need no Dask.
    from onnxviz.sweeping.dask_engine import dask_engine

    return dask_engine(options.dask, workers_of(options))


def _texts(data: Data) -> list[str]:
    texts = [data] if isinstance(data, str | os.PathLike) else list(data)
    if not texts or not all(map(os.fspath, texts)):
        raise UsageError("no data set is given: name a folder, a glob, @list.txt or a .npy batch")
    return [os.fsdecode(text) for text in texts]


def _first(model: Model, dataset: Dataset, options: SweepOptions, values: Sequence[str]) -> Feed:
    errors: list[InputError] = []
    for source in dataset.sources:
        try:
            return model.inference.feed(item_of(source), options.feed, values)
        except InputError as error:
            errors.append(error)
    raise InputError(f"none of the {len(dataset):,} pictures can be fed; the first: {errors[0]}") from None

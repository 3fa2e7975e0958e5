"""`extract`: one pass over a data set, and what the chosen layers make of every picture, as arrays on disk."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Unpack

from onnxviz.errors import OutputError
from onnxviz.extraction.extract_options import ExtractChanges, ExtractOptions
from onnxviz.extraction.extracted import LISTING, SCHEMA, Extracted
from onnxviz.extraction.extraction_job import ExtractionJob
from onnxviz.extraction.row_file import RowFile
from onnxviz.files import check_space, safe_name
from onnxviz.inference.row_run import NO_POOL, LayerRows, row_run
from onnxviz.model import Model
from onnxviz.results.observer import Observer
from onnxviz.sweeping.beginning import (
    Data,
    SweepWork,
    begin,
    choose,
    engine_for,
    fingerprint,
    goal_of,
    workers_of,
)
from onnxviz.sweeping.dataset import SHARD, Dataset
from onnxviz.sweeping.pictures_table import PICTURES, Pictures, write_pictures
from onnxviz.sweeping.shard_job import ShardResult
from onnxviz.sweeping.sweep import has_results, sweep, working_folder
from onnxviz.version import __version__
from onnxviz.words import size_text

_TRIED = 32
"""Pictures that an estimate runs."""


def extract(
    model: Model | str | os.PathLike[str],
    data: Data,
    directory: str | os.PathLike[str] | None = None,
    options: ExtractOptions | None = None,
    observer: Observer | None = None,
    **changes: Unpack[ExtractChanges],
) -> Extracted:
    """Write what the chosen layers make of each picture of a data set into a folder, an array a layer.

    `data` is a folder (all pictures below it), a glob, a file, `@list.txt`, a `.npy` batch, or a list of these.
    Row i is picture i, float32 unless asked otherwise. The bytes do not depend on workers, batch or stops. Interrupted,
    the same call goes on. Rows of pictures that cannot be used are NaN, and listed in `Extracted.failures`.

    Args:
        model: The model, or its file.
        data: The pictures.
        directory: The folder to make; None is `MODEL-DATA-features` in the current one.
        options: All options; None is `ExtractOptions()`.
        observer: Hears of the progress.
        changes: Fields of the options that are to be others, such as `pool="mean"`.

    Raises:
        InputError: No picture can be fed.
        OutputError: The folder exists and onnxviz did not make it, another command was begun there, or the disk has too
            little room.
        RunError: onnxruntime is missing or fails.
    """
    options, observer = replace(options or ExtractOptions(), **changes), observer or Observer()
    opened, dataset = begin(model, data, options, observer)
    goal = goal_of(opened, data, directory, options, ("extract", "features"))
    plan = _planned(opened, dataset, options, observer)
    with working_folder(goal, plan.work.facts(plan.values, plan.options), len(dataset), observer) as folder:
        _make_files(plan.files, folder, goal.path)
        arrays = f"{len(plan.files)} array{'s' * (len(plan.files) != 1)}"
        observer.noted(f"{len(dataset):,} rows of {arrays} take {size_text(plan.bytes)}")
        result = sweep(replace(plan.job, folder=str(folder)), dataset, SHARD, folder, engine_for(options), observer)
        document = _document(plan, result)
        extracted = Extracted(goal.path, document, Pictures(dataset.sources, dataset.class_of))
        write_pictures(folder, extracted.pictures, extracted.classes, dict(result.failed))
        text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
        (folder / LISTING).write_bytes(text.encode("utf-8", "backslashreplace"))
        for state in folder.glob("state-*.npz"):
            state.unlink()
    return extracted


@dataclass(frozen=True, slots=True)
class ExtractEstimate:
    """What an extraction will take.

    Attributes:
        pictures, layers: what is to be extracted.
        disk: bytes of the arrays.
        seconds: by the first pictures; None where none of them could be used.
    """

    pictures: int
    layers: int
    disk: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class _Plan:
    work: SweepWork
    job: ExtractionJob
    layers: tuple[LayerRows, ...]

    @property
    def files(self) -> list[RowFile]:
        return [file for _, file in self.job.files]

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    @property
    def values(self) -> list[str]:
        return [layer.choice.value for layer in self.layers]

    @property
    def options(self) -> dict[str, Any]:
        return {"pool": self.job.pool, "dtype": self.files[0].dtype}


def estimate(
    model: Model | str | os.PathLike[str],
    data: Data,
    options: ExtractOptions | None = None,
    observer: Observer | None = None,
) -> ExtractEstimate:
    """Return what `extract` will take, by running the first pictures; nothing is left written.

    Raises:
        InputError: No picture can be fed.
    """
    options, observer = options or ExtractOptions(), observer or Observer()
    opened, dataset = begin(model, data, options, observer)
    plan = _planned(opened, dataset, options, observer)
    tried = next(dataset.shards(_TRIED))
    few = tuple((output, replace(file, rows=len(tried.sources))) for output, file in plan.job.files)
    with TemporaryDirectory() as folder:
        for _, file in few:
            file.create(Path(folder))
        work = replace(plan.job, files=few, folder=folder).open()
        work.shard(next(dataset.shards(1)), lambda: False)
        start = time.perf_counter()
        result = work.shard(tried, lambda: False)
        seconds = time.perf_counter() - start
    used = len(tried.sources) - len(result.failed)
    whole = seconds / used * len(dataset) / workers_of(options) if used else None
    return ExtractEstimate(len(dataset), len(plan.files), plan.bytes, whole)


def _planned(model: Model, dataset: Dataset, options: ExtractOptions, observer: Observer) -> _Plan:
    """Choose the layers, run the first picture that can be fed, and make the job.

    Raises:
        InputError: No picture can be fed.
        UnsupportedError: Nothing that was chosen can be extracted.
    """
    work = choose(model, dataset, options, observer)
    run = row_run(
        model.inference, work.choices, work.fed, work.executor, work.leave_out(), pool=options.pool, dtype=options.dtype
    )
    pooled = "" if options.pool == NO_POOL else f"-{options.pool}"
    files = tuple(
        (
            layer.output,
            RowFile(f"{place:03}-{safe_name(layer.choice.name)}{pooled}.npy", len(dataset), layer.row, options.dtype),
        )
        for place, layer in enumerate(run.layers)
    )
    job = ExtractionJob(work.model_run(run.piece), files, options.pool)
    plan = _Plan(work, job, run.layers)
    return replace(plan, job=replace(job, fingerprint=fingerprint(work.facts(plan.values, plan.options), SHARD)))


def _make_files(files: Sequence[RowFile], folder: Path, shown: Path) -> None:
    """Make those files that are not there from an earlier start.

    Raises:
        OutputError: The disk has too little room, or a file is gone whose rows were written.
    """
    missing = [file for file in files if not file.is_in(folder)]
    if missing and has_results(folder):
        raise OutputError(f"{folder / missing[0].name} was changed or removed since: --restart begins anew")
    check_space(shown, sum(file.bytes for file in missing))
    for file in missing:
        file.create(folder)


def _document(plan: _Plan, result: ShardResult) -> dict[str, Any]:
    work, files = plan.work, plan.files
    sources = work.dataset.sources
    return {
        "schema": SCHEMA,
        "onnxviz": __version__,
        "model": str(work.model.file.origin),
        "device": work.placement.device,
        "level": work.run.level,
        "remark": work.remark,
        "pictures": len(work.dataset),
        "pool": plan.job.pool,
        "dtype": files[0].dtype,
        "classes": list(work.dataset.classes),
        "failures": [{"source": sources[number], "reason": reason} for number, reason in result.failed],
        "not_extracted": [{"layer": name, "reason": reason} for name, reason in work.left_out.items()],
        "layers": [_layer(layer, file) for layer, file in zip(plan.layers, files, strict=True)],
        "command": work.facts(plan.values, plan.options),
        "files": sorted([PICTURES, *(file.name for file in files)]),
    }


def _layer(layer: LayerRows, file: RowFile) -> dict[str, Any]:
    choice, known = layer.choice, layer.choice.layer
    return {
        "name": choice.name,
        "value": choice.value,
        "tap": choice.tap,
        "op": "" if known is None else known.op,
        "layout": layer.shape.layout or None,
        "dtype": layer.dtype,
        "file": file.name,
        "shape": [file.rows, *file.row],
    }

"""`extract`: one pass over a data set, and what the chosen layers make of every picture, as arrays on disk."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Unpack

from onnxviz.changed import changed
from onnxviz.errors import OutputError
from onnxviz.extraction.extract_options import ExtractChanges, ExtractOptions
from onnxviz.extraction.extracted import LISTING, Extracted
from onnxviz.extraction.extraction_plan import document_of, planned
from onnxviz.extraction.row_store import RowStore
from onnxviz.files import check_space
from onnxviz.model import Model
from onnxviz.results.observer import Observer
from onnxviz.sweeping.beginning import (
    Data,
    begin,
    engine_for,
    goal_of,
    workers_of,
)
from onnxviz.sweeping.dataset import SHARD
from onnxviz.sweeping.pictures_table import Pictures, write_pictures
from onnxviz.sweeping.sweep import has_results, sweep, working_folder

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
    options, observer = changed(options or ExtractOptions(), changes, "extract"), observer or Observer()
    opened, dataset = begin(model, data, options, observer)
    goal = goal_of(opened, data, directory, options, ("extract", "features"))
    plan = planned(opened, dataset, options, observer, SHARD)
    with working_folder(goal, plan.work.facts(plan.values, plan.options), len(dataset), observer) as folder:
        _make_files(plan.files, folder, goal.path)
        arrays = f"{len(plan.files)} array{'s' * (len(plan.files) != 1)}"
        observer.noted(f"{len(dataset):,} rows of {arrays} take {plan.size_words}")
        result = sweep(replace(plan.job, folder=str(folder)), dataset, SHARD, folder, engine_for(options), observer)
        document = document_of(plan, result, folder)
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
    plan = planned(opened, dataset, options, observer, SHARD)
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


def _make_files(files: Sequence[RowStore], folder: Path, shown: Path) -> None:
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

"""`mine`: one pass over a data set, and for every channel its strongest places and statistics."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Unpack

from onnxviz.changed import changed
from onnxviz.mining.mine_options import MineChanges, MineOptions
from onnxviz.mining.mined import Mined
from onnxviz.mining.sheet_pass import draw_sheets
from onnxviz.mining.survey import survey
from onnxviz.mining.tables import mined_of, write_document, write_tables
from onnxviz.mining.units_page import PAGE, write_units_page
from onnxviz.model import Model
from onnxviz.results.observer import Observer
from onnxviz.sweeping.beginning import Data, begin, engine_for, goal_of, workers_of
from onnxviz.sweeping.sweep import sweep, working_folder

_TRIED = 32
"""Pictures that an estimate runs."""


def mine(
    model: Model | str | os.PathLike[str],
    data: Data,
    directory: str | os.PathLike[str] | None = None,
    options: MineOptions | None = None,
    observer: Observer | None = None,
    **changes: Unpack[MineChanges],
) -> Mined:
    """Find what each channel of the chosen layers responds to in a data set, and write it into a folder.

    `data` is a folder (all pictures below it), a glob, a file, `@list.txt`, a `.npy` batch, or a list of these. The
    result does not depend on workers, batch or stops, to the bit. Interrupted, the same call goes on. Pictures that
    cannot be used are listed in `Mined.failures`.

    Args:
        model: The model, or its file.
        data: The pictures.
        directory: The folder to make; None is `MODEL-DATA-units` in the current one.
        options: All options; None is `MineOptions()`.
        observer: Hears of the progress.
        changes: Fields of the options that are to be others, such as `layers="conv"`.

    Raises:
        UsageError: There is no such option.
        ModelError: No layer that was chosen can be mined.
        InputError: No picture can be fed.
        OutputError: The folder exists and onnxviz did not make it, or another command was begun there.
        RunError: onnxruntime is missing or fails.
    """
    options, observer = changed(options or MineOptions(), changes, "mine"), observer or Observer()
    opened, dataset = begin(model, data, options, observer)
    goal = goal_of(opened, data, directory, options, ("mine", "units"))
    found = survey(opened, dataset, options, observer)
    with working_folder(goal, found.facts, len(dataset), observer) as folder:
        result = sweep(found.job, dataset, found.shard, folder, engine_for(options), observer)
        mined = mined_of(opened, dataset, found, result, goal.path)
        write_tables(mined, folder, dict(result.failed))
        mined, sheets = draw_sheets(opened, found, mined, folder, options, observer)
        write_units_page(mined, folder)
        write_document(mined, folder, [*sheets, PAGE])
        for state in folder.glob("state-*.npz"):
            state.unlink()
    return mined


@dataclass(frozen=True, slots=True)
class MineEstimate:
    """What a pass over a data set will take.

    Attributes:
        pictures, layers, channels: what is to be mined.
        shards: how many pieces of work.
        memory: bytes of numbers that are held at a time, besides the model's session, for all workers.
        disk: bytes of what waits in the folder, and of the numbers in the end.
        seconds: by the first pictures; None where one of them could be used.
    """

    pictures: int
    layers: int
    channels: int
    shards: int
    memory: int
    disk: int
    seconds: float | None


def estimate(
    model: Model | str | os.PathLike[str],
    data: Data,
    options: MineOptions | None = None,
    observer: Observer | None = None,
) -> MineEstimate:
    """Return what `mine` will take, by running the first pictures; nothing is written.

    Raises:
        InputError: No picture can be fed.
    """
    options, observer = options or MineOptions(), observer or Observer()
    opened, dataset = begin(model, data, options, observer)
    found = survey(opened, dataset, options, observer)
    job, workers = found.job, workers_of(options)
    shards = -(-len(dataset) // found.shard)
    waiting = min(shards, shards.bit_length() + 2 * workers)
    tried = next(dataset.shards(min(_TRIED, found.shard)))
    work = job.open()
    work.shard(next(dataset.shards(1)), lambda: False)
    start = time.perf_counter()
    result = work.shard(tried, lambda: False)
    used = len(tried.sources) - len(result.failed)
    each = (time.perf_counter() - start) / used if used else None
    return MineEstimate(
        pictures=len(dataset),
        layers=len(job.layers),
        channels=job.channels,
        shards=shards,
        memory=workers * 12 * job.channels * found.shard + 3 * found.state_bytes,
        disk=(waiting + 1) * found.state_bytes,
        seconds=None if each is None else each * len(dataset) / workers,
    )

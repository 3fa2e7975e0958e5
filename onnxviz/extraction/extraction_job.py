"""`ExtractionJob`: the work of `extract` on shards, which writes their rows where they belong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnxviz.errors import OutputError, RunError
from onnxviz.extraction.row_store import RowStore, RowWriter
from onnxviz.inference.row_run import GREATEST, NO_POOL
from onnxviz.layout import Array
from onnxviz.sweeping.dataset import Shard
from onnxviz.sweeping.model_run import ModelRun, OpenRun
from onnxviz.sweeping.shard_job import ShardResult


@dataclass(frozen=True, slots=True)
class ExtractionJob:
    """What to run, and the file of each output.

    Attributes:
        run: the run of one picture.
        files: the outputs, each with where its rows go.
        pool: how they are pooled.
        folder: where the files lie; a worker of another machine has to see it too.
    """

    run: ModelRun
    files: tuple[tuple[str, RowStore], ...]
    pool: str
    folder: str = ""
    fingerprint: str = ""

    def open(self) -> OpenExtractionJob:
        """Open a session."""
        return OpenExtractionJob(self, self.run.open())

    def merge(self, first: ShardResult, second: ShardResult) -> ShardResult:
        """Return which pictures of both could not be used; their rows are written."""
        return ShardResult({}, (*first.failed, *second.failed))


class OpenExtractionJob:
    """Extracts shards with one session."""

    def __init__(self, job: ExtractionJob, run: OpenRun) -> None:
        """Take the job and its session."""
        self._job = job
        self._run = run

    def shard(self, shard: Shard, stopped: Callable[[], bool]) -> ShardResult:
        """Write the rows of a shard's pictures, NaN for those that cannot be used.

        Raises:
            RunError: The folder is not seen from here.
            OutputError: The rows cannot be written.
        """
        failed = list[tuple[int, str]]()

        def leave_out(place: int, reason: str) -> None:
            failed.append((shard.first + place, reason))

        with self._writers() as writers:
            for places, arrays in self._run.results(shard, leave_out, stopped):
                for output, file, writer in writers:
                    rows = _rows(arrays[output], len(places), file, self._job.pool)
                    for place, row in zip(places, rows, strict=True):
                        writer.write(shard.first + place, row)
            for number, _ in failed:
                for _, _, writer in writers:
                    writer.leave_out(number)
        return ShardResult({}, tuple(sorted(failed)))

    @contextmanager
    def _writers(self) -> Iterator[list[tuple[str, RowStore, RowWriter]]]:
        folder = Path(self._job.folder)
        try:
            with ExitStack() as stack:
                yield [(output, file, stack.enter_context(file.opened(folder))) for output, file in self._job.files]
        except FileNotFoundError:
            raise RunError(f"a worker does not see {folder}: all workers must share the folder of results") from None
        except OSError as error:
            raise OutputError(f"cannot write into {folder}: {(error.strerror or str(error)).lower()}") from error


def _rows(array: Array, pictures: int, file: RowStore, pool: str) -> Array:
    """Return what a run made as a row a picture; of windows that a model folds into the batch all in their order."""
    if pool == NO_POOL or len(array) == pictures:
        return array.reshape(pictures, *file.row)
    windows = array.reshape(pictures, -1, *file.row)
    over: Array = windows.max(axis=1) if pool == GREATEST else windows.mean(axis=1, dtype=np.float64)
    return over

"""Engines: who computes the shards. Each gives results in the order in which they come, and stops between two pictures.

A worker is a thread with a session of its own, which computes in one thread: two callers with one thread each make 395
pictures a second where one caller with two threads of onnxruntime makes 264.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice

from onnxviz.sweeping.dataset import Shard
from onnxviz.sweeping.shard_job import OpenShardJob, ShardJob, ShardResult

ShardResults = Generator[tuple[int, ShardResult], None, None]
"""The number and the result of each shard."""

Engine = Callable[[ShardJob, Iterable[Shard]], ShardResults]
"""Yields the number and the result of each shard, in any order; closing it stops the work."""


class OpenJobs:
    """Opens a job once for each thread that asks for it: sessions can be neither shared nor pickled."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._open: dict[tuple[str, int], OpenShardJob] = {}

    def of(self, job: ShardJob) -> OpenShardJob:
        """Return the job as this thread has it open."""
        key = job.fingerprint, threading.get_ident()
        with self._lock:
            if key not in self._open:
                self._open[key] = job.open()
            return self._open[key]


def serial(job: ShardJob, shards: Iterable[Shard]) -> ShardResults:
    """Compute one shard after the other in this thread."""
    opened = job.open()
    for shard in shards:
        yield shard.number, opened.shard(shard, lambda: False)


def threaded(workers: int) -> Engine:
    """Return the engine of so many threads of this process."""

    def run(job: ShardJob, shards: Iterable[Shard]) -> ShardResults:
        stop, jobs, waiting = threading.Event(), OpenJobs(), iter(shards)

        def work(shard: Shard) -> tuple[int, ShardResult]:
            return shard.number, jobs.of(job).shard(shard, stop.is_set)

        with ThreadPoolExecutor(workers, "sweep") as pool:
            running: set[Future[tuple[int, ShardResult]]] = set()
            try:
                while True:
                    # Few are handed out at a time: a shard waits as a list of texts, not as 10^6 futures.
                    running |= {pool.submit(work, shard) for shard in islice(waiting, workers + 1 - len(running))}
                    if not running:
                        return
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            finally:
                stop.set()
                for future in running:
                    future.cancel()

    return run


def engine_of(workers: int) -> Engine:
    """Return the engine for so many workers of this machine."""
    return serial if workers == 1 else threaded(workers)

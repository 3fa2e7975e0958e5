"""The engine that has shards computed by Dask's workers, here or on other machines; it alone knows distributed.

A worker that dies is given up by its nanny, and its shard computed by another. What is merged is released at once: the
scheduler would compute it again for each worker that dies, three finished shards of twelve in a trial.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

from onnxviz.errors import RunError
from onnxviz.runtime.devices import runtime
from onnxviz.sweeping.dataset import Shard
from onnxviz.sweeping.engines import Engine, OpenJobs, ShardResults
from onnxviz.sweeping.shard_job import ShardJob, ShardResult
from onnxviz.version import __version__

LOCAL = "local"
_RETRIES = 2
_AHEAD = 2
"""Shards that wait for each thread, so that no thread idles while a result travels."""
_SECONDS = 30

_open = OpenJobs()


def dask_engine(address: str, workers: int) -> Engine:
    """Return the engine of the scheduler at an address, or `local` for so many workers of this machine.

    Raises:
        RunError: distributed is not installed.
    """
    _distributed()

    def run(job: ShardJob, shards: Iterable[Shard]) -> ShardResults:
        with _client(address, workers) as client:
            yield from _results(client, job, shards)

    return run


def _results(client: Any, job: ShardJob, shards: Iterable[Shard]) -> ShardResults:
    distributed = _distributed()
    waiting = iter(shards)
    versions = __version__, str(runtime().__version__)

    def submit(count: int) -> list[Any]:
        return [
            client.submit(
                compute,
                job,
                shard,
                versions,
                key=f"{job.fingerprint[:16]}-{shard.number}",
                retries=_RETRIES,
                pure=False,
            )
            for shard in islice(waiting, count)
        ]

    threads = max(1, sum(client.nthreads().values()))
    running = distributed.as_completed(submit(threads * _AHEAD), loop=client.loop)
    for future in running:
        try:
            number, result = future.result()
        except distributed.KilledWorker as error:
            raise RunError(
                f"the workers that took {future.key} died, {error.allowed_failures + 1} of them: they may lack memory "
                "(distributed.scheduler.allowed-failures in Dask's configuration is how many may)"
            ) from None
        future.release()
        yield number, result
        for following in submit(1):
            running.add(following)


def compute(job: ShardJob, shard: Shard, versions: tuple[str, str]) -> tuple[int, ShardResult]:
    """Return the result of a shard; this is what a worker is sent.

    Raises:
        RunError: The worker has other versions of onnxviz or onnxruntime, whose last digits may differ.
    """
    own = __version__, str(runtime().__version__)
    if own != versions:
        raise RunError(
            f"a worker has onnxviz {own[0]} and onnxruntime {own[1]}, and here are {versions[0]} and {versions[1]}: "
            "results would depend on who computes them"
        )
    return shard.number, _open.of(job).shard(shard, lambda: False)


@contextmanager
def _client(address: str, workers: int) -> Iterator[Any]:
    """Yield a client of the scheduler; of a cluster of this machine also its end is seen to."""
    distributed = _distributed()
    if address == LOCAL:
        with (
            distributed.LocalCluster(
                n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, memory_limit=0
            ) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            yield client
        return
    try:
        client = distributed.Client(address, timeout=_SECONDS, set_as_default=False)
    except (OSError, ValueError, ImportError) as error:
        raise RunError(f"no Dask scheduler answers at {address}: {error}") from None
    with client:
        if not client.nthreads():
            raise RunError(f"the Dask scheduler at {address} has no workers")
        yield client


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise RunError(
            f"working on Dask needs distributed, which cannot be imported ({error}); "
            "install it with: pip install 'onnxviz[dask]'"
        ) from None
    return distributed

"""Shards on Dask, on loopback: equal bits, also where a worker or the client is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import onnxviz
from onnxviz.errors import ModelError, RunError
from onnxviz.extraction import extract as extracting
from onnxviz.mining import survey as surveying
from onnxviz.sweeping import dask_engine as on_dask

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore")

FEED = onnxviz.FeedOptions(preset="zero-one")
SLOW = (
    "import time; from onnxviz.sweeping import model_run; feed = model_run.OpenRun.feed\n"
    "def slow(*given): time.sleep(0.05); return feed(*given)\n"
    "model_run.OpenRun.feed = slow\n"
)


@pytest.fixture
def cluster() -> Iterator[object]:
    """Two workers whose pictures take 50 ms each."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, memory_limit=0
    ) as found:
        with distributed.Client(found, set_as_default=False) as client:
            client.run(exec, SLOW, {})
        yield found


def mine(model: Path, photos: Path, folder: Path, **changes: object) -> onnxviz.Mined:
    return onnxviz.mine(model, photos, folder, onnxviz.MineOptions(layers="conv", feed=FEED, **changes))


def bits(mined: onnxviz.Mined) -> list[bytes]:
    return [array.tobytes() for array in mined.state.as_arrays().values()]


def test_equal_bits_where_a_worker_is_killed(
    mining_model: Path, photos: Path, tmp_path: Path, cluster: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surveying, "SHARD", 4)
    here = mine(mining_model, photos, tmp_path / "here")
    with distributed.Client(cluster, set_as_default=False) as client:
        pids = list(client.run(os.getpid).values())
    results, seen = on_dask._results, []

    def killing(*given: object) -> Iterator[object]:
        for result in results(*given):
            seen.append(result[0])
            if len(seen) == 2:
                os.kill(pids[0], signal.SIGKILL)
            yield result

    monkeypatch.setattr(on_dask, "_results", killing)
    there = mine(mining_model, photos, tmp_path / "there", dask=cluster.scheduler_address)
    assert bits(here) == bits(there)
    assert sorted(seen) == list(range(10))


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_client_loses_nothing_that_was_merged(
    mining_model: Path, photos: Path, tmp_path: Path, cluster: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surveying, "SHARD", 4)
    script = "from onnxviz.mining import survey; survey.SHARD = 4\nfrom onnxviz.cli import main; main()"
    command = ["mine", mining_model, photos, "--layers", "conv", "--preset", "zero-one", "-o", tmp_path / "units"]
    command += ["--dask", cluster.scheduler_address]
    process = subprocess.Popen([sys.executable, "-c", script, *map(str, command)], stderr=subprocess.PIPE)
    part = tmp_path / "units.part"
    while process.poll() is None and len(list(part.glob("state-*.npz"))) < 2:
        time.sleep(0.02)
    process.kill()
    _, said = process.communicate()
    assert process.returncode == -9, said
    assert list(part.glob("state-*.npz"))
    again: list[int] = []
    results = on_dask._results

    def counting(*given: object) -> Iterator[object]:
        for result in results(*given):
            again.append(result[0])
            yield result

    monkeypatch.setattr(on_dask, "_results", counting)
    resumed = mine(mining_model, photos, tmp_path / "units", dask=cluster.scheduler_address)
    assert 0 < len(again) < 10
    assert bits(resumed) == bits(mine(mining_model, photos, tmp_path / "here"))


def test_workers_of_this_machine(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    there = mine(mining_model, photos, tmp_path / "there", dask="local", workers=2)
    assert bits(there) == bits(mine(mining_model, photos, tmp_path / "here"))


def test_rows_of_an_extraction_are_written_by_the_workers(
    mining_model: Path, photos: Path, tmp_path: Path, cluster: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extracting, "SHARD", 4)
    (photos / "b" / "07.png").write_bytes(b"not a picture")
    options = onnxviz.ExtractOptions(layers="conv", feed=FEED)
    here = onnxviz.extract(mining_model, photos, tmp_path / "here", options)
    there = onnxviz.extract(mining_model, photos, tmp_path / "there", options, dask=cluster.scheduler_address)
    for name in here.document["files"]:
        assert (tmp_path / "there" / name).read_bytes() == (tmp_path / "here" / name).read_bytes()
    assert here.failures == there.failures


def test_what_a_worker_refuses_is_said_by_name(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"a worker has onnxviz .* and here are 0 and 0"):
        on_dask.compute(None, None, ("0", "0"))
    with pytest.raises(ModelError, match="a worker cannot read the model"):
        from onnxviz.sweeping.model_run import _opened

        _opened(str(tmp_path / "elsewhere.onnx"))


def test_no_scheduler_answers(
    mining_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_dask, "_SECONDS", 1)
    with pytest.raises(RunError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        mine(mining_model, photos, tmp_path / "units", dask="tcp://127.0.0.1:9")
    assert not list(tmp_path.glob("units*"))

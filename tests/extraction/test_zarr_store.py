"""`extract --format zarr` against the `.npy` files of the same extraction, through stops, workers and failures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

import onnxviz
from onnxviz.errors import OutputError, RunError, UsageError
from onnxviz.extraction import extract as extracting
from onnxviz.extraction.extraction_job import OpenExtractionJob
from onnxviz.extraction.zarr_store import ZarrRows

zarr = pytest.importorskip("zarr")

CONV = onnxviz.ExtractOptions(layers="conv", feed=onnxviz.FeedOptions(preset="zero-one"))


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extracting, "SHARD", 6)


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "extract.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("pool", ["none", "mean"])
def test_the_same_rows_as_npy(mining_model: Path, photos: Path, tmp_path: Path, pool: str) -> None:
    (photos / "a" / "03.png").write_bytes(b"not a picture")
    expected = onnxviz.extract(mining_model, photos, tmp_path / "npy", CONV, pool=pool)
    for name, change in {"one": {}, "threads": {"workers": 3}, "batch": {"batch": 4}}.items():
        onnxviz.extract(mining_model, photos, tmp_path / name, CONV, pool=pool, format="zarr", **change)
        assert content(tmp_path / name) == content(tmp_path / "one")
    found = onnxviz.Extracted.load(tmp_path / "one")
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name][:], array)
        assert found[name].metadata.zarr_format == 3
        assert found[name].shards[0] == 6
    listed = json.loads((tmp_path / "one" / "extract.json").read_text())
    assert listed["format"] == "zarr"
    assert set(listed["files"]) == set(content(tmp_path / "one"))
    # A folder of ours is replaced without --force.
    onnxviz.extract(mining_model, photos, tmp_path / "one", CONV, pool=pool)
    assert content(tmp_path / "one") == content(tmp_path / "npy")


def test_a_stop_is_gone_on_from(
    mining_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard, done = OpenExtractionJob.shard, []

    def stop_after_two(self: OpenExtractionJob, *given: object) -> object:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(given)
        return shard(self, *given)

    with monkeypatch.context() as patch:
        patch.setattr(OpenExtractionJob, "shard", stop_after_two)
        with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
            onnxviz.extract(mining_model, photos, tmp_path / "features", CONV, format="zarr")
    with pytest.raises(OutputError, match='the option format was "zarr" and is "npy"'):
        onnxviz.extract(mining_model, photos, tmp_path / "features", CONV)
    onnxviz.extract(mining_model, photos, tmp_path / "features", CONV, format="zarr")
    onnxviz.extract(mining_model, photos, tmp_path / "whole", CONV, format="zarr")
    assert content(tmp_path / "features") == content(tmp_path / "whole")


def test_shards_take_no_more_than_they_may() -> None:
    rows = ZarrRows("a.zarr", 1000, (1280,), "float32", 256)
    assert rows.shard == 256
    maps = ZarrRows("a.zarr", 1000, (32, 112, 112), "float32", 256)
    assert maps.shard == 4  # of 1.6 MB each; 8 would take more than 8 MiB
    assert ZarrRows("a.zarr", 1000, (512, 512, 512), "float32", 256).shard == 1


def test_without_zarr_it_is_said(
    mining_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(RunError, match=r"install it with: pip install 'onnxviz\[zarr\]'"):
        onnxviz.extract(mining_model, photos, tmp_path / "features", CONV, format="zarr")
    assert not list(tmp_path.glob("features*"))
    with pytest.raises(UsageError, match="no format 'hdf5': npy, zarr"):
        onnxviz.ExtractOptions(format="hdf5")

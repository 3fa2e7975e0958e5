"""`extract` against fetched maps, and its equality, byte for byte, whatever computes it and wherever it stops."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from PIL import Image

import onnxviz
from onnxviz import files
from onnxviz.errors import InputError, OutputError, RunError, UnsupportedError, UsageError
from onnxviz.extraction import extract as extracting
from onnxviz.extraction.extraction_job import OpenExtractionJob
from onnxviz.sweeping import sweep as sweeping

FEED = onnxviz.FeedOptions(preset="zero-one")
CONV = onnxviz.ExtractOptions(layers="conv", feed=FEED)
MINED = onnxviz.MineOptions(layers="conv", feed=FEED)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extracting, "SHARD", 6)


def fetched(model: Path, photos: Path, layers: str) -> dict[str, np.ndarray]:
    """Return what a run of each picture alone fetches, `(pictures, ...)`, by the layer's name."""
    opened, found = onnxviz.open(model), dict[str, list[np.ndarray]]()
    for file in sorted(map(str, photos.rglob("*.png"))):
        for activation in opened.run(file, layers=layers, feed=FEED).values():
            found.setdefault(activation.name, []).append(activation.array[0])
    return {name: np.stack(arrays) for name, arrays in found.items()}


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".json"}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_rows_are_what_a_run_fetches(mining_model: Path, photos: Path, tmp_path: Path, dtype: str) -> None:
    maps, tolerance = fetched(mining_model, photos, "conv"), 1e-5 if dtype == "float32" else 1e-3
    whole = onnxviz.extract(mining_model, photos, tmp_path / "whole", CONV, dtype=dtype)
    assert list(whole) == ["first", "second"]
    assert whole.classes == ("a", "b")
    assert whole.pictures.class_of.tolist() == [0] * 20 + [1] * 20
    for name, array in maps.items():
        assert whole[name].dtype == dtype
        np.testing.assert_allclose(whole[name], array, rtol=tolerance, atol=tolerance)
    for pool, reduce in (("mean", np.mean), ("max", np.max)):
        pooled = onnxviz.extract(mining_model, photos, tmp_path / pool, CONV, pool=pool, dtype=dtype)
        for name, array in maps.items():
            expected = reduce(array.astype(np.float64), axis=(2, 3))
            np.testing.assert_allclose(pooled[name], expected, rtol=tolerance, atol=tolerance)
    again = onnxviz.Extracted.load(tmp_path / "mean")
    np.testing.assert_array_equal(again["first"], onnxviz.Extracted.load(tmp_path / "mean")["first"])
    assert [Path(source).name for source in again.pictures.sources][:2] == ["00.png", "01.png"]


def model_of(nodes: list[onnx.NodeProto], shape: list[object], path: Path, *weights: onnx.TensorProto) -> Path:
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "g", [x], [y], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


def tensor(name: str, array: object, dtype: object = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(array, dtype), name)


NODE = helper.make_node
FORMS = {
    # a convolution whose maps are handed on with channels last
    "channels last": (
        [NODE("Conv", ["x", "w"], ["c"], name="c"), NODE("Transpose", ["c"], ["y"], name="y", perm=[0, 2, 3, 1])],
        ["N", 3, 6, 6], [tensor("w", np.random.default_rng(3).normal(size=(4, 3, 3, 3)))], "y", (1, 2),
    ),
    "sequence": (
        [NODE("Conv", ["x", "w"], ["y"], name="y")], ["N", 3, 9],
        [tensor("w", np.random.default_rng(3).normal(size=(4, 3, 3)))], "conv", (2,),
    ),
    "volume": (
        [NODE("Conv", ["x", "w"], ["y"], name="y")], ["N", 2, 4, 5, 6],
        [tensor("w", np.random.default_rng(3).normal(size=(3, 2, 2, 2, 2)))], "conv", (2, 3, 4),
    ),
    "vector": (
        [NODE("MatMul", ["x", "w"], ["y"], name="y")], ["N", 5],
        [tensor("w", np.random.default_rng(3).normal(size=(5, 7)))], "dense", (),
    ),
    "tokens": (
        [
            NODE("MatMul", ["x", "w"], ["h"], name="h"),
            NODE("LayerNormalization", ["h", "one", "none"], ["y"], name="y", axis=-1),
        ],
        ["N", 5, 7],
        [
            tensor("w", np.random.default_rng(3).normal(size=(7, 6))), tensor("one", np.ones(6)),
            tensor("none", np.zeros(6)),
        ],
        "y", (1,),
    ),
    "bfloat16": (
        [
            NODE("Cast", ["x"], ["h"], to=onnx.TensorProto.BFLOAT16),
            NODE("Identity", ["h"], ["r"], name="r"),
            NODE("Cast", ["r"], ["y"], to=onnx.TensorProto.FLOAT),
        ],
        ["N", 3, 6, 6], [], "r", (2, 3),
    ),
    "codes": (
        [
            NODE("Conv", ["x", "w"], ["c"], name="c"), NODE("QuantizeLinear", ["c", "s", "z"], ["q"], name="q"),
            NODE("DequantizeLinear", ["q", "s", "z"], ["y"], name="d"),
        ],
        ["N", 3, 6, 6],
        [
            tensor("w", np.random.default_rng(3).normal(size=(4, 3, 3, 3))), tensor("s", 0.25),
            tensor("z", 3, np.int8),
        ],
        "q", (2, 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_layout_and_dtype(form: str, tmp_path: Path) -> None:
    nodes, shape, weights, layers, places = FORMS[form]
    model = model_of(nodes, shape, tmp_path / "model.onnx", *weights)
    batch = np.random.default_rng(4).normal(size=(5, *shape[1:])).astype(np.float32)
    np.save(tmp_path / "batch.npy", batch)
    opened = onnxviz.open(model)
    runs = [opened.run(item[None], layers=layers) for item in batch]
    expected = np.stack([next(iter(run.values())).array[0].astype(np.float32) for run in runs])
    if form == "bfloat16":
        assert set(np.unique(expected)) <= set(batch.astype(ml_dtypes.bfloat16).astype(np.float32).ravel()) | {0}
    whole = onnxviz.extract(model, tmp_path / "batch.npy", tmp_path / "whole", layers=layers)
    (array,) = whole.values()
    np.testing.assert_allclose(array, expected, rtol=1e-4, atol=1e-5)
    for pool, reduce in (("mean", np.mean), ("max", np.max)):
        (pooled,) = onnxviz.extract(
            model, tmp_path / "batch.npy", tmp_path / pool, layers=layers, pool=pool, workers=2
        ).values()
        wanted = reduce(expected.astype(np.float64), axis=places) if places else expected
        np.testing.assert_allclose(pooled, wanted, rtol=1e-5, atol=1e-6)


def test_equal_bytes_whatever_computes_it(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    (photos / "a" / "03.png").write_bytes(b"not a picture")
    changes = {"one": {}, "threads": {"workers": 3}, "batch": {"batch": 4}, "both": {"workers": 2, "batch": 5}}
    for name, change in changes.items():
        found = onnxviz.extract(mining_model, photos, tmp_path / name, CONV, **change)
        assert content(tmp_path / name) == content(tmp_path / "one")
    assert np.isnan(found["first"][3]).all()
    assert not np.isnan(np.delete(found["first"], 3, axis=0)).any()
    assert [Path(source).name for source, _ in found.failures] == ["03.png"]
    with (tmp_path / "one" / "pictures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] == "done" for row in rows] == [place != 3 for place in range(40)]
    assert [row["class"] for row in rows] == ["a"] * 20 + ["b"] * 20


def test_all_ways_to_name_pictures(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"photos/{name}/{place:02}.png\t{name}\n" for place in range(20) for name in "ba"))
    ways = {
        "folder": photos,
        "folders": [photos / "b", photos / "a"],
        "glob": str(photos / "**" / "*.png"),
        "list": f"@{listed}",
        "files": sorted(photos.rglob("*.png")),
    }
    for name, data in ways.items():
        found = onnxviz.extract(mining_model, data, tmp_path / name, CONV)
        mined = onnxviz.mine(mining_model, data, tmp_path / f"{name}-units", MINED)
        assert list(mined.pictures.sources) == list(found.pictures.sources) == [str(one) for one in ways["files"]]
        for layer, array in found.items():
            np.testing.assert_array_equal(array, onnxviz.Extracted.load(tmp_path / "folder")[layer])
        assert found.classes == (("a", "b") if name in ("folder", "glob", "list") else ())
    pixels = np.stack([np.array(Image.open(path)) for path in ways["files"]])
    np.save(tmp_path / "batch.npy", pixels)
    found = onnxviz.extract(mining_model, tmp_path / "batch.npy", tmp_path / "batch", CONV)
    np.testing.assert_array_equal(found["second"], onnxviz.Extracted.load(tmp_path / "folder")["second"])
    mined = onnxviz.mine(mining_model, tmp_path / "batch.npy", tmp_path / "batch-units", MINED)
    assert mined.pictures.sources[39] == f"{tmp_path / 'batch.npy'}[39]"


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_process_loses_nothing_that_was_done(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    script = (
        "import time; from onnxviz.extraction import extract; extract.SHARD = 6\n"
        "from onnxviz.sweeping import model_run; feed = model_run.OpenRun.feed\n"
        "def slow(*given): time.sleep(0.05); return feed(*given)\n"
        "model_run.OpenRun.feed = slow\n"
        "from onnxviz.cli import main; main()"
    )
    command = ["extract", mining_model, photos, "--layers", "conv", "--preset", "zero-one", "-o", tmp_path / "features"]
    process = subprocess.Popen([sys.executable, "-c", script, *map(str, command)], stderr=subprocess.PIPE)
    part = tmp_path / "features.part"
    while process.poll() is None and len(list(part.glob("state-*.npz"))) < 2:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    whole = onnxviz.extract(mining_model, photos, tmp_path / "whole", CONV)
    half = np.load(part / "000-first.npy", mmap_mode="r")
    assert half.shape == whole["first"].shape
    done = next(iter(part.glob("state-01-*.npz")))
    assert done.name == "state-01-00000000.npz"
    np.testing.assert_array_equal(half[:12], whole["first"][:12])
    shards: list[int] = []
    add = sweeping.ShardStore.add
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeping.ShardStore, "add", lambda *given: (shards.append(given[1]), add(*given)))
        onnxviz.extract(mining_model, photos, tmp_path / "features", CONV)
    assert set(shards).isdisjoint({0, 1})
    assert content(tmp_path / "features") == content(tmp_path / "whole")


def test_a_file_that_was_changed_is_not_gone_on_with(
    mining_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard, done = OpenExtractionJob.shard, []

    def stop_after_two(self: OpenExtractionJob, *given: object) -> object:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(given)
        return shard(self, *given)

    monkeypatch.setattr(OpenExtractionJob, "shard", stop_after_two)
    with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
        onnxviz.extract(mining_model, photos, tmp_path / "features", CONV)
    monkeypatch.undo()
    with pytest.raises(OutputError, match='the option pool was "none" and is "mean"; --restart begins anew'):
        onnxviz.extract(mining_model, photos, tmp_path / "features", CONV, pool="mean")
    (tmp_path / "features.part" / "001-second.npy").unlink()
    monkeypatch.setattr(extracting, "SHARD", 6)
    with pytest.raises(OutputError, match=r"001-second\.npy was changed or removed since: --restart begins anew"):
        onnxviz.extract(mining_model, photos, tmp_path / "features", CONV)
    onnxviz.extract(mining_model, photos, tmp_path / "features", CONV, restart=True)


def test_what_the_disk_has_no_room_for_is_refused(
    mining_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(files.shutil, "disk_usage", lambda path: usage._replace(free=100_000))
    with pytest.raises(OutputError, match="it needs 1 MB and 0 MB are free"):
        onnxviz.extract(mining_model, photos, tmp_path / "features", CONV)
    assert not list(tmp_path.glob("features*"))


def test_a_worker_has_to_see_the_folder(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    opened, dataset = extracting.begin(mining_model, photos, CONV, extracting.Observer())
    plan = extracting.planned(opened, dataset, CONV, extracting.Observer(), 6)
    work = extracting.replace(plan.job, folder=str(tmp_path / "elsewhere")).open()
    with pytest.raises(RunError, match="all workers must share the folder of results"):
        work.shard(next(dataset.shards(6)), lambda: False)


def test_what_cannot_be_extracted_is_said(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pool 'sum': none, mean, max"):
        onnxviz.extract(mining_model, photos, tmp_path / "features", pool="sum")
    with pytest.raises(UsageError, match="no dtype 'int8': float32, float16"):
        onnxviz.extract(mining_model, photos, tmp_path / "features", dtype="int8")
    with pytest.raises(InputError, match="does not hold what onnxviz extract leaves"):
        onnxviz.Extracted.load(photos)
    with pytest.raises(UnsupportedError, match="it is an input"):
        onnxviz.extract(mining_model, photos, tmp_path / "features", layers="image", feed=FEED)
    found = onnxviz.extract(mining_model, photos, tmp_path / "features", CONV)
    with pytest.raises(KeyError, match="no layer 'frist' was extracted; near: `first`"):
        found["frist"]


def test_the_command(mining_model: Path, photos: Path, tmp_path: Path, onnxviz_command) -> None:
    folder = tmp_path / "features"
    estimate = onnxviz_command("extract", mining_model, photos, "--layers", "conv", "--estimate", "--json")
    assert not folder.exists()
    result = onnxviz_command("extract", mining_model, photos, "--layers", "conv", "-o", folder, "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["schema"] == "onnxviz.extract/1"
    assert {path.name for path in folder.iterdir()} == {*document["files"], "extract.json"}
    heads = [np.load(path, mmap_mode="r").offset for path in folder.glob("*.npy")]
    written = sum(path.stat().st_size for path in folder.glob("*.npy")) - sum(heads)
    assert json.loads(estimate.out)["disk"] == written
    assert "first: 40 x 5 x 24 x 24 float32 in 000-first.npy" in result.err
    (photos / "a" / "00.png").write_bytes(b"x")
    result = onnxviz_command("extract", mining_model, photos, "-o", folder, "-q", "--pool", "mean")
    assert result.code == 4
    assert "00.png" in result.err

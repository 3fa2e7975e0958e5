"""`mine` against the same worked out of fetched maps, and its equality whatever computes it and wherever it stops."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import onnxviz
from onnxviz.errors import InputError, OutputError, UsageError
from onnxviz.mining import survey as surveying
from onnxviz.mining.mine import estimate
from onnxviz.sweeping import beginning
from onnxviz.sweeping import sweep as sweeping

CONV = onnxviz.MineOptions(layers="conv", count=4, feed=onnxviz.FeedOptions(preset="zero-one"))


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveying, "SHARD", 6)


def options(**changes: object) -> onnxviz.MineOptions:
    from dataclasses import replace

    return replace(CONV, **changes)


def assert_equal(first: onnxviz.Mined, second: onnxviz.Mined) -> None:
    for name, array in first.state.as_arrays().items():
        assert array.tobytes() == second.state.as_arrays()[name].tobytes(), name


def table_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def maps_of(model: Path, photos: Path) -> dict[str, np.ndarray]:
    files = sorted(str(path) for path in photos.rglob("*.png"))
    opened = onnxviz.open(model)
    taps = {"c1": "op", "r1": "act", "c2": "act"}
    found: dict[str, list[np.ndarray]] = {value: [] for value in taps}
    for file in files:
        run = opened.run(file, layers=["c1", "r1", "c2"], feed=CONV.feed)
        for activation in run.values():
            found[activation.value].append(activation.array[0])
    return {value: np.stack(arrays) for value, arrays in found.items()}


def test_it_finds_what_the_fetched_maps_say(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    mined = onnxviz.mine(mining_model, photos, tmp_path / "units", CONV)
    maps = maps_of(mining_model, photos)
    assert list(mined) == ["first", "second"]
    for name, ranked, value in (("first", "c1", "r1"), ("second", "c2", "c2")):
        flat = maps[ranked].reshape(*maps[ranked].shape[:2], -1)
        greatest, place = flat.max(axis=2), flat.argmax(axis=2)
        mean = maps[value].mean(axis=(2, 3), dtype=np.float64)
        units = mined[name]
        for unit in range(len(units)):
            order = np.lexsort((np.arange(40), -mean[:, unit].astype(np.float32), -greatest[:, unit]))[:4]
            top = units.top(unit)
            assert [patch.value for patch in top] == pytest.approx(greatest[order, unit].tolist(), rel=1e-6)
            width = maps[ranked].shape[3]
            assert [patch.place for patch in top] == [divmod(int(place[one, unit]), width) for one in order]
            assert [Path(patch.file).parent.name for patch in top] == [patch.class_name for patch in top]
        statistics = units.statistics
        np.testing.assert_allclose(statistics.mean, mean.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(statistics.std, mean.std(axis=0), rtol=1e-3)
        np.testing.assert_allclose(statistics.max_mean, greatest.mean(axis=0, dtype=np.float64), rtol=1e-5)
        np.testing.assert_allclose(statistics.alive, (greatest > 0).mean(axis=0))
        ceiling = 6 if name == "first" else np.inf
        np.testing.assert_allclose(statistics.full, (greatest >= ceiling).mean(axis=0))
        exact = np.quantile(greatest, 0.9, axis=0, method="inverted_cdf")
        np.testing.assert_allclose(statistics.quantile(0.9)[exact > 0], exact[exact > 0], rtol=0.063)
        by_class = np.stack([mean[:20].mean(axis=0), mean[20:].mean(axis=0)])
        np.testing.assert_array_equal(statistics.best_class, by_class.argmax(axis=0))
        if name == "first":
            high, low = by_class.max(axis=0), by_class.min(axis=0)
            np.testing.assert_allclose(statistics.selectivity, (high - low) / (high + low), rtol=1e-4)


def test_a_place_sees_what_its_region_says(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    model = onnxviz.open(mining_model)
    mined = onnxviz.mine(model, photos, tmp_path / "units", CONV)
    fed = model.feed(photos / "a" / "00.png", CONV.feed)
    for name in mined:
        for unit in range(len(mined[name])):
            for patch in mined[name].top(unit):
                region = model.region(name, patch.place, fed).box
                assert patch.box is not None
                top, left, bottom, right = patch.box
                clipped = (max(top, 0), min(bottom, 24) - 1), (max(left, 0), min(right, 24) - 1)
                assert tuple(tuple(side) for side in region) == clipped


def test_equal_bits_whatever_computes_it(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    first = onnxviz.mine(mining_model, photos, tmp_path / "one", CONV)
    for name, changes in {"threads": {"workers": 3}, "batch": {"batch": 4}, "both": {"workers": 2, "batch": 5}}.items():
        assert_equal(first, onnxviz.mine(mining_model, photos, tmp_path / name, options(**changes)))
    assert_equal(first, onnxviz.Mined.load(tmp_path / "one"))
    table = table_of(tmp_path / "one" / "units.csv")
    assert len(table) == 9
    assert float(table[0]["mean"]) == pytest.approx(first["first"].statistics.mean[0], rel=1e-5)


def test_it_goes_on_where_it_stopped(
    mining_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = onnxviz.mine(mining_model, photos, tmp_path / "whole", CONV)
    add, added = sweeping.ShardStore.add, []

    def stop_after_three(store: object, number: int, result: object) -> None:
        if len(added) == 3:
            raise KeyboardInterrupt
        added.append(number)
        add(store, number, result)

    monkeypatch.setattr(sweeping.ShardStore, "add", stop_after_three)
    with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
        onnxviz.mine(mining_model, photos, tmp_path / "units", CONV)
    part = tmp_path / "units.part"
    assert not (tmp_path / "units").exists()
    assert len(list(part.glob("state-*.npz"))) == 2  # shards 0 and 1 merged, and 2

    with pytest.raises(OutputError, match=r"cannot go on .*: the option k was 4 and is 3; --restart begins anew"):
        onnxviz.mine(mining_model, photos, tmp_path / "units", options(count=3))
    monkeypatch.setattr(
        sweeping.ShardStore, "add", lambda store, number, result: (added.append(number), add(store, number, result))
    )
    assert_equal(whole, onnxviz.mine(mining_model, photos, tmp_path / "units", options(workers=2)))
    assert sorted(added) == list(range(7))
    assert not part.exists()


def test_it_begins_anew_if_asked(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    part = tmp_path / "units.part"
    part.mkdir()
    (part / "plan.json").write_text(json.dumps({"schema": "onnxviz.plan/1", "command": {"onnxviz": "0"}}))
    (part / "state-00-00000000.npz").write_bytes(b"")
    with pytest.raises(OutputError, match="the version of onnxviz is another"):
        onnxviz.mine(mining_model, photos, tmp_path / "units", CONV)
    onnxviz.mine(mining_model, photos, tmp_path / "units", options(restart=True))
    assert not part.exists()


def test_broken_and_odd_pictures_are_listed(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    (photos / "a" / "03.png").write_bytes(b"not a picture")
    (photos / "b" / "07.png").write_bytes((photos / "b" / "08.png").read_bytes()[:200])
    (photos / "b" / "zz.png").touch()
    mined = onnxviz.mine(mining_model, photos, tmp_path / "units", CONV)
    assert [Path(source).name for source, _ in mined.failures] == ["03.png", "07.png", "zz.png"]
    assert mined["first"].statistics.pictures.tolist() == [38] * 5
    rows = table_of(tmp_path / "units" / "pictures.csv")
    assert sum(row["status"] == "done" for row in rows) == 38
    assert_equal(mined, onnxviz.mine(mining_model, photos, tmp_path / "again", options(workers=2, batch=3)))


def test_a_picture_that_changes_is_left_out(
    mining_model: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = beginning.command_facts

    def touching(*arguments: object) -> object:
        os.utime(photos / "b" / "05.png", (1, 1))
        return find(*arguments)

    monkeypatch.setattr(beginning, "command_facts", touching)
    mined = onnxviz.mine(mining_model, photos, tmp_path / "units", CONV)
    ((source, reason),) = mined.failures
    assert source.endswith("05.png")
    assert "has changed" in reason


def test_nothing_but_broken_pictures(mining_model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.png").write_bytes(b"x")
    with pytest.raises(InputError, match="none of the 1 pictures can be fed"):
        onnxviz.mine(mining_model, tmp_path / "bad", tmp_path / "units", CONV)
    with pytest.raises(InputError, match="holds no pictures"):
        (tmp_path / "empty").mkdir()
        onnxviz.mine(mining_model, tmp_path / "empty", tmp_path / "units", CONV)
    assert not list(tmp_path.glob("units*"))


def test_not_finite_pictures_are_counted(mining_model: Path, tmp_path: Path) -> None:
    batch = np.random.default_rng(2).random((9, 3, 24, 24)).astype(np.float32)
    batch[4, :, 5, 5] = np.nan
    np.save(tmp_path / "batch.npy", batch)
    mined = onnxviz.mine(mining_model, tmp_path / "batch.npy", tmp_path / "units", onnxviz.MineOptions(layers="first"))
    assert mined["first"].statistics.irregular.tolist() == [1] * 5
    assert mined["first"].statistics.pictures.tolist() == [8] * 5
    assert not any(patch.file.endswith("[4]") for patch in mined["first"].top(0))


def test_folders_of_ours_are_replaced_and_others_are_not(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    onnxviz.mine(mining_model, photos, tmp_path / "units", CONV)
    onnxviz.mine(mining_model, photos, tmp_path / "units", CONV)
    (tmp_path / "units" / "mine.txt").touch()
    with pytest.raises(OutputError, match="did not make"):
        onnxviz.mine(mining_model, photos, tmp_path / "units", CONV)
    onnxviz.mine(mining_model, photos, tmp_path / "units", options(force=True))
    with pytest.raises(OutputError, match="is or holds"):
        onnxviz.mine(mining_model, photos, photos, CONV)


def test_an_estimate_writes_nothing(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    found = estimate(mining_model, photos, CONV)
    assert (found.pictures, found.channels, found.layers, found.shards) == (40, 9, 2, 7)
    assert found.seconds is not None
    assert sorted(tmp_path.rglob("*")) == before


def test_one_picture_at_a_time_is_said(doubling_model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 1, 2, 2), np.float32))
    with pytest.raises(UsageError, match="--batch"):
        onnxviz.mine(doubling_model, tmp_path / "x.npy", tmp_path / "units", onnxviz.MineOptions(batch=2))
    assert len(onnxviz.mine(doubling_model, tmp_path / "x.npy", tmp_path / "units")) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_process_loses_nothing_that_was_done(
    mining_model: Path, photos: Path, tmp_path: Path, how: signal.Signals
) -> None:
    script = (
        "import signal, sys, time; from onnxviz.mining import survey; survey.SHARD = 6\n"
        # What a shell starts in the background ignores an interrupt.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from onnxviz.sweeping import model_run; feed = model_run.OpenRun.feed\n"
        "def slow(*given): time.sleep(0.05); return feed(*given)\n"
        "model_run.OpenRun.feed = slow\n"
        "from onnxviz.cli import main; main()"
    )
    command = [mining_model, photos, "--layers", "conv", "-k", "4", "--preset", "zero-one", "-o", tmp_path / "units"]
    command += ["--workers", "2"]
    process = subprocess.Popen([sys.executable, "-c", script, "mine", *map(str, command)], stderr=subprocess.PIPE)
    part = tmp_path / "units.part"
    while process.poll() is None and len(list(part.glob("state-*.npz"))) < 2:
        time.sleep(0.02)
    process.send_signal(how)
    _, said = process.communicate()
    assert process.returncode == (130 if how == signal.SIGINT else -9), said
    left = {path.name for path in part.glob("state-*.npz")}
    assert left
    if how == signal.SIGINT:
        assert b"the same command goes on" in said
    added: list[int] = []
    add = sweeping.ShardStore.add
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sweeping.ShardStore, "add", lambda *given: (added.append(given[1]), add(*given)))
        resumed = onnxviz.mine(mining_model, photos, tmp_path / "units", CONV)
    assert len(added) < 7
    assert_equal(resumed, onnxviz.mine(mining_model, photos, tmp_path / "whole", CONV))


def test_the_command(mining_model: Path, photos: Path, tmp_path: Path, onnxviz_command) -> None:
    result = onnxviz_command("mine", mining_model, photos, "--layers", "conv", "-o", tmp_path / "units", "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert document["schema"] == "onnxviz.mine/1"
    assert document["classes"] == ["a", "b"]
    assert [layer["before"] and layer["before"]["op"] for layer in document["layers"]] == ["Clip", None]
    assert "9 units of 2 layers over 40 pictures" in result.err
    (photos / "a" / "00.png").write_bytes(b"x")
    result = onnxviz_command("mine", mining_model, photos, "-o", tmp_path / "units", "-q")
    assert result.code == 4
    assert "00.png" in result.err
    result = onnxviz_command("mine", mining_model, photos, "--estimate")
    assert result.code == 0
    assert "40 pictures, 9 channels of 2 layers" in result.out or "13 channels" in result.out


def test_sheets_show_the_field_where_it_is_small(mining_model: Path, photos: Path, tmp_path: Path) -> None:
    """The strongest patch of a 3x3 convolution is the nine pixels around its place, from the file."""
    mined = onnxviz.mine(mining_model, photos, tmp_path / "units", CONV)
    first = mined.document["layers"][0]
    (sheet,) = first["sheets"]
    assert sheet["units"] == [0, 1, 2, 3, 4]
    pixels = np.asarray(Image.open(tmp_path / "units" / sheet["file"])).astype(int)
    for place, unit in enumerate(sheet["units"]):
        (best, *_) = mined["first"].top(unit)
        original = np.pad(np.asarray(Image.open(best.file)).astype(int), ((1, 1), (1, 1), (0, 0)), constant_values=-1)
        assert best.box is not None
        patch = original[best.box[0] + 1 : best.box[2] + 1, best.box[1] + 1 : best.box[3] + 1]
        top, left = sheet["corners"][place]
        shown = pixels[top + 6 : top + 36 : 12, left + 6 : left + 36 : 12]
        assert np.abs(shown - patch)[patch >= 0].mean() < 25  # a JPEG of noise
    assert mined["first"].sheet([1, 3]).size == (2 * (74 - 1 + 14) + 14, sheet["cell"][0] + 2 * 14)
    assert onnxviz.Mined.load(tmp_path / "units").sheet("first").size[0] > 300


def test_sheets_light_the_picture_where_the_field_is_large(bundled_model: Path, cat: Path, tmp_path: Path) -> None:
    options = onnxviz.MineOptions(layers="head/conv", count=2, theme="light")
    mined = onnxviz.mine(bundled_model, cat.parent, tmp_path / "units", options)
    alive = int((~mined["head/conv"].statistics.dead).sum())
    assert mined.document["second_look"] == {"checked": 2 * alive, "different": 0}
    sheets = mined.document["layers"][0]["sheets"]
    assert sum(len(sheet["units"]) for sheet in sheets) == 1280 - int(mined["head/conv"].statistics.dead.sum())
    assert {path.name for path in (tmp_path / "units" / "sheets").iterdir()} == {Path(s["file"]).name for s in sheets}
    unit = sheets[0]["units"][0]
    best = mined["head/conv"].top(unit)[0]
    tile = np.asarray(mined["head/conv"].sheet([unit]))[14:62, 14:62].astype(float)
    fed = onnxviz.open(bundled_model).feed(best.file).main.picture
    thumb = np.asarray(Image.fromarray(fed).resize((48, 48), Image.Resampling.BILINEAR)).astype(float)
    share = tile.sum(axis=2) / np.maximum(thumb.sum(axis=2), 30)
    row, column = (min(47, round((index + 0.5) / 7 * 48)) for index in best.place)
    assert share[max(0, row - 2) : row + 3, max(0, column - 2) : column + 3].mean() > 0.85
    assert share.min() < 0.7


@pytest.mark.parametrize("order", ["strength", "selectivity", "class"])
def test_orders_of_sheets(mining_model: Path, photos: Path, tmp_path: Path, order: str) -> None:
    mined = onnxviz.mine(mining_model, photos, tmp_path / "units", options(order=order))
    (sheet,) = mined.document["layers"][0]["sheets"]
    units = mined["first"]
    keys = {
        "strength": -units.statistics.high,
        "selectivity": -units.statistics.selectivity,
        "class": units.purity()[0].astype(float),
    }[order]
    assert sorted(sheet["units"]) == [0, 1, 2, 3, 4]
    assert (np.diff(keys[sheet["units"]]) >= 0).all()


def test_dead_units_are_named_and_on_no_sheet(tmp_path: Path, doubling_model: Path) -> None:
    (tmp_path / "photos").mkdir()
    for shade in (10, 200):
        Image.new("L", (2, 2), shade).save(tmp_path / "photos" / f"{shade}.png")
    mined = onnxviz.mine(doubling_model, tmp_path / "photos", tmp_path / "units", onnxviz.MineOptions(layers="conv"))
    assert mined["conv"].statistics.dead.tolist() == [False, True]
    assert [sheet["units"] for sheet in mined.document["layers"][0]["sheets"]] == [[0]]
    with pytest.raises(UsageError, match="is on a sheet"):
        mined["conv"].sheet([1])

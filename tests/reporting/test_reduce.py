from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxviz
from onnxviz.activations import Activation, Activations
from onnxviz.reporting.reduce import halve, halve_extras
from onnxviz.reporting.report import Report, ReportOptions

Reader = Callable[[Path], Any]


def write(path: Path, size: int, **maps: np.ndarray) -> Report:
    items = [Activation(name, name, "act", array) for name, array in maps.items()]
    return onnxviz.report(Activations(items), path, options=ReportOptions(size=size, force=True))


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


@pytest.fixture
def empty_size(tmp_path: Path) -> int:
    """The size of a report that holds next to nothing."""
    write(tmp_path / "empty.html", 10**9, conv=noise(1, 1, 2, 2))
    return (tmp_path / "empty.html").stat().st_size


def test_boxes_worked_out_on_paper() -> None:
    assert halve(np.array([[[0, 10, 7], [20, 31, 8], [4, 5, 9]]], np.uint8)).tolist() == [[[15, 8], [5, 9]]]
    assert halve(np.array([[250, 255, 3]], np.uint8)).tolist() == [[253, 3]]
    assert halve(np.array([[[1, 2, 5, 6]]], np.uint8)).tolist() == [[[2, 6]]]
    # A box with NaN, or with both infinities, is NaN: what the mean would be.
    marks = np.array([[[0, 0, 2, 0, 2, 3, 1, 2], [0, 0, 0, 0, 0, 0, 0, 0]]], np.uint8)
    assert halve_extras(marks).tolist() == [[[0, 2, 1, 1]]]


def test_weak_channels_go_first(tmp_path: Path, empty_size: int, read_report: Reader) -> None:
    maps = noise(1, 64, 32, 32)
    maps[0] *= np.where(np.arange(64) % 2, 10, 1)[:, None, None]
    done = write(tmp_path / "r.html", empty_size + 50_000, conv=maps, small=noise(1, 4, 8, 8))
    assert (tmp_path / "r.html").stat().st_size <= empty_size + 50_000
    report = read_report(tmp_path / "r.html")
    large, small = report.index["layers"]
    assert (large["channels"], large["halved"], large["extent"]) == (64, 0, [32, 32])
    assert 24 <= len(large["kept"]) <= 40
    odd = [channel for channel in large["kept"] if channel % 2]
    assert len(odd) == min(32, len(large["kept"]))
    assert large["kept"] == sorted(large["kept"])
    assert small["kept"] == [0, 1, 2, 3]
    assert np.abs(report.values(0) - maps[0, large["kept"]]).max() <= 10 / 512 * 1.001
    assert report.numbers(0, "high").tolist() == maps[0, large["kept"]].max(axis=(1, 2)).tolist()
    assert done.left_out == report.index["left_out"]
    assert done.left_out.startswith(
        "To keep the file small, only the channels that vary most are kept in 1 of 2 layers"
    )


def test_then_maps_are_halved(tmp_path: Path, empty_size: int, read_report: Reader) -> None:
    maps = noise(1, 20, 33, 64)
    maps[0, 3, 0, 0] = np.nan
    done = write(tmp_path / "r.html", empty_size + 16_000, conv=maps)
    assert (tmp_path / "r.html").stat().st_size <= empty_size + 16_000
    report = read_report(tmp_path / "r.html")
    (layer,) = report.index["layers"]
    assert (layer["halved"], layer["extent"]) == (1, [17, 32])
    assert "the maps of 1 of 1 layers are halved" in done.left_out
    padded = np.pad(maps[0], ((0, 0), (0, 1), (0, 0)), mode="edge").reshape(20, 17, 2, 32, 2)
    means = padded.mean(axis=(2, 4))[layer["kept"]]
    values = report.values(0)
    assert np.array_equal(np.isnan(values), np.isnan(means))
    assert np.nanmax(np.abs(values - means)) <= 1 / 256 * 1.001


def test_the_mean_of_what_was_cut_is_exact(tmp_path: Path, empty_size: int, read_report: Reader) -> None:
    maps = np.maximum(noise(1, 20, 32, 64) - 0.8, 0)
    write(tmp_path / "r.html", empty_size + 12_000, conv=maps)
    report = read_report(tmp_path / "r.html")
    (layer,) = report.index["layers"]
    assert layer["halved"] == 1
    means = maps[0].reshape(20, 16, 2, 32, 2).mean(axis=(2, 4))[layer["kept"]]
    assert np.array_equal(report.values(0) == 0, means == 0)
    assert (means == 0).mean() > 0.2


def test_vectors_stay_whole_and_what_cannot_shrink_says_so(tmp_path: Path, read_report: Reader) -> None:
    done = write(tmp_path / "r.html", 1, conv=noise(1, 40, 32, 32), scores=noise(1, 500, 1, 1))
    report = read_report(tmp_path / "r.html")
    assert [len(layer["kept"]) for layer in report.index["layers"]] == [1, 500]
    assert "larger than was asked for" in done.left_out


def test_a_channel_that_is_strong_in_one_run_stays(tmp_path: Path, empty_size: int, read_report: Reader) -> None:
    runs = {}
    for name, strong in (("cat", 5), ("dog", 50)):
        maps = noise(1, 64, 32, 32)
        maps[0, strong] *= 100
        runs[name] = Activations([Activation("conv", "conv", "act", maps)])
    options = ReportOptions(size=empty_size + 70_000)
    onnxviz.report(runs, tmp_path / "r.html", options=options)
    (layer,) = read_report(tmp_path / "r.html").index["layers"]
    assert len(layer["kept"]) < 40
    assert {5, 50} <= set(layer["kept"])

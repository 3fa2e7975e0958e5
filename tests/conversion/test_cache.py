"""Converted models are kept: once for the same source, anew when anything differs, bounded, cleared by a command."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxviz.conversion import cache
from onnxviz.conversion.cache import cached
from onnxviz.conversion.convert_options import ConvertOptions
from onnxviz.conversion.source import ConversionSource
from onnxviz.errors import ModelError, OutputError

from .conftest import StandIn

Make = Callable[[str], StandIn]

# What TensorFlow computed: the doubling model's outputs for ones, 2 and 0 by hand.
AGREES = (
    "import numpy\n"
    "values = numpy.array([2, 0], 'f').reshape(1, 2, 1, 1)\n"
    "numpy.savez(request['reference'], i=numpy.ones((1, 1, 2, 2), 'f'), o=values)\n"
    "entry = {'tensor': 'y', 'key': 'o', 'output': True, 'repeats': True, 'rounding': 0, 'step': 0}\n"
    "good(reference={'inputs': {'x': 'i'}, 'values': [entry]})"
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ONNXVIZ_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def made(stand_in: Make) -> StandIn:
    return stand_in("good()")


def options(made: StandIn, **more: Any) -> ConvertOptions:
    return ConvertOptions(python=made.program, verify=False, **more)


def test_a_source_is_converted_once(made: StandIn, lite_file: Path, folder: Path, doubling_model: Path) -> None:
    first = cached(lite_file, options(made))
    assert first.converted is not None
    assert first.path.parent.parent == folder
    assert first.path.read_bytes() == doubling_model.read_bytes()
    assert first.path.name == "net.onnx"
    again = cached(lite_file, options(made))
    assert (again.path, again.converted) == (first.path, None)
    assert len(made.requests()) == 1


def test_what_differs_is_converted_anew(made: StandIn, lite_file: Path) -> None:
    paths = {cached(lite_file, options(made)).path}
    paths.add(cached(lite_file, options(made, opset=15)).path)
    made.versions.write_text("tensorflow 0.1")
    paths.add(cached(lite_file, options(made)).path)
    lite_file.write_bytes(lite_file.read_bytes() + b"x")
    paths.add(cached(lite_file, options(made)).path)
    assert (len(paths), len(made.requests())) == (4, 4)


def test_every_file_of_a_source_counts(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    (folder / "variables").mkdir(parents=True)
    for name in ("saved_model.pb", "variables/variables.index", "net.meta", "net.index", "net.data-00000-of-00001"):
        (folder / name).write_bytes(b"1")
    (folder / "other.data").write_bytes(b"1")
    for source, changed, counts in (
        (ConversionSource(folder, "saved_model"), "variables/variables.index", True),
        (ConversionSource(folder / "net.meta", "checkpoint"), "net.data-00000-of-00001", True),
        (ConversionSource(folder / "net.meta", "checkpoint"), "other.data", False),
    ):
        before = cache.digest(source, ConvertOptions())
        assert before == cache.digest(source, ConvertOptions(force=True))
        (folder / changed).write_bytes(b"2")
        assert (cache.digest(source, ConvertOptions()) != before) == counts
        (folder / changed).write_bytes(b"1")


def test_where_a_file_of_a_source_lies_counts(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
    (folder / "a" / "words.txt").write_bytes(b"1")
    before = cache.digest(ConversionSource(folder, "saved_model"), ConvertOptions())
    (folder / "a" / "words.txt").rename(folder / "b" / "words.txt")
    assert cache.digest(ConversionSource(folder, "saved_model"), ConvertOptions()) != before


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads all")
def test_a_part_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    for name in ("saved_model.pb", "variables/weights"):
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / "variables" / "weights").chmod(0)
    with pytest.raises(ModelError, match=r"weights' cannot be read: Permission denied"):
        cached(tmp_path)


def test_a_part_that_vanishes_meanwhile_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"1")
    monkeypatch.setattr(ConversionSource, "files", (tmp_path / "gone",))
    with pytest.raises(ModelError, match=r"gone' cannot be read: No such file"):
        cached(tmp_path)


def test_a_source_that_fails_leaves_nothing(stand_in: Make, lite_file: Path, folder: Path) -> None:
    made = stand_in('report(error={"kind": "model", "text": "it is cut short"})')
    with pytest.raises(ModelError, match="cut short"):
        cached(lite_file, options(made))
    assert list(folder.iterdir()) == []


def test_what_was_used_longest_ago_goes_first(made: StandIn, lite_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = []
    for opset in (13, 14, 15):
        paths.append(cached(lite_file, options(made, opset=opset)).path)
        os.utime(paths[-1], (opset, opset))
    cached(lite_file, options(made, opset=13))  # used just now
    monkeypatch.setattr(cache, "LIMIT", 3 * paths[0].stat().st_size)
    paths.append(cached(lite_file, options(made, opset=16)).path)
    assert [path.exists() for path in paths] == [True, False, True, True]
    assert not paths[1].parent.exists()


def test_a_model_larger_than_the_bound_is_kept_alone(
    made: StandIn, lite_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = cached(lite_file, options(made)).path
    monkeypatch.setattr(cache, "LIMIT", 1)
    new = cached(lite_file, options(made, opset=13)).path
    assert (old.exists(), new.exists()) == (False, True)


def test_a_command_clears_it_and_nothing_else(
    made: StandIn, lite_file: Path, folder: Path, onnxviz_command: Callable[..., Any]
) -> None:
    cached(lite_file, options(made))
    cached(lite_file, options(made, opset=13))
    names = ["mine", "0123456789abcdef0123456789abcdef", "onnxviz-notes"]
    for name in names:
        (folder / name).mkdir()
        (folder / name / "my.onnx").write_bytes(b"1")
    (folder / f"onnxviz-{'0' * 32}").write_bytes(b"1")
    done = onnxviz_command("convert", "--clear-cache")
    assert done.code == 0
    assert done.out.startswith("removed 2 converted models, ")
    assert str(folder) in done.out
    assert {path.name for path in folder.iterdir()} == {*names, f"onnxviz-{'0' * 32}"}


def test_commands_take_sources_by_the_cache(
    stand_in: Make,
    lite_file: Path,
    onnxviz_command: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    made = stand_in(AGREES)
    monkeypatch.setenv("ONNXVIZ_TF_PYTHON", str(made.program))
    monkeypatch.chdir(tmp_path)
    first = onnxviz_command("layers", lite_file)
    assert first.code == 0, first.err
    assert "converted into the cache: " in first.err
    assert "conv" in first.out
    for command in (["layers"], ["expose", "--layers", "conv"], ["view", "--random", "--no-html"]):
        done = onnxviz_command(command[0], lite_file, *command[1:])
        assert done.code == 0, done.err
        assert "converted before: " in done.err and "--clear-cache" in done.err
    assert len(made.requests()) == 1
    assert "converted" not in onnxviz_command("layers", lite_file, "-q").err


def test_what_another_process_converts_into_stays(folder: Path) -> None:
    (folder / f"onnxviz-{'1' * 32}").mkdir(parents=True)
    half = folder / f"onnxviz-{'2' * 32}"
    half.mkdir()
    (half / "net.onnx.part").write_bytes(b"1")
    assert cache.clear() == (0, 0)
    assert len(list(folder.iterdir())) == 2
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(half, (two_days_ago, two_days_ago))  # its process was killed
    assert cache.clear() == (1, 1)
    assert [path.name[-1] for path in folder.iterdir()] == ["1"]


def test_no_command_writes_over_its_source(
    stand_in: Make, onnxviz_command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ONNXVIZ_TF_PYTHON", str(stand_in(AGREES).program))
    monkeypatch.chdir(tmp_path)
    saved, lite = tmp_path / "saved", tmp_path / "net.tflite"
    (saved / "variables").mkdir(parents=True)
    (saved / "saved_model.pb").write_bytes(b"1")
    (saved / "variables" / "weights").write_bytes(b"2")
    lite.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(64))
    for command in (
        ("expose", lite, "-o", lite),
        ("expose", saved, "-o", saved / "variables" / "weights"),
        ("expose", saved, "-o", saved / "new.onnx"),
        ("view", lite, "--random", "--html", lite),
        ("view", saved, "--random", "--raw", saved / "raw.npz"),
        ("view", saved, "--random", "-o", saved),
        ("view", saved, "--random", "-o", saved / "variables"),
        ("view", saved, "--random", "-o", saved / "maps"),
        ("convert", lite, "-o", lite),
        ("convert", saved, "-o", saved / "model.onnx"),
        ("convert", saved, "-o", saved / "variables" / "weights"),
    ):
        done = onnxviz_command(*command, "--force")
        assert (done.code, "give another name" in done.err or "another place" in done.err) == (6, True), done.err
    assert lite.read_bytes() == b"\x1c\x00\x00\x00TFL3" + bytes(64)
    assert sorted(path.name for path in saved.rglob("*")) == ["saved_model.pb", "variables", "weights"]


def test_a_view_names_the_source_that_was_given(
    stand_in: Make,
    lite_file: Path,
    onnxviz_command: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("ONNXVIZ_TF_PYTHON", str(stand_in(AGREES).program))
    assert onnxviz_command("view", lite_file, "--random", "-o", tmp_path / "maps").code == 0
    assert json.loads((tmp_path / "maps" / "view.json").read_text("utf-8"))["model"] == str(lite_file)


def test_a_cache_that_cannot_be_made_is_said(
    made: StandIn, lite_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONNXVIZ_CACHE", str(lite_file / "below"))
    with pytest.raises(OutputError, match=r"the cache .* cannot be made: Not a directory; ONNXVIZ_CACHE names another"):
        cached(lite_file, options(made))


@pytest.mark.parametrize(
    ("platform", "variables", "place"),
    [
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/onnxviz/converted"),
        ("linux", {"XDG_CACHE_HOME": ""}, "/home/me/.cache/onnxviz/converted"),
        ("darwin", {}, "/home/me/Library/Caches/onnxviz/converted"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/onnxviz/converted"),
    ],
)
def test_it_lies_where_each_system_keeps_such_things(
    platform: str, variables: dict[str, str], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ONNXVIZ_CACHE")
    monkeypatch.setattr("sys.platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/me"))
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert cache.cache_folder() == Path(place)

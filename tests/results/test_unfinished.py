"""A command of several inputs that is interrupted, killed, and goes on."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import onnxviz
from onnxviz.activations import Activations
from onnxviz.draw.style import Style
from onnxviz.errors import OutputError
from onnxviz.feed.feed import Feed
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.results.observer import Observer
from onnxviz.results.record import LayerRecord, RunRecord
from onnxviz.viewing.options import ViewOptions
from tests.models import model_of

TEXT = """g (float[1,1,H,W] x) => (float[1,2,H,W] y) <float[2,1,1,1] w = {2, -1}> {
    [conv] a = Conv (x, w)
    y = Relu (a)
}"""
COUNT = 5


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return model_of(tmp_path / "m.onnx", TEXT).path


@pytest.fixture
def inputs(tmp_path: Path) -> list[Path]:
    """Five arrays; the one in the middle cannot be read."""
    folder = tmp_path / "in"
    folder.mkdir()
    for place in range(COUNT):
        np.save(folder / f"{place}.npy", np.random.default_rng(place).normal(size=(1, 1, 9, 9)).astype(np.float32))
    (folder / "2.npy").write_bytes(b"no array")
    return sorted(folder.iterdir())


class Stops(Observer):
    """Interrupts while the layer of a run is drawn, or when the run has ended."""

    def __init__(self, run: int, *, ended: bool = False, stop: Callable[[], None] | None = None) -> None:
        self.notes: list[str] = []
        self._run, self._ended = run, ended
        self._stop = stop or self._interrupt
        self._begun = -1

    @staticmethod
    def _interrupt() -> None:
        raise KeyboardInterrupt

    def started(self, feed: Feed, layers: int, map_bytes: int) -> None:
        self._begun += 1

    def drawn(self, layer: LayerRecord) -> None:
        if self._begun == self._run and not self._ended:
            self._stop()

    def ended(self, run: RunRecord, layers: object, folder: Path) -> None:
        if self._begun == self._run and self._ended:
            self._stop()

    def noted(self, text: str) -> None:
        self.notes.append(text)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name not in ("in", "m.onnx"))


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize(
    "options",
    [
        ViewOptions(),
        ViewOptions(same_scale=True, style=Style(scale="percentile", theme="light")),
        ViewOptions(html=False, format="jpg", style=Style(bare=True)),
    ],
)
def test_what_goes_on_equals_what_was_never_interrupted(
    model: Path, inputs: list[Path], tmp_path: Path, options: ViewOptions, ended: bool
) -> None:
    whole, maps = tmp_path / "whole", tmp_path / "maps"
    onnxviz.view(model, inputs, whole, replace(options, raw=tmp_path / "whole.npz"))
    options = replace(options, raw=tmp_path / "maps.npz", resume=True)
    done = [0, 0]
    for place, run in enumerate((1, 1)):
        with pytest.raises(KeyboardInterrupt) as stopped:
            onnxviz.view(model, inputs, maps, options, Stops(run, ended=ended))
        done[place] = (1 + ended) * (place + 1)
        assert f"{done[place]} of 5 inputs are done and kept in {maps}.unfinished" in str(stopped.value)
        assert "--resume" in str(stopped.value)
        assert names(tmp_path) == ["maps.unfinished", "whole", "whole.npz"]
        folders = [path.name for path in (tmp_path / "maps.unfinished").iterdir() if path.is_dir()]
        assert len(folders) == done[place]
        if done[place] == 4:
            break
    last = Stops(-2)
    record = onnxviz.view(model, inputs, maps, options, last)
    assert last.notes == [f"{done[1]} of 5 inputs are done and kept"]
    assert files(maps) == files(whole)
    assert [run.directory for run in record.runs] == ["000-0", "001-1", "002-3", "003-4"]
    assert [Path(source).name for source, _ in record.failures] == ["2.npy"]
    ours, theirs = Activations.load(tmp_path / "maps.npz"), Activations.load(tmp_path / "whole.npz")
    assert list(ours) == list(theirs)
    assert all(np.array_equal(ours[name].array, theirs[name].array) for name in ours)
    assert names(tmp_path) == ["maps", "maps.npz", "whole", "whole.npz"]


def view_and_die(model: Path, inputs: list[Path], maps: Path, options: ViewOptions, ended: bool) -> None:
    onnxviz.view(model, inputs, maps, options, Stops(2, ended=ended, stop=lambda: os.kill(os.getpid(), signal.SIGKILL)))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("ended", [False, True])
def test_a_process_that_is_killed_leaves_what_is_done(
    model: Path, inputs: list[Path], tmp_path: Path, ended: bool
) -> None:
    whole, maps = tmp_path / "whole", tmp_path / "maps"
    options = ViewOptions(same_scale=True, resume=True)
    onnxviz.view(model, inputs, whole, options)
    process = multiprocessing.get_context("spawn").Process(
        target=view_and_die, args=(model, inputs, maps, options, ended)
    )
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert names(tmp_path) == ["maps.unfinished", "whole"]
    ear = Stops(-2)
    onnxviz.view(model, inputs, maps, options, ear)
    assert ear.notes == [f"{2 + ended} of 5 inputs are done and kept"]
    assert files(maps) == files(whole)
    assert names(tmp_path) == ["maps", "whole"]


@pytest.fixture
def interrupted(model: Path, inputs: list[Path], tmp_path: Path) -> Callable[..., Any]:
    """Interrupt a command after two inputs, and return what repeats it."""

    def repeat(*, to: Path = tmp_path / "maps", given: Any = None, **options: Any) -> Any:
        given = ViewOptions(**{"layers": "conv", "html": False, "resume": True, **options})
        return onnxviz.view(model, inputs, to, given)

    with pytest.raises(KeyboardInterrupt):
        onnxviz.view(model, inputs, tmp_path / "maps", ViewOptions(layers="conv", html=False), Stops(2))
    return repeat


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"style": Style(scale="std")}, 'the option scale was "auto" and is "std"'),
        ({"feed": FeedOptions(size=(4, 4))}, r"the option size was null and is \[4, 4\]"),
        ({"same_scale": True}, "the option same-scale was false and is true"),
        ({"format": "jpg"}, 'the option format was "png" and is "jpg"'),
        ({"html": True}, "the option html was false and is true"),
        ({"tap": "op"}, "the selection of layers is another"),
    ],
)
def test_another_command_does_not_go_on(
    interrupted: Callable[..., Any], tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    before = files(tmp_path / "maps.unfinished")
    with pytest.raises(OutputError, match=said):
        interrupted(**options)
    assert files(tmp_path / "maps.unfinished") == before


def test_another_model_or_input_does_not_go_on(
    interrupted: Callable[..., Any], model: Path, inputs: list[Path], tmp_path: Path
) -> None:
    last = inputs.pop()
    with pytest.raises(OutputError, match="there were 5 inputs and there are 4"):
        interrupted()
    inputs.append(last)
    os.utime(inputs[3], ns=(1, 1))
    with pytest.raises(OutputError, match=r"the input .*3\.npy has changed"):
        interrupted()
    model_of(model, TEXT.replace("2, -1", "3, -1"))
    with pytest.raises(OutputError, match="the model is another, or has changed"):
        interrupted()


def test_what_is_done_is_not_lost_where_nobody_says_so(interrupted: Callable[..., Any], tmp_path: Path) -> None:
    before = files(tmp_path / "maps.unfinished")
    with pytest.raises(OutputError, match=r"holds 2 of 5 inputs of a command that was interrupted.*--resume.*--force"):
        interrupted(resume=False)
    assert files(tmp_path / "maps.unfinished") == before
    interrupted(resume=False, force=True, style=Style(theme="light"))
    assert names(tmp_path) == ["maps"]


def test_an_error_after_a_resumption_leaves_what_was_there(interrupted: Callable[..., Any], tmp_path: Path) -> None:
    lines = (tmp_path / "maps.unfinished" / "unfinished.jsonl").read_bytes()
    with pytest.raises(onnxviz.errors.InputError, match=r"2\.npy"):
        interrupted(fail_fast=True)
    assert (tmp_path / "maps.unfinished" / "unfinished.jsonl").read_bytes() == lines
    assert len(interrupted().runs) == 4


def test_pictures_that_are_gone_are_drawn_again(interrupted: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "maps.unfinished" / "001-1" / "overview.png").unlink()
    with (tmp_path / "maps.unfinished" / "unfinished.jsonl").open("a") as lines:
        lines.write('{"place": 3, "run": {"na')
    assert len(interrupted().runs) == 4
    assert (tmp_path / "maps" / "001-1" / "overview.png").exists()
    assert onnxviz.results.folder.is_ours(tmp_path / "maps")


def test_a_folder_of_somebody_else_is_left_alone(model: Path, inputs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "maps.unfinished").mkdir()
    (tmp_path / "maps.unfinished" / "novel.txt").write_text("Once")
    for resume in (False, True):
        with pytest.raises(OutputError, match="holds what onnxviz did not make"):
            onnxviz.view(model, inputs, tmp_path / "maps", ViewOptions(resume=resume))
    assert names(tmp_path) == ["maps.unfinished"]


def test_two_processes_do_not_work_in_one_folder(model: Path, inputs: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("fcntl")

    def second() -> None:
        with pytest.raises(OutputError, match="another process works in"):
            onnxviz.view(model, inputs, tmp_path / "maps", ViewOptions(layers="conv", html=False))

    options = ViewOptions(layers="conv", html=False)
    assert len(onnxviz.view(model, inputs, tmp_path / "maps", options, Stops(0, stop=second)).runs) == 4


def test_an_interrupt_before_anything_is_done_leaves_nothing(model: Path, inputs: list[Path], tmp_path: Path) -> None:
    for given in (inputs, inputs[:1]):
        with pytest.raises(KeyboardInterrupt) as stopped:
            onnxviz.view(model, given, tmp_path / "maps", ViewOptions(resume=True), Stops(0))
        assert str(stopped.value) == ""
        assert names(tmp_path) == []


def test_nothing_to_go_on_with_is_said(model: Path, inputs: list[Path], tmp_path: Path) -> None:
    ear = Stops(-2)
    onnxviz.view(model, inputs, tmp_path / "maps", ViewOptions(resume=True), ear)
    assert ear.notes == ["nothing is there to go on with: the command begins anew"]


def test_arrays_are_known_again_by_what_they_hold(model: Path, tmp_path: Path) -> None:
    arrays = [np.full((1, 1, 3, 3), place, np.float32) for place in range(3)]
    options = ViewOptions(html=False, resume=True)
    with pytest.raises(KeyboardInterrupt):
        onnxviz.view(model, arrays, tmp_path / "maps", options, Stops(1))
    with pytest.raises(OutputError, match="the inputs are others"):
        onnxviz.view(model, [arrays[1], *arrays[1:]], tmp_path / "maps", options)
    again = [array.copy() for array in arrays]
    assert len(onnxviz.view(model, again, tmp_path / "maps", options).runs) == 3


def test_the_lines_are_json(interrupted: Callable[..., Any], tmp_path: Path) -> None:
    lines = (tmp_path / "maps.unfinished" / "unfinished.jsonl").read_text("utf-8").splitlines()
    job, *runs = [[json.loads(part) for part in line.split("\t") if part] for line in lines]
    assert job[0]["schema"] == "onnxviz.unfinished/1"
    assert [facts[0]["place"] for facts in runs if "run" in facts[0]] == [0, 1]

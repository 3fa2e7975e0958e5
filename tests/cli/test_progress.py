"""How much of a long job is done, in words, and what is said of inputs that are fed alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxviz.cli.progress import Work
from tests.models import model_of

Command = Callable[..., Any]


def test_one_bar_goes_over_all_inputs() -> None:
    work = Work(inputs=500)
    assert (work.words, work.share, work.left(3)) == ("input 1 of 500", 0, "")
    for _ in range(14):
        work.end_run()
    work.layers, work.layers_done = 4, 2
    assert work.words == "input 15 of 500"
    assert work.share == 14.5 / 500
    # 14.5 runs in 29 seconds: 2 seconds for each of the 485.5 that are left.
    assert work.left(29) == "16 min left"
    assert work.left(2.9) == "2 min left"


@pytest.mark.parametrize(
    ("seconds", "words"), [(1, "1 s left"), (80, "80 s left"), (100, "2 min left"), (5390, "1 h 30 min left")]
)
def test_what_is_left_is_said_in_the_unit_that_fits(seconds: float, words: str) -> None:
    assert Work(inputs=2, runs_done=1).left(seconds) == words


def test_inputs_that_were_done_before_take_no_time() -> None:
    work = Work(inputs=10, done=6)
    assert (work.words, work.share) == ("input 7 of 10", 0)
    work.end_run()
    assert (work.words, work.share) == ("input 8 of 10", 0.25)
    for _ in range(3):
        work.end_run()
    assert (work.words, work.share) == ("input 10 of 10", 1)


def test_the_runs_for_a_scale_that_inputs_share_count() -> None:
    work = Work(inputs=4, passes=2)
    assert work.words == "scale of input 1 of 4"
    work.end_run()
    work.leave_out()  # it is not run a second time
    assert (work.words, work.share) == ("scale of input 3 of 4", 2 / 7)
    work.end_run()
    work.end_run()
    assert (work.words, work.share) == ("input 1 of 4", 4 / 7)
    work.leave_out()
    assert (work.words, work.share) == ("input 2 of 4", 5 / 7)


def test_what_is_fed_is_said_once_where_all_are_fed_alike(onnxviz_command: Command, tmp_path: Path) -> None:
    text = "g (float[1,1,H,W] x) => (float[1,1,H,W] y) { y = Exp (x) }"
    model = model_of(tmp_path / "m.onnx", text).path
    for name, width in (("a", 3), ("b", 3), ("c", 5), ("d", 3)):
        np.save(tmp_path / f"{name}.npy", np.full((1, 1, 2, width), np.nan if name in "bd" else 1, np.float32))
    inputs = [tmp_path / f"{name}.npy" for name in "abcd"]
    said = onnxviz_command("view", model, *inputs, "-o", tmp_path / "maps", "--layers", "y", "--no-html").err
    lines = [line.rpartition("/")[2] for line in said.splitlines() if line.startswith(("fed", "  ", "the other"))]
    assert [line for line in lines if "npy" in line] == ["a.npy", "c.npy"]
    assert lines.count("the other inputs are fed alike, unless said") == 1
    assert sum("NaN or infinite" in line for line in lines) == 1
    alone = onnxviz_command("view", model, inputs[0], "-o", tmp_path / "one", "--layers", "y", "--no-html").err
    assert "alike" not in alone


def test_what_is_fed_is_said_of_the_sizes_that_the_model_took(onnxviz_command: Command, tmp_path: Path) -> None:
    """The Reshape takes multiples of 64 numbers; the noise of a picture of 3 channels is none."""
    text = "g (float[a,b,c,d] x) => (float[8,8,n,8] y) <int64[4] s = {8,8,8,8}> { r = Reshape (x, s) y = Exp (r) }"
    model = model_of(tmp_path / "m.onnx", text).path
    said = onnxviz_command("view", model, "--random", "-o", tmp_path / "maps", "--layers", "y", "--no-html").err
    assert [line.split()[1:3] for line in said.splitlines() if line.startswith("fed")] == [["x", "8x8x8x8"]]
    assert said.count("no input is given") == said.count("as the model refused others: a=8") == 1

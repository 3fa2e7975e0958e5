"""What a view leaves out because an input did not compute it, and what it draws of steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import onnxviz
from onnxviz.errors import ExecutionError
from tests.models import model_of

X = np.ones((1, 3, 6, 6), np.float32)
BRANCHES = """g (float[1,3,6,6] x, bool k) => (float[1,3,6,6] y) {
    a = Neg (x)
    y = If (k) <
        then_branch = t () => (float[1,3,6,6] p) { p = Relu (a) },
        else_branch = f () => (float[1,3,6,6] q) { q = Sigmoid (a) }
    >
}"""
LOOP = """g (float[1,3,6,6] x, int64 n) => (float[1,3,6,6] y) {
    go = Constant <value = bool {1}> ()
    y = Loop (n, go, x) <body = b (int64 i, bool c, float[1,3,6,6] v) => (bool d, float[1,3,6,6] w) {
        d = Identity (c)
        w = Softplus (v)
    }>
}"""
TOOK = "it was not computed for this input: 'y' took"


def test_each_input_takes_its_branch(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx", BRANCHES)
    options = onnxviz.ViewOptions(layers="act", html=False)
    record = onnxviz.view(model, [{"x": X, "k": k} for k in (True, False, True)], tmp_path / "out", options)
    names = [[layer["name"] for layer in run["layers"]] for run in record.document()["runs"]]
    assert names == [["y/then_branch/p"], ["y/else_branch/q"], ["y/then_branch/p"]]
    assert [name for name, _ in record.not_shown] == ["y/else_branch/q", "y/then_branch/p"]
    assert all(reason.startswith(TOOK) for _, reason in record.not_shown)
    assert len(list((tmp_path / "out").rglob("000-y_else_branch*.png"))) == 1


def test_an_input_that_computes_nothing_of_it_fails_alone(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx", BRANCHES)
    options = onnxviz.ViewOptions(layers="op=Relu", html=False)
    record = onnxviz.view(model, [{"x": X, "k": k} for k in (True, False)], tmp_path / "out", options)
    assert len(record.runs) == 1
    assert [error for _, error in record.failures] == [f"'y/then_branch/p' cannot be shown: {TOOK} else_branch"]
    with pytest.raises(ExecutionError, match="cannot be shown"):
        onnxviz.view(model, {"x": X, "k": False}, tmp_path / "alone", options)
    assert not (tmp_path / "alone").exists()


def test_steps_are_drawn_and_listed(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx", LOOP)
    options = onnxviz.ViewOptions(layers="act", raw=tmp_path / "raw.npz", run=onnxviz.RunOptions(steps=(2, 5)))
    record = onnxviz.view(model, {"x": X, "n": np.int64(30)}, tmp_path / "out", options)
    (layer,) = record.document()["runs"][0]["layers"]
    assert (layer["shape"], layer["layout"]) == ([4, 1, 3, 6, 6], "SNCHW")
    assert layer["steps"] == {"first": 2, "last": 5, "total": 30}
    assert record.report_path is not None
    kept = onnxviz.Activations.load(tmp_path / "raw.npz")["y/body/w"]
    expected = [X]
    for _ in range(6):
        expected.append(np.log1p(np.exp(expected[-1])))
    assert np.allclose(kept.array, expected[3:])
    assert kept.steps is not None
    assert kept.steps.words == "steps 2 to 5 of 30"
    assert "steps 2 to 5 of 30" in kept.caption_line

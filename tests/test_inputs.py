from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import onnxviz
from onnxviz.errors import ExecutionError, InputError, OnnxvizError, UsageError
from onnxviz.feed.feed import Feed
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.inputs import Inputs
from onnxviz.viewing.options import ViewOptions
from tests.models import model_of

X = np.array([[[[1, -2], [3, 0]]]], np.float32)


def feeds_of(model: onnxviz.Model, given: Any, **options: Any) -> list[Feed]:
    feeds: list[Feed] = []
    Inputs(model, given, FeedOptions(), **options).each(feeds.append)
    return feeds


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_is_several_runs_whatever_is_in_it(doubling_model: Path, tmp_path: Path, kind: type) -> None:
    model = onnxviz.open(doubling_model)
    np.save(tmp_path / "a.npy", 2 * X)
    np.save(tmp_path / "b.npy", 3 * X)
    entries = [X, tmp_path / "a.npy", str(tmp_path / "*.npy"), {"x": 4 * X}, model.feed(5 * X), Image.new("L", (2, 2))]
    feeds = feeds_of(model, kind(entries))
    assert [float(feed.arrays["x"].max()) for feed in feeds] == [3, 6, 6, 9, 12, 15, 0]
    assert {feed.arrays["x"].shape for feed in feeds} == {(1, 1, 2, 2)}
    assert [len(feeds_of(model, one)) for one in (X, {"x": X}, Image.new("L", (2, 2)), [X])] == [1, 1, 1, 1]


def test_a_list_in_a_list_is_refused(doubling_model: Path) -> None:
    with pytest.raises(InputError, match="a list of 2 inputs is 2 runs"):
        feeds_of(onnxviz.open(doubling_model), [[X, X]])


def test_nothing_at_all_is_refused(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    with pytest.raises(UsageError, match="ask for noise"):
        Inputs(model, [], FeedOptions())
    feeds: list[Feed] = []
    Inputs(model, [], FeedOptions(random=True)).each(feeds.append)
    assert len(feeds) == 1


def test_a_bad_input_is_left_out_under_a_name_that_tells_which(doubling_model: Path) -> None:
    model = onnxviz.open(doubling_model)
    failed: list[str] = []

    def note(source: str, error: OnnxvizError) -> None:
        failed.append(source)

    given = Inputs(model, [X, np.ones(3, np.float32), {"x": X, "y": 1}, X], FeedOptions(), failed=note)
    feeds: list[Feed] = []
    for _ in range(2):  # what failed once is not tried again
        given.each(feeds.append)
    assert len(feeds) == 4
    assert failed == ["input 2 (ndarray)", "x=ndarray, y=1"]
    assert [source for source, _ in given.failures] == failed
    with pytest.raises(InputError):
        Inputs(model, [X, np.ones(3, np.float32)], FeedOptions(), fail_fast=True).each(feeds.append)
    with pytest.raises(InputError):
        Inputs(model, np.ones(3, np.float32), FeedOptions()).each(feeds.append)


def test_sizes_that_the_model_refuses_get_others(tmp_path: Path) -> None:
    """The Reshape takes multiples of 64 numbers; the noise of a picture of 3 channels is none."""
    model = model_of(
        tmp_path / "picky.onnx",
        "g (float[a,b,c,d] x, int64[n] i) => (float[8,8,n,8] y) <int64[4] s = {8,8,8,8}, int64[1] one = {1}>"
        " { r = Reshape (x, s) j = Gather (one, i) k = Cast <to = 1> (j) y = Gather <axis = 2> (r, i) }",
    )
    record = onnxviz.view(model, (), tmp_path / "out", ViewOptions(layers=["y"], feed=FeedOptions(random=True)))
    (run,) = json.loads((record.directory / "view.json").read_text())["runs"]
    assert run["fed"][0]["shape"] == [8, 8, 8, 8]
    assert run["fed"][0]["notes"] == [
        "ATTENTION: no input is given, random numbers are fed (seed 0)",
        "sizes that the model leaves open are guessed, as the model refused others: a=8, b=8, c=8, d=8"
        " (--dim changes them)",
    ]


def test_verifying_tries_other_sizes_too(tmp_path: Path) -> None:
    """The Reshape takes 4,096 numbers, which the noise of a picture of 3 channels has not."""
    model = model_of(
        tmp_path / "picky.onnx",
        "g (float[a,b,c,d] x) => (float[8,8,8,8] y) <int64[4] s = {8,8,8,8}> { r = Reshape (x, s) y = Relu (r) }",
    )
    assert model.expose("r").verify(model).max_abs == 0


def test_sizes_that_the_model_refuses_get_others_in_python_too(tmp_path: Path) -> None:
    model = model_of(
        tmp_path / "picky.onnx", "g (float[1,n] x) => (float[4,8] y) <int64[2] s = {4, 8}> { y = Reshape (x, s) }"
    )
    noise = FeedOptions(random=True)
    assert model.run(layers="y", feed=noise)["y"].array.shape == (4, 8)
    with model.session("y") as session:
        assert session.run(None, noise)["y"].array.shape == (4, 8)
    given = model.feed(None, noise)
    with pytest.raises(ExecutionError, match="is fed 1x16000"):
        model.run(given, layers="y")
    with pytest.raises(ExecutionError, match="is fed 1x3"):
        model.run(np.ones((1, 3), np.float32), layers="y")


def test_what_refuses_every_size_is_refused_with_the_first_reason(tmp_path: Path) -> None:
    model = model_of(
        tmp_path / "never.onnx", "g (float[1,n] x) => (float[7,11] y) <int64[2] s = {7,11}> { y = Reshape (x, s) }"
    )
    with pytest.raises(ExecutionError, match=r"'x' \(1 x n\) is fed 1x16000: another size may fit \(--dim n=N\)"):
        onnxviz.view(model, (), tmp_path / "out", ViewOptions(layers=["y"], feed=FeedOptions(random=True)))


def test_one_name_for_two_sizes_is_only_a_name(tmp_path: Path) -> None:
    """PyTorch called both inputs `batch x height x width`; onnxruntime takes arrays of other sizes for each."""
    model = model_of(
        tmp_path / "named.onnx",
        "g (float[batch,height,width] x, float[batch,height,width] y) => (float[a,b,c] p, float[d,e,f] q)"
        " <float[4,1] w = {1, 1, 1, 1}> { p = MatMul (x, w) q = Relu (y) }",
    )
    given = {"x": np.ones((1, 6, 4), np.float32), "y": np.full((1, 2, 8), -1, np.float32)}
    found = model.run(given, layers="p,q")
    assert found["p"].array.tolist() == [[[4.0]] * 6]
    assert found["q"].array.shape == (1, 2, 8)
    noise = model.feed(None, FeedOptions(random=True, dims={"height": 3, "y:width": 5}))
    assert {name: array.shape for name, array in noise.arrays.items()} == {"x": (1, 3, 4), "y": (1, 3, 5)}
    with pytest.raises(ExecutionError, match=r"--dim width=N, --dim INPUT:NAME=N of one input alone\)"):
        model.run({"x": given["y"], "y": given["y"]}, layers="p,q")


SIDE_INPUT = """g (float[1,1,2,2] images, int64[N,2] size, string[N] t) => (float[1,1,2,2] y, int64[N,2] o, string[N] u)
    <float[1,1,1,1] w = {2}> { y = Conv (images, w) o = Identity (size) u = Identity (t) }"""


def test_only_what_the_chosen_layers_need_is_asked_for(tmp_path: Path) -> None:
    model = model_of(tmp_path / "side.onnx", SIDE_INPUT)
    assert model.run(X, layers="y")["y"].array.ravel().tolist() == [2, -4, 6, 0]
    assert model.run({"images": X, "t": "hi", "size": 3}, layers="y")["y"].array.max() == 6
    assert model.run({"t": ["a", "b"]}, layers='"u"')["u"].array.tolist() == ["a", "b"]
    with model.session("y") as session:
        assert session.run(X)["y"].array.max() == 6
    assert [layer.shape for layer in model.measured(X).select("y")] == [(1, 1, 2, 2)]
    with pytest.raises(InputError, match=r"^nothing is given for input 'size' \(int64 Nx2\): give size=480,640 or"):
        model.run(X, layers="y, o")
    with pytest.raises(InputError, match=r"^nothing is given for input 't' \(text N\): give t=TEXT"):
        model.feed({"images": X, "size": "1,2"})

"""The command `compare`, through its files and messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from tests.comparing import planted
from tests.comparing.nets import float_net, inputs, quantised_net


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    quantised_net(float_net(tmp_path / "a.onnx"), tmp_path / "b.onnx")
    for number, each in enumerate(inputs(2)):
        np.save(f"x{number}.npy", each)
    model = onnx.load("b.onnx")
    bad = next(node for node in planted.convolutions(model) if node.name == "conv3")
    planted.scale_bias(model, bad, 0)
    onnx.save(model, "bad.onnx")
    return tmp_path


def test_the_last_line_names_the_layer(folder: Path, onnxviz_command: Callable[..., object]) -> None:
    done = onnxviz_command("compare", "a.onnx", "bad.onnx", "x0.npy", "x1.npy", "-o", "out")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1].startswith("first to go wrong by itself: conv3, ")
    assert "biases" in done.out.splitlines()[-1]
    assert "the sheet, the page and compare.json are in out" in done.err
    assert {path.name for path in (folder / "out").iterdir()} == {"compare.json", "compare.png", "index.html"}
    document = json.loads((folder / "out" / "compare.json").read_text("utf-8"))
    assert (document["schema"], document["first"], document["inputs"]) == ("onnxviz.compare/1", "conv3", ["x0", "x1"])
    with Image.open(folder / "out" / "compare.png") as sheet:
        assert sheet.width == 1280
    again = onnxviz_command("compare", "a.onnx", "bad.onnx", "x0.npy", "-o", "out", "-q", "--theme", "light")
    assert (again.code, again.err) == (0, "")


def test_json_is_one_document(folder: Path, onnxviz_command: Callable[..., object]) -> None:
    done = onnxviz_command("compare", "a.onnx", "b.onnx", "x0.npy", "--json", "-q")
    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out)
    assert document["first"] is None
    assert document["tolerances"] == {"outputs": None, "layers": None}


def test_past_the_tolerance_is_exit_code_7(folder: Path, onnxviz_command: Callable[..., object]) -> None:
    done = onnxviz_command("compare", "a.onnx", "bad.onnx", "x0.npy", "--tolerance", "30dB", "-q")
    assert done.code == 7
    assert done.err.startswith("onnxviz: past the tolerance: the output y (")
    layers = onnxviz_command("compare", "a.onnx", "bad.onnx", "x0.npy", "--tolerance-layers", "rel:0.3", "-q")
    assert layers.code == 7
    assert "the layer conv3 (" in layers.err and "conv1" not in layers.err
    assert onnxviz_command("compare", "a.onnx", "b.onnx", "x0.npy", "--tolerance", "10dB").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("b.onnx", "x0.npy", "--tolerance", "30"), 2, "--tolerance takes decibels"),
        (("b.onnx", "x0.npy", "--map", "conv1"), 2, "--map takes A=B"),
        (("b.onnx", "x0.npy", "--no-own", "--tolerance-layers", "3dB"), 2, "which --no-own leaves out"),
        (("b.onnx", "x0.npy", "--layers", "nope"), 3, "nope"),
        (("none.onnx", "x0.npy"), 3, "none.onnx"),
        (("b.onnx", "gone.npy"), 4, "gone.npy"),
        (("b.onnx", "x0.npy", "-o", "."), 6, "is or holds"),
        (("b.onnx", "x0.npy", "--device-b", "nope"), 2, "nope"),
    ],
)
def test_bad_input_is_one_clear_error(
    folder: Path, onnxviz_command: Callable[..., object], arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = onnxviz_command("compare", "a.onnx", *arguments)
    assert done.code == code, done.err
    assert words in done.err
    assert "Traceback" not in done.err


def test_models_that_share_nothing_are_exit_code_3(folder: Path, onnxviz_command: Callable[..., object]) -> None:
    text = '<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] z) => (float[1,4] e) { e = Erf (z) }'
    onnx.save(onnx.parser.parse_model(text), "other.onnx")
    done = onnxviz_command("compare", "a.onnx", "other.onnx", "x0.npy")
    assert done.code == 3
    assert "share no layer" in done.err


def test_another_opset_is_compared_all_the_same(folder: Path, onnxviz_command: Callable[..., object]) -> None:
    onnx.save(onnx.version_converter.convert_version(onnx.load("a.onnx"), 21), "newer.onnx")
    done = onnxviz_command("compare", "a.onnx", "newer.onnx", "x0.npy", "-q", "--exact")
    assert done.code == 0, done.err
    assert done.out.splitlines()[0].startswith("output ")
    assert done.out.splitlines()[-1].startswith("no layer differs: all ")


def test_a_folder_of_somebody_else_stays(folder: Path, onnxviz_command: Callable[..., object]) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "mine.txt").write_text("mine")
    done = onnxviz_command("compare", "a.onnx", "b.onnx", "x0.npy", "-o", "out")
    assert done.code == 6
    assert (folder / "out" / "mine.txt").read_text() == "mine"

"""The command and the function: options reach the converter, and its result is printed, and written whole or not."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import onnxviz
from onnxviz.conversion.convert import convert
from onnxviz.conversion.convert_options import ConvertOptions
from onnxviz.errors import ConversionError, OutputError, UsageError, VerificationError

from .conftest import StandIn

Make = Callable[[str], StandIn]

# TensorFlow is said to have computed the mean 3, where the model's is 2: of ones its first channel doubles each.
DISAGREES = (
    "import numpy\n"
    "numpy.savez(request['reference'], i=numpy.ones((1, 1, 2, 2), 'f'), o=numpy.full((1, 2, 1, 1), 3, 'f'))\n"
    "entry = {'tensor': 'y', 'key': 'o', 'output': True, 'repeats': True, 'rounding': 0, 'step': 0}\n"
    "good(reference={'inputs': {'x': 'i'}, 'values': [entry]})"
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_every_option_reaches_the_converter(
    stand_in: Make, lite_file: Path, onnxviz_command: Callable[..., Any], elsewhere: Path
) -> None:
    made = stand_in("good()")
    given = (
        "--inputs a,b:0 --inputs c --outputs d --signature s --keep e --keep f --fold --opset 13 --trust --no-verify"
    )
    done = onnxviz_command("convert", lite_file, "--python", made.program, *given.split())
    assert done.code == 0, done.err
    asked = made.requests()[0]
    assert {
        name: asked[name] for name in "source kind inputs outputs signature keep fold opset trust reference".split()
    } == {
        "source": str(lite_file),
        "kind": "tflite",
        "inputs": ["a", "b:0", "c"],
        "outputs": ["d"],
        "signature": "s",
        "keep": ["e", "f"],
        "fold": True,
        "opset": 13,
        "trust": True,
        "reference": None,
    }
    assert [path.name for path in elsewhere.iterdir()] == ["net.onnx"]


def test_without_options_every_layer_is_kept_and_nothing_trusted(
    stand_in: Make, lite_file: Path, elsewhere: Path
) -> None:
    made = stand_in("good()")
    convert(lite_file, "out.onnx", ConvertOptions(python=made.program, verify=False))
    asked = made.requests()[0]
    assert (asked["inputs"], asked["keep"], asked["fold"], asked["trust"], asked["opset"]) == ([], [], False, False, 17)


def test_what_came_of_it_is_told(stand_in: Make, lite_file: Path, onnxviz_command: Callable[..., Any]) -> None:
    made = stand_in(
        'good(guessed={"inputs": True, "outputs": False}, signature="serve", preprocessing="vgg16", cpu_seconds=1.5, '
        'lost=["a/conv", "b"])'
    )
    given = ["convert", lite_file, "--python", made.program, "--no-verify", "--force"]
    done = onnxviz_command(*given)
    assert done.err.splitlines() == [
        "the source is a TensorFlow Lite model",
        "inputs guessed: x (--inputs names others)",
        "pixels are scaled as keras.applications does for vgg16",
        "signature serve",
        "not values of the converted model, so nothing shows them: a/conv, b",
    ]
    assert "not compared with TensorFlow" in done.out
    done = onnxviz_command(*given, "--json", "-q")
    document = json.loads(done.out)
    assert done.err == ""
    assert {name: document[name] for name in ("schema", "onnxviz", "file", "kind", "inputs", "outputs", "verify")} == {
        "schema": "onnxviz.convert/1",
        "onnxviz": onnxviz.__version__,
        "file": "net.onnx",
        "kind": "tflite",
        "inputs": ["x"],
        "outputs": ["y"],
        "verify": None,
    }
    assert (document["versions"], document["cpu_seconds"]) == ({"tensorflow": "0"}, 1.5)


def test_what_exists_is_replaced_by_force_alone(
    stand_in: Make, lite_file: Path, elsewhere: Path, doubling_model: Path
) -> None:
    made, target = stand_in("good()"), elsewhere / "net.onnx"
    target.write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"net\.onnx exists: --force"):
        convert(lite_file, options=ConvertOptions(python=made.program, verify=False))
    assert (target.read_bytes(), made.requests()) == (b"mine", [])
    convert(lite_file, options=ConvertOptions(python=made.program, verify=False, force=True))
    assert target.read_bytes() == doubling_model.read_bytes()


@pytest.mark.parametrize("does", [DISAGREES, 'report(error={"kind": "failed", "text": "x"})', "sys.exit(1)"])
def test_a_failure_leaves_what_was_there(does: str, stand_in: Make, lite_file: Path, elsewhere: Path) -> None:
    target = elsewhere / "net.onnx"
    target.write_bytes(b"mine")
    with pytest.raises((VerificationError, ConversionError)):
        convert(lite_file, target, ConvertOptions(python=stand_in(does).program, force=True))
    assert target.read_bytes() == b"mine"
    assert [path.name for path in elsewhere.iterdir()] == ["net.onnx"]


def test_a_model_that_disagrees_is_not_written(
    stand_in: Make, lite_file: Path, onnxviz_command: Callable[..., Any], elsewhere: Path
) -> None:
    made = stand_in(DISAGREES)
    done = onnxviz_command("convert", lite_file, "--python", made.program)
    assert done.code == 7
    # The second channel is 0 where TensorFlow is said to have 3.
    assert "differs from TensorFlow by 1 of the largest value at 'y', tolerance 0.0001; nothing was written" in done.err
    assert list(elsewhere.iterdir()) == []
    made = stand_in("good()")
    assert onnxviz_command("convert", lite_file, "--python", made.program, "--no-verify").code == 0
    assert [path.name for path in elsewhere.iterdir()] == ["net.onnx"]


@pytest.mark.parametrize("opset", [8, 19])
def test_an_opset_that_cannot_be_written_is_refused_at_once(opset: int, stand_in: Make, lite_file: Path) -> None:
    made = stand_in("good()")
    with pytest.raises(UsageError, match=f"opsets 9 to 18, not {opset}"):
        convert(lite_file, "out.onnx", ConvertOptions(python=made.program, opset=opset))
    assert made.requests() == []


@pytest.mark.parametrize("given", [{"inputs": ["x"]}, {"outputs": ["y"]}])
def test_ends_are_not_chosen_of_a_source_that_has_its_own(
    given: dict[str, list[str]], stand_in: Make, tmp_path: Path
) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "saved_model.pb").write_bytes(b"")
    made = stand_in("good()")
    with pytest.raises(UsageError, match="a TensorFlow SavedModel has inputs and outputs of its own"):
        convert(tmp_path / "net", "out.onnx", ConvertOptions(python=made.program, **given))
    assert made.requests() == []


def test_a_source_must_be_named(onnxviz_command: Callable[..., Any]) -> None:
    done = onnxviz_command("convert")
    assert (done.code, "onnxviz convert SOURCE" in done.err) == (2, True)


def test_where_nothing_can_compare_the_way_is_told(
    stand_in: Make, lite_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = stand_in("good()")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConversionError, match=r"(?s)pip install 'onnxviz\[cpu\]'.*onnxviz convert --no-verify"):
        convert(lite_file, "out.onnx", ConvertOptions(python=made.program))
    assert made.requests() == []
    convert(lite_file, "out.onnx", ConvertOptions(python=made.program, verify=False))

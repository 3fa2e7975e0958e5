"""Sources that are hard to convert: their ends, their values, and that a wrong conversion of them is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxviz
from onnxviz.conversion.child_process import ask_child
from onnxviz.conversion.convert import request_for
from onnxviz.conversion.convert_options import ConvertOptions
from onnxviz.conversion.source import find_source
from onnxviz.conversion.verify import verify
from onnxviz.errors import VerificationError

NETS = Path(__file__).with_name("hard_nets.py")
Convert = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, in_tensorflow: Callable[..., str], tensorflow_python: str) -> Path:
    made = tmp_path_factory.mktemp("hard")
    if in_tensorflow(Path(__file__).with_name("keras_version.py")).startswith("2."):
        pytest.skip("it needs TensorFlow 2.16 or later")
    in_tensorflow(NETS, made)
    return made


@pytest.fixture
def convert(
    folder: Path, onnxviz_command: Convert, tensorflow_python: str, tmp_path: Path
) -> Iterator[Callable[[str], tuple[Path, dict[str, Any]]]]:
    def run(name: str, *more: str) -> tuple[Path, dict[str, Any]]:
        target = tmp_path / "out.onnx"
        done = onnxviz_command("convert", folder / name, "-o", target, "--python", tensorflow_python, "--json", *more)
        assert done.code == 0, done.err
        onnx.checker.check_model(str(target), full_check=True)
        return target, json.loads(done.out)

    return run


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("ends_list.keras", 1e-5),
        ("ends_dict.keras", 1e-5),
        ("ends_nested.keras", 1e-5),
        ("many", 1e-5),
        ("stateful.keras", 1e-5),
        ("augmented.keras", 1e-5),
        ("mixed_float16.keras", 4e-3),
        ("float16.keras", 4e-3),
        ("mixed_bfloat16.keras", 1e-5),
    ],
)
def test_ends_have_their_order_and_values(name: str, tolerance: float, folder: Path, convert: Convert) -> None:
    target, document = convert(name)
    with np.load(folder / f"{name.partition('.')[0]}.npz") as stored:
        inputs, outputs = (
            {key.partition("/")[2]: stored[key] for key in stored.files if key.startswith(kind)}
            for kind in ("input", "output")
        )
    model = onnxviz.open(target)
    assert (document["inputs"], document["outputs"]) == (list(inputs), list(outputs))
    assert [spec.name for spec in model.outputs] == list(outputs)
    feed = {spec.name: inputs[spec.name].astype(spec.dtype) for spec in model.inputs}
    found = model.run(feed, layers={f'"{output}"': output for output in outputs})
    for output, expected in outputs.items():
        gap = np.abs(found[output].array.astype(np.float64) - expected).max()
        assert gap <= tolerance * max(np.abs(expected).max(), 1e-30), output


def test_an_exported_model_in_half_precision_is_verified(convert: Convert) -> None:
    assert convert("half_saved")[1]["verify"]["compared"] > 10


def test_inputs_that_nothing_reads_are_left_out_and_said(convert: Convert) -> None:
    assert "inputs that no output needs are left out: unread" in convert("many")[1]["remarks"]


def test_numbers_drawn_while_the_model_runs_are_not_compared_but_what_follows_is(convert: Convert) -> None:
    document = convert("sampling")[1]
    assert document["outputs"] == ["output_0", "output_1"]
    assert any("drawn" in name for name in document["verify"]["random"])


QUANTISED = ["u8_u8", "float_u8", "i8_float", "int16", "by_range"]
LITE = [*QUANTISED, "plain", "nameless", "same_names", "sparse", "through", "flat", "free"]


@pytest.mark.parametrize("name", LITE)
def test_a_lite_file_converts_and_says_what_was_compared(name: str, convert: Convert) -> None:
    target, document = convert(f"{name}.tflite")
    assert document["verify"]["tolerance"] < 0.1
    assert document["verify"]["max_rel"] < (0.05 if name in QUANTISED else 1e-5)
    model = onnxviz.open(target)
    assert len(model.outputs) == (2 if name == "through" else 1)
    assert all(spec.dtype == "float32" for spec in model.outputs)


@pytest.mark.parametrize(("signature", "width", "kind"), [("narrow", 4, "Tanh"), ("wide", 6, "Sigmoid")])
def test_a_signature_of_a_lite_file_is_chosen(signature: str, width: int, kind: str, convert: Convert) -> None:
    target, document = convert("two.tflite", "--signature", signature)
    assert f"signature {signature}" in document["remarks"]
    assert onnxviz.open(target).inputs[0].shape == (1, width)
    assert kind in [node.op_type for node in onnx.load(target).graph.node]


@pytest.mark.parametrize("name", ["plain", "u8_u8"])
def test_a_lite_file_is_cut_at_the_tensors_that_are_asked_for(name: str, convert: Convert) -> None:
    whole, _ = convert(f"{name}.tflite")
    rows = json.loads(onnxviz.open(whole).metadata["onnxviz.layers"])["layers"]
    first, *_, last = (row["tensor"].removesuffix("_prequant") for row in rows)
    cut, document = convert(f"{name}.tflite", "--force", "--outputs", first)
    assert [output.removesuffix("_prequant") for output in document["outputs"]] == [first]
    assert [node.op_type for node in onnx.load(cut).graph.node].count("Conv") == 1
    _, document = convert(f"{name}.tflite", "--force", "--inputs", first, "--outputs", last)
    assert document["inputs"] == [first]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--outputs", "nobody"], "the TensorFlow Lite file has no tensor 'nobody'"),
        (["--inputs", "nobody"], "the TensorFlow Lite file has no tensor 'nobody'"),
    ],
)
def test_a_tensor_that_a_lite_file_lacks_is_refused(
    given: list[str], said: str, folder: Path, onnxviz_command: Convert, tensorflow_python: str, tmp_path: Path
) -> None:
    command = ["convert", folder / "plain.tflite", "-o", tmp_path / "no.onnx", "--python", tensorflow_python, *given]
    done = onnxviz_command(*command)
    assert (done.code, said in done.err) == (2, True), done.err


def test_a_signature_that_a_lite_file_lacks_is_refused(
    folder: Path, onnxviz_command: Convert, tensorflow_python: str, tmp_path: Path
) -> None:
    given = ["convert", folder / "two.tflite", "-o", tmp_path / "no.onnx", "--python", tensorflow_python]
    done = onnxviz_command(*given, "--signature", "other")
    assert (done.code, "has no signature 'other'; it has: narrow, wide" in done.err) == (2, True), done.err


def test_the_value_of_a_layer_lies_behind_what_its_range_cuts_off(convert: Convert) -> None:
    target, _ = convert("by_range.tflite")
    rows = json.loads(onnxviz.open(target).metadata["onnxviz.layers"])["layers"]
    producers = {output: node.op_type for node in onnx.load(target).graph.node for output in node.output}
    made = [producers[row["value"]] for row in rows if row["class"] == "CONV_2D"]
    assert made == ["Relu", "Relu"]


@pytest.mark.parametrize(
    ("name", "said"), [("state", "keeps a state between runs"), ("unknown", "no translation of OwnSoftmax")]
)
def test_what_onnx_does_not_have_is_named(
    name: str, said: str, folder: Path, onnxviz_command: Convert, tensorflow_python: str, tmp_path: Path
) -> None:
    for more in ((), ("--no-verify",)):
        given = ["convert", folder / f"{name}.tflite", "-o", tmp_path / "no.onnx", "--python", tensorflow_python]
        done = onnxviz_command(*given, *more)
        assert (done.code, said in done.err, done.err.count("\n") <= 2) == (3, True, True), done.err


def stronger(array: np.ndarray) -> np.ndarray:
    return array * np.asarray(1.1, array.dtype)


def swapped(array: np.ndarray) -> np.ndarray:
    result = array.copy()
    result[[0, 1]] = result[[1, 0]]
    return result


@pytest.mark.parametrize(
    "name", ["mixed_float16.keras", "mixed_bfloat16.keras", "u8_u8.tflite", "int16.tflite", "by_range.tflite"]
)
def test_a_wrong_conversion_is_refused(name: str, folder: Path, tensorflow_python: str, tmp_path: Path) -> None:
    options = ConvertOptions(python=Path(tensorflow_python))
    request = request_for(find_source(folder / name), options, tmp_path)
    facts = ask_child(request, options.python, tmp_path, lambda stage: None)
    model, arrays = tmp_path / "model.onnx", tmp_path / "reference.npz"
    verify(model, facts, arrays)
    weights = [tensor.name for tensor in onnx.load(model).graph.initializer if len(tensor.dims) == 4 < tensor.dims[0]]
    biases = [node.input[2] for node in onnx.load(model).graph.node if node.op_type == "Conv" and len(node.input) == 3]
    wrongs = [(weight, change) for weight in weights[:2] for change in (stronger, swapped)]
    for tensor, change in [*wrongs, *((bias, np.zeros_like) for bias in biases[:1])]:
        proto = onnx.load(model)
        place = next(place for place in proto.graph.initializer if place.name == tensor)
        place.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(place)), tensor))
        onnx.save(proto, tmp_path / "wrong.onnx")
        with pytest.raises(VerificationError, match="differs from TensorFlow by"):
            verify(tmp_path / "wrong.onnx", facts, arrays)

"""Every kind of TensorFlow source: its outputs and the value of every layer are those that TensorFlow computes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import onnxviz
from onnxviz.feed.preprocessing import model_preprocessing

NETS = Path(__file__).with_name("nets.py")
SOURCES = """
    frozen.pb checkpoint/model.ckpt.meta saved_model_tf1 saved_model_tf2 two_ends.pb
    functional.keras functional.h5 functional sequential.keras sequential.h5 sequential nested.keras nested.h5 nested
    shared.keras multi.keras multi.h5 multi multi_dict.keras multi_dict subclassed
    mobilenet_v2.keras mobilenet_v2.h5 mobilenet_v2
    functional_keras2.keras functional_keras2.h5 functional_keras2 sequential_keras2.h5
    mobilenet_v2_keras2.keras mobilenet_v2_keras2.h5 mobilenet_v2_keras2
    float.tflite float16.tflite dynamic.tflite int8.tflite
""".split()
# Layers that pass their input on, change its shape alone, are a part of the next, or hold others.
WITHOUT_VALUE = ("Dropout", "Flatten", "Reshape", "ZeroPadding2D", "Functional")
# The weights are 8-bit numbers: tf2onnx and TensorFlow Lite round in different places.
COARSE = {"dynamic.tflite": 0.02, "int8.tflite": 0.06}
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, in_tensorflow: Callable[..., str]) -> Path:
    made = tmp_path_factory.mktemp("nets")
    in_tensorflow(NETS, made)
    return made


@pytest.fixture(scope="module")
def entries(folder: Path) -> dict[str, dict[str, Any]]:
    return {entry["source"]: entry for entry in json.loads((folder / "nets.json").read_text("utf-8"))}


@pytest.mark.parametrize("source", SOURCES)
def test_a_source(
    source: str,
    folder: Path,
    entries: dict[str, dict[str, Any]],
    onnxviz_command: Callable[..., Any],
    tensorflow_python: str,
    tmp_path: Path,
) -> None:
    if source not in entries:
        pytest.skip("it needs TensorFlow 2.16 or later")
    entry, target = entries[source], tmp_path / "out.onnx"
    done = onnxviz_command("convert", folder / source, "-o", target, "--python", tensorflow_python)
    assert done.code == 0, done.err
    onnx.checker.check_model(str(target), full_check=True)
    assert unread_weights(onnx.load(target).graph) == set()
    with np.load(folder / entry["reference"]) as stored:
        values = {kind: parts(stored, kind) for kind in ("input", "output", "layer")}
    model = onnxviz.open(target)
    scaled = model_preprocessing(model.metadata)
    assert (scaled.range if scaled else None) == (
        (-1, 1) if source.startswith("mobilenet_v2") and "." in source else None
    )
    if len(model.inputs) == 1:
        # Keras 3 names the one input of a file by a running number; the converted model by its layer.
        values["input"] = dict(zip([model.inputs[0].name], values["input"].values(), strict=True))
    assert {spec.name for spec in model.inputs} == set(values["input"])
    assert {spec.name for spec in model.outputs} == set(values["output"])
    tolerance = COARSE.get(source, TOLERANCE)
    outputs = model.run(values["input"], layers={f'"{name}"': name for name in values["output"]})
    for name, expected in values["output"].items():
        assert_near(outputs[name].array, expected, tolerance, name)
    rows = json.loads(model.metadata["onnxviz.layers"])["layers"]
    placed = {
        layer["name"]: None if layer["kind"] == "Functional" else value_of(layer["name"], rows)
        for layer in entry["layers"]
    }
    absent = [layer["name"] for layer in entry["layers"] if placed[layer["name"]] is None]
    kinds = {layer["name"]: layer["kind"] for layer in entry["layers"]}
    assert all(kinds[name] in WITHOUT_VALUE or is_biased(name, values["layer"]) for name in absent), absent
    found = model.run(values["input"], layers=[f'"{value}"' for value in {*placed.values()} - {None}])
    by_value = {activation.value: activation.array for activation in found.values()}
    for layer in entry["layers"]:
        name, layout = layer["name"], layer["layout"]
        if placed[name] is not None:
            row = next(row for row in rows if row["value"] == placed[name])
            expected = values["layer"][name]
            if layout is not None and row["layout"] is not None:
                expected = expected.transpose([layout.index(letter) for letter in row["layout"]])
            assert_near(by_value[placed[name]], expected, tolerance, name)


def value_of(name: str, rows: list[dict[str, Any]]) -> str | None:
    """Return the value that the layer map gives a layer: by its tensor, its path, or as the last of its own scope."""
    exact = [row["value"] for row in rows if name in (row["tensor"].removesuffix("_prequant"), row["layer"])]
    inner = [row["value"] for row in rows if f"/{name}/" in f"/{row['layer']}"]
    return (exact or inner[-1:] or [None])[0]


def unread_weights(graph: onnx.GraphProto) -> set[str]:
    """Return the weights that nothing reads, of which onnxruntime warns whoever opens the file."""
    read = {name for node in graph.node for name in node.input}
    return {tensor.name for tensor in graph.initializer} - read


def is_biased(name: str, values: dict[str, np.ndarray]) -> bool:
    """Return whether a tensor is a product that has its bias inside it in ONNX."""
    biased = name.replace("Conv2D:0", "BiasAdd:0")
    return biased != name and biased in values


def parts(stored: Any, kind: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(f"{kind}/"): stored[name] for name in stored.files if name.startswith(f"{kind}/")}


def assert_near(ours: np.ndarray, expected: np.ndarray, tolerance: float, name: str) -> None:
    assert ours.shape == expected.shape, name
    if expected.dtype == np.int8 and ours.dtype != np.int8:
        # The converted model computes with floats what the source holds as whole numbers of a scale and an offset.
        scale, offset = np.polyfit(expected.ravel().astype(np.float64), ours.ravel(), 1)
        ours, expected, tolerance = (ours - offset) / scale, expected.astype(np.float64), 2 / 255
    assert np.abs(ours - expected).max() <= tolerance * max(np.abs(expected).max(), 1e-30), name


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("unsupported.pb", 3, "Svd"),
        ("subclassed.keras", 3, "export"),
    ],
)
def test_a_source_that_cannot_be_converted(
    source: str, code: int, said: str, folder: Path, onnxviz_command: Callable[..., Any], tensorflow_python: str
) -> None:
    if not (folder / source).exists():
        pytest.skip("it needs TensorFlow 2.16 or later")
    done = onnxviz_command("convert", folder / source, "-o", folder / "no.onnx", "--python", tensorflow_python)
    assert (done.code, said in done.err, done.err.count("\n") <= 3) == (code, True, True), done.err
    assert not (folder / "no.onnx").exists()


def test_what_is_random_is_not_said_to_agree(
    folder: Path, onnxviz_command: Callable[..., Any], tensorflow_python: str, tmp_path: Path
) -> None:
    given = ["convert", folder / "noise.pb", "-o", tmp_path / "noise.onnx", "--python", tensorflow_python]
    done = onnxviz_command(*given, "--outputs", "noisy")
    assert (done.code, "TensorFlow's own outputs change from run to run" in done.err) == (7, True), done.err
    assert list(tmp_path.iterdir()) == []
    done = onnxviz_command(*given, "--json")
    assert done.code == 0, done.err
    assert "not compared, because TensorFlow gives other values in each run: noisy:0" in done.err
    document = json.loads(done.out)["verify"]
    assert document["random"] == ["noisy:0"]
    assert document["max_rel_layers"] < 1e-5


def test_what_only_training_needs_is_not_looked_at(
    folder: Path, onnxviz_command: Callable[..., Any], tensorflow_python: str, tmp_path: Path
) -> None:
    given = ["convert", folder / "training" / "model.ckpt.meta", "--python", tensorflow_python, "--outputs"]
    done = onnxviz_command(*given, "scores", "-o", tmp_path / "scores.onnx", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["verify"]["max_rel_layers"] < TOLERANCE
    done = onnxviz_command(*given, "loss", "-o", tmp_path / "loss.onnx")
    assert (done.code, "OneShotIterator" in done.err and "--trust" in done.err) == (3, True), done.err

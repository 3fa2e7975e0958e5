"""The article's experiment: the maps that `onnxviz view` draws are those that `Session.run` computes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import onnxviz

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "inception_v4"
MATRIX = ROOT / "models" / "connectome_aal2_80.csv"
LAYERS = "conv[0], join & depth=4, join & depth=21"
PICTURES = {
    "InceptionV4/Conv2d_1a_3x3/Relu:0": (32, 149),
    "InceptionV4/Mixed_3a/concat:0": (160, 73),
    "InceptionV4/Mixed_5e/concat:0": (384, 35),
}
# Rounding that this net amplifies: TensorFlow moves by 7e-6 at Mixed_5e when its input moves by one unit in the last
# place, and by 2e-3 at the last block, where no two correct programs agree to this.
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, in_tensorflow: Callable[..., str]) -> Path:
    made = tmp_path_factory.mktemp("article")
    in_tensorflow(EXAMPLE / "slim.py", made / "inception_v4.pb")
    in_tensorflow(
        ROOT / "tests" / "conversion" / "article.py", made / "inception_v4.pb", MATRIX, made / "reference.npz"
    )
    return made


@pytest.fixture(scope="module")
def reference(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "reference.npz") as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def converted(folder: Path, tensorflow_python: str) -> Path:
    return convert(folder / "inception_v4.pb", tensorflow_python)


def test_every_value_up_to_mixed_5e(converted: Path, reference: dict[str, np.ndarray]) -> None:
    names = [name for name in reference if name != "input"]
    assert len(names) == 39 * len(("Conv2D", "FusedBatchNormV3", "Relu")) + len("3a 4a 5a 5b 5c 5d 5e".split()) + 6
    activations = onnxviz.open(converted).run(reference["input"], layers=[f'"{name}"' for name in names])
    assert {item.value for item in activations.values()} == set(names)
    for item in activations.values():
        assert item.layout == "NCHW"
        assert_equal(item.array, reference[item.value])


def test_one_command_draws_the_three_pictures(
    converted: Path, reference: dict[str, np.ndarray], onnxviz_command: Callable[..., Any], tmp_path: Path
) -> None:
    options = ["--preset", "inception", "--resize", "squash", "--transform", "log", "--raw", tmp_path / "maps.npz"]
    done = onnxviz_command("view", converted, MATRIX, "--layers", LAYERS, "-o", tmp_path / "maps", *options)
    assert done.code == 0, done.err
    drawn = onnxviz.Activations.load(tmp_path / "maps.npz")
    assert {item.value: item.array.shape[1:3] for item in drawn.values()} == PICTURES
    for item in drawn.values():
        assert_equal(item.array, reference[item.value])
    record = json.loads((tmp_path / "maps" / "view.json").read_text("utf-8"))["runs"][0]
    assert record["fed"][0]["mean"] == pytest.approx(reference["input"].mean(), abs=1e-5)
    for layer in record["layers"]:
        assert len(layer["pictures"]) == 1, "all maps stand on one page"
        with Image.open(tmp_path / "maps" / layer["pictures"][0]) as picture:
            assert min(picture.size) > 600


def test_keras_makes_the_same_maps(
    folder: Path, reference: dict[str, np.ndarray], in_tensorflow: Callable[..., str], tensorflow_python: str
) -> None:
    in_tensorflow(EXAMPLE / "keras_model.py", folder / "inception_v4.keras")
    model = onnxviz.open(convert(folder / "inception_v4.keras", tensorflow_python))
    activations = model.run(reference["input"], layers=LAYERS)
    assert [item.name for item in activations.values()] == ["Conv2d_1a_3x3", "Mixed_3a.concat", "Mixed_5e.concat"]
    for item, name in zip(activations.values(), PICTURES, strict=True):
        assert_equal(item.array, reference[name])


def convert(source: Path, python: str) -> Path:
    from subprocess import run
    from sys import executable

    target = source.with_suffix(f"{source.suffix}.onnx")
    # Compared here with what TensorFlow computed by itself; --no-verify leaves out a comparison of onnxviz's own.
    command = [executable, "-m", "onnxviz", "convert", source, "-o", target, "--python", python, "--no-verify", "-q"]
    done = run([*map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return target


def assert_equal(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Hold (N, C, H, W) against TensorFlow's (N, H, W, C)."""
    expected = np.moveaxis(theirs, -1, 1)
    assert ours.shape == expected.shape
    assert np.abs(expected).max() > 0.1
    assert np.abs(ours - expected).max() <= TOLERANCE * np.abs(expected).max()

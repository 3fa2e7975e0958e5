"""A small network with a ReLU6 and one without, and 40 pictures in two classes, some of them broken or twice there."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from PIL import Image

SIZE = 24


@pytest.fixture
def mining_model(tmp_path: Path) -> Path:
    """image (N,3,24,24) -> first: Conv 3x3 -> Clip 0..6 -> second: Conv 3x3, stride 2 -> pool -> y."""
    numbers = np.random.default_rng(0)

    def tensor(name: str, array: np.ndarray) -> onnx.TensorProto:
        return numpy_helper.from_array(array.astype(np.float32), name)

    weights = [
        tensor("w1", numbers.standard_normal((5, 3, 3, 3)) * 3),
        tensor("w2", numbers.standard_normal((4, 5, 3, 3))),
        tensor("zero", np.array(0.0)),
        tensor("six", np.array(6.0)),
    ]
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["c1"], name="first", pads=[1, 1, 1, 1]),
        helper.make_node("Clip", ["c1", "zero", "six"], ["r1"], name="clip"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], name="second", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("GlobalAveragePool", ["c2"], ["y"], name="pool"),
    ]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("image", ["N", 3, SIZE, SIZE]), ("y", ["N", 4, 1, 1]))
    ]
    graph = helper.make_graph(nodes, "mined", ends[:1], ends[1:], weights)
    path = tmp_path / "mined.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """40 pictures: `photos/a/00.png` .. and `photos/b/00.png` .., the last of each class equal to the one before."""
    numbers = np.random.default_rng(1)
    folder = tmp_path / "photos"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for place in range(20):
            pixels = numbers.integers(0, 256, (SIZE, SIZE, 3)) // (2 if name == "a" else 1)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{place:02}.png")
        shutil.copy(folder / name / "18.png", folder / name / "19.png")
    return folder

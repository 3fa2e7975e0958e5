"""What tests share: the bundled files, and small models worked out on paper."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import settings
from onnx import helper, numpy_helper
from PIL import Image

# The same examples each time in CI, so that a red run is a change's fault; new ones on a developer's machine. No
# example has a limit of time, which a busy machine would break.
settings.register_profile("onnxviz", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("onnxviz")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def bundled_model() -> Path:
    return ROOT / "models" / "efficientnet_lite0_int8.onnx"


@pytest.fixture(scope="session")
def cat() -> Path:
    return ROOT / "models" / "pictures" / "cat.jpg"


@pytest.fixture
def doubling_model(tmp_path: Path) -> Path:
    """x (1,1,2,2) -> Conv 1x1 with weights 2 and -1 -> c (1,2,2,2) -> Relu -> r -> GlobalAveragePool -> y."""
    weights = numpy_helper.from_array(np.array([2, -1], np.float32).reshape(2, 1, 1, 1), "w")
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], name="conv"),
            helper.make_node("Relu", ["c"], ["r"], name="relu"),
            helper.make_node("GlobalAveragePool", ["r"], ["y"], name="pool"),
        ],
        "doubling",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 1, 2, 2])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 2, 1, 1])],
        [weights],
    )
    path = tmp_path / "doubling.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def onnxviz_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command line as the installed script does, and return its exit code and output."""
    from onnxviz.cli import main

    def run(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["onnxviz", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return Result(code, printed.out, printed.err)

    return run


MINED_SIZE = 24


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
        for name, shape in (("image", ["N", 3, MINED_SIZE, MINED_SIZE]), ("y", ["N", 4, 1, 1]))
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
            pixels = numbers.integers(0, 256, (MINED_SIZE, MINED_SIZE, 3)) // (2 if name == "a" else 1)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{place:02}.png")
        shutil.copy(folder / name / "18.png", folder / name / "19.png")
    return folder

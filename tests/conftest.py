"""What tests share: the bundled files, and small models worked out on paper."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import settings
from onnx import helper, numpy_helper

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

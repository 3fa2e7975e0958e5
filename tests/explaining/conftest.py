"""A network that is worked out on paper: two maps, their means, and a score for each of three classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import onnxviz

SCORES = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]], np.float32)
"""By class and channel."""


@pytest.fixture
def scoring_model(tmp_path: Path) -> Path:
    """image (N,3,4,4) -> Conv 1x1, red less 0.2 and green less 0.2 -> Relu -> mean -> Gemm (3,2) -> Softmax."""
    weights = np.zeros((2, 3, 1, 1), np.float32)
    weights[0, 0], weights[1, 1] = 1, 1
    tensors = {"w": weights, "b": np.full(2, -0.2, np.float32), "s": SCORES}
    nodes = [
        helper.make_node("Conv", ["image", "w", "b"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], name="pool"),
        helper.make_node("Flatten", ["p"], ["f"], name="flat"),
        helper.make_node("Gemm", ["f", "s"], ["logits"], name="fc", transB=1),
        helper.make_node("Softmax", ["logits"], ["shares"], name="softmax"),
    ]
    graph = helper.make_graph(
        nodes,
        "scoring",
        [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["N", 3, 4, 4])],
        [helper.make_tensor_value_info("shares", onnx.TensorProto.FLOAT, ["N", 3])],
        [numpy_helper.from_array(value, name) for name, value in tensors.items()],
    )
    path = tmp_path / "scoring.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def scoring(scoring_model: Path) -> onnxviz.Model:
    return onnxviz.open(scoring_model)


@pytest.fixture
def picture() -> np.ndarray:
    """Red in the left upper quarter, green in the right lower one, (4, 4, 3) uint8."""
    found = np.zeros((4, 4, 3), np.uint8)
    found[:2, :2, 0] = 255
    found[2:, 2:, 1] = 255
    return found

"""Operators that onnxruntime lacks in their old version, run in a newer one; the numbers are worked out by numpy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxviz
from onnxviz.errors import UnsupportedError
from onnxviz.graph.upgrade import upgraded
from onnxviz.results.observer import Observer
from onnxviz.runtime.session import RunOptions
from onnxviz.viewing.options import ViewOptions

RANDOM = np.random.default_rng(3)
WEIGHT = RANDOM.normal(size=(6, 320)).astype(np.float32)  # more than a kilobyte: it stays in the file
BIAS = RANDOM.normal(size=320).astype(np.float32)
SCALE = RANDOM.normal(size=3).astype(np.float32)
X = RANDOM.normal(size=(2, 6)).astype(np.float32)
MAPS = RANDOM.normal(size=(2, 3, 4, 5)).astype(np.float32)


def old_model(path: Path, node: onnx.NodeProto, shape: list[int | str], ir_version: int, **weights: np.ndarray) -> Path:
    """Write a model of opset 6: the node, which makes `a` of `x`, and a Relu."""
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    if ir_version < 4:  # weights had to be inputs
        inputs += [helper.make_tensor_value_info(one.name, one.data_type, one.dims) for one in tensors]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None] * len(shape))
    graph = helper.make_graph([node, helper.make_node("Relu", ["a"], ["y"])], "g", inputs, [output], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 6)], ir_version=ir_version), path)
    return path


GEMM = helper.make_node("Gemm", ["x", "w", "b"], ["a"], name="dense", broadcast=1)
NORM = helper.make_node("BatchNormalization", ["x", "b", "b", "b", "v"], ["a"], name="norm", is_test=1)


class Ear(Observer):
    def __init__(self) -> None:
        self.said: list[str] = []

    def noted(self, text: str) -> None:
        self.said.append(text)


@pytest.mark.parametrize("ir_version", [3, 8])
def test_an_old_gemm_runs_and_its_weights_are_read_once(ir_version: int, tmp_path: Path) -> None:
    path = old_model(tmp_path / "m.onnx", GEMM, ["N", 6], ir_version, w=WEIGHT, b=BIAS)
    model = onnxviz.open(path)
    newer = onnx.ModelProto.FromString(upgraded(model.file.skeleton))
    assert [(tensor.name, len(tensor.raw_data)) for tensor in newer.graph.initializer] == [("w", 0), ("b", 0)]
    assert [info.name for info in newer.graph.input][:1] == ["x"]
    assert newer.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    found = model.run(X, layers="a, y")
    np.testing.assert_allclose(found["a"].array, X @ WEIGHT + BIAS, rtol=1e-5, atol=1e-6)
    ear = Ear()
    onnxviz.view(
        model, [X, X], tmp_path / "maps", ViewOptions(html=False, layers="a, y", run=RunOptions(memory=1)), ear
    )
    assert ear.said == ["the model is of opset 6, older than onnxruntime runs: converted to 7"]
    assert onnxviz.open(path).verify(model).max_abs == 0


@pytest.mark.parametrize(
    ("axis", "sizes"),
    [(0, (2,)), (1, (3,)), (1, (3, 4)), (2, (4,)), (-2, (4,)), (3, (5,)), (2, (4, 5)), (0, (2, 3, 4, 5))],
)
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
def test_broadcasting_along_an_axis_becomes_numpys(axis: int, sizes: tuple[int, ...], op: str, tmp_path: Path) -> None:
    node = helper.make_node(op, ["x", "b"], ["a"], broadcast=1, axis=axis)
    array = RANDOM.uniform(1, 2, size=sizes).astype(np.float32)
    shape: list[int | str] = ["N" if axis else 2, 3, "H" if axis > 2 else 4, 5]
    model = onnxviz.open(old_model(tmp_path / "m.onnx", node, shape, 8, b=array))
    wide = array.reshape(sizes + (1,) * (4 - axis % 4 - len(sizes)))
    expected = {"Add": MAPS + wide, "Sub": MAPS - wide, "Mul": MAPS * wide, "Div": MAPS / wide}[op]
    np.testing.assert_allclose(model.run(MAPS, layers="a")["a"].array, expected, rtol=1e-6)


def test_an_old_batch_norm_runs(tmp_path: Path) -> None:
    variance = np.array([1, 4, 9], np.float32)
    model = onnxviz.open(old_model(tmp_path / "m.onnx", NORM, ["N", 3, 4, 5], 8, b=SCALE, v=variance))
    scale, deviation = SCALE[:, None, None], np.sqrt(variance + 1e-5)[:, None, None]
    expected = (MAPS - scale) / deviation * scale + scale
    np.testing.assert_allclose(model.run(MAPS, layers="a")["a"].array, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("opset", [1, 4, 5, 6])
@pytest.mark.parametrize("batch", [2, "N"])
def test_a_dense_layer_behind_what_onnx_infers_in_newer_operators_only_runs(
    opset: int, batch: int | str, tmp_path: Path
) -> None:
    weights = {"w": RANDOM.normal(size=(60, 4)), "b": RANDOM.normal(size=4), "u": RANDOM.normal(size=(4, 3))}
    tensors = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    consumed = {"consumed_inputs": [0]} if opset < 6 else {}
    shape = {"shape": [-1, 60]}
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 4, 5])]
    if opset > 4:
        tensors.append(numpy_helper.from_array(np.array(shape.pop("shape"), np.int64), "s"))
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], **consumed),
        helper.make_node("Reshape", ["r", "s"] if opset > 4 else ["r"], ["f"], **shape),
        helper.make_node("Gemm", ["f", "w", "b"], ["g"], broadcast=1),
        helper.make_node("Tanh", ["g"], ["t"], **consumed),
        helper.make_node("Gemm", ["t", "u", "zero"], ["y"], broadcast=1),
    ]
    tensors.append(numpy_helper.from_array(np.zeros(1, np.float32), "zero"))
    inputs += [helper.make_tensor_value_info(one.name, one.data_type, one.dims) for one in tensors]
    graph = helper.make_graph(
        nodes, "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 3])], tensors
    )
    opsets = [helper.make_opsetid("ai.onnx.ml", 1), helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=3), tmp_path / "m.onnx")
    found = onnxviz.open(tmp_path / "m.onnx").run(MAPS, layers="f, g, y")
    flat = np.maximum(MAPS, 0).reshape(2, 60)
    hidden = flat @ weights["w"] + weights["b"]
    for value, expected in {"f": flat, "g": hidden, "y": np.tanh(hidden) @ weights["u"]}.items():
        np.testing.assert_allclose(found[value].array, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch", [2, "N"])
def test_a_model_that_runs_in_pieces_is_converted_piece_by_piece(batch: int | str, tmp_path: Path) -> None:
    arrays = {"w": WEIGHT.T[:6], "b": BIAS[:6], "one": np.ones(6), "zero": np.zeros(6)}
    tensors = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()]
    nodes, last = [], "x"
    for step in range(3):
        made = [f"{name}{step}" for name in ("dense", "wide", "norm", "narrow", "relu")]
        nodes += [
            helper.make_node("Gemm", [last, "w", "b"], made[:1], broadcast=1),
            helper.make_node("Unsqueeze", made[:1], made[1:2], axes=[2]),
            helper.make_node("BatchNormalization", [made[1], "one", "zero", "zero", "one"], made[2:3], is_test=1),
            helper.make_node("Squeeze", made[2:3], made[3:4], axes=[2]),
            helper.make_node("Relu", made[3:4], made[4:]),
        ]
        last = made[-1]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 6])]
    output = helper.make_tensor_value_info(last, TensorProto.FLOAT, [batch, 6])
    model = helper.make_model(
        helper.make_graph(nodes, "g", inputs, [output], tensors), opset_imports=[helper.make_opsetid("", 6)]
    )
    model.ir_version = 8
    onnx.save(model, tmp_path / "m.onnx")
    found = onnxviz.open(tmp_path / "m.onnx").run(X, layers="norm0, norm1, norm2", run=RunOptions(memory=150))
    expected = X
    for step in range(3):
        dense = expected @ arrays["w"] + arrays["b"]
        np.testing.assert_allclose(found[f"norm{step}"].array[:, :, 0], dense, rtol=1e-4, atol=1e-4)
        expected = np.maximum(dense, 0)


def test_what_cannot_be_converted_is_refused_as_before(tmp_path: Path) -> None:
    custom = helper.make_node("Detect", ["x", "w", "b"], ["a"], domain="acme")
    path = old_model(tmp_path / "m.onnx", custom, ["N", 6], 8, w=WEIGHT, b=BIAS)
    with pytest.raises(UnsupportedError, match=r"Detect(.|\n)*nor can onnx convert it to a newer opset: "):
        onnxviz.open(path).run(X, layers="y")
    axis = old_model(tmp_path / "n.onnx", helper.make_node("Softmax", ["x"], ["a"], axis=1 << 40), ["N", 6], 8)
    with pytest.raises(UnsupportedError, match="out of bounds"):
        upgraded(onnxviz.open(axis).file.skeleton)


def sliced(path: Path, size: int) -> bytes:
    """A convolution of windows of 3 over some pixels, of which a Slice takes the first."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3], strides=[1]),
        helper.make_node("Slice", ["c", "zero", "one", "last"], ["y"]),
    ]
    numbers = {"w": np.ones((1, 1, 3), np.float32), **{n: np.array([v]) for n, v in (("zero", 0), ("one", 1))}}
    tensors = [numpy_helper.from_array(array, name) for name, array in (numbers | {"last": np.array([2])}).items()]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 1, size]), ("y", None))
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return onnxviz.open(path).file.skeleton


def test_a_slice_is_converted_unless_it_measures_a_size_below_zero(tmp_path: Path) -> None:
    model = onnx.ModelProto.FromString(upgraded(sliced(tmp_path / "m.onnx", 5), 18))
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 18)]
    assert [node.op_type for node in model.graph.node] == ["Conv", "Slice"]
    with pytest.raises(UnsupportedError, match="sizes are out of bounds"):
        upgraded(sliced(tmp_path / "n.onnx", 1), 18)

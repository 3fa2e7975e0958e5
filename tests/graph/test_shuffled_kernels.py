"""Kernels that are shuffled hold the same numbers in other places, and nothing else of the graph changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import onnxviz
from onnxviz.graph.shuffled_kernels import nodes_with_kernels, shuffled
from onnxviz.model import Model

W = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)
V = np.arange(40, dtype=np.int8).reshape(2, 20)


def model_of(path: Path) -> onnxviz.Model:
    """x (1,3,4,4) -> Conv w -> Relu -> mean -> Gemm of int8 codes -> y, and the Relu again under another name."""
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], name="conv"),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("DequantizeLinear", ["v", "s"], ["d"]),
        helper.make_node("MatMul", ["f", "d"], ["y"], name="fc"),
        helper.make_node("Identity", ["r"], ["z"]),
    ]
    numbers = {"w": W, "b": np.ones(2, np.float32), "v": V, "s": np.array(0.5, np.float32)}
    outputs = [("y", [1, 20]), ("z", [1, 2, 3, 3])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4, 4])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        [numpy_helper.from_array(array, name) for name, array in numbers.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return onnxviz.open(path)


def test_kernels_are_those_of_the_way_to_a_value(tmp_path: Path) -> None:
    graph = model_of(tmp_path / "m.onnx").graph
    assert [node.name for node in nodes_with_kernels(graph, "y")] == ["conv", "fc"]
    assert [node.name for node in nodes_with_kernels(graph, "z")] == ["conv"]


def test_a_shuffled_kernel_is_permuted_along_each_axis(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx")
    nodes = nodes_with_kernels(model.graph, "y")
    graph = shuffled(model.graph, nodes[-1:], model.types, seed=4)
    onnx.checker.check_model(graph.proto, full_check=True)
    assert len(graph.nodes) == len(model.graph.nodes) + 2
    read = next(node.inputs[1] for node in graph.nodes if node.op == "MatMul")
    draw = np.random.default_rng(4)
    rows, columns = draw.permutation(2), draw.permutation(20)
    made = Model(model.file, graph)
    x = np.random.default_rng(0).standard_normal((1, 3, 4, 4)).astype(np.float32)
    found, before = (each.run(x, layers=[read if each is made else "d", "y", "z"]) for each in (made, model))
    kernel = (V * 0.5).astype(np.float32)[rows][:, columns]
    np.testing.assert_array_equal(found[read].array, kernel)
    means = before["z"].array.mean((2, 3))
    np.testing.assert_allclose(found["y"].array, means @ kernel, rtol=1e-5)
    np.testing.assert_array_equal(found["z"].array, before["z"].array)


def test_of_all_kernels_each_has_its_own_order(tmp_path: Path) -> None:
    model = model_of(tmp_path / "m.onnx")
    graph = shuffled(model.graph, nodes_with_kernels(model.graph, "y"), model.types, seed=0)
    read = next(node.inputs[1] for node in graph.nodes if node.op == "Conv")
    x = np.zeros((1, 3, 4, 4), np.float32)
    kernel = Model(model.file, graph).run(x, layers=[read])[read].array
    assert sorted(kernel.reshape(-1)) == sorted(W.reshape(-1))
    assert kernel.tolist() != W.tolist()
    again = shuffled(model.graph, nodes_with_kernels(model.graph, "y"), model.types, seed=0)
    assert again.to_bytes() == graph.to_bytes()

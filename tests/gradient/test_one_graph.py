"""Forward and backward in one graph: the numbers of the two models, and each weight once."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import parser

from onnxviz.gradient.build import backward
from onnxviz.gradient.emit import Emitter, Signal
from onnxviz.gradient.forward import Forward
from onnxviz.gradient.one_graph import GradientEnds, joined, with_ends
from onnxviz.graph.graph import Graph
from onnxviz.graph.shapes import infer_types
from onnxviz.layout import TensorSpec

TEXT = """g (float[N,2] x) => (float[N,1] y, float[N,2] z) <float[2,2] w = {1, -1, 0, -1}, float[2,1] v = {2, 3}>
    { h = MatMul(x, w) r = Relu(h) y = MatMul(r, v) z = Neg(h) }"""


def graph_of(opset: int) -> Graph:
    return Graph.from_proto(parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> {TEXT}'))


def run(graph: Graph, feed: dict[str, np.ndarray]) -> list[list[list[float]]]:
    onnx.checker.check_model(graph.proto, full_check=True)
    return [one.tolist() for one in onnxruntime.InferenceSession(graph.to_bytes()).run(None, feed)]


X = np.array([[1, 2], [3, -9]], np.float32)
# h = (1, -3) and (3, 6); r = (1, 0) and (3, 6); y = 2 and 24; of y: v (h > 0) w^T = (2, 0) and (2 - 3, -3)


def test_the_seed_goes_in_and_the_gradient_comes_out() -> None:
    made = backward(graph_of(18), "y", ["x"])
    graph = joined(made)
    assert [spec.name for spec in graph.inputs] == ["x", made.seed]
    assert [spec.name for spec in graph.outputs] == ["y", "z", made.outputs["x"]]
    assert sorted(name for name in graph.initializers if name in "wv") == ["v", "w"]
    y, z, gradient = run(graph, {"x": X, made.seed: np.array([[1], [10]], np.float32)})
    assert (y, z) == ([[2], [24]], [[-1, 3], [-3, -6]])
    assert gradient == [[2, 0], [-10, -30]]


def test_nodes_take_the_place_of_seed_and_gradient() -> None:
    made = backward(graph_of(20), "y", ["x"])
    graph = joined(made)
    emit = Emitter(Forward(graph, infer_types(graph)), "float32")
    ends = GradientEnds(
        inputs=[TensorSpec("scale", "float32", (1,))],
        seed=Signal(emit, "y") * 0.0 + Signal(emit, "scale"),
        outputs=[TensorSpec("steepest", "float32", ("N",))],
        results=[Signal(emit, made.outputs["x"]).map("Abs").reduce("Max", [1], keep=False)],
    )
    whole = with_ends(graph, made, emit, ends)
    assert [spec.name for spec in whole.inputs] == ["x", "scale"]
    assert run(whole, {"x": X, "scale": np.array([10], np.float32)})[2] == [20, 30]


def test_an_older_opset_is_converted_before() -> None:
    with pytest.raises(ValueError, match="the model is of opset 17: one graph needs 18"):
        joined(backward(graph_of(17), "y", ["x"]))

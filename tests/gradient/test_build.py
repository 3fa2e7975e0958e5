"""`backward` on nets of a few nodes with numbers worked out on paper, and what its two models are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import parser

from onnxviz.errors import NoMatchError, UnsupportedError
from onnxviz.gradient.build import Backward, GradientOptions, backward
from onnxviz.gradient.forward import NeedsRunError
from onnxviz.graph.graph import Graph
from onnxviz.layout import TensorSpec

Arrays = Mapping[str, Any]
HEAD = '<ir_version: 8, opset_import: ["": 17]> g '


def graph_of(text: str) -> Graph:
    return Graph.from_proto(parser.parse_model(HEAD + text))


def run(graph: Graph, feed: Arrays) -> dict[str, Any]:
    onnx.checker.check_model(graph.proto, full_check=True)
    session = onnxruntime.InferenceSession(graph.to_bytes(), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return dict(
        zip(names, session.run(None, {each.name: feed[each.name] for each in session.get_inputs()}), strict=True)
    )


def gradients(made: Backward, feed: Arrays, seed: Sequence[float] | Any) -> dict[str, Any]:
    values = {**feed, **run(made.forward, feed), made.seed: np.asarray(seed, np.float32)}
    found = run(made.backward, values)
    return {value: found[name] for value, name in made.outputs.items()}


def test_a_dense_net_worked_out_on_paper() -> None:
    # h = x w = (1*1 + 2*0, 1*-1 + 2*-1) = (1, -3); r = (1, 0); y = 2*1 + 3*0 = 2
    graph = graph_of(
        "(float[1,2] x) => (float[1,1] y) <float[2,2] w = {1, -1, 0, -1}, float[2,1] v = {2, 3}>"
        "{ h = MatMul(x, w) r = Relu(h) y = MatMul(r, v) }"
    )
    found = gradients(backward(graph, "y", ["x", "w", "v"]), {"x": np.array([[1, 2]], np.float32)}, [[10]])
    # g_r = 10 v^T = (20, 30); g_h = (20, 0); g_x = g_h w^T = (20, 0); g_w = x^T g_h; g_v = 10 r^T
    assert found["x"].tolist() == [[20, 0]]
    assert found["w"].tolist() == [[20, 0], [40, 0]]
    assert found["v"].tolist() == [[10], [0]]


def test_a_convolution_worked_out_on_paper() -> None:
    # y[i] = x[i] + 10 x[i+1] + 100 x[i+2], strides 2, a zero before: windows (0,1,2) and (2,3,4)
    graph = graph_of(
        "(float[1,1,4] x) => (float[1,1,2] y) <float[1,1,3] w = {1, 10, 100}>"
        "{ y = Conv<pads=[1,0], strides=[2]>(x, w) }"
    )
    found = gradients(backward(graph, "y", ["x"]), {"x": np.ones((1, 1, 4), np.float32)}, [[[1, 5]]])
    assert found["x"].tolist() == [[[10, 100 + 5, 50, 500]]]


def test_equal_numbers_of_a_max_pool_share_its_gradient() -> None:
    # Two windows: (1, 1, 0, 1), of which three are the greatest, and (2, 0, 0, 0) after the Relu.
    graph = graph_of(
        "(float[1,1,2,4] x) => (float[1,1,1,2] y) { r = Relu(x) y = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r) }"
    )
    x = np.array([[[[1, 1, 2, -1], [-3, 1, -1, 0]]]], np.float32)
    found = gradients(backward(graph, "y", ["x"]), {"x": x}, [[[[6, 5]]]])
    assert found["x"] == pytest.approx(np.array([[[[2, 2, 5, 0], [0, 2, 0, 0]]]]))


def test_gradients_of_a_value_that_is_read_twice_are_added() -> None:
    graph = graph_of("(float[2] x) => (float[2] y) { a = Mul(x, x) b = Exp(x) y = Sub(a, b) }")
    x = np.array([0, 3], np.float32)
    assert gradients(backward(graph, "y", ["x"]), {"x": x}, [1, 1])["x"] == pytest.approx(2 * x - np.exp(x))


def test_a_value_between_is_differentiated_and_what_is_above_it_needs_no_rule() -> None:
    graph = graph_of("(float[2] x) => (float[2] y) { t = NonZero(x) h = Hardmax(x) r = Mul(h, x) y = Exp(r) }")
    made = backward(graph, "y", ["r"])
    x = np.array([1, 2], np.float32)
    assert gradients(made, {"x": x}, [1, 1])["r"] == pytest.approx(np.exp([0, 2]))
    with pytest.raises(UnsupportedError, match=r"there is no gradient through Hardmax 'h'"):
        backward(graph, "y", ["x"])


def test_outputs_of_activations_are_saved_and_nothing_that_is_not_read() -> None:
    graph = graph_of(
        "(float[N,1,8,8] x) => (float[N,2,8,8] y) <float[2,1,1,1] w = {1, 2}, float[2] b = {1, 1}>"
        "{ c = Conv(x, w, b) r = Relu(c) m = ReduceMean<axes=[2,3]>(r) s = Sigmoid(m) y = Mul(r, s) }"
    )
    made = backward(graph, "y", ["x"])
    assert set(made.saved.values()) == {"r", "s"}
    assert made.forward.outputs[0].name == "y"
    assert "c" not in {spec.name for spec in made.forward.outputs}
    assert made.backward.opset == 18


def test_the_same_models_take_other_batches_and_sizes() -> None:
    graph = graph_of(
        "(float[N,1,H,W] x) => (float[N,1] y) <float[1,1,3,3] w = {1,1,1,1,1,1,1,1,1}>"
        '{ c = Conv<auto_pad="SAME_UPPER", strides=[2,2]>(x, w) p = GlobalAveragePool(c) y = Flatten(p) }'
    )
    made = backward(graph, "y", ["x"])
    for sizes in ((1, 1, 5, 7), (3, 1, 8, 4)):
        x = np.random.default_rng(0).standard_normal(sizes).astype(np.float32)
        found = gradients(made, {"x": x}, np.ones((sizes[0], 1)))["x"]
        # each position of x counts once in each window that covers it
        windows = [[-(-n // 2) for n in sizes[2:]], [max((-(-n // 2) - 1) * 2 + 3 - n, 0) // 2 for n in sizes[2:]]]
        (rows, columns), (above, left) = windows
        expected = np.zeros(sizes)
        for row in range(rows):
            for column in range(columns):
                top, begin = row * 2 - above, column * 2 - left
                expected[:, :, max(top, 0) : top + 3, max(begin, 0) : begin + 3] += 1 / (rows * columns)
        assert found == pytest.approx(expected)


def test_weights_stay_references(tmp_path: Path) -> None:
    model = parser.parse_model(HEAD + "(float[1,64] x) => (float[1,64] y) { y = MatMul(x, w) }")
    tensor = onnx.TensorProto(name="w", dims=[64, 64], data_type=1, data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="nowhere.bin")
    model.graph.initializer.append(tensor)
    made = backward(Graph.from_proto(model), "y", ["x"])
    (kept,) = [each for each in made.backward.proto.graph.initializer if each.name == "w"]
    assert kept == tensor


@pytest.mark.parametrize(
    ("text", "target", "wrt", "reason"),
    [
        ("{ a = ArgMax(x) y = Cast<to=1>(a) }", "y", "x", "'y' does not depend on 'x' through floating-point values"),
        ("{ y = Floor(x) }", "y", "x", "no gradient of 'y' reaches 'x'"),
        ("{ a = Shape(x) y = Cast<to=1>(a) }", "a", "x", "'a' is int64"),
        ("{ y = Bernoulli(x) }", "y", "x", "there is no gradient through Bernoulli 'y'"),
    ],
)
def test_what_has_no_gradient_is_refused_by_name(text: str, target: str, wrt: str, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        backward(graph_of("(float[3] x) => (y) " + text), target, [wrt])


def test_a_name_that_is_not_a_value_is_refused() -> None:
    with pytest.raises(NoMatchError, match="no value 'z'"):
        backward(graph_of("(float[3] x) => (y) { y = Exp(x) }"), "z", ["x"])


def test_ranks_come_from_one_probe() -> None:
    graph = graph_of("(float[2,3] x, int64[K] s) => (y) { a = Reshape(x, s) y = ReduceSum<keepdims=0>(a) }")
    with pytest.raises(NeedsRunError, match="'a'"):
        backward(graph, "y", ["x"])
    asked: list[Sequence[str]] = []

    def probe(_: Graph, values: Sequence[str]) -> Mapping[str, TensorSpec]:
        asked.append(values)
        return {value: TensorSpec(value, "float32", (6,) if value == "a" else ()) for value in values}

    made = backward(graph, "y", ["x"], GradientOptions(probe=probe))
    assert len(asked) == 1
    feed = {"x": np.ones((2, 3), np.float32), "s": np.array([6])}
    assert gradients(made, feed, 2)["x"].tolist() == [[2, 2, 2], [2, 2, 2]]

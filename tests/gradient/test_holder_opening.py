"""Gradients through Loops and Scans, held against ones worked out by hand and against the same steps written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, parser

import onnxviz
from onnxviz.errors import OnnxvizError, UnsupportedError
from onnxviz.gradient.build import backward
from onnxviz.gradient.forward import NeedsRunError
from onnxviz.graph.graph import Graph

HEAD = '<ir_version: 8, opset_import: ["": {opset}]> g '


def graph_of(text: str, opset: int = 17) -> Graph:
    return Graph.from_proto(parser.parse_model(HEAD.format(opset=opset) + text))


def opened(tmp_path: Path, text: str, opset: int = 17) -> onnxviz.Model:
    onnx.save(graph_of(text, opset).proto, tmp_path / "model.onnx")
    return onnxviz.open(tmp_path / "model.onnx")


def held(model: onnxviz.Model, feed: dict[str, Any], value: str = "x") -> np.ndarray:
    """Return a gradient of the first output's sum, checked against central differences of the model itself."""
    found = model.gradient(model.outputs[0].name, value).run(feed)
    session = onnxruntime.InferenceSession(model.graph.to_bytes(), providers=["CPUExecutionProvider"])
    assert found.target == pytest.approx(session.run(None, feed)[0])
    for place in np.ndindex(feed[value].shape):
        ends = []
        for sign in (1, -1):
            moved = feed[value].copy()
            moved[place] += np.float32(sign * 1e-2)
            ends.append(session.run(None, {**feed, value: moved})[0].astype(float).sum())
        assert found[value][place] == pytest.approx((ends[0] - ends[1]) / 2e-2, rel=2e-2, abs=2e-2)
    return found[value]


SQUARES = """(float[2] x) => (float[2] y, float[S,2] ys) <int64 n = {N}, bool go = {1}> {
    y, ys = Loop(n, go, x) <body = b (int64 i, bool before, float[2] v) => (bool on, float[2] w, float[2] r)
        { on = Identity(before) w = Mul(v, v) r = Neg(w) }>
}"""


def test_a_loop_over_a_range_worked_out_on_paper() -> None:
    # y = ((x^2)^2)^2 = x^8, and its slope is 8 x^7
    made = backward(graph_of(SQUARES.replace("N}", "3}")), "y", ["x"])
    assert made.conditions == {}
    assert not any(node.op in ("Loop", "Identity") and node.outputs[0] == "ys" for node in made.forward.nodes)
    onnx.checker.check_model(made.forward.proto)
    values = run(made.forward, {"x": np.array([1, 0.5], "f")})
    (found,) = run(made.backward, {**values, "x": np.array([1, 0.5], "f"), made.seed: np.ones(2, "f")}).values()
    assert found == pytest.approx([8, 8 * 0.5**7])


def run(graph: Graph, feed: dict[str, Any]) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(graph.to_bytes(), providers=["CPUExecutionProvider"])
    given = {each.name: feed[each.name] for each in session.get_inputs()}
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(names, given), strict=True))


@pytest.mark.parametrize("opset", [11, 13, 18])
def test_what_a_loop_stacks_is_differentiated(tmp_path: Path, opset: int) -> None:
    text = SQUARES.replace("N}", "2}").replace("float[S,2] ys", "float[S,2] zs").replace("y, ys =", "y, zs =")
    text = text.replace("(float[2] y, float[S,2] zs)", "(float[S,2] zs)")
    # the two steps stack -x^2 and -x^4: the slope of their sum is -2x - 4x^3
    found = held(opened(tmp_path, text, opset), {"x": np.array([1, 0.5], "f")})
    assert found == pytest.approx([-6, -1 - 0.5])


WHILE = """(float[2] x, float[1] limit) => (float[2] y) <bool go = {1}, float two = {2}> {
    y = Loop(, go, x) <body = b (int64 i, bool before, float[2] v) => (bool on, float[2] w)
        { w = Mul(v, two) s = ReduceSum<keepdims=0>(w) on = Less(s, limit) }>
}"""


def test_as_many_steps_are_laid_out_as_an_input_takes(tmp_path: Path) -> None:
    with pytest.raises(NeedsRunError, match="how many steps Loop 'y' takes is not known before a run"):
        backward(graph_of(WHILE), "y", ["x"])
    gradient = opened(tmp_path, WHILE).gradient("y", "x")
    x = np.array([1, 2], "f")
    for limit, steps in ((5, 1), (7, 2), (50, 5), (7, 2), (0, 1)):
        found = gradient.run({"x": x, "limit": np.array([limit], "f")})
        assert found.target.tolist() == (x * 2**steps).tolist()
        assert found["x"].tolist() == [2**steps] * 2


def test_a_limit_that_an_input_brings_is_counted(tmp_path: Path) -> None:
    text = SQUARES.replace(" <int64 n = {N}, bool go = {1}>", " <bool go = {1}>").replace("x) =>", "x, int64 n) =>")
    text = text.replace("y, ys =", "y =").replace(", float[S,2] ys)", ")")
    gradient = opened(tmp_path, text).gradient("y", "x")
    for steps in (1, 3, 2, 0):
        found = gradient.run({"x": np.array([1, 0.5], "f"), "n": np.array(steps)})
        power = 2**steps
        assert found["x"] == pytest.approx([power, power * 0.5 ** (power - 1)])


def test_ifs_and_loops_within_a_loop_are_opened(tmp_path: Path) -> None:
    # three steps: v grows by x * w where i is above 0, with w = 2 summed twice by a Loop of its own
    text = """(float[2] x) => (float[2] y) <int64 n = {3}, int64 m = {2}, bool go = {1}, int64 none = {0}> {
        y = Loop(n, go, x) <body = b (int64 i, bool before, float[2] v) => (bool on, float[2] w)
            <float one = {1}> {
            on = Identity(before)
            above = Greater(i, none)
            w = If(above) <then_branch = t () => (float[2] a) {
                    k = Loop(m, go, v) <body = c (int64 j, bool still, float[2] u) => (bool more, float[2] z)
                        { more = Identity(still) z = Mul(u, x) }>
                    a = Add(k, one)
                }, else_branch = e () => (float[2] d) { d = Mul(v, v) }>
        }>
    }"""
    # x^2, then x^2 * x^2 + 1, then (x^4 + 1) x^2 + 1 = x^6 + x^2 + 1: the slope is 6 x^5 + 2 x
    found = held(opened(tmp_path, text), {"x": np.array([1, 0.5], "f")})
    assert found == pytest.approx([8, 6 / 32 + 1])


SCAN = """(float[2] x, float[S,2] a) => (float[2] y, float[S,2] ys) {
    y, ys = Scan<num_scan_inputs = 1, scan_input_directions = [BACK], scan_output_directions = [BACK],
        body = b (float[2] v, float[2] part) => (float[2] w, float[2] r)
        { t = Mul(v, part) w = Tanh(t) r = Mul(w, w) }>(x, a)
}"""


@pytest.mark.parametrize("back", [0, 1])
@pytest.mark.parametrize("output", ["y", "ys"])
def test_scans_are_laid_out(tmp_path: Path, back: int, output: str) -> None:
    text = SCAN.replace("BACK", str(back)).replace(
        "(float[2] y, float[S,2] ys)", "(float[2] y)" if output == "y" else "(float[S,2] ys)"
    )
    model = opened(tmp_path, text)
    generator = np.random.default_rng(0)
    x = generator.standard_normal(2).astype("f")
    for steps in (3, 1, 4):
        feed = {"x": x, "a": 1 + generator.random((steps, 2)).astype("f")}
        held(model, feed)
        held(model, feed, "a")


@pytest.mark.parametrize("name", ["range", "while"])
def test_loops_that_pytorch_scripts_have_its_gradients(name: str) -> None:
    """tools/scripted_loops.py writes the networks, and the gradients that PyTorch has of them in float64."""
    folder = Path(__file__).parent / "scripted"
    arrays = np.load(folder / f"{name}.npz")
    model = onnxviz.open(folder / f"{name}.onnx")
    assert any(node.op == "Loop" for node in model.graph.nodes)
    gradient = model.gradient("y", "x")
    for limit, output, expected in zip(arrays["n"], arrays["y"], arrays["gradient"], strict=True):
        found = gradient.run({"x": arrays["x"], "n": limit})
        assert found.target == pytest.approx(output, rel=1e-4, abs=1e-5)
        assert found["x"] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_loop_without_numbers_that_have_a_gradient_stays(tmp_path: Path) -> None:
    text = """(float[2] x, int64 n) => (float[2] y) <bool go = {1}, int64 start = {1}> {
        k = Loop(n, go, start) <body = b (int64 i, bool before, int64 v) => (bool on, int64 w)
            { on = Identity(before) w = Add(v, v) }>
        f = Cast<to=1>(k) y = Mul(x, f)
    }"""
    made = backward(graph_of(text), "y", ["x"])
    assert [node.op for node in made.source.nodes] == ["Loop", "Cast", "Mul"]
    found = opened(tmp_path, text).gradient("y", "x").run({"x": np.array([1, 2], "f"), "n": np.array(3)})
    assert found["x"].tolist() == [8, 8]


@pytest.mark.parametrize(
    ("text", "target", "wrt", "reason"),
    [
        (SQUARES.replace("N}", "100000}"), "y", "x", "with its 100000 steps of 3 nodes more than 20000 would"),
        (SQUARES.replace("N}", "0}"), "ys", "x", "it takes no step, and there is nothing that it stacks"),
        (SQUARES.replace("N}", "2}"), "y/body/w", "x", "'y/body/w' lies in a body that runs several times"),
    ],
)
def test_loops_that_cannot_be_laid_out_are_refused_by_name(text: str, target: str, wrt: str, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=f"no gradient through Loop 'y': {reason}"):
        backward(graph_of(text), target, [wrt])


def test_loops_within_loops_are_bounded_together() -> None:
    text = """(float[2] x) => (float[2] y) <int64 n = {150}, bool go = {1}> {
        y = Loop(n, go, x) <body = b (int64 i, bool before, float[2] v) => (bool on, float[2] w)
            { on = Identity(before)
              w = Loop(n, go, v) <body = c (int64 j, bool still, float[2] u) => (bool more, float[2] z)
                { more = Identity(still) z = Mul(u, x) }> }>
    }"""
    with pytest.raises(
        UnsupportedError, match=r"through Loop 'y/\d+/w': with its 150 steps of 2 nodes more than 20000"
    ):
        backward(graph_of(text), "y", ["x"])


@pytest.mark.parametrize("change", ["body", "inputs", "outputs", "axes"])
def test_loops_that_break_their_definition_are_refused(change: str) -> None:
    text = SCAN.replace("BACK", "0") if change == "axes" else SQUARES.replace("N}", "3}")
    model = parser.parse_model(HEAD.format(opset=17) + text)
    node = model.graph.node[0]
    if change == "body":
        del node.attribute[:]
    elif change == "inputs":
        node.input.append("x")
    elif change == "outputs":
        del node.attribute[0].g.output[2:]
    else:
        node.attribute.append(onnx.helper.make_attribute("scan_input_axes", [5]))
    with pytest.raises(OnnxvizError):
        backward(Graph.from_proto(model), "y", ["x"])


def test_a_loop_without_a_condition_is_laid_out() -> None:
    text = SQUARES.replace("N}", "3}").replace("Loop(n, go, x)", "Loop(n, , x)")
    made = backward(graph_of(text), "y", ["x"])
    values = run(made.forward, {"x": np.array([1, 0.5], "f")})
    (found,) = run(made.backward, {**values, "x": np.array([1, 0.5], "f"), made.seed: np.ones(2, "f")}).values()
    assert found == pytest.approx([8, 8 * 0.5**7])


def test_the_weights_of_a_body_stay_references_and_are_shared() -> None:
    model = parser.parse_model(HEAD.format(opset=17) + SQUARES.replace("N}", "3}"))
    body = model.graph.node[0].attribute[0].g
    weight = TensorProto(name="k", dims=[2], data_type=1, data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="nowhere.bin")
    body.initializer.append(weight)
    body.node[1].input[1] = "k"
    made = backward(Graph.from_proto(model), "y", ["x"])
    (kept,) = [each for each in made.backward.proto.graph.initializer if each.name == "y/k"]
    assert kept.external_data == weight.external_data

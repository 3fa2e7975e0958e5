"""`Model.gradient` on the bundled model and on nets worked out on paper: seeds, branches, probes, zeros, overlays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import parser

import onnxviz
from onnxviz.errors import NoMatchError, UnsupportedError, UsageError
from onnxviz.gradient.overlays import DECONVNET, GUIDED

HEAD = '<ir_version: 8, opset_import: ["": 17]> g '


def written(folder: Path, text: str) -> onnxviz.Model:
    onnx.save(parser.parse_model(HEAD + text), folder / "model.onnx")
    return onnxviz.open(folder / "model.onnx")


@pytest.fixture(scope="module")
def bundled() -> onnxviz.Model:
    return onnxviz.open(onnxviz.bundled.classifier())


def test_a_class_of_the_bundled_model_rises_by_the_gradient(bundled: onnxviz.Model) -> None:
    logits = bundled.graph.producers["probabilities"].inputs[0]
    gradient = bundled.gradient(logits, "image")
    run = gradient.forward(onnxviz.bundled.picture("cat"))
    best = int(run.target.argmax())
    seed = np.zeros_like(run.target)
    seed[0, best] = 1
    found = run.backward(seed)
    assert found["image"].shape == (1, 3, 224, 224)
    assert not found.is_zero
    length = float(np.linalg.norm(found["image"]))
    image = run.values["image"]
    up, down = (
        gradient.forward({"image": image + sign * 0.003 * found["image"] / length}).target[0, best] for sign in (1, -1)
    )
    assert (up - down) / 0.006 == pytest.approx(length, rel=0.02)


def test_several_classes_are_had_from_one_forward_run(bundled: onnxviz.Model) -> None:
    gradient = bundled.gradient()
    run = gradient.forward(onnxviz.bundled.picture("coffee"))
    first, second = np.zeros_like(run.target), np.zeros_like(run.target)
    first[0, 3] = second[0, 7] = 1
    both = run.backward(first + second)["image"]
    apart = run.backward(first)["image"] + run.backward(second)["image"]
    assert np.allclose(both, apart, rtol=1e-4, atol=1e-6 * np.abs(both).max())


def test_the_gradient_with_respect_to_a_layer_has_its_sizes(bundled: onnxviz.Model) -> None:
    layer = bundled.catalogue[-8]
    assert layer.shape is not None
    found = bundled.gradient(wrt=layer.name).run(onnxviz.bundled.picture("cat"))
    assert found[layer.act].shape[1:] == layer.shape[1:]


def test_without_a_seed_the_sum_is_differentiated(tmp_path: Path) -> None:
    found = written(tmp_path, "(float[2] x) => (float[2] y) { y = Mul(x, x) }").gradient().run(np.array([1, 3], "f"))
    assert found["x"].tolist() == [2, 6]
    assert found.target.tolist() == [1, 9]
    assert dict(found).keys() == {"x"}


def test_a_gradient_of_zeros_is_an_answer(tmp_path: Path) -> None:
    model = written(tmp_path, "(float[2] x) => (float[2] y) <float h = {6}, float l = {0}> { y = Clip(x, l, h) }")
    found = model.gradient().run(np.array([7, -1], "f"))
    assert found["x"].tolist() == [0, 0]
    assert found.is_zero
    assert not model.gradient().run(np.array([7, 1], "f")).is_zero


def test_the_branch_that_an_input_takes_is_differentiated(tmp_path: Path) -> None:
    model = written(
        tmp_path,
        "(float[2] x) => (float[2] y) <float two = {2}>"
        "{ s = ReduceSum<keepdims=0>(x) z = Constant<value=float {0}>() c = Greater(s, z)"
        " y = If(c) <then_branch = t () => (float[2] a) { a = Mul(x, two) },"
        " else_branch = e () => (float[2] b) { b = Mul(x, x) }> }",
    )
    gradient = model.gradient()
    assert gradient.models is None
    assert gradient.run(np.array([1, 3], "f"))["x"].tolist() == [2, 2]
    assert gradient.run(np.array([-1, -3], "f"))["x"].tolist() == [-2, -6]
    assert gradient.run(np.array([5, 3], "f"))["x"].tolist() == [2, 2]


def test_calls_are_opened(tmp_path: Path) -> None:
    text = (
        '<ir_version: 8, opset_import: ["": 17, "own": 1]> g (float[2] x) => (float[2] y) { y = own.f(x) }'
        '<domain: "own", opset_import: ["": 17]> f (a) => (c) { b = Exp(a) c = Mul(b, a) }'
    )
    onnx.save(parser.parse_model(text), tmp_path / "model.onnx")
    found = onnxviz.open(tmp_path / "model.onnx").gradient().run(np.array([0, 1], "f"))
    assert found["x"] == pytest.approx([1, 2 * np.e])


def test_ranks_that_only_a_run_shows_are_found(tmp_path: Path) -> None:
    model = written(
        tmp_path, "(float[2,3] x, int64[K] s) => (y) { a = Reshape(x, s) m = ReduceMean<keepdims=0>(a) y = Mul(m, m) }"
    )
    found = model.gradient("y", "x").run({"x": np.ones((2, 3), "f"), "s": np.array([6])})
    assert found["x"] == pytest.approx(np.full((2, 3), 1 / 3))


def test_float16_is_differentiated_in_float32(tmp_path: Path) -> None:
    model = written(tmp_path, "(float16[2] x) => (float16[2] y) { e = Exp(x) y = Mul(e, x) }")
    found = model.gradient().run(np.array([0, 1], np.float16))
    assert found["x"].dtype == np.float32
    assert found["x"] == pytest.approx([1, 2 * np.e], rel=1e-3)


def test_overlays_differ_from_the_gradient_at_a_relu(tmp_path: Path) -> None:
    # y = relu(x) . (1, -1, 1): the gradient is v where x > 0, a deconvnet's v where v > 0, guided where both
    model = written(
        tmp_path, "(float[1,3] x) => (float[1,1] y) <float[3,1] v = {1, -1, 1}> { r = Relu(x) y = MatMul(r, v) }"
    )
    x = np.array([[1, 2, -3]], "f")
    assert model.gradient().run(x)["x"].tolist() == [[1, -1, 0]]
    assert model.gradient(rules=DECONVNET).run(x)["x"].tolist() == [[1, 0, 1]]
    assert model.gradient(rules=GUIDED).run(x)["x"].tolist() == [[1, 0, 0]]


def test_ties_of_a_max_pool_are_counted_once_where_its_input_is_asked_for(tmp_path: Path) -> None:
    model = written(
        tmp_path,
        "(float[1,1,2,2] x) => (float[1,1,1,1] y) { r = Relu(x) y = MaxPool<kernel_shape=[2,2], strides=[2,2]>(r) }",
    )
    found = model.gradient("y", ["r", "x"]).run(-np.ones((1, 1, 2, 2), "f"))
    assert found["r"].sum() == 1
    assert found.is_zero is False and not found["x"].any()


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    model = written(tmp_path, "(float[2] x) => (float[2] y) { h = Hardmax(x) y = Mul(h, x) }")
    with pytest.raises(NoMatchError, match="nothing is called"):
        model.gradient("nowhere")
    with pytest.raises(UnsupportedError, match="there is no gradient through Hardmax 'h'"):
        model.gradient("h", "x")
    good = written(tmp_path, "(float[2] x) => (float[2] y) { y = Exp(x) }").gradient()
    with pytest.raises(UsageError, match=r"the seed has the shape \(3,\), and 'y' has \(2,\)"):
        good.run(np.ones(2, "f"), np.ones(3, "f"))

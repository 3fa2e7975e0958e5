"""`onnxviz expose` of values inside holders: what it writes, says and prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

import onnxviz
from onnxviz.errors import NoMatchError
from tests.models import model_of

Command = Callable[..., object]
WEIGHTS = np.random.default_rng(0).standard_normal((8, 8, 3, 3)).astype(np.float32)  # 2.3 kB: not in the skeleton
X = np.random.default_rng(1).standard_normal((1, 8, 4, 4)).astype(np.float32)
TEXT = """
<ir_version: 10, opset_import: ["" : 17, "loc" : 1]>
g (float[1, 8, 4, 4] x, bool c, int64 n) => (float[1, 8, 4, 4] y)
<bool true = {1}> {
  [call] a = loc.block(x)
  [if] b = If (c) <
    then_branch = t () => (float[1, 8, 4, 4] p) { [conv] p = Conv<pads = [1, 1, 1, 1]>(a, w) },
    else_branch = e () => (float[1, 8, 4, 4] q) { q = Abs(a) }>
  [loop] y = Loop (n, true, b) <body = f (int64 i, bool ci, float[1, 8, 4, 4] v) => (bool co, float[1, 8, 4, 4] u) {
    co = Identity(ci) [mix] m = Conv<pads = [1, 1, 1, 1]>(v, w) u = Tanh(m) }>
}
<domain: "loc", opset_import: ["" : 17]>
block (v) => (r) { k = Constant<value = float[1] {1}> () [conv] h = Conv<pads = [1, 1, 1, 1]>(v, k) r = Relu(h) }
"""


@pytest.fixture
def nested(tmp_path: Path) -> Path:
    """A model with weights at the top, in a branch and in a function, each of them above 1 KiB."""
    path = tmp_path / "nested.onnx"
    proto = onnx.parser.parse_model(TEXT)
    proto.graph.initializer.append(numpy_helper.from_array(WEIGHTS / 8, "w"))
    branch = next(each.g for each in proto.graph.node[1].attribute if each.name == "then_branch")
    branch.initializer.append(numpy_helper.from_array(WEIGHTS, "own"))
    branch.node[0].input[1] = "own"
    proto.functions[0].node[0].attribute[0].t.CopyFrom(numpy_helper.from_array(WEIGHTS * 2, "k"))
    onnx.save(proto, path)
    return path


def values(path: Path, taken: bool) -> dict[str, np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {"x": X, "c": np.array(taken), "n": np.array(2)}
    given = {each.name: feed[each.name] for each in session.get_inputs()}
    return dict(zip([each.name for each in session.get_outputs()], session.run(None, given), strict=True))


@pytest.mark.parametrize("linked", [False, True])
def test_layers_inside_are_written_with_the_weights_that_lie_there(
    onnxviz_command: Command, nested: Path, linked: bool
) -> None:
    target = nested.with_name("out.onnx")
    options = ["--linked"] if linked else []
    done = onnxviz_command("expose", nested, "--layers", "conv", "-o", target, "--json", *options)
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert [output["name"] for output in document["outputs"]] == ["a", "if/then_branch/p", "loop/body/u"]
    assert [output["layer"] for output in document["outputs"]] == ["call/conv", "if/then_branch/conv", "loop/body/mix"]
    assert "'if/then_branch/p' lies in a branch of an If: empty where the other branch runs" in done.err
    onnx.checker.check_model(target, full_check=True)
    assert (target.stat().st_size < 6000) == linked
    for taken in (True, False):
        plain, exposed = values(nested, taken), values(target, taken)
        np.testing.assert_array_equal(exposed["y"], plain["y"])
        np.testing.assert_array_equal(exposed["loop/body/u"][-1], plain["y"])
        assert exposed["loop/body/u"].shape == (2, 1, 8, 4, 4)
        assert exposed["if/then_branch/p"].shape == ((1, 8, 4, 4) if taken else (0, 0, 0, 0))
    again = onnxviz_command("expose", target, "--layers", "conv", "-o", target.with_name("again.onnx"), *options)
    assert again.code == 0 and "already are outputs" in again.err
    assert onnx.load(target.with_name("again.onnx"), load_external_data=False).graph == (
        onnx.load(target, load_external_data=False).graph
    )


def test_the_table_has_the_axis_of_steps_and_verify_compares(onnxviz_command: Command, nested: Path) -> None:
    done = onnxviz_command(
        "expose", nested, "--layers", "loop/** & conv, if/** & conv", "--verify", "-o", nested.with_name("v.onnx")
    )
    assert done.code == 0, done.err
    rows = {line.split()[0]: line.split()[-1] for line in done.out.splitlines()[1:3]}
    assert rows == {"if/then_branch/conv": "1x8x4x4", "loop/body/mix": "?x1x8x4x4"}
    assert "largest difference of the model's own outputs: 0" in done.out


def test_only_leaves_the_weights_of_holders_out(onnxviz_command: Command, nested: Path) -> None:
    target = nested.with_name("out.onnx")
    assert onnxviz_command("expose", nested, "--layers", '"call/h"', "--only", "-o", target).code == 0
    proto = onnx.load(target)
    assert not proto.graph.initializer and [node.name for node in proto.graph.node] == ["call"]
    assert [node.op_type for node in proto.functions[0].node] == ["Constant", "Conv"]
    reference = onnxviz.open(nested).expose(['"call/h"'])
    reference.save(nested.with_name("reference.onnx"))
    np.testing.assert_array_equal(
        values(target, True)["call/h"], values(nested.with_name("reference.onnx"), True)["call/h"]
    )


def test_what_comes_as_a_sequence_is_said(onnxviz_command: Command, tmp_path: Path) -> None:
    text = """g (float[k] x, int64 n, bool c) => (float[m] y) {
      [loop] y = Loop (n, c, x) <body = b (int64 i, bool ci, float[p] v) => (bool co, float[q] w) {
        co = Identity(ci) t = Neg(v) w = Concat<axis = 0>(t, v) }>
    }"""
    model = model_of(tmp_path / "m.onnx", text).path
    done = onnxviz_command("expose", model, "--layers", '"loop/body/t"', "-o", tmp_path / "out.onnx")
    assert done.code == 0, done.err
    assert "'loop/body/t' comes as a sequence, an array for each step: steps may differ in size" in done.err
    old = onnx.load(model)
    old.opset_import[0].version = 11
    onnx.save(old, tmp_path / "old.onnx")
    refused = onnxviz_command("expose", tmp_path / "old.onnx", "--layers", '"loop/body/t"', "-o", tmp_path / "no.onnx")
    assert refused.code == 3 and "'loop/body/t' cannot be handed out" in refused.err
    assert not (tmp_path / "no.onnx").exists()


def test_a_function_that_the_runtime_computes_itself_stays_closed(tmp_path: Path) -> None:
    text = """g (float[2] x) => (float[2] y) { [gelu] y = com.microsoft.Gelu (x) }
    <domain: "com.microsoft", opset_import: ["" : 17]>
    Gelu (v) => (w) { t = Neg(v) w = Neg(t) }"""
    model = model_of(tmp_path / "m.onnx", text)
    with pytest.raises(NoMatchError):
        model.expose('"gelu/t"')


def test_how_many_of_the_layers_lie_inside_is_said(nested: Path, onnxviz_command: Command) -> None:
    done = onnxviz_command("expose", nested, "--layers", "conv", "-o", nested.with_name("e.onnx"))
    assert done.code == 0, done.err
    assert "3 of 3 layers lie inside functions, branches or loops" in done.err

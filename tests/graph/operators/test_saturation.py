"""From where on values are saturated, of graphs that were worked out on paper, and as a run hands it out."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import parser

import onnxviz
from onnxviz.bounds import Bounds
from onnxviz.graph.graph import Graph
from onnxviz.graph.operators.saturation import saturation_bounds
from onnxviz.quantised import Quantised

NEAR = 2.0**-23


def graph_of(text: str, opset: int = 21) -> Graph:
    head = f'<ir_version: 10, opset_import: ["" : {opset}, "com.microsoft" : 1]>'
    return Graph.from_proto(parser.parse_model(f"{head} g (float[1,2,4,4] x) => (float[1,2,4,4] y) {text}"))


def found(text: str, **options: Any) -> str:
    return str(saturation_bounds(graph_of(text, options.pop("opset", 21)), "y", **options))


SIX = "float six = {6}, float zero = {0}, float low = {-2}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"<{SIX}> {{ y = Clip(x, zero, six) }}", Bounds(high=6.0)),
        (f"<{SIX}> {{ y = Clip(x, low) }}", Bounds(low=-2.0)),
        (f'<{SIX}> {{ y = Clip(x, "", six) }}', Bounds(high=6.0)),
        ("{ six = Constant<value = float {6}>() y = Clip(x, , six) }", Bounds(high=6.0)),
        ("{ y = Sigmoid(x) }", Bounds(NEAR, 1 - NEAR)),
        ("{ y = HardSigmoid(x) }", Bounds(0.0, 1.0)),
        ("{ y = Tanh(x) }", Bounds(NEAR - 1, 1 - NEAR)),
        ("{ y = Relu(x) }", None),
        ("{ y = com.microsoft.QuickGelu(x) }", None),
        (f"<{SIX}> {{ a = Min(six, x) y = Max(a, zero) }}", Bounds(high=6.0)),
        (f"<{SIX}> {{ a = Max(x, low) y = Min(a, six) }}", Bounds(-2.0, 6.0)),
        ("{ a = Tanh(x) b = Transpose(a) y = MaxPool<kernel_shape = [2, 2]>(b) }", Bounds(NEAR - 1, 1 - NEAR)),
        ("{ a = Tanh(x) y = Concat<axis = 1>(a, a) }", None),
        ("{ a = Tanh(x) y = Neg(a) }", None),
        (f"<{SIX}> {{ m = Abs(six) y = Clip(x, low, m) }}", Bounds(low=-2.0)),
        ("<float[2] two = {1, 2}> { y = Clip(x, two) }", None),
        ('{ y = com.microsoft.FusedConv<activation = "Clip", activation_params = [-1.0, 6.0]>(x) }', Bounds(-1.0, 6.0)),
        ('{ y = com.microsoft.FusedConv<activation = "HardSigmoid">(x, x) }', Bounds(0.0, 1.0)),
        ('{ y = com.microsoft.FusedConv<activation = "Relu">(x, x) }', None),
    ],
)  # fmt: skip
def test_ends_of_nonlinearities(text: str, expected: Bounds | None) -> None:
    assert found(text) == str(expected)


def test_a_clip_of_the_first_opsets_has_attributes() -> None:
    assert found("{ y = Clip<min = -1.0, max = 6.0>(x) }", opset=6) == str(Bounds(-1.0, 6.0))


QDQ = "<float six = {6}, float zero = {0}, float s = {0.03125}, uint8 z = {0}>"


def test_codes_that_reach_beyond_a_clip_end_at_it() -> None:
    text = f"{QDQ} {{ a = Clip(x, zero, six) q = QuantizeLinear(a, s, z) y = DequantizeLinear(q, s, z) }}"
    assert found(text, quantised=Quantised("uint8", 0.03125)) == str(Bounds(high=6 - 0.015625))
    # Codes that end before it: 255 * 0.015625 is less than 4.
    assert found(text, quantised=Quantised("uint8", 0.015625)) == str(Bounds(high=254.5 * 0.015625))


def test_a_sigmoid_that_is_quantised_has_no_low_end() -> None:
    text = f"{QDQ} {{ a = Sigmoid(x) q = QuantizeLinear(a, s, z) y = DequantizeLinear(q, s, z) }}"
    assert found(text, quantised=Quantised("uint8", 1 / 256)) == str(Bounds(high=254.5 / 256))


def test_codes_are_not_held_against_the_ends_of_numbers() -> None:
    text = f"{QDQ} {{ a = Clip(x, zero, six) y = QuantizeLinear(a, s, z) }}"
    assert found(text) == "None"


def test_a_scale_for_each_channel_has_ends_for_each() -> None:
    found = saturation_bounds(graph_of("{ y = Relu(x) }"), "y", Quantised("int8", (1.0, 2.0), (0, 0), 1))
    assert found == Bounds((-127.5, -255.0), (126.5, 253.0), 1)


@pytest.mark.parametrize("text", ["{ y = Clip<min = [1.0]>(x) }", "{ y = FusedConv<activation = 3>(x, x) }"])
def test_what_breaks_its_operator_has_no_ends(text: str) -> None:
    assert found(text) == "None"


@pytest.mark.parametrize("kind", ["float", "float16", "double"])
def test_a_run_counts_what_a_sigmoid_and_a_tanh_cannot_tell_apart(tmp_path: Path, kind: str) -> None:
    text = f"g ({kind}[1,7] x) => ({kind}[1,7] s, {kind}[1,7] t) {{ s = Sigmoid(x) t = Tanh(x) }}"
    model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {text}')
    onnx.save(model, tmp_path / "m.onnx")
    dtype = {"float": np.float32, "float16": np.float16, "double": np.float64}[kind]
    x = np.array([[-20, -12, -3, 0, 3, 12, 20]], dtype)
    run = onnxviz.open(tmp_path / "m.onnx").run({"x": x}, layers="s,t")
    share, both = run["s"].health.totals, run["t"].health.totals
    # In float16 a sigmoid of 12 is 1 - 6e-6, whose nearest number is 1; of -12 it is 6e-6, which float16 has.
    assert (share.saturated_low, share.saturated_high) == (1, 2 if kind == "float16" else 1)
    assert (both.saturated_low, both.saturated_high) == (2, 2)


def test_bounds_come_with_steps_of_a_loop_and_with_what_functions_hold(tmp_path: Path) -> None:
    text = """<ir_version: 10, opset_import: ["" : 21, "own" : 1]>
    g (float[1,2] x, int64 n, bool c) => (float[1,2] y) <float six = {6}> {
      h = own.block(x)
      y = Loop(n, c, h) <body = b (int64 i, bool ci, float[1,2] a) => (bool co, float[1,2] o)
        { co = Identity(ci) d = Add(a, a) o = Clip(d, , six) }>
    }
    <domain: "own", opset_import: ["" : 21]> block (v) => (w) { t = Tanh(v) w = Add(t, t) }"""
    onnx.save(parser.parse_model(text), tmp_path / "m.onnx")
    model = onnxviz.open(tmp_path / "m.onnx")
    names = [layer.output for layer in model.every_layer if layer.op in ("Clip", "Tanh")]
    x = {"x": np.array([[20.0, 0.25]], np.float32), "n": np.array(3), "c": np.array(True)}
    run = {one.op: one for one in model.run(x, layers=names).values()}
    assert run["Clip"].array.reshape(3, 2).tolist() == pytest.approx(
        np.array([[4, 0.98], [6, 1.96], [6, 3.92]]), abs=0.01
    )
    assert run["Clip"].health.totals.saturated_high == 2
    assert run["Tanh"].health.totals.saturated_high == 1


def test_every_dtype_of_a_run_is_counted(tmp_path: Path) -> None:
    text = """g (float[1,4] x, string[2] t) => (float[1,4] y, string[2] u)
        <float six = {6}, float s = {0.5}, uint8 z = {3}> {
      c = Clip(x, , six)
      brain = Cast<to = 16>(c)
      whole = Cast<to = 7>(c)
      truth = Cast<to = 9>(c)
      q = QuantizeLinear(x, s, z)
      sum = com.microsoft.QLinearAdd(q, s, z, q, s, z, s, z)
      y = Cast<to = 1>(brain)
      u = Identity(t)
    }"""
    head = '<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>'
    onnx.save(parser.parse_model(f"{head} {text}"), tmp_path / "m.onnx")
    fed = {"x": np.array([[-50, 0, 6, 90]], np.float32), "t": np.array(["a", "b"])}
    found = onnxviz.open(tmp_path / "m.onnx").run(fed, layers="brain,whole,truth,sum,u,q")
    totals = {name: one.health.totals for name, one in found.items()}
    assert [totals[name].saturated_high for name in ("brain", "whole")] == [2, 2]
    assert (totals["truth"].values, totals["truth"].saturated) == (4, 0)
    # The codes end at (0 - 3) / 2 and (255 - 3) / 2; so twice x is -3, 0, 12 and 180, and then put to these ends.
    assert found["sum"].array.tolist() == [[-1.5, 0, 12, 126]]
    assert (totals["sum"].saturated_low, totals["sum"].saturated_high) == (1, 1)
    assert (totals["u"].values, totals["u"].channels) == (0, 0)
    assert totals["q"].saturated == 0  # codes, asked for by name

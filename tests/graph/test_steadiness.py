"""Which sizes stay from step to step, held against the sizes that onnxruntime gives in each step."""

from __future__ import annotations

import numpy as np
import onnxruntime
from onnx import parser

from onnxviz.graph.cut import declare
from onnxviz.graph.graph import Graph
from onnxviz.graph.lift import lift
from onnxviz.graph.obstacles import Wanted
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.steadiness import steady_values
from onnxviz.graph.unfold import unfold

TEXT = """
<ir_version: 10, opset_import: ["" : 18]>
g (float[n, 4] x, int64 trips, float[?] q0) => (float[a, b] y, float[c] z)
<bool true = {1}, float[1] half = {0.5}, int64[1] zero = {0}, int64[1] one = {1}> {
  [loop] y, z, k = Loop (trips, true, x, q0, zero) <body = t (int64 i, bool ci, v, q, kk) => (bool co, w, r, k2) {
    co = Identity(ci)
    neg = Neg(v)
    w = Relu(neg)
    same = Abs(q0)
    r = Concat<axis = 0>(q, half)
    longer = Abs(r)
    k2 = Add(kk, one)
    window = Slice(x, zero, k2)
    places = NonZero(neg)
    shape = Shape(r)
  }>
}
"""
STEADY = {"i", "ci", "co", "v", "neg", "w", "same", "kk", "k2"}
MOVING = {"q", "r", "longer", "window", "places"}
UNPROVEN = {"shape"}  # as many axes as before, though their sizes move


def test_sizes_that_stay_are_told_from_those_that_do_not() -> None:
    flat = unfold(Graph.from_proto(parser.parse_model(TEXT)))
    found = steady_values(flat, [f"loop/body/{name}" for name in STEADY | MOVING | UNPROVEN])
    assert {name.removeprefix("loop/body/") for name in found} == STEADY


def test_the_runtime_agrees() -> None:
    graph = Graph.from_proto(parser.parse_model(TEXT))
    flat = unfold(graph)
    infos = declare(flat.graph, [f"loop/body/{name}" for name in STEADY | MOVING | UNPROVEN], infer_types(flat.graph))
    lifted = lift(graph, [Wanted(info, flat.addresses[info.name]) for info in infos])
    session = onnxruntime.InferenceSession(lifted.to_bytes(), providers=["CPUExecutionProvider"])
    x = np.array([[1, -2, 3, -4], [5, -6, -7, 8]], np.float32)
    got = session.run([info.name for info in infos], {"x": x, "trips": np.array(3), "q0": np.ones(2, np.float32)})
    sizes = {
        info.name.removeprefix("loop/body/"): {step.shape for step in steps}
        for info, steps in zip(infos, got, strict=True)
    }
    assert {name for name, shapes in sizes.items() if len(shapes) > 1} == MOVING


def test_what_swaps_places_from_step_to_step_is_not_steady_unless_its_sizes_agree() -> None:
    text = """<ir_version: 10, opset_import: ["" : 18]>
    g (float[2, 4] a, float[SIZES] b, int64 trips) => (float[i, j] y, float[k, l] z) <bool true = {1}> {
      [loop] y, z = Loop (trips, true, a, b) <body = t (int64 i, bool ci, p, q) => (bool co, r, s) {
        co = Identity(ci) r = Neg(q) s = Neg(p) }>
    }"""
    for sizes, steady in (("2, 4", True), ("3, 4", False)):
        flat = unfold(Graph.from_proto(parser.parse_model(text.replace("SIZES", sizes))))
        assert bool(steady_values(flat, ["loop/body/r"])) == steady


def test_what_the_file_notes_of_a_carried_value_is_not_believed() -> None:
    text = """<ir_version: 10, opset_import: ["" : 18]>
    g (float[1] x, int64 trips) => (float[k] y) <bool true = {1}> {
      [loop] y = Loop (trips, true, x) <body = t (int64 i, bool ci, float[1] v) => (bool co, float[1] w) {
        co = Identity(ci) w = Concat<axis = 0>(v, v) }>
    }"""
    assert not steady_values(unfold(Graph.from_proto(parser.parse_model(text))), ["loop/body/v", "loop/body/w"])

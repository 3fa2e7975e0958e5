"""What nobody reads leaves holders, and what is left computes what it did."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import parser

from onnxviz.graph.cut import cut
from onnxviz.graph.graph import Graph
from onnxviz.graph.prune import pruned
from onnxviz.graph.topology import every_node

X = np.array([[1.0, -2.0, 3.0], [-4.0, 5.0, -6.0]], np.float32)

BRANCHES = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[2, 3] x, float[2, 3] b, bool c) => (float[2, 3] y, float[2, 3] z)
<float[1] two = {2.0}, float[1] three = {3.0}> {
  y, z = If (c) <
    then_branch = t () => (float[2, 3] p, float[2, 3] q) { p = Mul(x, two) n = Neg(b) q = Mul(n, three) },
    else_branch = e () => (float[2, 3] r, float[2, 3] s) { r = Abs(x) s = Exp(b) }>
}
"""
LOOP = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[2, 3] x, float[2, 3] b, int64 n) => (float[2, 3] y, float[2, 3] z, float[k, 2, 3] s, float[m, 2, 3] u)
<bool true = {1}, float[1] half = {0.5}> {
  y, z, s, u = Loop (n, true, x, b) <body = t (int64 i, bool ci, float[2, 3] v, float[2, 3] o)
      => (bool co, float[2, 3] w, float[2, 3] o2, float[2, 3] e, float[2, 3] f) {
    co = Identity(ci) w = Mul(v, half) e = Neg(v) o2 = Exp(o) f = Add(o, v) }>
}
"""
SCAN = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[3] a, float[3] b, float[2, 3] x) => (float[3] la, float[3] lb, float[2, 3] y, float[2, 3] z) {
  la, lb, y, z = Scan (a, b, x) <num_scan_inputs = 1, scan_output_directions = [0, 1],
    body = t (float[3] s, float[3] r, float[3] v) => (float[3] s2, float[3] r2, float[3] o, float[3] q) {
      s2 = Add(s, v) r2 = Mul(r, v) o = Neg(s) q = Neg(v) }>
}
"""
CALLS = """
<ir_version: 10, opset_import: ["" : 18, "loc" : 1]>
g (float[2, 3] x, float[2, 3] b) => (float[2, 3] y, float[2, 3] z) {
  p, q = loc.pair(x, b)
  y, r = loc.pair(p, x)
  z = Neg(q)
}
<domain: "loc", opset_import: ["" : 18]>
pair (v, k) => (w, u) { w = Abs(v) t = Exp(k) u = Add(t, v) }
"""


def graph_of(text: str) -> Graph:
    return Graph.from_proto(parser.parse_model(text))


def operators(graph: Graph) -> list[str]:
    functions = [node.op_type for function in graph.proto.functions for node in every_node(function.node)]
    return sorted([*(node.op_type for node in every_node(graph.proto.graph.node)), *functions])


def run(graph: Graph, feed: dict[str, Any]) -> dict[str, Any]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(graph.to_bytes(), options, providers=["CPUExecutionProvider"])
    given = {spec.name: feed[spec.name] for spec in graph.inputs}
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, given), strict=True))


def check(text: str, outputs: Sequence[str], feed: dict[str, Any]) -> Graph:
    """Cut to some outputs; hold them against those of the whole, and the result against onnx's checker."""
    whole = graph_of(text)
    part = cut(whole, outputs)
    onnx.checker.check_model(part.proto, full_check=True)
    every, some = run(whole, feed), run(part, feed)
    assert list(some) == list(outputs)
    for name in outputs:
        np.testing.assert_array_equal(some[name], every[name])
    return part


@pytest.mark.parametrize("taken", [True, False])
def test_a_branch_without_what_nobody_reads(taken: bool) -> None:
    feed = {"x": X, "b": X + 1, "c": np.array(taken)}
    part = check(BRANCHES, ["y"], feed)
    assert operators(part) == ["Abs", "If", "Mul"]
    assert [spec.name for spec in part.inputs] == ["x", "c"]
    assert list(part.weights) == ["two"]
    assert operators(check(BRANCHES, ["z"], feed)) == ["Exp", "If", "Mul", "Neg"]
    assert check(BRANCHES, ["z", "y"], feed).proto.graph.node == graph_of(BRANCHES).proto.graph.node


@pytest.mark.parametrize(
    ("outputs", "left", "inputs"),
    [
        (["y"], ["Identity", "Loop", "Mul"], ["x", "n"]),
        (["z"], ["Exp", "Identity", "Loop"], ["b", "n"]),
        (["s"], ["Identity", "Loop", "Mul", "Neg"], ["x", "n"]),
        (["u"], ["Add", "Exp", "Identity", "Loop", "Mul"], ["x", "b", "n"]),
        (["s", "z"], ["Exp", "Identity", "Loop", "Mul", "Neg"], ["x", "b", "n"]),
    ],
)
def test_a_loop_without_what_it_carries_for_itself_alone(
    outputs: list[str], left: list[str], inputs: list[str]
) -> None:
    part = check(LOOP, outputs, {"x": X, "b": X / 8, "n": np.array(3)})
    assert operators(part) == left
    assert [spec.name for spec in part.inputs] == inputs


@pytest.mark.parametrize(
    ("outputs", "left", "inputs"),
    [
        (["la"], ["Add", "Scan"], ["a", "x"]),
        (["lb", "z"], ["Mul", "Neg", "Scan"], ["b", "x"]),
        (["y"], ["Add", "Neg", "Scan"], ["a", "x"]),
        (["z"], ["Neg", "Scan"], ["x"]),
    ],
)
def test_a_scan_keeps_the_directions_of_what_is_left(outputs: list[str], left: list[str], inputs: list[str]) -> None:
    part = check(SCAN, outputs, {"a": X[0], "b": X[1], "x": X})
    assert operators(part) == left
    assert [spec.name for spec in part.inputs] == inputs


def test_a_map_over_a_sequence() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[2, 3] x, float[2, 3] b) => (float[2, 3] y, float[2, 3] z) <int64 one = {1}> {
      s = SequenceConstruct(x, b)
      p, q = SequenceMap (s) <body = t (float[2, 3] v) => (float[2, 3] w, float[2, 3] o) { w = Neg(v) o = Abs(v) }>
      y = SequenceAt(p, one)
      z = SequenceAt(q, one)
    }"""
    part = check(text, ["z"], {"x": X, "b": X + 1})
    assert operators(part) == ["Abs", "SequenceAt", "SequenceConstruct", "SequenceMap"]


def test_calls_get_copies_of_the_functions_that_they_need() -> None:
    feed = {"x": X, "b": X / 8}
    part = check(CALLS, ["y"], feed)
    assert operators(part) == ["Abs", "pair", "pair"]
    assert [spec.name for spec in part.inputs] == ["x"]
    (function,) = part.proto.functions
    assert (list(function.input), list(function.output)) == (["v"], ["w"])
    other = check(CALLS, ["z"], feed)
    assert operators(other) == ["Add", "Exp", "Neg", "pair"]
    both = check(CALLS, ["y", "z"], feed)
    assert [function.name for function in both.proto.functions] == ["pair", "pair__1"]
    assert both.proto.functions[0] == graph_of(CALLS).proto.functions[0]


def test_a_graph_that_gives_nothing_else_is_itself() -> None:
    for text, outputs in ((BRANCHES, {"y", "z"}), (LOOP, {"y", "z", "s", "u"}), (SCAN, {"la", "lb", "y", "z"})):
        graph = graph_of(text)
        assert pruned(graph, outputs) is graph
    plain = graph_of('<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Abs(x) }')
    assert pruned(plain, {"y"}) is plain


def test_what_a_body_reads_of_the_outside_is_needed_only_where_the_body_is() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[2, 3] x, float[2, 3] b, bool c) => (float[2, 3] y, float[2, 3] z) {
      e = Exp(b)
      y, z = If (c) <
        then_branch = t () => (p, q) { p = Neg(x) q = If (c) <
          then_branch = tt () => (o) { o = Abs(e) }, else_branch = ee () => (r) { r = Neg(e) }> },
        else_branch = f () => (s, u) { s = Abs(x) u = Neg(x) }>
    }"""
    part = check(text, ["y"], {"x": X, "b": X, "c": np.array(True)})
    assert operators(part) == ["Abs", "If", "Neg"]
    assert [spec.name for spec in part.inputs] == ["x", "c"]


def test_a_body_out_of_order_is_left_as_it_is() -> None:
    proto = graph_of(BRANCHES).proto
    body = proto.graph.node[0].attribute[0].g
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in reversed(body.node)]
    del body.node[:]
    body.node.extend(nodes)
    part = cut(Graph.from_proto(proto), ["y"])
    assert operators(part) == ["Abs", "If", "Mul", "Mul", "Neg"]
    assert [spec.name for spec in part.inputs] == ["x", "b", "c"]


def chain(levels: int, last: str) -> Graph:
    """Functions that call each other, of which the last calls another."""
    names = [*(f"f{level}" for level in range(levels)), last]
    texts = [
        f"""<domain: "loc", opset_import: ["" : 17, "loc" : 1]> {name} (v) => (w, u) {{
            w, t = loc.{after} (v) u = Neg (v) }}"""
        for name, after in itertools.pairwise(names)
    ]
    end = """<domain: "loc", opset_import: ["" : 17]> end (v) => (w, u) { w = Abs (v) u = Neg (v) }"""
    text = """<ir_version: 10, opset_import: ["" : 17, "loc" : 1]>
        g (float[2, 3] x) => (float[2, 3] y) { y, z = loc.f0 (x) }"""
    return Graph.from_proto(parser.parse_model("\n".join([text, *texts, end])))


@pytest.mark.parametrize(("levels", "last"), [(1, "f0"), (3, "f1"), (500, "end")])
def test_functions_that_call_themselves_or_lie_very_deep_are_left_in_peace(levels: int, last: str) -> None:
    left = pruned(chain(levels, last), ["y"])
    assert left.proto.graph.node[0].output == ["y"]


def test_functions_that_lie_deep_compute_what_they_did() -> None:
    graph = chain(90, "end")  # onnxruntime runs a hundred levels
    before, after = (
        onnxruntime.InferenceSession(each.proto.SerializeToString()).run(["y"], {"x": X})[0]
        for each in (graph, pruned(graph, ["y"]))
    )
    assert after.tolist() == before.tolist() == np.abs(X).tolist()

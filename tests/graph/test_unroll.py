"""Loops and Scans laid out compute what they did; what is checked of another input holds or fails as its steps say."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import parser

from onnxviz.graph.graph import Graph
from onnxviz.graph.loop_steps import counting
from onnxviz.graph.unroll import unrolled

LOOP = """(float[2] x, int64 n, float limit) => (float[2] y, float[S,2] ys) <bool go = {1}> {
    y, ys = Loop(n, go, x) <body = b (int64 i, bool before, float[2] v) => (bool on, float[2] w, float[2] r)
        <float two = {2}> { w = Mul(v, two) f = Cast<to=1>(i) r = Add(w, f)
          s = ReduceSum<keepdims=0>(w) on = Less(s, limit) }>
}"""

SCAN = """(float[2] v0, float[2,S] a, float[S,1] c) => (float[2] v, float[2,S] vs) {
    v, vs = Scan<num_scan_inputs = 2, scan_input_axes = [1, 0], scan_input_directions = [0, 1],
        scan_output_axes = [1], scan_output_directions = [1],
        body = b (float[2] before, float[2] part, float[1] factor) => (float[2] after, float[2] kept)
        { t = Mul(before, factor) after = Add(t, part) kept = Identity(after) }>(v0, a, c)
}"""


def graph_of(text: str, opset: int) -> Graph:
    return Graph.from_proto(parser.parse_model(f'<ir_version: 8, opset_import: ["": {opset}]> g ' + text))


def run(graph: Graph, feed: dict[str, Any], names: list[str] | None = None) -> list[Any]:
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    proto.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names or [])
    onnx.checker.check_model(graph.proto)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(names, {each.name: feed[each.name] for each in session.get_inputs()}))


def fed(steps: int, limit: float) -> dict[str, Any]:
    return {"x": np.array([1, 2], "f"), "n": np.array(steps), "limit": np.array(limit, "f")}


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize(("limit", "steps"), [(1e9, 4), (20.0, 3), (0.0, 1)])
def test_a_loop_is_what_it_was(opset: int, limit: float, steps: int) -> None:
    graph, feed = graph_of(LOOP, opset), fed(4, limit)
    counted, names = counting(graph, graph.nodes)
    assert [found.tolist() for found in run(counted, feed, list(names))] == [list(range(steps))]
    found = unrolled(graph, {0: steps})
    assert not any(node.op == "Loop" for node in found.graph.nodes)
    for ours, theirs in zip(run(found.graph, feed), run(graph, feed), strict=True):
        assert ours.tolist() == theirs.tolist()
    checked = run(found.graph, feed, list(found.checks))
    assert [bool(value) for value in checked] == list(found.checks.values())
    for other in (fed(steps - 1, 1e9), fed(steps + 1, 1e9), fed(9, 7 * 2**steps)):  # one fewer, one more, one more
        other_steps = len(run(graph, other, ["ys"])[0])
        same = [bool(value) for value in run(found.graph, other, list(found.checks))] == list(found.checks.values())
        assert same == (other_steps == steps)


@pytest.mark.parametrize("opset", [11, 13, 18])
@pytest.mark.parametrize("steps", [1, 3])
def test_a_scan_is_what_it_was(opset: int, steps: int) -> None:
    graph = graph_of(SCAN, opset)
    generator = np.random.default_rng(0)
    sizes = {"v0": (2,), "a": (2, steps), "c": (steps, 1)}
    feed = {name: generator.standard_normal(size).astype("f") for name, size in sizes.items()}
    found = unrolled(graph, {0: steps})
    for ours, theirs in zip(run(found.graph, feed), run(graph, feed), strict=True):
        assert ours.tolist() == theirs.tolist()
    assert [bool(value) for value in run(found.graph, feed, list(found.checks))] == list(found.checks.values())

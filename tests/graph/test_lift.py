"""Values inside holders, against numpy by hand and the same graph written without holders."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, parser

from onnxviz.errors import UnsupportedError
from onnxviz.graph.cut import cut, declare
from onnxviz.graph.graph import Graph
from onnxviz.graph.lift import count_name, lift
from onnxviz.graph.obstacles import Wanted
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.unfold import unfold

X = np.array([[1.0, -2.0, 3.0], [-4.0, 5.0, -6.0]], np.float32)

BLOCK = """
<domain: "loc", opset_import: ["" : 18]>
block <alpha: float = 0.5> (v, k) => (w) { t = Add(v, k) w = LeakyRelu<alpha: float = @alpha>(t) }
"""
CALLS = """
<ir_version: 10, opset_import: ["" : 18, "loc" : 1]>
g (float[2, 3] x) => (float[2, 3] y)
<float[1] one = {1.0}> {
  [first] a = loc.block<alpha = 0.25>(x, one)
  [second] y = loc.block(a, one)
}
"""
BRANCHES = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[2, 3] x, bool c) => (float[a, b] y) {
  [if] y = If (c) <
    then_branch = t () => (float[2, 3] r) { n = Neg(x) s = ReduceMax<keepdims = 0>(n) r = Mul(n, s) },
    else_branch = e () => (float[2, 3] q) { q = Abs(x) }>
}
"""
STEADY = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[2, 3] x, int64 n) => (float[2, 3] y)
<bool true = {1}, float[1] half = {0.5}> {
  [loop] y = Loop (n, true, x) <body = b (int64 i, bool ci, float[2, 3] v) => (bool co, float[2, 3] w) {
    co = Identity(ci) t = Mul(v, half) w = Neg(t) }>
}
"""
GROWING = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[k] x, int64 n) => (float[m] y)
<bool true = {1}, float[1] half = {0.5}> {
  [loop] y = Loop (n, true, x) <body = b (int64 i, bool ci, float[p] v) => (bool co, float[q] w) {
    co = Identity(ci) t = Neg(v) w = Concat<axis = 0>(t, half) }>
}
"""
SCAN = """
<ir_version: 8, opset_import: ["" : 17]>
g (float[3] start, float[2, 3] x) => (float[3] last, float[2, 3] y) {
  [scan] last, y = Scan (start, x) <num_scan_inputs = 1,
    body = b (float[3] s, float[3] v) => (float[3] s2, float[3] o) { t = Add(s, v) s2 = Abs(t) o = Identity(s2) }>
}
"""


def graph_of(*texts: str) -> Graph:
    return Graph.from_proto(parser.parse_model("".join(texts)))


def wanted(graph: Graph, values: Sequence[str], steady: bool = False) -> list[Wanted]:
    flat = unfold(graph)
    infos = declare(flat.graph, values, infer_types(flat.graph))
    return [Wanted(info, flat.addresses[info.name], steady) for info in infos]


def lifted(graph: Graph, *values: str, steady: bool = False, keep: range | None = None) -> Graph:
    return lift(graph, wanted(graph, values, steady), keep)


def run(graph: Graph, **feed: Any) -> dict[str, Any]:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(graph.to_bytes(), options, providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, feed), strict=True))


def checked(graph: Graph, **feed: Any) -> dict[str, Any]:
    """Run a graph that onnx's checker has to take as well."""
    onnx.checker.check_model(graph.proto, full_check=True)
    return run(graph, **feed)


def leaky(x: np.ndarray, alpha: float) -> np.ndarray:
    return np.where(x < 0, np.float32(alpha) * x, x).astype(np.float32)


def test_a_call_hands_out_what_is_inside_and_other_calls_keep_their_function() -> None:
    graph = graph_of(CALLS, BLOCK)
    result = lifted(graph, "first/t")
    got = checked(result, x=X)
    a = leaky(X + 1, 0.25)
    np.testing.assert_array_equal(got["first/t"], X + 1)
    np.testing.assert_array_equal(got["y"], leaky(a + 1, 0.5))
    assert [function.name for function in result.proto.functions] == ["block", "block__1"]
    assert result.proto.functions[0] == graph.proto.functions[0]
    assert [node.op for node in result.nodes] == ["block__1", "block"]


def test_calls_that_hand_out_the_same_share_the_function_which_keeps_its_name() -> None:
    result = lifted(graph_of(CALLS, BLOCK), "first/t", "second/t")
    got = checked(result, x=X)
    np.testing.assert_array_equal(got["second/t"], leaky(X + 1, 0.25) + 1)
    assert [(function.name, list(function.output)) for function in result.proto.functions] == [("block", ["w", "t"])]
    assert [node.op for node in result.nodes] == ["block", "block"]


def test_functions_within_functions_overloads_and_results_that_are_inputs() -> None:
    inner = '<domain: "loc", opset_import: ["" : 18]>\n' + BLOCK.strip().split("\n", 1)[1]
    outer = """<domain: "loc", opset_import: ["" : 18, "loc" : 1]>
    outer (v, k) => (v2, same) { [in] v2 = loc.block(v, k) same = Neg(v2) }"""
    text = """<ir_version: 10, opset_import: ["" : 18, "loc" : 1]>
    g (float[2, 3] x) => (float[2, 3] y) <float[1] one = {1.0}> {
      [a] p, s = loc.outer(x, one) [b] q, r = loc.outer(p, one) y = Add(q, s) }"""
    graph = graph_of(text, outer, inner)
    got = checked(lifted(graph, "b/in/t", "a/in/t"), x=X)
    np.testing.assert_array_equal(got["a/in/t"], X + 1)
    np.testing.assert_array_equal(got["b/in/t"], leaky(X + 1, 0.5) + 1)
    proto = onnx.ModelProto()
    proto.CopyFrom(graph_of(CALLS, BLOCK).proto)
    proto.functions[0].overload = "fine"
    for node in proto.graph.node:
        node.overload = "fine"
    np.testing.assert_array_equal(
        checked(lifted(Graph.from_proto(proto), "second/t"), x=X)["second/t"], leaky(X + 1, 0.25) + 1
    )


@pytest.mark.parametrize("taken", [True, False])
def test_a_branch_hands_out_what_it_made_and_the_other_one_an_empty_value(taken: bool) -> None:
    graph = graph_of(BRANCHES)
    result = lifted(graph, "if/then_branch/n", "if/then_branch/s", "if/else_branch/q")
    got = checked(result, x=X, c=np.array(taken))
    np.testing.assert_array_equal(got["y"], -X * 6 if taken else np.abs(X))
    for name, value in (("then_branch/n", -X), ("then_branch/s", np.array([6.0])), ("else_branch/q", np.abs(X))):
        ran = name.startswith("then") == taken
        np.testing.assert_array_equal(got[f"if/{name}"], value if ran else np.zeros([0] * value.ndim))
    assert [node.name for node in result.nodes] == ["if"]


def test_branches_in_branches_whose_ranks_differ() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[2, 3] x, bool c, bool d) => (y) {
      [if] y = If (c) <then_branch = t () => (r) { [in] r = If (d) <
          then_branch = tt () => (a) { a = ReduceSum<keepdims = 0>(x) }, else_branch = ee () => (b) { b = Neg(x) }> },
        else_branch = e () => (float[2, 3] q) { q = Abs(x) }>
    }"""
    result = lifted(
        graph_of(text), "if/then_branch/in/then_branch/a", "if/then_branch/in/else_branch/b", "if/then_branch/r"
    )
    for c, d in ((True, True), (True, False), (False, True)):
        got = run(result, x=X, c=np.array(c), d=np.array(d))
        assert got["if/then_branch/in/then_branch/a"].tolist() == ([-3.0] if c and d else [])
        assert got["if/then_branch/in/else_branch/b"].tolist() == ((-X).tolist() if c and not d else [])
        want = np.ravel(-3.0 if d else -X) if c else []
        assert np.ravel(got["if/then_branch/r"]).tolist() == list(want)


@pytest.mark.parametrize("trips", [0, 1, 3])
def test_steady_steps_of_a_loop_are_stacked(trips: int) -> None:
    got = checked(lifted(graph_of(STEADY), "loop/body/t", "loop/body/v", steady=True), x=X, n=np.array(trips))
    v = [X * np.float32(-0.5) ** step for step in range(trips + 1)]
    np.testing.assert_array_equal(got["y"], v[-1])
    np.testing.assert_array_equal(
        got["loop/body/v"], np.array(v[:-1]).reshape(trips, *X.shape) if trips else np.zeros((0, 2, 3))
    )
    np.testing.assert_array_equal(
        got["loop/body/t"], -np.array(v[1:]).reshape(trips, *X.shape) if trips else np.zeros((0, 2, 3))
    )


def test_steps_that_change_in_size_come_as_a_sequence() -> None:
    x = np.arange(2, dtype=np.float32)
    got = checked(lifted(graph_of(GROWING), "loop/body/t", "loop/body/w"), x=x, n=np.array(3))
    v, want = x, []
    for _ in range(3):
        want.append(-v)
        v = np.append(-v, np.float32(0.5))
    assert [step.tolist() for step in got["loop/body/t"]] == [step.tolist() for step in want]
    assert [step.size for step in got["loop/body/w"]] == [3, 4, 5]
    np.testing.assert_array_equal(got["y"], v)


@pytest.mark.parametrize(
    ("keep", "want"), [(range(2), [0, 1]), (range(1, 3), [1, 2]), (range(3, 9), [3, 4]), (range(7, 9), [])]
)
def test_some_steps_are_kept_and_all_are_counted(keep: range, want: list[int]) -> None:
    got = checked(lifted(graph_of(STEADY), "loop/body/t", keep=keep), x=X, n=np.array(5))
    assert len(got["loop/body/t"]) == len(want)
    for step, number in zip(got["loop/body/t"], want, strict=True):
        np.testing.assert_array_equal(step, X * np.float32(0.5) * np.float32(-0.5) ** number)
    assert got[count_name("loop/body/t")] == 5


MEMORY = """
import sys
from pathlib import Path
import numpy as np, onnxruntime

def peak() -> int:  # not ru_maxrss, which begins with the peak of the process that started this one
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])

options = onnxruntime.SessionOptions()
options.enable_cpu_mem_arena = False
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
before = peak()
steps = session.run(["loop/body/t"], {"x": np.ones((2, 3), np.float32), "n": np.array(300)})[0]
print(len(steps), (peak() - before) >> 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read where Linux has it")
def test_kept_steps_take_the_memory_of_those_alone(tmp_path: Path) -> None:
    large = STEADY.replace("t = Mul(v, half)", "u = Mul(v, half) t = Expand(half, sizes)").replace(
        "w = Neg(t)", "w = Neg(u)"
    )
    graph = graph_of(large.replace("<bool true", "<int64[2] sizes = {512, 512}, bool true"))
    taken = []
    for keep in (range(16), range(200)):
        path = tmp_path / "lifted.onnx"
        path.write_bytes(lifted(graph, "loop/body/t", keep=keep).to_bytes())
        done = subprocess.run([sys.executable, "-c", MEMORY, path], capture_output=True, text=True, check=True)
        steps, mebibytes = map(int, done.stdout.split())
        assert steps == len(keep)
        taken.append(mebibytes)
    assert taken[0] < 64 < taken[1]  # a step is 1 MiB; 300 are computed


NESTED = """
<ir_version: 10, opset_import: ["" : 17, "loc" : 1]>
g (float[2, 3] x, int64 n) => (float[2, 3] y)
<bool true = {1}, float[1] one = {1.0}, int64 two = {2}, int64 zero = {0}> {
  [loop] y = Loop (n, true, x) <body = b (int64 i, bool ci, float[2, 3] v) => (bool co, float[2, 3] w) {
    co = Identity(ci)
    odd = Mod(i, two)
    even = Equal(odd, zero)
    [if] u = If (even) <
      then_branch = t () => (r) {
        [in] r = Loop (two, ci, v) <body = bb (int64 j, bool cj, float[2, 3] vv) => (bool cco, float[2, 3] ww) {
          cco = Identity(cj) [call] ww = loc.block(vv, one) }> },
      else_branch = e () => (q) { q = Neg(v) }>
    w = Identity(u) }>
}
"""


def nested_by_hand(trips: int) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray]]:
    v, inner, other = X, [], []
    for trip in range(trips):
        if trip % 2:
            v = -v
            other.append(v)
            continue
        for _ in range(2):
            inner.append(v + np.float32(1))
            v = leaky(inner[-1], 0.5)
    return v, inner, other


@pytest.mark.parametrize("opset", [13, 17])
@pytest.mark.parametrize("keep", [None, range(1, 3)])
def test_a_function_in_a_loop_in_a_branch_of_a_loop(opset: int, keep: range | None) -> None:
    # At opset 13 Identity takes no sequences.
    graph = graph_of(NESTED.replace('"" : 17', f'"" : {opset}'), BLOCK.replace('"" : 18', f'"" : {opset}'))
    deep, shallow = "loop/body/if/then_branch/in/body/call/t", "loop/body/if/else_branch/q"
    got = run(lifted(graph, deep, shallow, keep=keep), x=X, n=np.array(4))
    y, inner, other = nested_by_hand(4)
    np.testing.assert_array_equal(got["y"], y)
    for name, every in ((deep, inner), (shallow, other)):
        kept = every if keep is None else every[keep.start : keep.stop]
        assert [step.tolist() for step in got[name]] == [step.tolist() for step in kept]
        if keep is not None:
            assert got[count_name(name)] == len(every)


def test_a_loop_in_a_branch_in_a_function_begins_its_sequence_there() -> None:
    text = """<ir_version: 10, opset_import: ["" : 17, "loc" : 1]>
    g (float[k] x, int64 n, bool c) => (float[m] y) { [call] y = loc.maybe(x, n, c) }
    <domain: "loc", opset_import: ["" : 17]>
    maybe (x, n, c) => (y) {
      [if] y = If (c) <then_branch = t () => (r) { [loop] r = Loop (n, c, x) <
          body = b (int64 i, bool ci, v) => (bool co, w) { co = Identity(ci) t = Neg(v) w = Concat<axis = 0>(t, t) }> },
        else_branch = e () => (q) { q = Identity(x) }>
    }"""
    name = "call/if/then_branch/loop/body/t"
    result = lifted(graph_of(text), name)
    x = np.ones(1, np.float32)
    assert [step.tolist() for step in run(result, x=x, n=np.array(2), c=np.array(True))[name]] == [[-1], [1, 1]]
    assert run(result, x=x, n=np.array(2), c=np.array(False))[name] == []


@pytest.mark.parametrize("directions", [None, [1]])
def test_a_scan_hands_out_its_steps(directions: list[int] | None) -> None:
    proto = graph_of(SCAN).proto
    if directions is not None:
        proto.graph.node[0].attribute.append(helper.make_attribute("scan_output_directions", directions))
    got = checked(lifted(Graph.from_proto(proto), "scan/body/t", steady=True), start=np.zeros(3, np.float32), x=X)
    first = X[0]
    np.testing.assert_array_equal(got["scan/body/t"], [first, np.abs(first) + X[1]])
    np.testing.assert_array_equal(got["last"], np.abs(np.abs(first) + X[1]))


def test_a_scan_of_opset_8_hands_out_items_and_steps() -> None:
    text = """<ir_version: 8, opset_import: ["" : 8]>
    g (float[1, 3] start, float[1, 2, 3] x) => (float[1, 3] last, float[1, 2, 3] y) {
      [scan] last, y = Scan ("", start, x) <num_scan_inputs = 1,
        body = b (float[3] s, float[3] v) => (float[3] s2, float[3] o) { t = Add(s, v) s2 = Abs(t) o = Identity(s2) }>
    }"""
    graph = graph_of(text.replace('Scan ("", start', "Scan (start, start"))
    graph.proto.graph.node[0].input[0] = ""
    result = lifted(Graph.from_proto(graph.proto), "scan/body/t", steady=True)
    got = run(result, start=np.zeros((1, 3), np.float32), x=X[None])
    np.testing.assert_array_equal(got["scan/body/t"], [[X[0], np.abs(X[0]) + X[1]]])


def test_a_map_over_a_sequence_hands_out_a_sequence() -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]>
    g (float[2, 3] x) => (float[2, 3] y) <int64 zero = {0}> {
      s = SequenceConstruct(x, x)
      [map] z = SequenceMap (s) <body = b (float[2, 3] v) => (float[2, 3] w) { t = Neg(v) w = Abs(t) }>
      y = SequenceAt(z, zero)
    }"""
    got = run(lifted(graph_of(text), "map/body/t"), x=X)
    assert [item.tolist() for item in got["map/body/t"]] == [(-X).tolist()] * 2
    np.testing.assert_array_equal(got["y"], np.abs(X))


def test_weights_and_inputs_of_bodies_and_results_of_the_body_have_second_names() -> None:
    proto = graph_of(STEADY).proto
    body = proto.graph.node[0].attribute[0].g
    body.initializer.append(helper.make_tensor("inner", onnx.TensorProto.FLOAT, [1], [2.0]))
    body.node.append(helper.make_node("Mul", ["v", "inner"], ["m"]))
    graph = Graph.from_proto(proto)
    got = checked(
        lifted(graph, *(f"loop/body/{name}" for name in ("inner", "v", "w", "m")), steady=True), x=X, n=np.array(2)
    )
    assert got["loop/body/inner"].tolist() == [[2.0], [2.0]]
    np.testing.assert_array_equal(got["loop/body/v"], [X, X * np.float32(-0.5)])
    np.testing.assert_array_equal(got["loop/body/w"][-1], got["y"])
    np.testing.assert_array_equal(got["loop/body/m"], got["loop/body/v"] * 2)


def test_sparse_weights_of_bodies_are_where_they_were() -> None:
    proto = graph_of(BRANCHES).proto
    then = proto.graph.node[0].attribute[0].g
    entries = helper.make_tensor("w", onnx.TensorProto.FLOAT, [2], [2.0, -3.0])
    places = helper.make_tensor("places", onnx.TensorProto.INT64, [2], [0, 4])
    then.sparse_initializer.append(helper.make_sparse_tensor(entries, places, [3, 3]))
    then.node.add(op_type="MatMul", input=["n", "w"], output=["product"])
    # onnx's inference tells no type of what reads a sparse weight.
    then.node.append(helper.make_node("Cast", ["product"], ["m"], to=onnx.TensorProto.FLOAT))
    graph = Graph.from_proto(proto)
    result = lifted(graph, "if/then_branch/m")
    got = run(result, x=X, c=np.array(True))
    dense = np.zeros((3, 3), np.float32)
    dense[0, 0], dense[1, 1] = 2, -3
    np.testing.assert_array_equal(got["if/then_branch/m"], -X @ dense)
    part = cut(result, ["if/then_branch/m"]).proto.graph.node[0].attribute[0].g
    assert [tensor.values.name for tensor in part.sparse_initializer] == ["w"]
    plain = cut(graph, ["y"]).proto.graph.node[0].attribute[0].g
    assert not plain.sparse_initializer and [node.op_type for node in plain.node] == ["Neg", "ReduceMax", "Mul"]


def test_names_that_are_taken_are_left_alone() -> None:
    proto = graph_of(BRANCHES).proto
    then = proto.graph.node[0].attribute[0].g
    then.node.add(op_type="Identity", input=["n"], output=["n/none"])
    proto.graph.node.add(op_type="Identity", input=["x"], output=["s/(1)"])
    got = checked(lifted(Graph.from_proto(proto), "if/then_branch/n", "if/then_branch/s"), x=X, c=np.array(True))
    assert got["if/then_branch/s"].tolist() == [6.0]


def refusal(graph: Graph, *values: str, **options: Any) -> str:
    with pytest.raises(UnsupportedError) as caught:
        lifted(graph, *values, **options)
    return str(caught.value)


def test_what_cannot_be_handed_out_is_refused_by_name() -> None:
    old = graph_of(GROWING.replace('"" : 17', '"" : 11'))
    said = refusal(old, "loop/body/t")
    assert (
        said.startswith("'loop/body/t' cannot be handed out: its size may differ from step to step")
        and "opset 11" in said
    )
    branches = """c = Constant<value = bool {1}>() [if] s2 = If (c) <
      then_branch = tb () => (r) { r = Abs(t) }, else_branch = eb () => (q) { q = Neg(t) }>"""
    scanned = SCAN.replace("s2 = Abs(t)", branches)
    assert "a Scan hands out arrays of one size" in refusal(graph_of(scanned), "scan/body/if/then_branch/r")
    search = helper.make_graph(
        [helper.make_node("Relu", ["v"], ["w"])],
        "decoder",
        [helper.make_tensor_value_info("v", 1, [2])],
        [helper.make_tensor_value_info("w", 1, [2])],
    )
    node = helper.make_node("BeamSearch", ["x"], ["y"], name="search", domain="com.microsoft", decoder=search)
    infos = [helper.make_tensor_value_info(name, 1, [2]) for name in "xy"]
    model = helper.make_model(helper.make_graph([node], "g", infos[:1], infos[1:]), ir_version=8)
    said = refusal(Graph.from_proto(model), "search/decoder/w")
    assert said.startswith("'search/decoder/w' cannot be handed out: com.microsoft.BeamSearch hands out nothing")


def test_the_rest_of_the_model_stays() -> None:
    for graph, name in ((graph_of(CALLS, BLOCK), "second/t"), (graph_of(BRANCHES), "if/then_branch/s")):
        before = graph.to_bytes()
        proto = lifted(graph, name).proto
        assert graph.to_bytes() == before
        own = graph.proto
        assert list(proto.graph.input) == list(own.graph.input)
        assert list(proto.graph.initializer) == list(own.graph.initializer)
        assert list(proto.graph.output[:-1]) == list(own.graph.output)
        assert [node.name for node in proto.graph.node] == [node.name for node in own.graph.node]

"""Calls and taken branches in the place of what held them: names, structure and results on hand-worked models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
import pytest

from onnxviz.graph.cut import cut
from onnxviz.graph.graph import Graph
from onnxviz.graph.specialise import Decide, Specialised, specialise
from onnxviz.graph.unfold import unfold

X = np.array([[-2.0, 3.0]], np.float32)

BRANCHES = """
    g (float[1, 2] x, bool c) => (float[1, 2] y) {
        a = Abs (x)
        y = If (c) <
            then_branch = one () => (float[1, 2] r) { t = Add (a, a) r = Neg (t) },
            else_branch = two () => (float[1, 2] r) { e = Exp (a) r = Sqrt (e) }
        >
    }
"""

NESTED = """
    g (float[1, 2] x, bool c, bool d) => (float[1, 2] y) {
        y = If (c) <
            then_branch = one () => (float[1, 2] r) {
                b = Neg (x)
                r = If (d) <
                    then_branch = three () => (float[1, 2] s) { s = Abs (b) },
                    else_branch = four () => (float[1, 2] s) { s = Exp (b) }
                >
            },
            else_branch = two () => (float[1, 2] r) { r = Identity (x) }
        >
    }
"""

CALLS = """
    g (float[1, 2] x) => (float[1, 2] y) {
        h = loc.block <k: float = 2.0> (x)
        y = loc.block (h)
    }
    <domain: "loc", opset_import: ["" : 18]>
    half (v) => (w) { t = Constant <value_float: float = 2.0> () w = Div (v, t) }
    <domain: "loc", opset_import: ["" : 18, "loc" : 1]>
    block <k: float = 3.0> (v) => (w) {
        kk = Constant <value_float: float = @k> ()
        u = Mul (v, kk)
        w = loc.half (u)
    }
"""

LOOP_IN_A_CALL = """
    g (float[1, 2] x, int64 n) => (float[1, 2] y) { y = loc.turns (x, n) }
    <domain: "loc", opset_import: ["" : 18]>
    turns (v, n) => (w) {
        go = Constant <value = bool {1}> ()
        w = Loop (n, go, v) <body = b (int64 i, bool ci, float[1, 2] x) => (bool co, float[1, 2] y) {
            co = Identity (ci)
            y = Add (x, v)
        }>
    }
"""


def graph_of(text: str) -> Graph:
    header = '<ir_version: 10, opset_import: ["" : 18, "loc" : 1]>'
    return Graph.from_proto(onnx.parser.parse_model(header + text))


def computed(graph: Graph, feeds: dict[str, object]) -> list[np.ndarray]:
    """Return a graph's outputs as onnxruntime computes them, nothing optimised."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(graph.to_bytes(), options)
    fed = {"x": X} | {name: np.array(value) for name, value in feeds.items()}
    return [np.asarray(found) for found in session.run(None, {name.name: fed[name.name] for name in graph.inputs})]


def deciding(**feeds: object) -> Decide:
    return lambda graph, names: [bool(found) for found in computed(cut(graph, names), feeds)]


def specialised(text: str, wanted: Sequence[str], **feeds: object) -> tuple[Graph, Specialised]:
    """Open a model, and check that it is sound and computes what it did."""
    graph = graph_of(text)
    found = specialise(graph, unfold(graph).addresses, wanted, deciding(**feeds))
    onnx.checker.check_model(found.graph.proto, full_check=True)
    pairs = zip(computed(graph, feeds), computed(found.graph, feeds), strict=True)
    assert all(np.array_equal(before, after) for before, after in pairs)
    return graph, found


def fetched(graph: Graph, value: str, **feeds: object) -> np.ndarray:
    return computed(cut(graph, [value]), feeds)[0]


def nodes(graph: Graph) -> list[tuple[str, list[str], list[str]]]:
    return [(node.op, list(node.inputs), list(node.outputs)) for node in graph.nodes]


def test_the_taken_branch_takes_the_place_of_its_if() -> None:
    _, found = specialised(BRANCHES, ["y/then_branch/t", "y/else_branch/e"], c=True)
    assert nodes(found.graph) == [
        ("Abs", ["x"], ["a"]),
        ("Add", ["a", "a"], ["y/then_branch/t"]),
        ("Neg", ["y/then_branch/t"], ["y/then_branch/r"]),
        ("Identity", ["y/then_branch/r"], ["y"]),
    ]
    assert (found.taken, found.absent) == ({"y": "then_branch"}, {"y/else_branch/e": "y"})
    assert fetched(found.graph, "y/then_branch/t", c=True).tolist() == [[4, 6]]
    _, other = specialised(BRANCHES, ["y/then_branch/t", "y/else_branch/e"], c=False)
    assert (other.taken, other.absent) == ({"y": "else_branch"}, {"y/then_branch/t": "y"})


def test_a_condition_is_asked_for_once_a_level() -> None:
    asked: list[list[str]] = []

    def decide(_: Graph, names: Sequence[str]) -> list[bool]:
        asked.append(list(names))
        return [True] * len(names)

    graph = graph_of(NESTED)
    inner = "y/then_branch/r/then_branch/s"
    found = specialise(graph, unfold(graph).addresses, [inner], decide)
    assert asked == [["c"], ["d"]]
    assert found.taken == {"y": "then_branch", "y/then_branch/r": "then_branch"}
    assert fetched(found.graph, inner, c=True, d=True).tolist() == [[2, 3]]


@pytest.mark.parametrize(
    ("c", "d", "absent"),
    [
        (True, False, {"y/then_branch/r/then_branch/s": "y/then_branch/r"}),
        (False, True, {"y/then_branch/r/then_branch/s": "y", "y/then_branch/r/else_branch/s": "y"}),
    ],
)
def test_what_did_not_run_names_the_if_that_took_the_other_branch(c: bool, d: bool, absent: dict[str, str]) -> None:
    wanted = ["y/then_branch/r/then_branch/s", "y/then_branch/r/else_branch/s"]
    assert specialised(NESTED, wanted, c=c, d=d)[1].absent == absent


def test_calls_give_way_with_their_attributes_in_place() -> None:
    _, found = specialised(CALLS, ["h/u", "h/w/t", "y/u"])
    assert [node.outputs[0] for node in found.graph.nodes] == ["h/kk", "h/u", "h/w/t", "h", "y/kk", "y/u", "y"]
    assert fetched(found.graph, "h/u").tolist() == [[-4, 6]]
    assert fetched(found.graph, "y/u").tolist() == [[-6, 9]]


def test_what_stands_on_no_way_stays_as_it_is() -> None:
    graph, found = specialised(CALLS, ["h/u"])
    assert [node.op for node in found.graph.nodes] == ["Constant", "Mul", "half", "block"]
    assert specialise(graph, unfold(graph).addresses, ["h", "y"], deciding()).graph is graph


def test_a_loop_stays_and_its_values_keep_an_address() -> None:
    # The body has values called as those outside the function: x and y.
    _, found = specialised(LOOP_IN_A_CALL, ["y/w/body/y"], n=3)
    address = found.addresses["y/w/body/y"]
    loop = found.graph.nodes[address.path[0].index]
    assert (loop.op, len(address.path), address.path[0].body, address.value) == ("Loop", 1, "body", "y")
    assert fetched(found.graph, "y", n=3).tolist() == (4 * X).tolist()

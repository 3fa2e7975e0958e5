"""Layers inside functions and inside the bodies of If, Loop and Scan: their names, kinds, depths and weights."""

from __future__ import annotations

from itertools import pairwise

import pytest
from onnx import parser

from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import Layer, catalogue
from onnxviz.graph.layers.inside import count_unlisted
from onnxviz.graph.shapes import infer_types

HEAD = '<ir_version: 10, opset_import: ["": 20, "loc": 1]>\n'


def layers_of(text: str) -> list[Layer]:
    graph = Graph.from_proto(parser.parse_model(HEAD + text))
    return list(catalogue(graph, infer_types(graph)))


def test_layers_in_bodies_say_what_they_are_in() -> None:
    branch = "then_branch = t () => (float[1,2,6,6] p) { p = Conv (h, w, b) }"
    other = "else_branch = e () => (float[1,2,6,6] q) { i = Conv (h, w, b) q = Conv (i, k) }"
    held = "float[2,1,3,3] w = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}, float[2] b = {0,0}, float[1,1,1,1] k = {1}"
    nodes = f"h = Conv (x, k) y = If (c) <{branch}, {other}> z = Conv (y, w)"
    found = layers_of(f"g (float[1,1,8,8] x, bool c) => (float[] z) <{held}> {{ {nodes} }}")
    assert [(layer.name, layer.inside, layer.depth, layer.parameters) for layer in found] == [
        ("h", "", 1, 1),
        ("y/then_branch/p", "If #1 then_branch", 2, 20),
        ("y/else_branch/i", "If #1 else_branch", 2, 20),
        ("y/else_branch/q", "If #1 else_branch", 3, 1),
        ("z", "", 4, 18),
    ]


def test_each_call_of_a_function_lists_its_layers_and_deepens_what_follows() -> None:
    text = (
        "g (float[1,1,8,8] x) => (float[] y) <float[1,1,1,1] k = {1}> "
        "{ a = loc.block (x, k) b = loc.block (a, k) y = Conv (b, k) }\n"
        '<domain: "loc", opset_import: ["": 20]> block (i, k) => (o) { c = Conv (i, k) o = Relu (c) }'
    )
    convs = [layer for layer in layers_of(text) if layer.kind == "conv"]
    assert [(layer.name, layer.inside, layer.depth, layer.parameters) for layer in convs] == [
        ("a/c", "block #0", 1, 1),
        ("b/c", "block #1", 2, 1),
        ("y", "", 3, 1),
    ]


def test_a_product_in_a_function_is_dense_where_the_call_passes_a_constant() -> None:
    text = (
        "g (float[2,2] x) => (float[] y) <float[2,2] k = {1,1,1,1}> { a = loc.times (x, k) y = loc.times (a, x) }\n"
        '<domain: "loc", opset_import: ["": 20]> times (i, j) => (o) { o = MatMul (i, j) }'
    )
    assert [(layer.name, layer.kind, layer.parameters) for layer in layers_of(text)] == [("a/o", "dense", 4)]


def nested(depth: int, calls: int) -> Graph:
    """A function of each level calls that of the next `calls` times; the last is a Relu."""
    names = [f"f{level}" for level in range(depth)]
    functions = [
        f'<domain: "loc", opset_import: ["": 20, "loc": 1]> {name} (i) => (o) '
        + "{ "
        + " ".join(f"v{k} = loc.{inner} ({f'v{k - 1}' if k else 'i'})" for k in range(calls))
        + f" o = Relu (v{calls - 1}) }}"
        for name, inner in pairwise(names)
    ]
    last = f'<domain: "loc", opset_import: ["": 20]> {names[-1]} (i) => (o) {{ o = Relu (i) }}'
    return Graph.from_proto(
        parser.parse_model(
            f"{HEAD}g (float[4] x) => (float[4] y) {{ y = loc.f0 (x) }}\n" + "\n".join([*functions, last])
        )
    )


@pytest.mark.parametrize(
    ("depth", "calls", "unlisted"),
    [
        (3, 2, 0),
        (60, 1, 0),
        # 65 levels of a call and a Relu, the last of a Relu alone: 129 nodes, of which 128 lie in the first 64
        (65, 1, 1),
        # 3 * (2^14 - 1) nodes in 14 levels, each called twice as often, and 2^14 in the last
        (15, 2, 2**16 - 3 - 50_000),
    ],
)
def test_inner_nodes_that_are_too_many_or_too_deep_are_counted(depth: int, calls: int, unlisted: int) -> None:
    graph = nested(depth, calls)
    assert count_unlisted(graph) == unlisted
    inner = [layer for layer in catalogue(graph, infer_types(graph), every=True) if layer.inside]
    total = sum(calls**level * (calls + 1) for level in range(depth - 1)) + calls ** (depth - 1)
    assert len(inner) == total - unlisted


def test_a_graph_that_doubles_a_hundred_times_is_counted_up_to_a_bound() -> None:
    assert 50_000 <= count_unlisted(nested(100, 2)) <= 100_000


def test_a_call_lists_the_layers_of_its_own_overload() -> None:
    text = (
        "g (float[1,1,8,8] x) => (float[] y) { a = loc.f (x) y = loc.f (a) }\n"
        '<domain: "loc", opset_import: ["": 20]> f (i) => (o) { o = Relu (i) }'
    )
    model = parser.parse_model(HEAD + text)
    model.graph.node[1].overload = "second"
    model.functions.append(model.functions[0])
    model.functions[1].overload, model.functions[1].node[0].op_type = "second", "Tanh"
    graph = Graph.from_proto(model)
    found = catalogue(graph, infer_types(graph))
    assert [(layer.name, layer.op) for layer in found] == [("a/o", "Relu"), ("y/o", "Tanh")]

"""Layers inside functions and inside the bodies of If, Loop and Scan, in the catalogue of the flat graph."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import parser

import onnxviz
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import Layer, catalogue
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.unfold import unfold

HEAD = '<ir_version: 10, opset_import: ["": 20, "loc": 1]>\n'
LOC = '<domain: "loc", opset_import: ["": 20]>'


def layers_of(text: str, *, every: bool = False) -> list[Layer]:
    graph = unfold(Graph.from_proto(parser.parse_model(HEAD + text))).graph
    return list(catalogue(graph, infer_types(graph), every=every))


def test_layers_in_bodies_are_described_like_all_others() -> None:
    branch = "then_branch = t () => (float[] p) { i = Conv (h, w, b) p = Relu (i) }"
    other = "else_branch = e () => (float[] q) { [k] q = Conv (h, w, b) r = Neg (h) }"
    held = "float[2,1,3,3] w = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}, float[2] b = {0,0}, float[1,1,1,1] k = {1}"
    nodes = f"h = Conv (x, k) y = If (c) <{branch}, {other}> z = MaxPool <kernel_shape = [2,2]> (y)"
    found = layers_of(f"g (float[1,1,8,8] x, bool c) => (float[] z) <{held}> {{ {nodes} }}")
    assert [(layer.name, layer.inside, layer.kind, layer.act, layer.depth, layer.parameters) for layer in found] == [
        ("h", "", "conv", "h", 1, 1),
        ("y/then_branch/i", "If #1 then_branch", "conv", "y/then_branch/p", 2, 20),
        ("y/then_branch/p", "If #1 then_branch", "act", "y/then_branch/p", 2, 0),
        ("y/else_branch/k", "If #1 else_branch", "conv", "y/else_branch/q", 2, 20),
        ("z", "", "pool", "z", 2, 0),
    ]
    assert [(layer.shape, layer.layout, layer.channels) for layer in found[1:]] == [
        *[((1, 2, 6, 6), "NCHW", 2)] * 3,
        ((1, 2, 5, 5), "NCHW", 2),
    ]
    fields = [layer.receptive_field for layer in found]
    assert [(field.size, field.start, field.status.value) for field in fields if field] == [
        ((1, 1), (0, 0), "exact"),
        *[((3, 3), (0, 0), "exact")] * 3,
        ((4, 4), (0, 0), "upper bound"),
    ]


def test_an_if_whose_condition_comes_of_the_input_sees_it_whole() -> None:
    found = layers_of(
        "g (float[1,1,8,8] x) => (float[] y) <float[1,1,3,3] w = {1,1,1,1,1,1,1,1,1}, float t = {0}> {"
        " m = ReduceMax <keepdims = 0> (x) c = Greater (m, t)"
        " h = If (c) <then_branch = t () => (p) { p = Conv (x, w) }, else_branch = e () => (q) { q = Conv (x, w) }>"
        " y = Relu (h) }"
    )
    one, other, relu = (layer.receptive_field for layer in found)
    assert one and other and relu
    assert one.size == other.size == (3, 3)
    assert (relu.size, relu.status.value, relu.reaches_whole) == ((3, 3), "upper bound", True)


def test_each_call_of_a_function_lists_its_layers_and_deepens_what_follows() -> None:
    text = (
        "g (float[1,1,8,8] x) => (float[] y) <float[1,1,1,1] k = {1}> "
        "{ a = loc.block (x, k) b = loc.block (a, k) y = Conv (b, k) }\n"
        f"{LOC} block (i, k) => (o) {{ c = Conv (i, k) o = Relu (c) }}"
    )
    convs = [layer for layer in layers_of(text) if layer.kind == "conv"]
    assert [(layer.name, layer.inside, layer.act, layer.depth, layer.parameters) for layer in convs] == [
        ("a/c", "block #0", "a", 1, 1),
        ("b/c", "block #1", "b", 2, 1),
        ("y", "", "y", 3, 1),
    ]
    assert [layer.name for layer in layers_of(text) if layer.kind == "act"] == ["a/o", "b/o"]


def test_a_layer_takes_in_what_follows_across_the_border_of_a_function() -> None:
    found = layers_of(
        "g (float[1,2,8,8] x) => (float[] y) <float[2,2,1,1] w = {1,1,1,1}, float[2] s = {1,1}> {"
        " c = loc.conv (x, w) n = loc.norm (c, s) y = loc.gate (n) }\n"
        f"{LOC} conv (i, w) => (o) {{ o = Conv (i, w) }}\n"
        f"{LOC} norm (i, s) => (o) {{ o = BatchNormalization (i, s, s, s, s) }}\n"
        f"{LOC} gate (i) => (o) {{ s = Sigmoid (i) o = Mul (i, s) }}"
    )
    assert [(layer.name, layer.kind, layer.act) for layer in found] == [
        ("c/o", "conv", "y"),
        ("n/o", "norm", "y"),
        ("y/s", "act", "y/s"),
        ("y/o", "act", "y"),
    ]


def test_a_product_in_a_function_is_dense_where_the_call_passes_a_constant() -> None:
    found = layers_of(
        "g (float[2,2] x) => (float[2,2] y) <float[2,2] k = {1,1,1,1}> { a = loc.times (x, k) y = loc.times (a, x) }\n"
        f"{LOC} times (i, j) => (o) {{ o = MatMul (i, j) }}"
    )
    assert [(layer.name, layer.kind, layer.parameters) for layer in found] == [("a/o", "dense", 4)]


def test_what_a_loop_carries_depends_on_all_that_its_steps_read() -> None:
    found = layers_of(
        "g (float[1,1,8,8] x, int64 n, bool k) => (float[] y, float[] z) <float[1,1,3,3] w = {1,1,1,1,1,1,1,1,1}> {"
        " h = Conv <pads = [1,1,1,1]> (x, w)"
        " y, z = Loop (n, k, h) <body = b (int64 i, bool c, float[1,1,8,8] v) => (d, r, s) {"
        " d = Identity (c) r = Conv <pads = [1,1,1,1]> (v, w) s = Conv (x, w) }> }",
        every=True,
    )
    listed = [(layer.name, layer.kind, layer.shape, layer.layout) for layer in found if layer.op in ("Conv", "Loop")]
    assert listed == [
        ("h", "conv", (1, 1, 8, 8), "NCHW"),
        ("y/body/r", "conv", (1, 1, 8, 8), "NCHW"),
        ("y/body/s", "conv", (1, 1, 6, 6), "NCHW"),
        ("y", "other", (1, 1, 8, 8), "NCHW"),
        ("z", "other", (None, 1, 1, 6, 6), "NCDHW"),
    ]
    assert [layer.op for layer in found] == ["Conv", "Identity", "Conv", "Conv", "Loop", "Loop"]
    assert {layer.depth for layer in found if layer.op == "Loop"} == {2}
    fields = {layer.name: layer.receptive_field for layer in found if layer.receptive_field}
    known = {name: (field.size, field.status.value, field.reaches_whole) for name, field in fields.items()}
    assert known["y/body/r"] == (None, "whole input", True)
    assert known["y"] == ((3, 3), "upper bound", True)  # what goes in, or the last step's
    assert known["y/body/s"] == ((3, 3), "exact", False)


def test_a_scan_reads_a_row_a_step_and_keeps_the_other_axes() -> None:
    found = layers_of(
        "g (float[1,2,8,6] x) => (float[] y) <float[1,2,3] w = {1,1,1,1,1,1}> {"
        " h = Relu (x) y = Scan <num_scan_inputs = 1, scan_input_axes = [2], body = b (float[1,2,6] v) => (r) {"
        " r = Conv (v, w) }> (h) }"
    )
    conv = found[-1]
    assert (conv.name, conv.shape, conv.layout) == ("y/body/r", (1, 1, 4), "NCL")
    assert found[0].layout == "NCHW"


def test_a_function_that_the_runtime_computes_itself_is_listed_as_a_call() -> None:
    model = parser.parse_model(
        f"{HEAD}g (float[4] x) => (float[4] y) {{ [gate] a = loc.Gelu (x) y = Relu (a) }}\n"
        f"{LOC} Gelu (i) => (o) {{ o = Neg (i) }}"
    )
    model.graph.node[0].domain = model.functions[0].domain = "com.microsoft"
    graph = unfold(Graph.from_proto(model)).graph
    found = catalogue(graph, infer_types(graph), every=True)
    assert [(layer.name, layer.kind, layer.inside) for layer in found] == [("gate", "other", ""), ("y", "act", "")]


EXPORTS = Path(__file__).parent / "exports"


def test_modules_as_functions_are_listed_as_in_the_plain_export() -> None:
    """PyTorch's older exporter makes functions of modules, here nested three deep; see tools/torch_exports.py."""
    plain, functions = (onnxviz.open(EXPORTS / f"modules_{name}.onnx") for name in ("plain", "functions"))
    assert [facts(layer) for layer in functions.catalogue] == [facts(layer) for layer in plain.catalogue]
    assert len(plain.catalogue) == 37
    assert sum(bool(layer.inside) for layer in functions.catalogue) == 35
    assert functions.catalogue[2].inside == "Gated #0"
    assert functions.catalogue[5].inside == "Sequential #1 / Residual #0 / Gated #0"


def facts(layer: Layer) -> tuple[object, ...]:
    size = (layer.shape, layer.dtype, layer.layout, layer.layout_assumed, layer.channels, layer.bytes)
    return (
        layer.kind,
        layer.op,
        *size,
        layer.depth,
        layer.parameters,
        layer.act == layer.output,
        layer.receptive_field,
    )


@pytest.mark.parametrize("module", ["stem.conv", "stage1.0.first.conv", "stage2.2.second.conv", "head"])
def test_a_layer_in_a_function_is_found_by_the_module_of_its_weight(module: str) -> None:
    plain, functions = (onnxviz.open(EXPORTS / f"modules_{name}.onnx") for name in ("plain", "functions"))
    (one,), (other,) = plain.select(f"{module} & kind!=act"), functions.select(f"{module} & kind!=act")
    assert facts(one) == facts(other)

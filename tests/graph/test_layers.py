"""The catalogue on nets that were worked out on paper."""

from __future__ import annotations

import math
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper, parser

from onnxviz.graph.graph import Graph
from onnxviz.graph.layers import Layer, catalogue
from onnxviz.graph.shapes import infer_types

HEAD = '<ir_version: 8, opset_import: ["": 18, "loc": 1]>\n'
W = "float[2,1,3,3] w = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}, float[2] b = {0,0}"


def layers_of(text: str, *, every: bool = False) -> list[Layer]:
    graph = Graph.from_proto(parser.parse_model(HEAD + text))
    return list(catalogue(graph, infer_types(graph), every=every))


def net(nodes: str, shape: str = "N,1,8,8") -> dict[str, Layer]:
    text = f"g (float[{shape}] x) => (float[] y) <{W}> {{ {nodes} }}"
    return {layer.output: layer for layer in layers_of(text)}


def test_norm_and_nonlinearity_that_alone_follow_are_absorbed() -> None:
    found = net("c = Conv (x, w, b) n = BatchNormalization (c, b, b, b, b) y = Relu (n)")
    conv = found["c"]
    assert (conv.kind, conv.output, conv.act, conv.value("op"), conv.value("act")) == ("conv", "c", "y", "c", "y")
    assert [(layer.kind, layer.op) for layer in found.values()] == [
        ("conv", "Conv"),
        ("norm", "BatchNormalization"),
        ("act", "Relu"),
    ]


def test_nothing_is_absorbed_past_a_second_reader() -> None:
    found = net("c = Conv (x, w, b) r = Relu (c) y = Add (r, c)")
    assert found["c"].act == "c"


def test_silu_written_as_a_product_is_absorbed() -> None:
    found = net("c = Conv (x, w, b) s = Sigmoid (c) y = Mul (c, s)")
    assert found["c"].act == "y"


def test_depth_counts_convolutions_and_dense_layers_on_the_longest_path() -> None:
    text = (
        "p = MaxPool <kernel_shape=[2,2]> (x) c = Conv <pads=[1,1,1,1]> (p, w, b) r = Relu (c) "
        "d = Conv <pads=[1,1,1,1], group=2> (r, w, b) j = Concat <axis=1> (d, c) y = GlobalAveragePool (j)"
    )
    found = net(text)
    assert {name: found[name].depth for name in ("p", "c", "d", "j", "y")} == {"p": 0, "c": 1, "d": 2, "j": 2, "y": 2}


def test_numbers_of_a_layer() -> None:
    conv = net("y = Conv (x, w, b)", "1,1,8,8")["y"]
    assert (conv.shape, conv.dtype, conv.layout, conv.channels) == ((1, 2, 6, 6), "float32", "NCHW", 2)
    assert conv.parameters == 2 * 9 + 2
    assert conv.bytes == 2 * 6 * 6 * 4
    assert (conv.height, conv.width, conv.rank, conv.stride, conv.rf) == (6, 6, 4, 1, 3)
    assert conv.receptive_field is not None and conv.receptive_field.start == (0, 0)


UNCOUNTED = [
    ("a = Add (x, three) k = Clip (a, zero, six) m = Mul (x, k) y = Div (m, six)", 0),
    ("y = Add (x, row)", 2),
    ("y = Gather <axis=3> (x, pair)", 0),
    ("i = Cast <to=7> (x) y = Gather (row, i)", 2),
]


@pytest.mark.parametrize(("nodes", "parameters"), UNCOUNTED)
def test_settings_and_indices_are_no_parameters(nodes: str, parameters: int) -> None:
    constants = "float three = {3}, float zero = {0}, float six = {6}, float[2] row = {1,2}, int64[2] pair = {0,1}"
    found = layers_of(f"g (float[1,1,2,2] x) => (float[] y) <{constants}> {{ {nodes} }}", every=True)
    assert sum(layer.parameters for layer in found) == parameters


KINDS = [
    ("ConvTranspose (x, w1)", "conv"),
    ("MaxPool <kernel_shape=[2,2]> (x)", "pool"),
    ("AveragePool <kernel_shape=[2,2]> (x)", "pool"),
    ("LpPool <kernel_shape=[2,2]> (x)", "pool"),
    ("GlobalMaxPool (x)", "pool"),
    ("ReduceMean (x, one)", "other"),
    ("InstanceNormalization (x, b1, b1)", "norm"),
    ("LRN <size=1> (x)", "norm"),
    ("HardSwish (x)", "act"),
    ("Softmax (x)", "act"),
    ("Concat <axis=1> (x, x)", "join"),
    ("Sum (x, x)", "add"),
    ("MatMul (x, side)", "dense"),
    ("MatMul (x, x)", "other"),
    ("Resize (x, , scale)", "resize"),
    ("DepthToSpace <blocksize=1> (x)", "resize"),
    ("Abs (x)", "other"),
]


@pytest.mark.parametrize(("node", "kind"), KINDS, ids=[node for node, _ in KINDS])
def test_kinds(node: str, kind: str) -> None:
    constants = (
        "float[1,1,1,1] w1 = {1}, int64[1] one = {2}, float[1] b1 = {1}, "
        "float[4,4] side = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}, float[4] scale = {1,1,2,2}"
    )
    (layer,) = layers_of(f"g (float[1,1,4,4] x) => (float[] y) <{constants}> {{ y = {node} }}", every=True)
    assert layer.kind == kind


def test_space_is_found_behind_a_transpose() -> None:
    nodes = "t = Transpose <perm=[0,3,1,2]> (x) c = Conv (t, w, b) y = Transpose <perm=[0,2,3,1]> (c)"
    head = f"g (float[1,8,8,1] x) => (float[] z) <{W}, int64[2] hw = {{1, 2}}>"
    text = f"{head} {{ {nodes} z = ReduceMean <keepdims=0> (y, hw) }}"
    found = {layer.output: layer for layer in layers_of(text, every=True)}
    assert found["y"].layout == "NHWC"
    assert found["z"].kind == "pool"


def test_a_quantised_layer_ends_after_it_is_quantised() -> None:
    scale = "float s = {0.1}, uint8 z = {0}"
    nodes = "c = Conv (x, w, b) r = Relu (c) q = QuantizeLinear (r, s, z) y = DequantizeLinear (q, s, z)"
    found = layers_of(f"g (float[1,1,8,8] x) => (float[] y) <{W}, {scale}> {{ {nodes} }}")
    assert (found[0].op, found[0].act) == ("Conv", "y")


def test_layers_in_bodies_and_functions_say_what_they_are_in() -> None:
    branch = "then_branch = t () => (float[1,2,6,6] p) { p = Conv (x, w, b) }"
    other = "else_branch = e () => (float[1,2,6,6] q) { i = Conv (x, w, b) q = Relu (i) }"
    text = f"g (float[1,1,8,8] x, bool c) => (float[] y) <{W}> {{ y = If (c) <{branch}, {other}> }}"
    inside = [layer for layer in layers_of(text) if layer.kind == "conv"]
    assert len(inside) == 2
    assert all("If" in layer.inside for layer in inside)


def test_a_name_of_two_nodes_is_no_name() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"], name="n"), helper.make_node("Relu", ["a"], ["y"], name="n")]
    spec = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [spec("x", TensorProto.FLOAT, [1])],
        [spec("y", TensorProto.FLOAT, [1])],
    )
    found = Graph.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8))
    assert [layer.name for layer in catalogue(found, infer_types(found))] == ["a", "y"]


def test_the_bundled_model(bundled_model: Path) -> None:
    graph = Graph.from_proto(onnx.load(bundled_model))
    found = catalogue(graph, infer_types(graph))
    kinds = [layer.kind for layer in found]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {"conv": 49, "pool": 1, "add": 9, "dense": 1, "act": 34}
    assert found[0].act == "stem/conv_relu6"
    weights = sum(math.prod(tensor.dims) for tensor in graph.initializers.values() if tensor.data_type == 3)
    assert sum(layer.parameters for layer in found if layer.kind in ("conv", "dense")) >= weights

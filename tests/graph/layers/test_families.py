"""Each operator's kind and its weights, and the patterns of several nodes that are one kind."""

from __future__ import annotations

import pytest
from onnx import parser

from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import Layer, catalogue
from onnxviz.graph.operators.table import OPERATORS
from onnxviz.graph.shapes import infer_types

CONSTANTS = (
    "float[1,1,1,1] k = {1}, float[1] b = {1}, float[4,4] side = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}, "
    "float[4] row = {0,0,0,0}, float[4] twice = {1,1,2,2}, float s = {0.1}, uint8 z = {0}, int64[1] rows = {2}, "
    "float zero = {0}, float root = {1.4142}"
)


def layers_of(nodes: str, inputs: str = "float[1,1,4,4] x", constants: str = "", opset: int = 18) -> dict[str, Layer]:
    held = ", ".join(filter(None, (CONSTANTS, constants)))
    head = f'<ir_version: 10, opset_import: ["": {opset}, "com.microsoft": 1, "other.domain": 1]>\n'
    graph = Graph.from_proto(parser.parse_model(f"{head}g ({inputs}) => (float[] y) <{held}> {{ {nodes} }}"))
    return {layer.output: layer for layer in catalogue(graph, infer_types(graph), every=True)}


# The node, its kind, and how many weights it has by its operator's definition.
KINDS = [
    ("Conv (x, k)", "conv", 1),
    ("Conv (x, k, b)", "conv", 2),
    ("ConvTranspose (x, k, b)", "conv", 2),
    ("ConvInteger (x, k, z, z)", "conv", 1),
    ("QLinearConv (x, s, z, k, s, z, s, z, b)", "conv", 2),
    ("DeformConv (x, k, x, b, x)", "conv", 2),
    ("com.microsoft.FusedConv (x, k, b, x)", "conv", 2),
    ("MaxPool <kernel_shape=[2,2]> (x)", "pool", 0),
    ("AveragePool <kernel_shape=[2,2]> (x)", "pool", 0),
    ("LpPool <kernel_shape=[2,2]> (x)", "pool", 0),
    ("GlobalMaxPool (x)", "pool", 0),
    ("GlobalAveragePool (x)", "pool", 0),
    ("GlobalLpPool (x)", "pool", 0),
    ("com.microsoft.QLinearAveragePool <kernel_shape=[2,2]> (x, s, z, s, z)", "pool", 0),
    ("com.microsoft.QLinearGlobalAveragePool (x, s, z, s, z)", "pool", 0),
    ("ReduceMean (x, rows)", "other", 0),
    ("BatchNormalization (x, b, b, b, b)", "norm", 4),
    ("InstanceNormalization (x, b, b)", "norm", 2),
    ("LayerNormalization (x, row, row)", "norm", 8),
    ("GroupNormalization <num_groups=1> (x, b, b)", "norm", 2),
    ("RMSNormalization (x, row)", "norm", 4),
    ("LRN <size=1> (x)", "norm", 0),
    ("Relu (x)", "act", 0),
    ("Clip (x, zero, root)", "act", 0),
    ("LeakyRelu (x)", "act", 0),
    ("PRelu (x, row)", "act", 4),
    ("Elu (x)", "act", 0),
    ("Selu (x)", "act", 0),
    ("Sigmoid (x)", "act", 0),
    ("HardSigmoid (x)", "act", 0),
    ("HardSwish (x)", "act", 0),
    ("Tanh (x)", "act", 0),
    ("Gelu (x)", "act", 0),
    ("Mish (x)", "act", 0),
    ("Softplus (x)", "act", 0),
    ("Softmax (x)", "act", 0),
    ("Swish (x)", "act", 0),
    ("com.microsoft.QLinearSigmoid (x, s, z, s, z)", "act", 0),
    ("com.microsoft.QLinearLeakyRelu (x, s, z, s, z)", "act", 0),
    ("com.microsoft.QLinearSoftmax (x, s, z, s, z)", "act", 0),
    ("Concat <axis=1> (x, x)", "join", 0),
    ("com.microsoft.QLinearConcat <axis=1> (s, z, x, s, z, x, s, z)", "join", 0),
    ("Add (x, x)", "add", 0),
    ("Sum (x, x)", "add", 0),
    ("com.microsoft.QLinearAdd (x, s, z, x, s, z, s, z)", "add", 0),
    ("Gemm (x, side, row)", "dense", 20),
    ("com.microsoft.FusedGemm (x, side, row)", "dense", 20),
    ("com.microsoft.QGemm (x, s, z, side, s, z, row)", "dense", 20),
    ("MatMul (x, side)", "dense", 16),
    ("MatMul (side, x)", "dense", 16),
    ("MatMul (x, x)", "other", 0),
    ("com.microsoft.FusedMatMul (x, side)", "dense", 16),
    ("com.microsoft.FusedMatMul (x, x)", "other", 0),
    ("MatMulInteger (x, side, z, z)", "dense", 16),
    ("MatMulInteger (x, x, z, z)", "other", 0),
    ("QLinearMatMul (x, s, z, side, s, z, s, z)", "dense", 16),
    ("QLinearMatMul (x, s, z, x, s, z, s, z)", "other", 0),
    ("com.microsoft.MatMulIntegerToFloat (x, side, s, s, z, z, row)", "dense", 20),
    ("com.microsoft.DynamicQuantizeMatMul (x, side, s, z, row)", "dense", 20),
    ("com.microsoft.MatMulNBits <K=4, N=8> (x, side, row)", "dense", 32),
    ("Attention (x, x, x)", "attention", 0),
    ("com.microsoft.Attention (x, side, row)", "attention", 20),
    ("com.microsoft.MultiHeadAttention (x, x, x)", "attention", 0),
    ("com.microsoft.GroupQueryAttention (x, x, x)", "attention", 0),
    ("com.microsoft.QAttention (x, side, row, s, s)", "attention", 20),
    ("Resize (x, , twice)", "resize", 0),
    ("Upsample (x, twice)", "resize", 0),
    ("DepthToSpace <blocksize=1> (x)", "resize", 0),
    ("SpaceToDepth <blocksize=2> (x)", "resize", 0),
    ("Abs (x)", "other", 0),
    ("SimplifiedLayerNormalization (x, row)", "norm", 4),
    ("com.microsoft.SkipLayerNormalization (x, x, row, row, row)", "norm", 12),
    ("com.microsoft.SkipSimplifiedLayerNormalization (x, x, row, row)", "norm", 8),
    ("com.microsoft.EmbedLayerNormalization (x, , side, side, , row, row)", "norm", 40),
    ("com.microsoft.GroupNorm <groups=1> (x, row, row)", "norm", 8),
    ("com.microsoft.SkipGroupNorm <groups=1> (x, row, row, x)", "norm", 8),
    ("com.microsoft.BiasGelu (x, row)", "act", 4),
    ("com.microsoft.FastGelu (x, row)", "act", 4),
    ("com.microsoft.QuickGelu (x)", "act", 0),
    ("LSTM (x, side, side, row)", "recurrent", 36),
    ("GRU (x, side, side, row, , x)", "recurrent", 36),
    ("RNN (x, side, side, row, , row)", "recurrent", 36),
    ("com.microsoft.DynamicQuantizeLSTM (x, side, side, row, , , , , s, s, s, s)", "recurrent", 36),
    ("other.domain.Conv (x, k)", "other", 0),
    ("Relu (row)", "other", 0),
]


@pytest.mark.parametrize(("node", "kind", "parameters"), KINDS, ids=[node for node, _, _ in KINDS])
def test_kinds(node: str, kind: str, parameters: int) -> None:
    (layer,) = layers_of(f"y = {node}").values()
    assert (layer.kind, layer.parameters) == (kind, parameters)


def test_every_operator_of_a_kind_is_among_them() -> None:
    named = {node.split(" ")[0].removeprefix("com.microsoft.") for node, kind, _ in KINDS if kind != "other"}
    assert named == {op for (domain, op), known in OPERATORS.items() if not domain and known.kind != "other"}


SPATIAL = [
    ("ReduceMean (c, hw)", 18, "pool"),
    ("ReduceMax <keepdims=0> (c, hw)", 18, "pool"),
    ("ReduceMean (c, last)", 18, "pool"),
    ("ReduceMean <axes=[2,3]> (c)", 13, "pool"),
    ("ReduceMax <axes=[-1,-2]> (c)", 13, "pool"),
    ("ReduceMean (c, rows)", 18, "other"),
    ("ReduceMean (c, chw)", 18, "other"),
    ("ReduceMean <axes=[1]> (c)", 13, "other"),
    ("ReduceMean (c)", 18, "other"),
    ("ReduceMean (c, one)", 18, "other"),
    ("ReduceSum (c, hw)", 18, "other"),
]


@pytest.mark.parametrize(("node", "opset", "kind"), SPATIAL)
def test_a_mean_or_maximum_over_exactly_the_axes_of_space_is_a_pool(node: str, opset: int, kind: str) -> None:
    constants = "int64[2] hw = {2,3}, int64[2] last = {-1,-2}, int64[3] chw = {1,2,3}, int64 one = {2}"
    found = layers_of(f"c = Conv (x, k) y = {node}", constants=constants, opset=opset)
    assert found["y"].kind == kind


ATTENTION = (
    "s2 = MatMul (q, t) d = Div (s2, root) p = Softmax <axis=-1> (d) y = MatMul (p, v)",
    "s2 = MatMul (q, t) d = Div (s2, root) a = Add (d, mask) p = Softmax <axis=-1> (a) "
    "o = Identity (p) y = MatMul (o, v)",
)


@pytest.mark.parametrize("nodes", ATTENTION)
def test_attention_is_found_by_its_pattern(nodes: str) -> None:
    inputs = "float[1,2,4,3] q, float[1,2,3,4] t, float[1,2,4,3] v, float[1,1,4,4] mask"
    scores = layers_of(nodes, inputs)["s2"]
    assert (scores.kind, scores.value("op"), scores.value("act")) == ("attention", "s2", "p")
    assert scores.shape == (1, 2, 4, 4)


def test_a_classifier_s_softmax_is_no_attention() -> None:
    assert layers_of("s2 = MatMul (x, x) y = Softmax (s2)")["s2"].kind == "other"


def test_quantised_forms_have_the_kind_of_their_float_twins() -> None:
    nodes = (
        "q = QuantizeLinear (x, s, z) c = QLinearConv (q, s, z, u, s, z, s, z) "
        "a = com.microsoft.QLinearAdd (c, s, z, c, s, z, s, z) y = DequantizeLinear (a, s, z)"
    )
    found = layers_of(nodes, constants="uint8[2,1,3,3] u = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}")
    assert [found[value].kind for value in "qcay"] == ["other", "conv", "add", "other"]
    assert (found["c"].parameters, found["a"].act) == (18, "y")


def test_weights_are_seen_through_dequantisation() -> None:
    constants = "int8 i = {0}, int8[3,2] u = {1,1,1,1,1,1}"
    found = layers_of("f = DequantizeLinear (u, s, i) y = MatMul (x, f)", "float[1,3] x", constants)
    assert (found["f"].kind, found["y"].kind, found["y"].parameters, found["y"].depth) == ("other", "dense", 6, 1)


def test_arithmetic_on_shapes_is_no_layer() -> None:
    found = layers_of("h = Shape (x) t = Concat <axis=0> (h, h) u = Add (h, h) y = Relu (x)")
    assert {value: layer.kind for value, layer in found.items()} == {
        "h": "other",
        "t": "other",
        "u": "other",
        "y": "act",
    }


def test_tensorflow_s_arithmetic_on_shapes_is_no_layer() -> None:
    found = layers_of("h = Cast <to=6> (i) t = Concat <axis=0> (h, h) y = Add (w, w)", "int64[2] i, int32[2,2] w")
    assert {value: found[value].kind for value in "ty"} == {"t": "other", "y": "add"}


def test_a_square_is_no_nonlinearity() -> None:
    assert layers_of("y = Mul (x, x)")["y"].kind == "other"


def test_space_is_found_behind_a_transpose() -> None:
    nodes = (
        "t = Transpose <perm=[0,3,1,2]> (x) c = Conv (t, k) n = Transpose <perm=[0,2,3,1]> (c) "
        "y = ReduceMean <keepdims=0> (n, hw)"
    )
    found = layers_of(nodes, "float[1,8,8,1] x", "int64[2] hw = {1,2}")
    assert found["n"].layout == "NHWC"
    assert found["y"].kind == "pool"

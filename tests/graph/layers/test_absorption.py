"""Which norm and nonlinearity belong to a layer: the walk from its output, one step worked out at a time."""

from __future__ import annotations

import pytest
from onnx import parser

from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import Layer, catalogue
from onnxviz.graph.shapes import infer_types

CONSTANTS = (
    "float[2,1,3,3] w = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}, float[2] b = {0,0}, float[2,1,1] g = {2,2}, "
    "float half = {0.5}, float one = {1}, float three = {3}, float zero = {0}, float six = {6}, float root = {1.4142}, "
    "float s = {0.1}, uint8 z = {0}, float[2,2] side = {1,1,1,1}, float sixth = {0.1666667}, "
    "float[1,1,1,1] one4 = {1}, float[6] row = {1,2,3,4,5,6}, float[1,1,2,1,1] five = {1,2}, "
    "float[2,1,6] field = {1,2,3,4,5,6,7,8,9,10,11,12}, float[1,1,3,3] lone = {1,1,1,1,1,1,1,1,1}, "
    "float[6,1] column = {1,2,3,4,5,6}, float[3] trio = {1,2,3}, "
    "float[6,3] along = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}"
)


def layers_of(
    nodes: str, inputs: str = "float[1,1,8,8] x", outputs: str = "float[] y", *, every: bool = False
) -> dict[str, Layer]:
    head = '<ir_version: 10, opset_import: ["": 20]>\n'
    graph = Graph.from_proto(parser.parse_model(f"{head}g ({inputs}) => ({outputs}) <{CONSTANTS}> {{ {nodes} }}"))
    return {layer.output: layer for layer in catalogue(graph, infer_types(graph), every=every)}


def test_norm_and_nonlinearity_that_alone_follow_are_absorbed() -> None:
    found = layers_of("c = Conv (x, w, b) n = BatchNormalization (c, b, b, b, b) y = Relu (n)")
    conv = found["c"]
    assert (conv.kind, conv.output, conv.act, conv.value("op"), conv.value("act")) == ("conv", "c", "y", "c", "y")
    assert [(layer.kind, layer.op) for layer in found.values()] == [
        ("conv", "Conv"),
        ("norm", "BatchNormalization"),
        ("act", "Relu"),
    ]


STEPS = [
    ("n = BatchNormalization (c, b, b, b, b) m = Mul (n, g) a = Add (m, g) y = Relu (a)", "y"),
    ("a = Add (c, g) y = Relu (a)", "y"),
    ("r = Relu (c) y = Tanh (r)", "r"),
    ("r = Relu (c) y = BatchNormalization (r, b, b, b, b)", "r"),
    ("n = BatchNormalization (c, b, b, b, b) y = InstanceNormalization (n, b, b)", "n"),
    ("m = Mul (c, g) y = Relu (m)", "y"),
    ("p = MaxPool <kernel_shape=[2,2]> (c) y = Relu (p)", "c"),
    ("y = Abs (c)", "c"),
    ("i = Identity (c) y = Relu (i)", "y"),
    ("i = Identity (c) m = Mul (i, g) j = Dropout (m) y = Relu (j)", "y"),
    ("y = Identity (c)", "c"),
    ("i = Identity (c) y = Abs (i)", "c"),
]


@pytest.mark.parametrize(("nodes", "act"), STEPS)
def test_a_convolution_takes_a_bias_one_norm_with_its_scale_and_one_nonlinearity(nodes: str, act: str) -> None:
    assert layers_of(f"c = Conv (x, w, b) {nodes}")["c"].act == act


# The map is (1, 2, 6, 6): `g` is (2, 1, 1), one number a channel.
AFFINE = {
    "a bias of one number": ("a = Add (c, half) y = Sigmoid (a)", "y"),
    "a bias, the constant first": ("a = Add (g, c) y = Sigmoid (a)", "y"),
    "a scale and a bias": ("m = Mul (c, g) a = Add (m, g) y = Relu (a)", "y"),
    "a mean and a deviation": ("a = Sub (c, g) m = Div (a, g) y = Relu (m)", "y"),
    "one number as an array of four axes": ("m = Mul (c, one4) a = Add (m, one4) y = Relu (a)", "y"),
    "a bias, a norm, then its scale": ("a = Add (c, g) n = BatchNormalization (a, b, b, b, b) y = Mul (n, g)", "y"),
    "a bias and no nonlinearity": ("a = Add (c, g) m = Mul (a, g) y = MaxPool <kernel_shape=[2,2]> (m)", "m"),
    "a constant that is computed": ("k2 = Neg (g) a = Add (c, k2) y = Relu (a)", "y"),
    "another scale behind the nonlinearity": ("m = Mul (c, g) r = Relu (m) y = Mul (r, g)", "r"),
    "a quantised bias": (
        "q = QuantizeLinear (c, s, z) d = DequantizeLinear (q, s, z) a = Add (d, g) y = Relu (a)",
        "y",
    ),
    "a constant that differs over space": ("a = Add (c, row) y = Relu (a)", "c"),
    "such a constant behind a norm": ("n = BatchNormalization (c, b, b, b, b) a = Add (n, row) y = Relu (a)", "n"),
    "a constant that differs over channels and space": ("m = Mul (c, field) y = Relu (m)", "c"),
    "a constant of another rank": ("m = Mul (c, five) y = Relu (m)", "c"),
    "a constant less the map": ("a = Sub (one, c) y = Relu (a)", "c"),
    "a constant divided by the map": ("a = Div (one, c) y = Relu (a)", "c"),
    "two maps": ("a = Add (c, x2) y = Relu (a)", "c"),
    "the map and its own sum": ("a = Add (c, c) y = Relu (a)", "c"),
    "two readers": ("a = Add (c, g) t = Tanh (c) r = Relu (a) y = Add (r, t)", "c"),
    "two readers of what is shifted": ("a = Add (c, g) t = Tanh (a) r = Relu (a) y = Add (r, t)", "a"),
    "a pooling in between": ("p = GlobalAveragePool (c) a = Add (p, g) y = Relu (a)", "c"),
}


@pytest.mark.parametrize(("nodes", "act"), AFFINE.values(), ids=AFFINE)
def test_a_constant_that_shifts_or_scales_whole_channels_belongs_to_the_layer(nodes: str, act: str) -> None:
    found = layers_of(f"c = Conv (x, w, b) {nodes}", "float[1,1,8,8] x, float[1,2,6,6] x2")
    assert found["c"].act == act


def test_a_constant_that_makes_channels_of_one_map_is_no_part_of_it() -> None:
    assert layers_of("c = Conv (x, lone) a = Add (c, g) y = Relu (a)")["c"].act == "c"
    assert layers_of("c = Conv (x, lone) a = Add (c, one4) y = Relu (a)")["c"].act == "y"


def test_channels_that_were_moved_to_the_end_are_where_a_bias_lies() -> None:
    nodes = "c = Conv (x, w, b) t = Transpose <perm=[0,2,3,1]> (c) m = MatMul (t, side) a = Add (m, b) y = Relu (a)"
    assert layers_of(nodes)["m"].act == "y"
    assert layers_of(nodes.replace("(m, b)", "(m, column)"))["m"].act == "m"


def test_a_product_of_unknown_rank_has_its_bias_along_its_last_axis() -> None:
    nodes = "m = MatMul (x, side) a = Add (m, b) y = Relu (a)"
    assert layers_of(nodes, "float[] x")["m"].act == "y"


def test_a_product_along_rows_has_its_bias_along_rows() -> None:
    nodes = "c = Conv (x, w, b) m = MatMul (c, along) a = Add (m, trio) y = Relu (a)"
    found = layers_of(nodes)
    assert (found["c"].act, found["m"].act, found["m"].shape) == ("c", "y", (1, 2, 6, 3))


def test_a_constant_added_to_a_map_that_others_read_is_a_layer_of_its_own() -> None:
    assert layers_of("c = Conv (x, w, b) a = Add (c, g) t = Tanh (c) y = Add (a, t)")["a"].kind == "add"


def test_a_bias_of_its_own_is_no_layer_and_its_numbers_count_once() -> None:
    nodes = "c = Conv (x, w) a = Add (c, g) y = Relu (a)"
    assert list(layers_of(nodes)) == ["c", "y"]
    every = layers_of(nodes, every=True)
    assert {value: layer.parameters for value, layer in every.items()} == {"c": 18, "a": 2, "y": 0}
    assert (every["a"].kind, every["a"].act) == ("other", "y")


def test_a_shifted_convolution_sees_what_it_saw_before() -> None:
    plain = layers_of("c = Conv (x, w, b) y = Relu (c)")["c"]
    shifted = layers_of("c = Conv (x, w, b) m = Mul (c, g) a = Add (m, g) y = Relu (a)")["c"]
    assert shifted.receptive_field == plain.receptive_field is not None
    assert (shifted.layout, shifted.shape, shifted.depth) == (plain.layout, plain.shape, plain.depth)


def test_nothing_is_absorbed_past_a_second_reader() -> None:
    assert layers_of("c = Conv (x, w, b) r = Relu (c) y = Add (r, c)")["c"].act == "c"


GATES = {
    "hardswish, divided last": "a = Add (c, three) k = Clip (a, zero, six) m = Mul (c, k) y = Div (m, six)",
    "hardswish, divided first": "a = Add (c, three) k = Clip (a, zero, six) d = Div (k, six) y = Mul (c, d)",
    "hardswish, times a sixth": "a = Add (three, c) k = Clip (a, zero, six) m = Mul (k, c) y = Mul (m, sixth)",
    "hardswish, bounded by two operators": "a = Add (c, three) l = Max (a, zero) k = Min (l, six) m = Mul (c, k) "
    "y = Div (m, six)",
    "hardswish, of a Relu6": "a = Add (c, three) k = Clip (a, zero, six) d = Mul (k, sixth) y = Mul (d, c)",
    "hardswish, of a HardSigmoid": "k = HardSigmoid <alpha=0.1666667> (c) y = Mul (c, k)",
    "gelu": "d = Div (c, root) e = Erf (d) a = Add (e, one) m = Mul (c, a) y = Mul (m, half)",
    "gelu, halved first": "h = Mul (c, half) d = Div (c, root) e = Erf (d) a = Add (e, one) y = Mul (h, a)",
    "mish": "s2 = Softplus (c) t = Tanh (s2) y = Mul (c, t)",
    "silu": "s2 = Sigmoid (c) y = Mul (c, s2)",
    "silu, sides turned": "s2 = Sigmoid (c) y = Mul (s2, c)",
}


@pytest.mark.parametrize("nodes", GATES.values(), ids=GATES)
def test_a_value_times_a_function_of_itself_is_one_nonlinearity(nodes: str) -> None:
    found = layers_of("c = Conv (x, w, b) " + nodes)
    assert (found["c"].act, found["y"].kind) == ("y", "act")
    assert "add" not in {layer.kind for layer in found.values()}


@pytest.mark.parametrize("nodes", GATES.values(), ids=GATES)
def test_such_a_nonlinearity_ends_a_scaled_convolution(nodes: str) -> None:
    found = layers_of("first = Conv (x, w, b) m9 = Mul (first, g) c = Add (m9, g) " + nodes)
    assert (found["first"].act, found["y"].kind) == ("y", "act")
    assert "add" not in {layer.kind for layer in found.values()}


def test_a_gate_that_looks_elsewhere_is_no_nonlinearity() -> None:
    nodes = "c = Conv (x, w, b) p = GlobalAveragePool (c) s2 = Sigmoid (p) y = Mul (c, s2)"
    found = layers_of(nodes, every=True)
    assert (found["c"].act, found["y"].kind, found["p"].act) == ("c", "other", "s2")


def test_a_gate_whose_value_is_read_elsewhere_too_is_not_absorbed() -> None:
    nodes = "c = Conv (x, w, b) s2 = Sigmoid (c) m = Mul (c, s2) y = Add (m, c)"
    assert layers_of(nodes)["c"].act == "c"


def test_a_scale_that_is_not_the_gate_s_own_is_left_out() -> None:
    nodes = "c = Conv (x, w, b) a = Add (c, three) k = Clip (a, zero, six) m = Mul (c, k) y = Div (m, three)"
    assert layers_of(nodes)["c"].act == "m"


def test_an_output_of_the_model_does_not_end_the_walk() -> None:
    nodes = "c = Conv (x, w, b) m = Mul (c, g) y = Relu (m)"
    for outputs in ("float[] y", "float[] y, float[] c", "float[] y, float[] m"):
        assert layers_of(nodes, outputs=outputs)["c"].act == "y"


def test_a_body_that_reads_the_value_ends_the_walk() -> None:
    then = "then_branch = t () => (float[1,2,6,6] p) { p = Neg (c) }"
    other = "else_branch = e () => (float[1,2,6,6] q) { q = Abs (c) }"
    nodes = f"c = Conv (x, w, b) r = Relu (c) i = If (k) <{then}, {other}> y = Add (r, i)"
    assert layers_of(nodes, "float[1,1,8,8] x, bool k")["c"].act == "c"


def test_a_bias_of_its_own_belongs_to_the_dense_layer() -> None:
    found = layers_of("m = MatMul (x, side) a = Add (m, b) y = Relu (a)", "float[1,5,2] x")
    assert (found["m"].act, list(found)) == ("y", ["m", "y"])
    assert (found["m"].layout, found["m"].layout_assumed) == ("NTC", True)


def test_a_quantised_layer_ends_after_it_is_quantised() -> None:
    nodes = "c = Conv (x, w, b) r = Relu (c) q = QuantizeLinear (r, s, z) y = DequantizeLinear (q, s, z)"
    assert layers_of(nodes)["c"].act == "y"


def test_several_dequantised_copies_are_one_value() -> None:
    nodes = (
        "c = Conv (x, w, b) q = QuantizeLinear (c, s, z) d = DequantizeLinear (q, s, z) "
        "e = DequantizeLinear (q, s, z) r = Relu (d) y = Add (r, e)"
    )
    assert layers_of(nodes)["c"].act == "d"


def test_dequantised_copies_that_meet_in_a_gate_are_taken_with_it() -> None:
    nodes = (
        "c = Conv (x, w, b) q = QuantizeLinear (c, s, z) d = DequantizeLinear (q, s, z) "
        "e = DequantizeLinear (q, s, z) t = Sigmoid (d) y = Mul (e, t)"
    )
    assert layers_of(nodes)["c"].act == "y"


def test_quantised_values_that_are_read_as_they_are_stay_outside() -> None:
    nodes = (
        "c = Conv (x, w, b) q = QuantizeLinear (c, s, z) d = DequantizeLinear (q, s, z) "
        "f = Cast <to=1> (q) y = Add (d, f)"
    )
    assert layers_of(nodes)["c"].act == "c"


NORMS = {
    "layer norm": "m = ReduceMean (c, last) d = Sub (c, m) p = Pow (d, two) v = ReduceMean (p, last) e = Add (v, half) "
    "q = Sqrt (e) l = Div (d, q)",
    "layer norm, squared by itself": "m = ReduceMean (c, last) d = Sub (c, m) p = Mul (d, d) v = ReduceMean (p, last) "
    "e = Add (half, v) q = Sqrt (e) l = Div (d, q)",
    "RMS norm": "p = Pow (c, two) v = ReduceMean (p, last) e = Add (v, half) q = Sqrt (e) l = Div (c, q)",
    "RMS norm by a reciprocal": "p = Mul (c, c) v = ReduceMean (p, last) e = Add (v, half) q = Sqrt (e) "
    "i = Reciprocal (q) l = Mul (c, i)",
}
# As TensorFlow writes it: the mean is taken once, and the shift is put together from it before x is read again.
_FOLDED = "k = Mul (i, b) u = Mul (c, k) h = Mul (m, k) w = Sub (b, h) l = Add (u, w)"
_NEGATED = "k = Mul (i, b) u = Mul (c, k) n = Neg (m) h = Mul (n, k) w = Add (h, b) l = Add (w, u)"
_ROOT = "e = Add (v, half) q = Sqrt (e) i = Reciprocal (q) "
NORMS |= {
    "TensorFlow": "m = ReduceMean (c, last) d = Sub (c, m) p = Mul (d, d) v = ReduceMean (p, last) " + _ROOT + _FOLDED,
    "Keras 3": "m = ReduceMean (c, last) d = Sub (c, m) p = Mul (d, d) v = ReduceMean (p, last) " + _ROOT + _NEGATED,
    "means as global poolings": "m = GlobalAveragePool (c) d = Sub (c, m) p = Mul (d, d) v = GlobalAveragePool (p) "
    + _ROOT
    + _NEGATED,
    "variance as a difference of squares": "m = ReduceMean (c, last) p = Mul (c, c) o = ReduceMean (p, last) "
    "a2 = Mul (m, m) v = Sub (o, a2) " + _ROOT + _FOLDED,
    "eps behind the root": "m = ReduceMean (c, last) d = Sub (c, m) p = Pow (d, two) v = ReduceMean (p, last) "
    "q = Sqrt (v) e = Add (q, half) l = Div (d, e)",
    "powers": "m = ReduceMean (c, last) d = Sub (c, m) p = Pow (d, two) v = ReduceMean (p, last) e = Add (v, half) "
    "q = Pow (e, half) l = Div (d, q)",
    "one by the root": "p = Pow (c, two) v = ReduceMean (p, last) e = Add (v, half) q = Sqrt (e) i = Div (one, q) "
    "l = Mul (i, c)",
    "bounded, in another precision": "f = Cast <to=11> (c) p = Mul (f, f) v = ReduceMean (p, last) w = Cast <to=1> (v) "
    "e = Max (w, half) q = Sqrt (e) l = Div (c, q)",
}
DENSE = (
    "float one = {1}, float two = {2}, int64[1] last = {-1}, float half = {0.5}, float[2,2] side = {1,1,1,1}, "
    "float[2] b = {1,1}, "
)
INTEGER = "int8[2,2] whole = {1,2,3,4}, float s = {0.1}, int8 z = {0}"


def dense_layers(nodes: str) -> dict[str, Layer]:
    text = f'<ir_version: 10, opset_import: ["": 20]> g (float[1,5,2] x) => (y) <{DENSE}{INTEGER}> {{ {nodes} }}'
    model = parser.parse_model(text)
    graph = Graph.from_proto(model)
    return {layer.output: layer for layer in catalogue(graph, infer_types(graph))}


@pytest.mark.parametrize("nodes", NORMS.values(), ids=NORMS)
def test_a_norm_written_as_separate_operators_is_one(nodes: str) -> None:
    found = dense_layers(f"c = MatMul (x, side) {nodes} g = Mul (l, b) a = Add (g, b) y = Relu (a)")
    assert {value: (layer.kind, layer.act) for value, layer in found.items()} == {
        "c": ("dense", "y"),
        "l": ("norm", "y"),
        "y": ("act", "y"),
    }


@pytest.mark.parametrize("nodes", NORMS.values(), ids=NORMS)
def test_all_parts_of_a_norm_are_of_no_kind(nodes: str) -> None:
    text = f'<ir_version: 10, opset_import: ["": 20]> g (float[1,5,2] x) => (y) <{DENSE}{INTEGER}> {{ '
    graph = Graph.from_proto(parser.parse_model(f"{text}c = MatMul (x, side) {nodes} y = MatMul (l, side) }}"))
    found = {layer.output: layer for layer in catalogue(graph, infer_types(graph), every=True)}
    assert {value: layer.kind for value, layer in found.items() if layer.kind != "other"} == {
        "c": "dense",
        "l": "norm",
        "y": "dense",
    }
    assert (found["l"].layout, found["l"].channels) == ("NTC", 2)


def test_axes_of_a_mean_may_be_an_attribute() -> None:
    nodes = "m = ReduceMean <axes=[-1]> (x) d = Sub (x, m) p = Mul (d, d) v = ReduceMean <axes=[-1]> (p) "
    nodes += "q = Sqrt (v) y = Div (d, q)"
    text = f'<ir_version: 10, opset_import: ["": 13]> g (float[1,5,2] x) => (y) {{ {nodes} }}'
    graph = Graph.from_proto(parser.parse_model(text))
    (layer,) = catalogue(graph, infer_types(graph))
    assert (layer.kind, layer.output, layer.layout, layer.layout_assumed) == ("norm", "y", "NTC", True)


GROUPS = (
    "r = Reshape (x, parts) m = ReduceMean (r, two) d = Sub (r, m) p = Mul (d, d) v = ReduceMean (p, two) "
    "e = Add (v, half) q = Sqrt (e) i = Reciprocal (q) k = Mul (i, g) u = Mul (r, k) h = Mul (m, k) "
    "s = Sub (g, h) l = Add (u, s) "
)


@pytest.mark.parametrize(("end", "output"), [("y = Reshape (l, back)", "y"), ("y = Reshape (l, aside)", "l")])
def test_a_norm_of_groups_ends_in_the_shape_in_which_it_began(end: str, output: str) -> None:
    held = (
        "int64[3] parts = {1,2,32}, int64[1] two = {2}, float half = {0.5}, float[1,2,1] g = {1,2}, "
        "int64[4] back = {1,4,4,4}, int64[4] aside = {1,2,8,4}"
    )
    text = f'<ir_version: 10, opset_import: ["": 20]> g (float[1,4,4,4] x) => (y) <{held}> {{ {GROUPS}{end} }}'
    graph = Graph.from_proto(parser.parse_model(text))
    (layer,) = catalogue(graph, infer_types(graph))
    assert (layer.kind, layer.output) == ("norm", output)


def test_what_a_square_root_of_a_mean_is_not_put_back_onto_is_no_norm() -> None:
    """The deviation beside the mean, as speaker models pool it, and a scale that another value gives."""
    deviation = "m = ReduceMean ({0}, last) d = Sub ({0}, m) p = Mul (d, d) v = ReduceMean (p, last) q = Sqrt (v) "
    pooled = deviation.format("c") + "y = Concat <axis=2> (m, q)"
    of_another = deviation.format("x") + "y = Mul (c, q)"
    for nodes in (pooled, of_another):
        assert "norm" not in {layer.kind for layer in dense_layers(f"c = MatMul (x, side) {nodes}").values()}


def test_rows_of_a_table_do_not_take_in_the_norm_behind_them() -> None:
    text = (
        '<ir_version: 10, opset_import: ["": 20]> g (int64[1,5] x) => (y) '
        "<float[3,2] t = {1,2,3,4,5,6}, float[2] b = {1,1}> { e = Gather (t, x) y = LayerNormalization (e, b, b) }"
    )
    graph = Graph.from_proto(parser.parse_model(text))
    found = {layer.output: layer.act for layer in catalogue(graph, infer_types(graph), every=True)}
    assert found == {"e": "e", "y": "y"}


def test_a_weight_behind_a_cast_belongs_to_its_norm() -> None:
    """PyTorch's Llama norms in float32 and multiplies by the weight in the precision of the model."""
    nodes = NORMS["one by the root"]
    for kind, act in ((1, "y"), (10, "y"), (6, "l")):
        found = dense_layers(f"c = MatMul (x, side) f = Abs (c) {nodes} h = Cast <to={kind}> (l) y = Mul (b, h)")
        assert found["l"].act == act


def test_a_norm_or_nonlinearity_of_two_values_is_not_the_layer_s_own() -> None:
    """A sum of two maps ends a layer, also where onnxruntime norms it in the same operator."""
    text = (
        '<ir_version: 10, opset_import: ["": 20, "com.microsoft": 1]> g (float[1,5,2] x) => (y) '
        f"<{DENSE}{INTEGER}> {{ c = MatMul (x, side) n = com.microsoft.SkipLayerNormalization (c, x, b, b) "
        "d = MatMul (n, side) e = com.microsoft.BiasGelu (d, b) y = MatMul (e, side) }"
    )
    graph = Graph.from_proto(parser.parse_model(text))
    found = {layer.output: (layer.kind, layer.act) for layer in catalogue(graph, infer_types(graph))}
    assert found == {
        "c": ("dense", "c"),
        "n": ("norm", "n"),
        "d": ("dense", "e"),
        "e": ("act", "e"),
        "y": ("dense", "y"),
    }


def test_what_only_resembles_a_norm_is_none() -> None:
    cube = "p = Pow (c, half) v = ReduceMean (p, last) e = Add (v, half) q = Sqrt (e) y = Div (c, q)"
    other = "p = Mul (x, x) v = ReduceMean (p, last) e = Add (v, half) q = Sqrt (e) y = Div (c, q)"
    for nodes in (cube, other):
        assert "norm" not in {layer.kind for layer in dense_layers(f"c = MatMul (x, side) {nodes}").values()}


@pytest.mark.parametrize("scale", ["k = Mul (t, s)", "k = Mul (s, t)", "k = Identity (s)"])
def test_a_product_of_whole_numbers_is_followed_to_what_it_stands_for(scale: str) -> None:
    nodes = (
        f"q, t, o = DynamicQuantizeLinear (x) {scale} i = MatMulInteger (q, whole, o, z) f = Cast <to=1> (i) "
        "m = Mul (f, k) a = Add (m, b) y = Relu (a)"
    )
    found = dense_layers(nodes)
    assert [(layer.kind, layer.output, layer.act, layer.dtype) for layer in found.values() if layer.op != "Relu"] == [
        ("dense", "i", "y", "float32")
    ]


def test_a_product_of_whole_numbers_that_is_gated_ends_before_the_gate() -> None:
    nodes = (
        "q, t, o = DynamicQuantizeLinear (x) i = MatMulInteger (q, whole, o, z) f = Cast <to=1> (i) "
        "n = Sigmoid (x) y = Mul (f, n)"
    )
    assert dense_layers(nodes)["i"].act == "i"


ROWS = "f = Reshape (x, flat) c = MatMul (f, side) r = Reshape (c, back) a = Add (r, b) y = Relu (a)"
ROWS_OF_HEADS = ROWS.replace("f = Reshape (x, flat)", "h = Reshape (x, heads) f = Reshape (h, flat)")


@pytest.mark.parametrize(("nodes", "shape"), [(ROWS, "4,5,2"), (ROWS, "4,3,5,2"), (ROWS_OF_HEADS, "4,5,2")])
def test_a_dense_layer_over_a_sequence_ends_behind_the_reshape_that_undoes_its_rows(nodes: str, shape: str) -> None:
    places = shape.rpartition(",")[0]
    held = f"{DENSE}int64[2] flat = {{-1,2}}, int64[{shape.count(',') + 1}] back = {{{places},2}}"
    held += f", int64[{shape.count(',') + 2}] heads = {{{places},2,1}}"
    text = f'<ir_version: 10, opset_import: ["": 20]> g (float[{shape}] x) => (y) <{held}> {{ {nodes} }}'
    graph = Graph.from_proto(parser.parse_model(text))
    found = {layer.output: layer for layer in catalogue(graph, infer_types(graph))}
    assert {value: (layer.kind, layer.act) for value, layer in found.items()} == {
        "c": ("dense", "y"),
        "y": ("act", "y"),
    }
    assert found["c"].shape == tuple(map(int, shape.split(",")))
    assert (found["c"].layout or "")[-1] == "C"


OTHER_ROWS = {
    "places turned": ("{-1,2}", "{5,4,2}"),
    "maps flattened": ("{4,10}", "{4,5,2}"),
}


@pytest.mark.parametrize(("flat", "back"), OTHER_ROWS.values(), ids=OTHER_ROWS)
def test_reshapes_that_do_not_undo_each_other_stay_outside(flat: str, back: str) -> None:
    width = 10 if "10" in flat else 2
    side = f"float[{width},{width}] s = {{{','.join('1' * width**2)}}}"
    held = f"{DENSE}{side}, int64[2] flat = {flat}, int64[3] back = {back}"
    nodes = ROWS.replace("side", "s")
    text = f'<ir_version: 10, opset_import: ["": 20]> g (float[4,5,2] x) => (y) <{held}> {{ {nodes} }}'
    graph = Graph.from_proto(parser.parse_model(text))
    assert {layer.act for layer in catalogue(graph, infer_types(graph)) if layer.kind == "dense"} == {"c"}


def test_a_norm_of_groups_that_pytorch_writes_ends_behind_its_groups() -> None:
    held = (
        "int64[3] parts = {0,2,-1}, float[2] ones = {1,1}, float[2] none = {0,0}, float[4,1,1] g = {1,2,3,4}, "
        "float[2,4,1,1] w = {1,2,3,4,5,6,7,8}"
    )
    nodes = (
        "r = Reshape (x, parts) n = InstanceNormalization (r, ones, none) s = Shape (x) u = Reshape (n, s) "
        "m = Mul (u, g) a = Add (m, g) k = Relu (a) y = Conv (k, w)"
    )
    text = f'<ir_version: 10, opset_import: ["": 20]> g (float[1,4,3,3] x) => (y) <{held}> {{ {nodes} }}'
    graph = Graph.from_proto(parser.parse_model(text))
    found = {layer.output: layer for layer in catalogue(graph, infer_types(graph))}
    assert {value: (layer.kind, layer.act) for value, layer in found.items()} == {
        "n": ("norm", "k"),
        "k": ("act", "k"),
        "y": ("conv", "y"),
    }
    assert found["n"].layout == "NCHW"

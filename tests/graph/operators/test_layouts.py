"""Layouts followed through nets that were worked out on paper."""

from __future__ import annotations

import pytest
from onnx import parser

from onnxviz.graph.graph import Graph
from onnxviz.graph.operators.axis_letters import Axes, carried
from onnxviz.graph.operators.layouts import Hints, follow_axes, guess_axes
from onnxviz.graph.operators.reads.rule import KnownSizes, Operand
from onnxviz.graph.operators.table import reads_of
from onnxviz.graph.shapes import infer_types
from onnxviz.layout import TensorSpec

HEAD = '<ir_version: 8, opset_import: ["": 18, "com.microsoft": 1]>\n'


def axes_of(nodes: str, shape: str, constants: str = "") -> dict[str, Axes]:
    """Follow the axes of `x` of a shape; constants are `w (2,3,1,1)`, `b (2)` and those given."""
    weights = f"float[2,3,1,1] w = {{1,1,1,1,1,1}}, float[2] b = {{0,0}}{constants and ', ' + constants}"
    graph = Graph.from_proto(parser.parse_model(f"{HEAD}g (float[{shape}] x) => (float[] y) <{weights}> {{ {nodes} }}"))
    return dict(follow_axes(graph, infer_types(graph)))


def layouts(nodes: str, shape: str, constants: str = "") -> dict[str, str]:
    return {value: axes.layout for value, axes in axes_of(nodes, shape, constants).items()}


def test_a_convolution_fixes_what_it_reads_and_makes() -> None:
    assert axes_of("y = Conv (x, w, b)", "1,3,8,8") == {"x": Axes("NCHW"), "y": Axes("NCHW")}


@pytest.mark.parametrize(("shape", "layout"), [("1,3,8", "NCL"), ("1,3,8,8", "NCHW"), ("1,3,4,8,8", "NCDHW")])
def test_the_rank_names_the_axes_of_space(shape: str, layout: str) -> None:
    assert layouts("y = GlobalAveragePool (x)", shape) == {"x": layout, "y": layout}


def test_a_mean_over_the_last_axis_written_as_a_global_pooling_counts_less_than_what_is_certain() -> None:
    nodes = "c = Conv (x, w) f = Reshape (c, flat) t = Transpose <perm=[0,2,1]> (f) m = GlobalAveragePool (t) "
    nodes += "y = Mul (t, m)"
    found = layouts(nodes, "1,3,8,8", "int64[3] flat = {1, 2, 64}")
    assert (found["t"], found["m"], found["y"]) == ("NTC", "NTC", "NTC")
    nodes = "a = Attention <q_num_heads=1, kv_num_heads=1> (x, x, x) y = GlobalAveragePool (a)"
    assert layouts(nodes, "1,8,4")["a"] == "NTC"


def test_transposes_are_followed_in_both_directions() -> None:
    nodes = (
        "t = Transpose <perm=[0,3,1,2]> (x) c = Conv (t, w, b) r = Relu (c) "
        "u = Transpose <perm=[0,2,3,1]> (r) y = Sigmoid (u)"
    )
    assert layouts(nodes, "1,8,6,3") == {"x": "NHWC", "t": "NCHW", "c": "NCHW", "r": "NCHW", "u": "NHWC", "y": "NHWC"}


def test_an_order_that_is_not_its_own_inverse_is_undone_going_back() -> None:
    nodes = "t = Transpose <perm=[1,2,3,0]> (x) c = Conv (t, w) y = Transpose <perm=[1,2,3,0]> (c)"
    assert layouts(nodes, "8,1,3,8") == {"x": "WNCH", "t": "NCHW", "c": "NCHW", "y": "CHWN"}


def test_a_transpose_without_an_order_reverses() -> None:
    assert layouts("c = Conv (x, w) y = Transpose (c)", "1,3,8,8")["y"] == "WHCN"


def test_both_inputs_of_an_elementwise_operator_share_its_layout() -> None:
    found = layouts("c = Conv (x, w) p = Relu (c) s = Sigmoid (c) y = Mul (p, s)", "1,3,8,8")
    assert found == dict.fromkeys(("x", "c", "p", "s", "y"), "NCHW")


def test_broadcasting_lines_up_at_the_end() -> None:
    text = (
        f"{HEAD}g (float[1,3,8,8] x, float[8,8] m) => (float[] y) <float[2,3,1,1] w = {{1,1,1,1,1,1}}> "
        "{ c = Conv (x, w) y = Mul (c, m) }"
    )
    graph = Graph.from_proto(parser.parse_model(text))
    assert follow_axes(graph, infer_types(graph))["m"] == Axes("HW")


def test_constants_have_no_layout() -> None:
    found = layouts("c = Conv (x, w) y = Add (c, k)", "1,3,8,8", "float[1,2,1,1] k = {1,2}")
    assert set(found) == {"x", "c", "y"}


REDUCED = [
    ("1", "[2,3]", "NCHW"),
    ("0", "[2,3]", "NC"),
    ("0", "[-1]", "NCL"),
    ("0", "[1]", "NHW"),
    ("0", "[0]", "CHW"),
]


@pytest.mark.parametrize(("keep", "axes", "layout"), REDUCED)
def test_a_reduction_drops_axes_unless_it_keeps_them(keep: str, axes: str, layout: str) -> None:
    numbers = axes.strip("[]")
    constant = f"int64[{numbers.count(',') + 1}] a = {{{numbers}}}"
    nodes = f"c = Conv (x, w) y = ReduceMean <keepdims={keep}> (c, a)"
    assert layouts(nodes, "1,3,8,8", constant)["y"] == layout


def test_argmax_drops_its_axis() -> None:
    assert layouts("c = Conv (x, w) y = ArgMax <axis=1, keepdims=0> (c)", "1,3,8,8")["y"] == "NHW"


def test_gather_of_one_place_drops_its_axis() -> None:
    nodes = "c = Conv (x, w) y = Gather <axis=1> (c, one)"
    assert layouts(nodes, "1,3,8,8", "int64 one = {1}")["y"] == "NHW"
    assert layouts(nodes, "1,3,8,8", "int64[1] one = {1}")["y"] == "NCHW"


def test_squeeze_and_unsqueeze_are_each_others_inverse() -> None:
    nodes = "c = GlobalAveragePool (x) s = Squeeze (c, hw) y = Unsqueeze (s, hw)"
    found = layouts(nodes, "1,3,8,8", "int64[2] hw = {2, 3}")
    assert (found["s"], found["y"]) == ("NC", "NCHW")


def test_a_picture_without_a_batch_is_followed_back_through_unsqueeze() -> None:
    assert layouts("t = Unsqueeze (x, zero) y = Conv (t, w)", "3,8,8", "int64[1] zero = {0}")["x"] == "CHW"


def test_tokens_come_from_space_and_go_back_to_it_as_a_guess() -> None:
    nodes = (
        "c = Conv (x, w) f = Reshape (c, flat) t = Transpose <perm=[0,2,1]> (f) r = Relu (t) "
        "u = Transpose <perm=[0,2,1]> (r) y = Reshape (u, back)"
    )
    found = axes_of(nodes, "1,3,8,8", "int64[3] flat = {1, 2, 64}, int64[4] back = {1, 2, 8, 8}")
    assert (found["f"], found["t"], found["u"]) == (Axes("NCT"), Axes("NTC"), Axes("NCT"))
    assert found["y"] == Axes("NCHW", assumed=True)


def test_a_flattened_map_is_called_channels_by_habit_and_says_so() -> None:
    assert axes_of("c = Conv (x, w) y = Flatten (c)", "1,3,8,8")["y"] == Axes("NC", assumed=True)


def test_a_symbolic_batch_is_carried_through_a_reshape() -> None:
    nodes = "c = GlobalAveragePool (x) y = Reshape (c, to)"
    assert axes_of(nodes, "N,3,8,8", "int64[2] to = {0, -1}")["y"] == Axes("NC")


def test_the_last_axis_of_a_product_with_weights_is_a_guess() -> None:
    side = "float[3,2] side = {1,1,1,1,1,1}"
    assert axes_of("y = MatMul (x, side)", "1,5,3", side) == {
        "x": Axes("NTC", assumed=True),
        "y": Axes("NTC", assumed=True),
    }


def test_what_is_fixed_wins_over_what_is_likely() -> None:
    nodes = "t = Transpose <perm=[0,2,3,1]> (c) c = Conv (x, w) n = LayerNormalization (t, b, b) y = MatMul (n, side)"
    found = axes_of(nodes, "1,3,8,8", "float[2,2] side = {1,1,1,1}")
    assert (found["n"], found["y"]) == (Axes("NHWC"), Axes("NHWC"))


def test_a_product_of_two_computed_values_tells_nothing() -> None:
    assert axes_of("y = MatMul (x, x)", "1,4,4") == {}


RECURRENT = [
    ("LSTM", "", {"x": "LNC", "y": "LGNC", "h": "GNC", "c": "GNC"}),
    ("GRU", "", {"x": "LNC", "y": "LGNC", "h": "GNC"}),
    ("RNN", "", {"x": "LNC", "y": "LGNC", "h": "GNC"}),
    ("LSTM", "layout=1, ", {"x": "NLC", "y": "NLGC", "h": "NGC", "c": "NGC"}),
    ("com.microsoft.DynamicQuantizeLSTM", "", {"x": "LNC", "y": "LGNC", "h": "GNC", "c": "GNC"}),
]


@pytest.mark.parametrize(("op", "layout", "expected"), RECURRENT)
def test_a_recurrent_layer_fixes_time_batch_and_channels(op: str, layout: str, expected: dict[str, str]) -> None:
    outputs = "y, h, c" if "LSTM" in op else "y, h"
    found = axes_of(f"{outputs} = {op} <{layout}hidden_size=1> (x, w, w)", "20,1,3")
    assert found == {value: Axes(letters) for value, letters in expected.items()}


def test_the_directions_of_a_recurrent_layer_are_read_as_its_channels() -> None:
    nodes = 's = LSTM <hidden_size=4, direction="bidirectional"> (x, w, w) t = Transpose <perm=[0,2,1,3]> (s) '
    nodes += "y = Reshape (t, to)"
    found = axes_of(nodes, "20,1,3", "int64[3] to = {0, 0, -1}")
    assert (found["s"], found["t"], found["y"]) == (Axes("LGNC"), Axes("LNGC"), Axes("LNC"))


def test_a_batch_that_was_brought_behind_the_time_is_followed_back() -> None:
    nodes = "t = Transpose <perm=[1,0,2]> (x) s = GRU <hidden_size=4> (t, w, w) q = Squeeze (s, one) "
    nodes += "y = Transpose <perm=[1,0,2]> (q)"
    found = axes_of(nodes, "1,20,3", "int64[1] one = {1}")
    assert (found["x"], found["q"], found["y"]) == (Axes("NLC"), Axes("LNC"), Axes("NLC"))


ATTENTION = [
    ("Attention <q_num_heads=2, kv_num_heads=2> (x, x, x)", "1,10,16", {"x": "NTC", "y": "NTC"}),
    ("Attention (x, x, x)", "1,4,10,16", {"x": "NGTC", "y": "NGTC"}),
    ("com.microsoft.Attention <num_heads=2> (x, w, b)", "1,10,16", {"x": "NTC", "y": "NTC"}),
    ("com.microsoft.MultiHeadAttention <num_heads=2> (x, x, x)", "1,10,16", {"x": "NTC", "y": "NTC"}),
    ("com.microsoft.GroupQueryAttention <num_heads=2> (x, x, x)", "1,10,16", {"x": "NTC", "y": "NTC"}),
]


@pytest.mark.parametrize(("node", "shape", "expected"), ATTENTION)
def test_attention_fixes_heads_tokens_and_channels(node: str, shape: str, expected: dict[str, str]) -> None:
    assert axes_of(f"y = {node}", shape) == {value: Axes(letters) for value, letters in expected.items()}


def test_what_attention_keeps_for_the_next_step_has_its_heads_apart() -> None:
    node = "y, k, v = Attention <q_num_heads=2, kv_num_heads=2> (x, x, x, , past, past)"
    text = f"{HEAD}g (float[1,10,16] x, float[1,2,5,8] past) => (float[] y, float[] k, float[] v) {{ {node} }}"
    graph = Graph.from_proto(parser.parse_model(text))
    assert {axes.layout for value, axes in follow_axes(graph, {}).items() if value in ("past", "k", "v")} == {"NGTC"}


@pytest.mark.parametrize("operator", ["Attention", "com.microsoft.GroupQueryAttention <num_heads=4>"])
def test_the_fourth_output_of_an_attention_is_queries_by_keys(operator: str) -> None:
    text = f"{HEAD}g (float[1,4,10,16] x) => (float[] y, float[] p) {{ y, k, v, p = {operator} (x, x, x) }}"
    assert follow_axes(Graph.from_proto(parser.parse_model(text)), {})["p"] == Axes("NCTT")


BIASES = [
    ("y = Add (x, wide)", "1,20,5", "NTC"),
    ("y = Add (wide, x)", "1,8,9,5", "NHWC"),
    ("y = Add (x, wide)", "1,5", None),
    ("y = Add (x, one)", "1,20,5", None),
    ("y = Mul (x, wide)", "1,20,5", None),
    ("y = com.microsoft.BiasGelu (x, wide)", "1,20,5", "NTC"),
    ("y = com.microsoft.FastGelu (x)", "1,20,5", None),
]


@pytest.mark.parametrize(("nodes", "shape", "layout"), BIASES)
def test_a_bias_along_the_last_axis_makes_it_likely_the_channels(nodes: str, shape: str, layout: str | None) -> None:
    found = axes_of(nodes, shape, "float[5] wide = {1,2,3,4,5}, float[1] one = {1}")
    assert found == ({} if layout is None else dict.fromkeys("xy", Axes(layout, assumed=True)))


def test_a_bias_counts_less_than_what_is_certain() -> None:
    found = layouts("c = Conv (x, w, b) y = Add (c, wide)", "1,3,8,5", "float[5] wide = {1,2,3,4,5}")
    assert found["y"] == "NCHW"


def test_the_tokens_of_onnxruntime_s_own_graphs_are_known_though_their_shapes_are_not() -> None:
    nodes = (
        "e, m = com.microsoft.EmbedLayerNormalization (x, , w, w) a = com.microsoft.Attention <num_heads=2> (e, w, b) "
        "d = MatMul (a, side) s = com.microsoft.SkipLayerNormalization (d, e, b, b, b) "
        "f = MatMul (s, side) g = com.microsoft.FastGelu (f, b) y = MatMul (g, side)"
    )
    found = layouts(nodes, "1,9", "float[2,2] side = {1,1,1,1}")
    assert {value: found[value] for value in "eadsfgy"} == dict.fromkeys("eadsfgy", "NTC")


def test_rows_that_a_product_takes_one_by_one_are_those_of_a_sequence() -> None:
    nodes = "f = Reshape (x, flat) m = MatMul (f, side) y = Reshape (m, back)"
    constants = "float[3,2] side = {1,1,1,1,1,1}, int64[2] flat = {-1, 3}, int64[3] back = {4, 20, 2}"
    found = axes_of(nodes, "4,20,3", constants)
    assert (found["x"], found["y"]) == (Axes("NTC", assumed=True), Axes("NTC", assumed=True))


EMBEDDED = [("", "4,20", "NTC"), ("axis=1, ", "4,20", None), ("", "4,20,6", "NHWC")]


@pytest.mark.parametrize(("axis", "shape", "layout"), EMBEDDED)
def test_rows_of_a_constant_table_are_channels(axis: str, shape: str, layout: str | None) -> None:
    text = (
        f"{HEAD}g (int64[{shape}] x) => (float[] y) <float[2,3] table = {{1,1,1,1,1,1}}> "
        f"{{ y = Gather <{axis.rstrip(', ') or 'axis=0'}> (table, x) }}"
    )
    graph = Graph.from_proto(parser.parse_model(text))
    found = follow_axes(graph, infer_types(graph)).get("y")
    assert found == (None if layout is None else Axes(layout, assumed=True))


def test_a_recorded_layout_is_carried_on_and_counts_less_than_a_convolution() -> None:
    text = (
        f"{HEAD}g (float[1,3,8,8] x, float[1,8,8,3] z) => (float[] y, float[] r) <float[2,3,1,1] w = {{1,1,1,1,1,1}}> "
    )
    graph = Graph.from_proto(parser.parse_model(text + "{ y = Conv (x, w) r = Relu (z) }"))
    recorded = {"y": Axes("NHWC"), "z": Axes("NHWC")}
    found = follow_axes(graph, infer_types(graph), Hints(recorded))
    assert (found["y"], found["r"]) == (Axes("NCHW"), Axes("NHWC"))


Shape = tuple[int | str | None, ...]


def reshaped(layout: str, before: Shape, after: Shape) -> Axes | None:
    """Carry a layout over a Reshape between two shapes."""
    text = f"{HEAD}g (float[] x, int64[{len(after)}] s) => (float[] y) {{ y = Reshape (x, s) }}"
    graph = Graph.from_proto(parser.parse_model(text))
    types = {"x": TensorSpec("x", "float32", before), "y": TensorSpec("y", "float32", after)}
    reads = reads_of(Operand(graph.nodes[0], 0, len(before), 0, KnownSizes(graph, types)))
    return None if reads is None else carried(Axes(layout), reads.links, before, after, may_come_in=(1,))


RESHAPED = [
    ("NCHW", (1, 8, 7, 7), (1, 8, 49), Axes("NCT")),
    ("NHWC", (1, 7, 7, 8), (1, 49, 8), Axes("NTC")),
    ("NCHW", ("N", 8, 1, 1), ("N", 8), Axes("NC")),
    ("NC", (1, 8), (1, 8, 1, 1), Axes("NCHW")),
    ("NCHW", (None, 8, 7, 7), (None, 392), Axes("NC", assumed=True)),
    ("NTC", (1, 49, 8), (1, 7, 7, 8), Axes("NHWC", assumed=True)),
    ("NCHW", (1, 8, 4, 4), (1, 8, 4, 4), Axes("NCHW")),
    ("NCHW", (None, 8, 7, 7), (None, 8, 49), Axes("NCT")),
    ("NCHW", ("N", 8, "h", "w"), ("N", 8, None), Axes("NCT")),
    ("NCHW", (1, 1, 28, 28), (1, 1, 784), Axes("NCT")),
]


@pytest.mark.parametrize(("layout", "before", "after", "expected"), RESHAPED)
def test_reshapes_that_can_be_read(layout: str, before: Shape, after: Shape, expected: Axes) -> None:
    assert reshaped(layout, before, after) == expected


MIXED = [
    ("NCHW", (1, 8, 4, 4), (1, 2, 4, 4, 4)),
    ("NHWC", (1, 8, 8, 3), (1, 2, 4, 2, 4, 3)),
    ("NCHW", (2, 8, 4, 4), (16, 16)),
    ("NCHW", (8, 4, 4), (8, 16)),
]


@pytest.mark.parametrize(("layout", "before", "after"), MIXED)
def test_reshapes_that_mix_axes_tell_nothing(layout: str, before: Shape, after: Shape) -> None:
    assert reshaped(layout, before, after) is None


def test_a_guess_by_rank_says_that_it_is_one() -> None:
    assert guess_axes(TensorSpec("x", shape=(1, 3, 8, 8))) == Axes("NCHW", assumed=True)
    assert guess_axes(TensorSpec("x", shape=(1, 8, 8, 3)), channels_last=True) == Axes("NHWC", assumed=True)
    assert guess_axes(TensorSpec("x", shape=(1,))) is None
    assert guess_axes(TensorSpec("x")) is None
    assert guess_axes(None) is None


def test_of_a_batch_and_a_direction_of_one_the_batch_stays() -> None:
    """PyTorch's newer exporter takes the one direction out by a Reshape, whose sizes do not say which axis went."""
    nodes = "s = LSTM <hidden_size=4> (x, w, w) t = Transpose <perm=[0,2,1,3]> (s) y = Reshape (t, to)"
    assert layouts(nodes, "20,1,3", "int64[3] to = {20, 1, 4}")["y"] == "LNC"


@pytest.mark.parametrize(("shape", "layout"), [("{20, 1, 2}", "TNC"), ("{1, 20, 2}", "NTC"), ("{4, 5, 2}", "NTC")])
def test_rows_that_become_a_sequence_are_most_likely_its_steps(shape: str, layout: str) -> None:
    nodes = "g = Gemm (x, side) y = Reshape (g, to)"
    found = axes_of(nodes, "20,3", f"float[3,2] side = {{1,1,1,1,1,1}}, int64[3] to = {shape}")
    assert found["y"] == Axes(layout, assumed=True)


def test_what_is_likely_is_heard_from_the_inputs_on() -> None:
    """Attention in PyTorch turns (N, T, C) into (T, N, C): the product there has the order of what it reads."""
    nodes = "n = LayerNormalization (x, g, g) t = Transpose <perm=[1,0,2]> (n) y = MatMul (t, side)"
    found = layouts(nodes, "1,20,3", "float[3,2] side = {1,1,1,1,1,1}, float[3] g = {1,1,1}")
    assert (found["x"], found["y"]) == ("NTC", "TNC")

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser
from onnxruntime import InferenceSession

from onnxviz.graph.completion import with_names
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import catalogue
from onnxviz.graph.operators.receptive_field import ReceptiveField, Status, receptive_fields
from onnxviz.graph.selection.choices import select
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.unfold import unfold


def load_architectures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("architectures", Path(__file__).with_name("architectures.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


nets = load_architectures()


def fields(model: onnx.ModelProto) -> dict[str, ReceptiveField]:
    graph = Graph.from_proto(model)
    return dict(receptive_fields(graph, infer_types(graph)))


def field(text: str, value: str = "y") -> ReceptiveField:
    return fields(parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]>\n{text}'))[value]


# Araujo, Norris and Sim 2019: network, size, padding; the stride is 32 throughout. The paddings of MobileNet v1,
# Inception v2 and the ResNets are those on 224 x 224 pixels: where TF's SAME padding meets a stride (in the ResNets,
# the first pooling) it depends on the input's size. Those of the others do not.
TABLE = [
    ("alexnet_v2", lambda: nets.alexnet_v2(), 195, 64),
    ("vgg_16", lambda: nets.vgg_16(), 212, 90),
    ("mobilenet_v1", lambda: nets.mobilenet_v1(), 315, 126),
    ("resnet_v1_50", lambda: nets.resnet_v1((3, 4, 6, 3)), 483, 239),
    ("resnet_v1_101", lambda: nets.resnet_v1((3, 4, 23, 3)), 1027, 511),
    ("resnet_v1_152", lambda: nets.resnet_v1((3, 8, 36, 3)), 1507, 751),
    ("inception_v2", lambda: nets.inception_v2(), 699, 318),
    ("inception_v3", lambda: nets.inception_v3(), 1311, 618),
]


@pytest.mark.parametrize(("build", "size", "padding"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_the_published_table(build: Callable[[], onnx.ModelProto], size: int, padding: int) -> None:
    model = build()
    found = fields(model)[model.graph.output[0].name]
    assert (found.size, found.stride, found.start) == ((size,) * 2, (32, 32), (-padding,) * 2)
    assert found.status is Status.EXACT


def test_inception_v4_of_the_published_table() -> None:
    found = fields(nets.inception_v4())["InceptionV4/Mixed_7d/concat:0"]
    assert (found.size, found.stride, found.start) == ((2071, 2071), (32, 32), (-998, -998))
    assert found.status is Status.EXACT


@pytest.mark.parametrize(
    ("selection", "channels"), [("conv[0]", 32), ("join & depth=4", 160), ("join & depth=21", 384)]
)
def test_the_three_figures_of_inception_v4(selection: str, channels: int) -> None:
    graph = Graph.from_proto(nets.inception_v4())
    (choice,) = select(selection, graph=graph, layers=catalogue(graph, infer_types(graph)))
    assert choice.layer is not None
    assert choice.layer.channels == channels


# google-research/receptive_field, README: layer, size, stride, padding.
ANCHORS = {
    "alexnet_v2": [("conv1", 11, 4, 0), ("pool1", 19, 8, 0), ("conv2", 51, 8, 16), ("conv3", 99, 16, 32),
                   ("conv5", 163, 16, 64)],
    "vgg_16": [("conv1/conv1_1", 3, 1, 1), ("pool1", 6, 2, 2), ("pool2", 16, 4, 6), ("pool3", 44, 8, 18),
               ("conv4/conv4_1", 60, 8, 26), ("pool4", 100, 16, 42), ("conv5/conv5_1", 132, 16, 58)],
}  # fmt: skip


@pytest.mark.parametrize("net", sorted(ANCHORS))
def test_layers_of_the_published_nets(net: str) -> None:
    found = fields(getattr(nets, net)())
    for layer, size, stride, padding in ANCHORS[net]:
        operator = "MaxPool" if layer.startswith("pool") else "Relu"
        one = found[f"{net}/{layer}/{operator}:0"]
        assert (one.size, one.stride, one.start) == ((size,) * 2, (stride,) * 2, (-padding,) * 2), layer


HALF = Fraction(1, 2)
WORKED = [
    # dilation 2: taps at -2, 0, 2
    ("y = Conv <pads=[2,2,2,2], dilations=[2,2]> (x, w)", (5, 5), (1, 1), (-2, -2), Status.EXACT, False),
    # two 3x3 of stride 2 and 1: 3 + 2 * 2 = 7; start -1 - 2
    ("a = Conv <pads=[1,1,1,1], strides=[2,2]> (x, w) y = Conv <pads=[1,1,1,1]> (a, w)",
     (7, 7), (2, 2), (-3, -3), Status.EXACT, False),
    # a residual branch: the larger field holds
    ("a = Conv <pads=[1,1,1,1]> (x, w) y = Add (a, x)", (3, 3), (1, 1), (-1, -1), Status.EXACT, False),
    # squeeze and excitation: the local field stays, and the whole input is reached besides
    ("a = Conv <pads=[1,1,1,1]> (x, w) g = GlobalAveragePool (a) s = Sigmoid (g) y = Mul (a, s)",
     (3, 3), (1, 1), (-1, -1), Status.EXACT, True),
    # even rows of a transposed convolution see row i / 2, odd ones (i - 1) / 2 and (i + 1) / 2: 2 is a bound
    ("y = ConvTranspose <strides=[2,2], pads=[1,1,1,1]> (x, w)",
     (2, 2), (HALF, HALF), (-HALF, -HALF), Status.UPPER_BOUND, False),
    # where every other row was dropped before, even rows see row i, odd ones i - 1 and i + 1
    ("a = MaxPool <kernel_shape=[1,1], strides=[2,2]> (x) y = ConvTranspose <strides=[2,2], pads=[1,1,1,1]> (a, w)",
     (3, 3), (1, 1), (-1, -1), Status.UPPER_BOUND, False),
    # rows from the last to the first: row i of the turned is 15 - i, so that 0 to 2 are 13 to 15
    ("e = Constant <value_ints=[-1]> () z = Constant <value_ints=[-99]> () k = Constant <value_ints=[2]> () "
     "a = Slice (x, e, z, k, e) y = Conv (a, w)",
     (3, 3), (-1, 1), (13, 0), Status.EXACT, False),
    ("a = Conv (x, w) y = InstanceNormalization (a, s1, s1)", (3, 3), (1, 1), (0, 0), Status.EXACT, True),
]  # fmt: skip
HEAD = "g (float[1,1,16,16] x) => (float[] y) <float[1,1,3,3] w = {1,1,1,1,1,1,1,1,1}, float[1] s1 = {1}>"


@pytest.mark.parametrize(("nodes", "size", "stride", "start", "status", "whole"), WORKED)
def test_worked_on_paper(
    nodes: str,
    size: Sequence[int],
    stride: Sequence[int | Fraction],
    start: Sequence[int | Fraction],
    status: Status,
    whole: bool,
) -> None:
    found = field(f"{HEAD} {{ {nodes} }}")
    assert (found.size, found.stride, found.start) == (size, stride, start)
    assert (found.status, found.reaches_whole) == (status, whole)


WHOLE = ReceptiveField(None, None, None, Status.WHOLE_INPUT, True, "x")


def test_global_pooling_sees_all() -> None:
    found = field(f"{HEAD} {{ a = Conv (x, w) y = GlobalAveragePool (a) }}")
    assert (found.status, found.size, found.reaches_whole) == (Status.WHOLE_INPUT, None, True)


def test_an_operator_that_nobody_knows_sees_at_most_the_whole_input() -> None:
    text = '<ir_version: 8, opset_import: ["": 17, "acme": 1]>\n' + f"{HEAD} {{ a = Conv (x, w) y = acme.Fold (a) }}"
    assert fields(parser.parse_model(text))["y"] == WHOLE


def test_an_nhwc_input_is_followed_through_its_transpose() -> None:
    head = "g (float[1,16,20,1] x) => (float[] y) <float[1,1,3,5] w = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}>"
    found = field(f"{head} {{ t = Transpose <perm=[0,3,1,2]> (x) y = Conv <strides=[2,1]> (t, w) }}")
    assert (found.size, found.stride, found.start, found.status) == ((3, 5), (2, 1), (0, 0), Status.EXACT)


def test_unknown_sizes_make_same_padding_a_bound() -> None:
    model = nets.mobilenet_v1(None)
    assert fields(model)[model.graph.output[0].name].status is Status.UPPER_BOUND


def test_a_field_as_json() -> None:
    found = ReceptiveField((3, Fraction(5, 2)), (2, Fraction(1, 2)), (-1, 0), Status.UPPER_BOUND, True, "x")
    assert found.as_json() == {
        "size": [3, 2.5],
        "stride": [2, 0.5],
        "start": [-1, 0],
        "status": "upper bound",
        "global": True,
    }
    assert WHOLE.as_json()["size"] is None


def test_fields_are_counted_in_the_input_behind_which_convolutions_lie() -> None:
    """A sound of rank 2 beside the state of a recurrent layer, of rank 3, that is joined in at the end."""
    text = """<ir_version: 8, opset_import: ["": 17]>
    g (float[2,1,4] state, float[1,64] sound, float[4,1,3] w, float[4,4,1] v) => (float[1,4,31] y)
        <int64[1] one = {1}, int64[1] zero = {0}> {
        u = Unsqueeze (sound, one)
        c = Conv <strides = [2]> (u, w)
        d = Conv (c, v)
        first = Slice (state, zero, one)
        s = Transpose <perm = [0, 2, 1]> (first)
        y = Add (d, s)
    }"""
    found = fields(parser.parse_model(text))["d"]
    assert (found.input, found.size, found.stride, found.start) == ("sound", (3,), (2,), (0,))


def test_fields_are_counted_in_the_first_input_of_rank_3_or_more() -> None:
    found = fields(
        parser.parse_model(
            """<ir_version: 8, opset_import: ["": 17]>
            g (float[1,4] state, float[1,2,9] sound, float[1,2,9,9] picture, float[2,2,3] w, float[2,2,5,5] v)
            => (float[1,2,9] y, float[1,2,9,9] z) {
                y = Conv <kernel_shape=[3], pads=[1,1]> (sound, w)
                z = Conv <kernel_shape=[5,5], pads=[2,2,2,2]> (picture, v)
            }"""
        )
    )
    assert (found["y"].input, found["y"].size) == ("sound", (3,))
    assert "z" not in found


@pytest.mark.parametrize("order", ["then else", "else then"])
def test_an_if_on_sizes_reads_the_branch_that_these_take(order: str) -> None:
    """TorchScript's squeeze(1), whose axis goes where its size is 1: the branches make 3 axes or 4."""
    then = "then_branch = t () => (float[n,1,9] a{0}) {{ a{0} = Squeeze (x, one) }}"
    otherwise = "else_branch = e () => (float[n,1,1,9] b{0}) {{ b{0} = Identity (x) }}"
    branches = f"{then}, {otherwise}" if order == "then else" else f"{otherwise}, {then}"
    text = f"""<ir_version: 8, opset_import: ["": 17]>
    g (float[n,1,1,9] x, float[2,1,3] w) => (int64[3] of_y, int64[4] of_z)
        <int64[1] one = {{1}}, int64[1] width = {{3}}> {{
        sizes = Shape (x)
        size = Gather <axis = 0> (sizes, one)
        across = Gather <axis = 0> (sizes, width)
        same = Equal (size, one)
        other = Equal (across, one)
        s = If (same) <{branches.format(0)}>
        z = If (other) <{branches.format(1)}>
        y = Conv (s, w)
        of_y = Shape (y)
        of_z = Shape (z)
    }}"""
    flat = unfold(Graph.from_proto(parser.parse_model(text))).graph
    types = infer_types(flat)
    found = dict(receptive_fields(flat, types))["y"]
    assert (types["y"].shape, types["z"].shape) == (("n", 2, 7), ("n", 1, 1, 9))
    assert (found.size, found.stride) == ((3,), (1,))


def test_what_a_body_reads_of_the_outer_graph_is_at_most_the_whole_input() -> None:
    found = fields(
        parser.parse_model(
            """<ir_version: 8, opset_import: ["": 17]>
            g (float[1,1,8,8] x, bool flag, float[1,1,3,3] w, float[1,1,8,8] k) => (float[1,1,8,8] y) {
                c = Conv <kernel_shape=[3,3], pads=[1,1,1,1]> (x, w)
                b = If (flag) <
                    then_branch = t () => (float[1,1,8,8] p) { p = Relu (c) },
                    else_branch = e () => (float[1,1,8,8] q) { q = Neg (c) }
                >
                n = If (flag) <
                    then_branch = t () => (float[1,1,8,8] p) { p = Relu (k) },
                    else_branch = e () => (float[1,1,8,8] q) { q = Neg (k) }
                >
                d = Mul (c, n)
                y = Add (d, b)
            }"""
        )
    )
    assert found["b"] == WHOLE
    assert "n" not in found
    assert (found["d"].status, found["d"].size) == (Status.EXACT, (3, 3))
    assert found["y"] == WHOLE


def test_behind_what_is_not_followed_the_whole_input_is_the_bound_whatever_follows() -> None:
    for tail in ("y = GlobalAveragePool (u)", "y = Add (u, c)", "y = Softmax <axis=2> (u)"):
        found = fields(
            parser.parse_model(
                f"""<ir_version: 8, opset_import: ["": 17, "own": 1]>
                g (float[1,1,8,8] x, float[1,1,3,3] w) => (float[1,1,8,8] y) <float[1,1,8,8] u> {{
                    c = Conv <kernel_shape=[3,3], pads=[1,1,1,1]> (x, w)
                    u = own.Thing (c)
                    {tail}
                }}"""
            )
        )["y"]
        assert found == WHOLE  # and not the field of `c` beside a gate


DRIFTING = """<ir_version: 8, opset_import: ["": 17]>
g (float[1,1,{size},{size}] x, float[1,1,5,5] w) => (float[1,1,A,B] y, float[1,1,C,D] z) {{
    half = MaxPool <kernel_shape=[2,2], strides=[2,2]> (x)
    corner = Conv <kernel_shape=[5,5]> (x, w)
    y = Add (half, corner)
    z = Add (y, corner)
}}"""


def test_operands_with_different_strides_drift_apart_over_a_known_size() -> None:
    found = fields(parser.parse_model(DRIFTING.format(size=8)))
    assert (found["half"].status, found["half"].size) == (Status.EXACT, (2, 2))
    # Position i of 4 sees 2 i and 2 i + 1 by one way and i to i + 4 by the other.
    assert (found["y"].status, found["y"].size, found["y"].stride) == (Status.UPPER_BOUND, (5, 5), (1, 1))
    assert found["y"].input == "x" and not found["y"].reaches_whole


def test_operands_with_different_strides_may_see_everything_of_an_open_size() -> None:
    found = fields(parser.parse_model(DRIFTING.format(size="S")))
    assert found["y"].status is Status.WHOLE_INPUT
    assert found["z"] == WHOLE  # and is not the field of `corner` beside a gate


def test_a_skip_beside_aligned_corners_sees_no_more_than_its_bound() -> None:
    model = parser.parse_model(
        """<ir_version: 8, opset_import: ["": 17]>
        g (float[1,1,16,16] x, float[1,1,3,3] a, float[1,2,3,3] b) => (float[1,1,16,16] y)
        <float[4] scales = {1, 1, 2, 2}> {
            fine = Conv <pads=[1,1,1,1]> (x, a)
            half = MaxPool <kernel_shape=[2,2], strides=[2,2]> (fine)
            up = Resize <mode="linear", coordinate_transformation_mode="align_corners"> (half, , scales)
            both = Concat <axis=1> (fine, up)
            y = Conv <pads=[1,1,1,1]> (both, b)
        }"""
    )
    found = fields(model)["y"]
    assert found.status is Status.UPPER_BOUND and not found.reaches_whole
    assert found.size is not None and found.size[0] < 16
    session = InferenceSession(model.SerializeToString())
    draw = np.random.default_rng(0).standard_normal
    feed = {"x": draw((1, 1, 16, 16), np.float32), "a": draw((1, 1, 3, 3), np.float32)}
    feed["b"] = draw((1, 2, 3, 3), np.float32)
    (before,) = session.run(["y"], feed)
    assert found.start is not None and found.stride is not None
    for row in range(16):
        moved = feed["x"].copy()
        moved[0, 0, row] += 100
        (after,) = session.run(["y"], {**feed, "x": moved})
        for place in np.flatnonzero((before != after).any(axis=(0, 1, 3))):
            low = found.start[0] + int(place) * found.stride[0]
            assert low - 1 < row <= low + found.size[0], (row, place)


def test_a_dynamically_quantised_convolution_has_its_float_kins_field_beside_the_scale_of_all() -> None:
    found = field(
        """g (float[1,1,8,8] x) => (float[1,1,8,8] y)
        <uint8[1,1,3,3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9}, float s = {0.1}> {
            q, scale, zero = DynamicQuantizeLinear (x)
            both = Mul (scale, s)
            c = ConvInteger <pads=[1,1,1,1]> (q, w, zero)
            f = Cast <to=1> (c)
            y = Mul (f, both)
        }"""
    )
    assert (found.size, found.status, found.reaches_whole) == ((3, 3), Status.EXACT, True)


def test_behind_a_pad_of_unknown_amounts_a_field_is_bounded_by_the_input_and_not_left_out() -> None:
    found = field(
        "g (float[1,1,H,W] x, int64[8] p, float[1,1,3,3] w) => (float[1,1,A,B] y) { a = Pad(x, p) y = Conv(a, w) }"
    )
    assert found.status is Status.WHOLE_INPUT


FREE_TOKENS = """<ir_version: 8, opset_import: ["": 17]>
g (float[1,3,H,W] x, float[8,3,4,4] w, float[8] b, int64[3] flat) => (float[1,A,8] y, float[1,A,8] z)
<int64[3] rows = {0, 8, -1}> {
    c = Conv <strides=[4,4]> (x, w)
    r = Reshape (c, rows)
    t = Transpose <perm=[0,2,1]> (r)
    y = LayerNormalization (t, b)
    turned = Transpose <perm=[0,1,3,2]> (c)
    columns = Reshape (turned, rows)
    u = Transpose <perm=[0,2,1]> (columns)
    z = Add (t, u)
}"""


def test_tokens_of_a_free_size_see_their_patch() -> None:
    found = fields(parser.parse_model(FREE_TOKENS))
    assert (found["y"].size, found["y"].status, found["y"].reaches_whole) == ((4, 4), Status.EXACT, False)
    assert found["y"].stride is found["y"].start is None
    # Token 1 lies beside token 0 by one way and below it by the other.
    assert found["z"].status is Status.WHOLE_INPUT


def test_axes_that_are_swapped_stay_with_their_own() -> None:
    found = field(
        """g (float[1,1,8,8] x, float[1,1,1,3] row, float[1,1,5,1] column) => (float[1,1,8,8] y) {
            t = Transpose <perm=[0,1,3,2]> (x)
            a = Conv <kernel_shape=[1,3], pads=[0,1,0,1]> (t, row)
            y = Conv <kernel_shape=[5,1], pads=[2,0,2,0]> (a, column)
        }"""
    )
    assert (found.size, found.start) == ((3, 5), (-1, -2))


TOKENS = """g (float[1,4,8,12] x, float[4,4,3,3] w, float[1,1,4] cls, float[1,97,4] add) => (float[] y)
    <float[4] ones = {1, 1, 1, 1}, int64[3] flat = {0, 4, 96}, int64[4] map = {1, 8, 12, 4}, int64[1] one = {1},
    int64[1] end = {97}> {
    c = Conv <pads=[1,1,1,1], kernel_shape=[3,3]> (x, w) f = Reshape (c, flat) t = Transpose <perm=[0,2,1]> (f)
    n = LayerNormalization (t, ones) j = Concat <axis=1> (cls, n) p = Add (j, add)
    k = Transpose <perm=[0,2,1]> (p) m = MatMul (p, k) s = Softmax (m) a = MatMul (s, p) r = Add (p, a)
    u = Slice (p, one, end, one) v = Reshape (u, map) h = Transpose <perm=[0,3,1,2]> (v)
    y = Conv <pads=[1,1,1,1], kernel_shape=[3,3]> (h, w)
    ru = Slice (r, one, end, one) rv = Reshape (ru, map) rh = Transpose <perm=[0,3,1,2]> (rv)
    both = Add (rh, c) yr = Conv <pads=[1,1,1,1], kernel_shape=[3,3]> (both, w)
}"""


def test_tokens_see_their_patch_and_go_back_to_a_map() -> None:
    found = fields(parser.parse_model(f'<ir_version: 8, opset_import: ["": 17]>\n{TOKENS}'))
    for value in "ftnjpu":
        assert found[value] == ReceptiveField((3, 3), None, None, Status.EXACT, False, "x"), value
    assert found["a"].status is Status.WHOLE_INPUT
    assert found["r"] == ReceptiveField((3, 3), None, None, Status.EXACT, True, "x")
    assert found["h"] == found["c"] == ReceptiveField((3, 3), (1, 1), (-1, -1), Status.EXACT, False, "x")
    assert found["y"] == ReceptiveField((5, 5), (1, 1), (-2, -2), Status.EXACT, False, "x")
    assert found["yr"] == ReceptiveField((5, 5), (1, 1), (-2, -2), Status.EXACT, True, "x")


def test_what_is_sliced_at_places_that_are_computed_from_values_may_be_anything() -> None:
    found = fields(
        parser.parse_model(
            """<ir_version: 8, opset_import: ["": 17]>
            g (float[1,2,9,9] x, float[2,2,3,3] w, int64[1] at) => (float[] y)
            <int64[1] last = {99}, int64[1] rows = {2}, int64[1] channels = {1}> {
                c = Conv <kernel_shape=[3,3], pads=[1,1,1,1]> (x, w)
                part = Slice (c, at, last, channels) same = Concat <axis=1> (part, c)
                few = Slice (c, at, last, rows) y = Concat <axis=0> (few, c)
            }"""
        )
    )
    assert (found["part"].size, found["part"].reaches_whole) == ((3, 3), False)
    assert (found["same"].size, found["same"].reaches_whole) == ((3, 3), False)
    assert found["y"] == WHOLE


def test_a_sound_whose_samples_are_joined_at_a_place_that_is_not_known_has_a_field_all_the_same() -> None:
    """The emphasis of high tones before a spectrogram: x[0], x[1] - x[0], x[2] - x[1] ... of any length."""
    found = fields(
        parser.parse_model(
            """<ir_version: 8, opset_import: ["": 17]>
            g (float[1,L] x) => (float[] y)
            <float[2,1,3] w = {1, 1, 1, 1, 1, 1}, int64[1] zero = {0}, int64[1] one = {1},
            int64[1] far = {9223372036854775807}, int64[1] back = {-1}> {
                first = Slice (x, zero, one, one)
                rest = Slice (x, one, far, one)
                before = Slice (x, zero, back, one)
                change = Sub (rest, before)
                joined = Concat <axis=1> (first, change)
                sound = Unsqueeze (joined, one)
                y = Conv <kernel_shape=[3]> (sound, w)
            }"""
        )
    )
    assert found["y"] == WHOLE


def test_a_map_that_is_resized_to_a_size_not_known_keeps_its_channels_and_may_see_all() -> None:
    found = fields(
        parser.parse_model(
            """<ir_version: 8, opset_import: ["": 17]>
            g (float[N,2,H,W] x, float[2,2,3,3] w, int64[4] to) => (float[] y) {
                c = Conv <pads=[1,1,1,1]> (x, w)
                y = Resize (c, , , to)
            }"""
        )
    )
    assert found["y"] == WHOLE


@pytest.mark.parametrize(("direction", "status"), [("forward", Status.UPPER_BOUND), ("bidirectional", Status.EXACT)])
def test_a_step_of_a_recurrent_layer_has_its_own_field_beside_those_of_other_steps(
    direction: str, status: Status
) -> None:
    count = 2 if direction == "bidirectional" else 1
    found = fields(
        parser.parse_model(
            f"""<ir_version: 8, opset_import: ["": 17]>
            g (float[1,1,64] x, float[4,1,5] w, float[{count},6,4] u, float[{count},6,2] r) => (float[] y, float[] h) {{
                c = Conv <kernel_shape=[5], strides=[2]> (x, w)
                t = Transpose <perm=[2,0,1]> (c)
                y, h = GRU <hidden_size=2, direction="{direction}"> (t, u, r)
                s = Transpose <perm=[2,1,3,0]> (y)
            }}"""
        )
    )
    assert found["y"] == found["s"] == ReceptiveField((5,), (2,), (0,), status, True, "x")
    assert found["h"] == WHOLE


def shuffling(size: int | str) -> onnx.ModelProto:
    """A channel shuffle between two convolutions, its shapes computed as the TorchScript exporter writes them."""
    random = np.random.default_rng(1)
    weights = {
        "before": random.normal(size=(8, 3, 3, 3)),
        "behind": random.normal(size=(8, 1, 3, 3)),
    }
    numbers = {"two": [2], "four": [4], "all": [-1], **{f"axis{axis}": axis for axis in range(4)}}
    tensors = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    tensors += [numpy_helper.from_array(np.array(number, np.int64), name) for name, number in numbers.items()]
    nodes = [helper.make_node("Conv", ["x", "before"], ["a"], pads=[1, 1, 1, 1])]
    for axis in (0, 2, 3):
        nodes += [
            helper.make_node("Shape", ["a"], [f"shape{axis}"]),
            helper.make_node("Gather", [f"shape{axis}", f"axis{axis}"], [f"size{axis}"], axis=0),
            helper.make_node("Unsqueeze", [f"size{axis}", "none"], [f"length{axis}"]),
        ]
    tensors.append(numpy_helper.from_array(np.array([0], np.int64), "none"))
    nodes += [
        helper.make_node("Concat", ["length0", "two", "four", "length2", "length3"], ["parted"], axis=0),
        helper.make_node("Reshape", ["a", "parted"], ["b"]),
        helper.make_node("Transpose", ["b"], ["c"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Concat", ["length0", "all", "length2", "length3"], ["joined"], axis=0),
        helper.make_node("Reshape", ["c", "joined"], ["d"]),
        helper.make_node("Conv", ["d", "behind"], ["y"], pads=[1, 1, 1, 1], group=8),
    ]
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    infos[0] = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, size, size])
    graph = helper.make_graph(nodes, "g", infos[:1], infos[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("size", [16, "side", None])
def test_a_channel_shuffle_of_any_size_splits_channels_alone(size: int | str | None) -> None:
    proto = shuffling("side" if size is None else size)
    if size is None:
        for axis in (2, 3):
            proto.graph.input[0].type.tensor_type.shape.dim[axis].ClearField("dim_param")
    graph = Graph.from_proto(proto)
    types = infer_types(graph)
    assert types["d"].shape == (1, 8, *((16, 16) if size == 16 else (None, None)))
    field = receptive_fields(graph, with_names(graph, types))["y"]
    assert (field.size, field.status, field.reaches_whole) == ((5, 5), Status.EXACT, False)
    session = InferenceSession(shuffling(16).SerializeToString())
    base = np.random.default_rng(2).normal(size=(1, 3, 16, 16)).astype(np.float32)
    (before,) = session.run(None, {"x": base})
    moved = np.zeros((16, 16), bool)
    for row, column in np.ndindex(16, 16):
        other = base.copy()
        other[:, :, row, column] += 1
        moved[row, column] = np.any(session.run(None, {"x": other})[0][..., 8, 8] != before[..., 8, 8])
    assert np.argwhere(moved).min(axis=0).tolist() == [6, 6] and np.argwhere(moved).max(axis=0).tolist() == [10, 10]

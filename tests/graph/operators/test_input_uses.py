from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from onnxviz.feed.own_scaling import range_taken
from onnxviz.graph.graph import Graph
from onnxviz.graph.operators.input_uses import input_uses
from onnxviz.graph.shapes import infer_types
from onnxviz.graph.storage.model_file import ModelFile
from onnxviz.layout import PROBES, InputUse

MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
CHANNELS = (1, 3, 1, 1)


def model(nodes: str, shape: tuple[int, ...] = (1, 3, 4, 4), **constants: Any) -> onnx.ModelProto:
    """Return a model with these nodes, one a line, and a 1x1 convolution of `n`."""
    text = "\n".join((*(f"{line.strip()}" for line in nodes.strip().splitlines()), "y = Conv (n, w)"))
    sizes = ", ".join(map(str, shape))
    head = f'<ir_version: 8, opset_import: ["" : 17]> g (float[{sizes}] x) => (float[N, 2, H, W] y)'
    constants["w"] = np.ones((2, 3, 1, 1))
    proto = onnx.parser.parse_model(f"{head} {{ {text} }}")
    arrays = {name: np.asarray(value) for name, value in constants.items()}
    proto.graph.initializer.extend(
        numpy_helper.from_array(array.astype(np.float32) if array.dtype.kind == "f" else array, name)
        for name, array in arrays.items()
    )
    return proto


def use(proto: onnx.ModelProto, name: str = "x") -> InputUse:
    graph = Graph.from_proto(proto)
    return input_uses(graph, infer_types(graph))[name]


@pytest.mark.parametrize(
    ("nodes", "constants", "formula"),
    [
        ("n = Div (x, a)", {"a": 255.0}, "x / 255"),
        ("n = Mul (a, x)", {"a": 1 / 255}, "x / 255"),
        ("m = Mul (x, a) \n n = Add (m, b)", {"a": 1 / 127.5, "b": -1.0}, "x / 127.5 - 1"),
        ("m = Mul (x, a) \n n = Add (m, b)", {"a": 1 / 255, "b": 0.0}, "x / 255"),
        ("n = Add (x, a)", {"a": -MEAN.reshape(CHANNELS)}, "x - (123.7, 116.3, 103.5)"),
        ("m = Sub (x, a) \n n = Mul (m, b)", {"a": 127.5, "b": 0.0078125}, "(x - 127.5) / 128"),
        (
            "m = Sub (x, a) \n n = Div (m, b)",
            {"a": MEAN.reshape(CHANNELS), "b": STD.reshape(CHANNELS)},
            "(x - (123.7, 116.3, 103.5)) / (58.4, 57.12, 57.38)",
        ),
        (
            "v = Sqrt (a) \n e = Max (v, b) \n r = Reshape (e, s) \n n = Div (x, r)",
            {"a": STD**2, "b": 1e-7, "s": np.array(CHANNELS)},
            "x / max(sqrt((3410, 3263, 3292)), 1e-07)",
        ),
        ("f = Gather <axis = 1> (x, i) \n n = Sub (f, a)", {"i": [2, 1, 0], "a": MEAN.reshape(CHANNELS)}, None),
        ("m = Sub (a, x) \n n = Neg (m)", {"a": 127.0}, "-(127 - x)"),
        ("c = Clip (x) \n m = Reshape (c, s) \n n = Div (m, a)", {"s": [1, 3, 4, 4], "a": 255.0}, None),
        (
            "s = SpaceToDepth <blocksize = 2> (x) \n m = Div (s, a) \n n = DepthToSpace <blocksize = 2> (m)",
            {"a": 255.0},
            "x / 255",
        ),
        (
            "r, g, b = Split <axis = 1> (x) \n s = Sub (r, u) \n h = Sub (g, v) \n n = Concat <axis = 1> (s, h, b)",
            {"u": 120.0, "v": 110.0},
            "(x - 120, x - 110, x)",
        ),
        (
            "r, g, b = Split <axis = 1> (x) \n s = Sub (r, u) \n h = Sub (g, u) \n i = Sub (b, u) \n "
            "m = Concat <axis = 1> (s, h, i) \n n = Div (m, a)",
            {"u": 120.0, "a": 58.0},
            "(x - 120) / 58",
        ),
        ("n = BatchNormalization (x, s, z, m, v)", {"s": [1.0] * 3, "z": [0.0] * 3, "m": MEAN, "v": STD**2}, None),
    ],
)
def test_what_becomes_of_pixels(nodes: str, constants: dict[str, Any], formula: str | None) -> None:
    proto = model(nodes, **constants)
    scaling = use(proto).scaling
    assert scaling is not None
    assert formula is None or scaling.formula == formula
    # The judge: what onnx's own evaluator makes of a picture of one number.
    del proto.graph.output[:]
    proto.graph.output.append(helper.make_tensor_value_info("n", TensorProto.FLOAT, None))
    evaluator = ReferenceEvaluator(proto)
    for probe, (least, greatest) in zip(PROBES, scaling.ends, strict=True):
        (made,) = evaluator.run(None, {"x": np.full((1, 3, 4, 4), probe, np.float32)})
        assert least <= made.min() + 1e-3
        assert made.max() - 1e-3 <= greatest
        # Mean and std of several channels are taken apart from each other.
        assert greatest - least <= 1.2 * (made.max() - made.min()) + 0.4


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ("n = Relu (x)", {}),
        ("n = Identity (x)", {}),
        ("m = Relu (x) \n n = Div (m, a)", {"a": 255.0}),
        ("n = Mul (x, x)", {}),
        ("n = Div (x, a)", {"a": np.array([-1.0, 0.0, 1.0]).reshape(CHANNELS)}),
        ("m = Conv (x, u) \n n = Div (m, a)", {"u": np.ones((3, 3, 1, 1)), "a": 255.0}),
        ("s = Shape (x) \n c = Cast <to = 1> (s) \n m = ReduceMax (c) \n n = Identity (x)", {}),
    ],
)
def test_inputs_that_are_not_scaled_first(nodes: str, constants: dict[str, Any]) -> None:
    assert use(model(nodes, **constants)) == InputUse()


def test_a_mean_image_whose_data_lie_outside_is_read_where_it_may_be(tmp_path: Path) -> None:
    """Its range, of which the picture's is told, is in no file that fits a graph without weights."""
    image = np.random.default_rng(0).uniform(90, 130, (3, 32, 32))
    proto = model("n = Sub (x, m)", (1, 3, 32, 32), m=image)
    onnx.save(proto, tmp_path / "m.onnx")
    found = ModelFile.open(tmp_path / "m.onnx")
    graph = Graph.from_bytes(found.skeleton)
    assert input_uses(graph, infer_types(graph))["x"].scaling is None
    scaling = input_uses(graph, infer_types(graph), found.folder)["x"].scaling
    assert scaling is not None and scaling.formula.startswith("x - (") and scaling.formula.endswith(", ...)")
    assert scaling.between(0, 255) == pytest.approx((-image.max(), 255 - image.min()))
    assert range_taken(scaling) == (0, 255)
    (tmp_path / "m.onnx").write_bytes(b"")
    assert input_uses(graph, infer_types(graph), found.folder)["x"].scaling is None


def test_channels_last_and_quantised() -> None:
    quantised = "q = QuantizeLinear (x, s, z) \n d = DequantizeLinear (q, s, z)"
    nodes = f"{quantised} \n m = Div (d, a) \n n = Transpose <perm = [0, 3, 1, 2]> (m)"
    found = use(model(nodes, (1, 4, 4, 3), s=1.0, z=np.uint8(0), a=np.float32(127.5))).scaling
    assert found is not None
    assert found.between(0, 255) == (0, pytest.approx(2))


@pytest.mark.parametrize(
    ("nodes", "zero", "covered"),
    [
        ("q = QuantizeLinear (x, s, z)", np.uint8(114), (-57, 70.5)),
        ("q = QuantizeLinear (x, s)", np.uint8(0), (0, 127.5)),
        ("t = Identity (x) \n q = QuantizeLinear (t, s, z)", np.int8(-128), (0, 127.5)),
        # As much on both sides of 0 is what symmetric quantisation has, whatever the numbers are.
        ("q = QuantizeLinear (x, s, z)", np.int8(0), None),
        ("h = Relu (x) \n q = QuantizeLinear (h, s, z)", np.uint8(0), None),
        ("h = Div (x, s) \n q = QuantizeLinear (h, s, z)", np.uint8(0), None),
    ],
)
def test_what_the_integers_of_an_input_hold(nodes: str, zero: Any, covered: tuple[float, float] | None) -> None:
    proto = model(f"{nodes} \n n = DequantizeLinear (q, s, z)", s=np.float32(0.5), z=zero)
    assert use(proto).covered == covered


def test_rows_of_the_table_that_ids_look_into() -> None:
    proto = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17]>
        g (int64[N, L] ids, int64[N, L] kinds, int64[N, L] places, int64[N, L] back, float[N, 9] free)
        => (float[N, L, 4] y) {
            small = Cast <to = 6> (ids)
            a = Gather (words, small)
            b = Gather (types, kinds)
            moved = Add (places, two)
            c = Gather (order, moved)
            d = Gather <axis = 1> (free, ids)
            negative = Less (back, zero)
            ahead = Add (back, twelve)
            wrapped = Where (negative, ahead, back)
            e = Gather (dozen, wrapped)
            s = Add (a, b)
            y = Add (s, c)
        }""")
    for name, rows in (("words", 30522), ("types", 2), ("order", 514), ("dozen", 12)):
        # Only the sizes of a table are looked at: its data are not there.
        tensor = TensorProto(name=name, data_type=1, dims=[rows, 4], data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="weights")
        proto.graph.initializer.append(tensor)
    for name, number in (("zero", 0), ("two", 2), ("twelve", 12)):
        proto.graph.initializer.append(numpy_helper.from_array(np.array(number), name))
    graph = Graph.from_proto(proto)
    uses = input_uses(graph, infer_types(graph))
    rows = {"ids": 30522, "kinds": 2, "places": 512, "back": 12, "free": None}
    assert {name: one.rows for name, one in uses.items()} == rows


def test_weights_and_steps_are_not_pictures() -> None:
    proto = onnx.parser.parse_model("""<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
        g (float[3, 1, 2] x, float[3, 1, 2] steps, float[1, 15, 2] w, float[1, 15, 5] r, float[1, 3, 8, 8] image,
           float[4, 3, 3, 3] k, float[1, 8, 3] rows, float[1, 4, 8] m)
        => (float y, float z, float d, float e, float s) <float[3, 2] c = {1,1,1,1,1,1}> {
            y = GRU <hidden_size = 5> (x, w, r)
            s = com.microsoft.DynamicQuantizeLSTM <hidden_size = 5> (steps, w, r)
            z = Conv (image, k)
            d = MatMul (rows, c)
            t = MatMul (rows, c)
            e = MatMul (m, t)
        }""")
    graph = Graph.from_proto(proto)
    uses = input_uses(graph, infer_types(graph))
    assert {name for name, one in uses.items() if one.is_weight} == {"x", "steps", "w", "r", "k", "m"}


@pytest.mark.parametrize(
    ("nodes", "appended"),
    [
        ("y = Concat <axis = 2> (x, k)", 2),
        ("y = Concat <axis = -2> (x, k)", 2),
        ("c = Cast <to = 1> (x) \n t = Transpose <perm = [0, 2, 1, 3]> (c) \n y = Concat <axis = 1> (t, k)", 2),
        ("t = Transpose (x) \n y = Concat <axis = 3> (t, k)", 0),
        ("y = Concat <axis = 1> (k, x)", 1),
        # Beside what comes from itself, or another input as it is.
        ("r = Relu (x) \n y = Concat <axis = 2> (x, r)", None),
        ("y = Concat <axis = 2> (x, other)", None),
        ("s = Slice (x, one, one) \n y = Concat <axis = 2> (s, k)", None),
    ],
)
def test_a_cache_is_appended_to(nodes: str, appended: int | None) -> None:
    proto = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 17]>
        g (float[1, 2, P, 4] x, float[1, 2, Q, 4] other) => (float y) <int64[1] one = {{1}}> {{
            k = Relu (other)
            {nodes}
        }}""")
    found = use(proto)
    assert found.appended == appended
    assert not found.is_weight


@pytest.mark.parametrize(
    "node",
    [
        "y = ScatterND (x, at, k)",
        "y = ScatterElements <axis = 2> (x, at, k)",
        "y = com.microsoft.MultiHeadAttention <num_heads = 2> (k, k, k, none, none, none, x, x)",
    ],
)
def test_a_state_that_is_written_into_is_not_a_picture(node: str) -> None:
    proto = onnx.parser.parse_model(f"""<ir_version: 8, opset_import: ["" : 17, "com.microsoft" : 1]>
        g (float[1, 2, 6, 4] x, float[1, 2, 6, 4] other, int64[N] at, float[4] none) => (float y) {{
            k = Relu (other)
            {node}
        }}""")
    assert use(proto).is_weight


def test_inputs_that_are_not_tensors() -> None:
    tensor = helper.make_tensor_type_proto(TensorProto.FLOAT, [2])
    inputs = [
        helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None),
        helper.make_value_info("o", helper.make_optional_type_proto(tensor)),
    ]
    nodes = [helper.make_node("SequenceLength", ["s"], ["n"]), helper.make_node("OptionalHasElement", ["o"], ["h"])]
    outputs = [
        helper.make_tensor_value_info("n", TensorProto.INT64, []),
        helper.make_tensor_value_info("h", TensorProto.BOOL, []),
    ]
    graph = Graph.from_proto(helper.make_model(helper.make_graph(nodes, "g", inputs, outputs)))
    assert {name: one.kind for name, one in input_uses(graph, {}).items()} == {"s": "sequence", "o": "optional"}

"""Values of every type come out of a run as the numbers that they stand for, or are left out by name."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

import onnxviz
from onnxviz.errors import UnsupportedError
from onnxviz.quantised import Quantised

RANDOM = np.random.default_rng(0)
PICTURE = RANDOM.random((1, 3, 8, 8)).astype(np.float32)
FLOAT = TensorProto.FLOAT


def written(path: Path, nodes: list[onnx.NodeProto], arrays: dict[str, np.ndarray], opset: int = 21) -> Path:
    """Write a model that takes `x` 1x3x8x8 and puts out the last node's value, without a declared shape."""
    weights = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    x = helper.make_tensor_value_info("x", FLOAT, [1, 3, 8, 8])
    y = helper.make_tensor_value_info(nodes[-1].output[0], FLOAT, None)
    graph = helper.make_graph(nodes, "g", [x], [y], weights)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


def node(op: str, inputs: str, output: str, *, microsoft: bool = False, **attributes: object) -> onnx.NodeProto:
    given = [] if inputs == "" else inputs.split(" ")
    return helper.make_node(op, given, [output], output, domain="com.microsoft" if microsoft else "", **attributes)


def raw(path: Path, value: str) -> np.ndarray:
    """Return a value as onnxruntime itself hands it out."""
    model = onnx.load(path)
    model.graph.output.append(onnx.ValueInfoProto(name=value))
    return np.asarray(onnxruntime.InferenceSession(model.SerializeToString()).run([value], {"x": PICTURE})[0])


NARROW = {
    "bfloat16": (TensorProto.BFLOAT16, ml_dtypes.bfloat16),
    "float8_e4m3fn": (TensorProto.FLOAT8E4M3FN, ml_dtypes.float8_e4m3fn),
    "float8_e4m3fnuz": (TensorProto.FLOAT8E4M3FNUZ, ml_dtypes.float8_e4m3fnuz),
    "float8_e5m2": (TensorProto.FLOAT8E5M2, ml_dtypes.float8_e5m2),
    "float8_e5m2fnuz": (TensorProto.FLOAT8E5M2FNUZ, ml_dtypes.float8_e5m2fnuz),
}


@pytest.mark.parametrize("dtype", NARROW)
def test_narrow_floats_are_the_numbers_that_they_stand_for(tmp_path: Path, dtype: str) -> None:
    kind, numpy_type = NARROW[dtype]
    moved = [] if dtype.startswith("float8") else [node("Transpose", "q", "t", perm=[0, 1, 3, 2])]
    back = node("Cast", "t" if moved else "q", "y", to=FLOAT)
    path = written(tmp_path / "m.onnx", [node("Cast", "x", "q", to=kind), *moved, back], {})
    model = onnxviz.open(path)
    rounded = PICTURE.astype(numpy_type).astype(np.float32)
    for run in (model.run(PICTURE, layers="all,other"), model.session("all,other").run(PICTURE)):
        assert (run["q"].array.dtype, run["q"].dtype) == (np.float32, dtype)
        np.testing.assert_array_equal(run["q"].array, rounded)
        np.testing.assert_array_equal(run["y"].array, rounded.transpose(0, 1, 3, 2) if moved else rounded)
    assert raw(path, "y").shape == (1, 3, 8, 8)  # the model itself is as it was
    document = onnxviz.view(model, PICTURE, tmp_path / "out", onnxviz.ViewOptions(layers="all,other")).document()
    first = document["runs"][0]["layers"][0]
    assert (first["name"], first["dtype"], first["dequantised"]) == ("q", dtype, False)
    assert first["max"] == rounded.max()


@pytest.mark.parametrize(("kind", "dtype", "read"), [("INT4", "int4", np.int8), ("UINT4", "uint4", np.uint8)])
def test_four_bits_are_whole_numbers(tmp_path: Path, kind: str, dtype: str, read: type) -> None:
    quantise = node("QuantizeLinear", "x s", "q", output_dtype=getattr(TensorProto, kind))
    path = written(tmp_path / "m.onnx", [quantise, node("DequantizeLinear", "q s", "y")], {"s": np.float32(0.2)})
    found = onnxviz.open(path).run(PICTURE, layers="q,y")["q"]
    assert (found.array.dtype, found.dtype) == (read, dtype)
    np.testing.assert_array_equal(found.array, np.rint(PICTURE / np.float32(0.2)))


def test_sizes_of_a_run_have_the_types_of_the_model(tmp_path: Path) -> None:
    narrow = node("Cast", "x", "b", to=TensorProto.BFLOAT16)
    nodes = [narrow, node("NonZero", "x", "n"), node("Cast", "b", "y", to=FLOAT)]
    found = onnxviz.open(written(tmp_path / "m.onnx", nodes, {})).inference
    sizes = found.sizes(["b", "n"], found.feed(PICTURE), found.executor())
    assert (sizes["b"].dtype, sizes["b"].shape) == ("bfloat16", (1, 3, 8, 8))
    assert sizes["n"].shape == (4, np.count_nonzero(PICTURE))


def test_exposed_values_keep_their_types(tmp_path: Path) -> None:
    nodes = [node("Cast", "x", "b", to=TensorProto.BFLOAT16), node("Cast", "b", "y", to=FLOAT)]
    onnxviz.open(written(tmp_path / "m.onnx", nodes, {})).expose("b").save(tmp_path / "e.onnx")
    exposed = onnx.load(tmp_path / "e.onnx").graph
    assert [each.op_type for each in exposed.node] == ["Cast", "Cast"]
    assert exposed.output[1].type.tensor_type.elem_type == TensorProto.BFLOAT16


S, Z = np.float32(0.02), np.int8(-28)
CONSTANTS = {
    "xs": np.float32(1 / 255),
    "xz": np.int8(-128),
    "s": S,
    "z": Z,
    "s2": np.array(S),
    "z2": np.array(Z),
    "other": np.float32(0.5),
    "w": RANDOM.integers(-60, 60, (4, 3, 3, 3)).astype(np.int8),
    "ws": np.float32(0.01),
    "wz": np.int8(0),
    "m": RANDOM.integers(-60, 60, (8, 8)).astype(np.int8),
    "flat": np.array([1, -1]),
    "long": RANDOM.integers(-60, 60, (192, 5)).astype(np.int8),
    "zero": np.array([0]),
    "two": np.array([2]),
    "axis": np.array([1]),
    "yes": np.array([True]),
}
IN, OUT = "q xs xz", "s z"
QUANTISED = {
    "QLinearConv": [node("QLinearConv", f"{IN} w ws wz {OUT}", "v")],
    "QLinearMatMul": [node("QLinearMatMul", f"{IN} m ws wz {OUT}", "v")],
    "QLinearAdd": [node("QLinearAdd", f"{IN} {IN} {OUT}", "v", microsoft=True)],
    "QLinearMul": [node("QLinearMul", f"{IN} {IN} {OUT}", "v", microsoft=True)],
    "QLinearSigmoid": [node("QLinearSigmoid", f"{IN} {OUT}", "v", microsoft=True)],
    "QLinearLeakyRelu": [node("QLinearLeakyRelu", f"{IN} {OUT}", "v", microsoft=True, alpha=0.1)],
    "QLinearSoftmax": [node("QLinearSoftmax", f"{IN} {OUT}", "v", microsoft=True, axis=1, opset=13)],
    "QLinearConcat": [node("QLinearConcat", f"{OUT} {IN} {IN}", "v", microsoft=True, axis=1)],
    "QLinearAveragePool": [node("QLinearAveragePool", f"{IN} {OUT}", "v", microsoft=True, kernel_shape=[2, 2])],
    "QLinearGlobalAveragePool": [node("QLinearGlobalAveragePool", f"{IN} {OUT}", "v", microsoft=True)],
    "QLinearWhere": [node("QLinearWhere", f"yes {IN} {IN} {OUT}", "v", microsoft=True)],
    "QGemm": [
        node("Reshape", "q flat", "f"),
        node("QGemm", f"f xs xz long ws wz  {OUT}", "v", microsoft=True),
    ],
}
MADE = QUANTISED["QLinearConv"][0]
CONV = node("QLinearConv", f"{IN} w ws wz {OUT}", "c")
PASSED = {
    "MaxPool": [node("MaxPool", "c", "v", kernel_shape=[2, 2])],
    "Reshape": [node("Reshape", "c flat", "v")],
    "Transpose": [node("Transpose", "c", "v", perm=[0, 2, 3, 1])],
    "Slice": [node("Slice", "c zero two axis", "v")],
    "Gather": [node("Gather", "c two", "v", axis=1)],
    "Unsqueeze": [node("Unsqueeze", "c zero", "v")],
    "Identity": [node("Flatten", "c", "i"), node("Identity", "i", "v")],
    "Concat of equals": [
        node("QLinearConv", f"{IN} w ws wz s2 z2", "c2"),
        node("Concat", "c c2", "v", axis=1),
    ],
}


def quantised_model(path: Path, nodes: list[onnx.NodeProto]) -> Path:
    passed = nodes[0].op_type not in QUANTISED and nodes[-1].op_type != "QGemm"
    first = [node("QuantizeLinear", "x xs xz", "q"), *([CONV] if passed or nodes[-1].op_type == "Concat" else [])]
    last = node("DequantizeLinear", f"{nodes[-1].output[0]} s z", "y")
    return written(path, [*first, *nodes, last], CONSTANTS, opset=13)


@pytest.mark.parametrize("case", [*QUANTISED, *PASSED])
def test_codes_are_shown_as_what_they_stand_for(tmp_path: Path, case: str) -> None:
    path = quantised_model(tmp_path / "m.onnx", {**QUANTISED, **PASSED}[case])
    codes = raw(path, "v")
    assert codes.dtype == np.int8 and codes.min() < codes.max()
    model = onnxviz.open(path)
    for run in (model.run(PICTURE, layers="v"), model.session("v").run(PICTURE)):
        found = run["v"]
        assert (found.array.dtype, found.dtype, found.dequantised) == (np.float32, "int8", True)
        np.testing.assert_array_equal(found.array, (codes.astype(np.float32) - float(Z)) * S)
        shares = (codes == -128).mean(), (codes == 127).mean()
        assert found.quantised == Quantised("int8", float(S), int(Z), None, *shares)
    assert "int8 dequantised: (q + 28) x 0.02" in found.caption_line


def test_a_quantiser_asked_for_by_name_shows_its_codes(tmp_path: Path) -> None:
    path = quantised_model(tmp_path / "m.onnx", [MADE])
    found = onnxviz.open(path).run(PICTURE, layers="q")["q"]
    np.testing.assert_array_equal(found.array, raw(path, "q"))
    assert not found.dequantised


def test_codes_of_unlike_scales_side_by_side_stay_codes(tmp_path: Path) -> None:
    nodes = [node("QLinearConv", f"{IN} w ws wz other z", "c2"), node("Concat", "c c2", "v", axis=1)]
    path = quantised_model(tmp_path / "m.onnx", nodes)
    found = onnxviz.open(path).run(PICTURE, layers="v")["v"]
    np.testing.assert_array_equal(found.array, raw(path, "v"))


def test_dequantised_layers_are_said_and_kept(tmp_path: Path) -> None:
    model = onnxviz.open(quantised_model(tmp_path / "m.onnx", [MADE, node("MaxPool", "v", "p", kernel_shape=[2, 2])]))
    assert model.layers["v"].dtype == "int8"
    options = onnxviz.ViewOptions(layers="conv", raw=tmp_path / "raw.npz", html=False)
    (layer,) = onnxviz.view(model, PICTURE, tmp_path / "out", options).document()["runs"][0]["layers"]
    assert (layer["dtype"], layer["dequantised"]) == ("int8", True)
    kept = onnxviz.Activations.load(tmp_path / "raw.npz")["v"]
    assert (kept.dtype, kept.array.dtype, kept.dequantised) == ("int8", np.float32, True)
    codes = raw(tmp_path / "m.onnx", "v")
    shares = {"at_low": (codes == -128).mean(), "at_high": (codes == 127).mean()}
    assert layer["quantised"] == {"dtype": "int8", "scale": float(S), "zero_point": -28, "axis": None, **shares}
    assert kept.quantised is not None and kept.quantised.as_json() == layer["quantised"]


def test_pieces_carry_what_a_readout_stands_for(tmp_path: Path) -> None:
    """A piece ends where codes go on, which are fetched beside the numbers that they stand for."""
    pools = [node("MaxPool", before, after, kernel_shape=[1, 1]) for before, after in ("cd", "de")]
    path = quantised_model(tmp_path / "m.onnx", [CONV, *pools])
    model, memory = onnxviz.open(path), onnxviz.RunOptions(memory=64)
    assert len(model.inference.plan(["c", "d", "e"], model.feed(PICTURE), memory.memory).pieces) > 1
    run = model.run(PICTURE, layers='"c","d","e","y"', run=memory)
    for name in "cdey":
        np.testing.assert_array_equal(run[name].array, raw(path, "y"))


ENDS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535), "uint4": (0, 15)}


@pytest.mark.parametrize("zero", [0, 3])
@pytest.mark.parametrize("dtype", ENDS)
def test_values_at_the_ends_are_counted_as_their_codes_are(tmp_path: Path, dtype: str, zero: int) -> None:
    """An end that stands for 0, as the low one of uint8 without a zero point, is the zero of a ReLU and not counted."""
    low, high = ENDS[dtype]
    x = (np.linspace(-0.7, 0.9, PICTURE.size, dtype=np.float32) * (high - low)).reshape(PICTURE.shape)
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(ml_dtypes.uint4 if dtype == "uint4" else dtype))
    zeros = helper.make_tensor("z", kind, [], [zero])
    path = written(
        tmp_path / "m.onnx", [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "y")], {}
    )
    model = onnx.load(path)
    model.graph.initializer.extend([zeros, numpy_helper.from_array(np.float32(0.7), "s")])
    onnx.save(model, path)
    codes = np.clip(np.rint(x / np.float32(0.7)) + zero, low, high)
    run = onnxviz.open(path).run(x, layers='"q","y"')
    found = run["y"].quantised
    assert found is not None and run["q"].quantised is None
    assert (found.dtype, found.scale, found.zero_point, found.axis) == (dtype, np.float32(0.7), zero, None)
    assert found.at_low == (0 if zero == low else (codes == low).mean())
    assert found.at_high == (codes == high).mean() > 0


def test_each_channel_may_have_a_scale_of_its_own(tmp_path: Path) -> None:
    scales, zeros = np.array([0.001, 0.01, 0.0039], np.float32), np.array([0, 5, -128], np.int8)
    nodes = [node("QuantizeLinear", "x s z", "q", axis=-3), node("DequantizeLinear", "q s z", "y", axis=-3)]
    path = written(tmp_path / "m.onnx", nodes, {"s": scales, "z": zeros})
    activation = onnxviz.open(path).run(PICTURE, layers="y")["y"]
    found, codes = activation.quantised, raw(path, "q")
    assert found is not None
    assert found.axis == 1 and found.scale == tuple(scales.tolist()) and found.zero_point == (0, 5, -128)
    assert found.at_high == (codes == 127).mean() > 0.2
    assert found.at_low == (codes[:, :2] == -128).sum() / codes.size
    assert "int8 dequantised: (q - z) x s, 3 of each along axis 1" in activation.caption_line


def test_the_ends_of_float8_are_its_greatest_numbers(tmp_path: Path) -> None:
    nodes = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "y")]
    path = written(tmp_path / "m.onnx", nodes, {"s": np.float32(0.001), "z": np.zeros((), ml_dtypes.float8_e4m3fn)})
    x = (PICTURE - 0.3).astype(np.float32)
    found = onnxviz.open(path).run(x, layers="y")["y"].quantised
    assert found is not None and (found.dtype, found.zero_point) == ("float8_e4m3fn", 0)
    bound = np.float32(432) * np.float32(0.001)  # half way from 416, the number before, to 448
    assert found.at_high == (x > bound).mean() > 0.2 and found.at_low == 0


def test_scales_that_a_model_computes_are_not_noted(tmp_path: Path) -> None:
    dynamic = helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"])
    path = written(tmp_path / "m.onnx", [dynamic, node("DequantizeLinear", "q s z", "y")], {})
    assert onnxviz.open(path).run(PICTURE, layers="y")["y"].quantised is None


@pytest.mark.parametrize("scale", [np.float32(np.nan), np.float32(0), np.float32(3e38), np.float32(-0.5)])
def test_odd_scales_are_taken(tmp_path: Path, scale: np.float32) -> None:
    path = written(tmp_path / "m.onnx", [node("DequantizeLinear", "c s", "w"), node("Mul", "x w", "y")], {
        "c": np.int8(3), "s": scale,
    })  # fmt: skip
    record = onnxviz.view(onnxviz.open(path), PICTURE, tmp_path / "out", onnxviz.ViewOptions(layers='"w","y"'))
    found = record.document()["runs"][0]["layers"][0]["quantised"]
    assert found is None if np.isnan(scale) else (found["at_low"], found["at_high"]) == (0, 0)


def list_model(path: Path) -> onnxviz.Model:
    nodes = [
        node("Relu", "x", "r"),
        node("SplitToSequence", "r", "parts", axis=1),
        node("SequenceLength", "parts", "n"),
        node("Optional", "", "none", type=helper.make_tensor_type_proto(FLOAT, None)),
        node("Cast", "n", "y", to=FLOAT),
    ]
    return onnxviz.open(written(path, nodes, {}))


def test_what_is_not_a_tensor_leaves_out_itself_alone(tmp_path: Path) -> None:
    model = list_model(tmp_path / "m.onnx")
    with pytest.warns(UserWarning) as caught:
        run = model.run(PICTURE, layers="all,other")
    assert list(run) == ["r", "n", "y"]
    assert {str(each.message) for each in caught} == {
        "'parts' is left out: not a tensor but a list",
        "'none' is left out: nothing came out: it is an optional without a value",
    }
    with pytest.raises(UnsupportedError, match="'parts' cannot be shown: not a tensor but a list"):
        model.run(PICTURE, layers="parts")
    record = onnxviz.view(model, PICTURE, tmp_path / "out", onnxviz.ViewOptions(layers="all,other", html=False))
    assert [name for name, _ in record.not_shown] == ["parts", "none"]
    assert [each["name"] for each in record.document()["not_shown"]] == ["parts", "none"]
    with pytest.raises(UnsupportedError, match="cannot be shown"):
        onnxviz.view(model, PICTURE, tmp_path / "none", onnxviz.ViewOptions(layers="parts,none", html=False))
    assert not (tmp_path / "none").exists()


def quantised_chain(path: Path, kind: int, *, zero_points: bool) -> Path:
    """Write four convolutions whose inputs and weights are quantised, the weights by channel."""
    codes = helper.tensor_dtype_to_np_dtype(kind)
    arrays, nodes, value = {"s": np.float32(0.02), "z": np.array(3, codes), "zw": np.zeros(4, np.int8)}, [], "x"
    generator = np.random.default_rng(1)
    for place in range(4):
        arrays[f"w{place}"] = generator.integers(-90, 90, (4, 3 if place == 0 else 4, 3, 3)).astype(np.int8)
        arrays[f"t{place}"] = generator.uniform(0.001, 0.004, 4).astype(np.float32)
        scale = "s z" if zero_points else "s"
        more = {} if zero_points else {"output_dtype": kind}
        nodes += [
            node("QuantizeLinear", f"{value} {scale}", f"q{place}", **more),
            node("DequantizeLinear", f"q{place} {scale}", f"d{place}"),
            node("DequantizeLinear", f"w{place} t{place} zw", f"dw{place}", axis=0),
            node("Conv", f"d{place} dw{place}", f"c{place}", pads=[1, 1, 1, 1]),
        ]
        value = f"c{place}"
    scale = "s z" if zero_points else "s"
    nodes += [node("QuantizeLinear", f"{value} {scale}", "q4", **({} if zero_points else {"output_dtype": kind}))]
    return written(path, [*nodes, node("DequantizeLinear", f"q4 {scale}", "y")], arrays)


@pytest.mark.parametrize("kind", [TensorProto.INT8, TensorProto.UINT8, TensorProto.INT4])
@pytest.mark.parametrize("zero_points", [True, False])
def test_looking_at_a_quantised_model_does_not_change_it(tmp_path: Path, kind: int, zero_points: bool) -> None:
    """Four bits are also what onnxruntime refuses after its own fusions."""
    model = onnxviz.open(quantised_chain(tmp_path / "m.onnx", kind, zero_points=zero_points))
    alone = model.run(PICTURE, layers='"y"')["y"].array
    assert np.ptp(alone) > 0
    among = model.run(PICTURE, layers='"d1","d2","d3","y"')["y"].array
    if kind != TensorProto.INT8 or zero_points:
        np.testing.assert_array_equal(among, alone)


class Noise(CalibrationDataReader):
    """Eight inputs, from which quantisation takes its scales."""

    def __init__(self) -> None:
        generator = np.random.default_rng(2)
        self._feeds = iter([{"x": generator.random((1, 3, 40, 40)).astype(np.float32)} for _ in range(8)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


def test_looking_at_int8_activations_does_not_move_the_outputs(tmp_path: Path) -> None:
    """Left to itself, onnxruntime on x86 makes uint8 of those that nobody looks at."""
    generator = np.random.default_rng(0)
    arrays, nodes, value = {}, [], "x"
    for place in range(6):
        fan = 3 if place == 0 else 16
        arrays[f"w{place}"] = (generator.normal(size=(16, fan, 3, 3)) / np.sqrt(9 * fan)).astype(np.float32)
        arrays[f"b{place}"] = (generator.normal(size=16) * 0.1).astype(np.float32)
        nodes.append(node("Conv", f"{value} w{place} b{place}", f"c{place}", pads=[1, 1, 1, 1]))
        nodes.append(node("Relu", f"c{place}", f"r{place}"))
        value = f"r{place}"
    graph = helper.make_graph(
        [*nodes, node("Add", "r4 r5", "y")],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, [1, 3, 40, 40])],
        [helper.make_tensor_value_info("y", FLOAT, [1, 16, 40, 40])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "f.onnx")
    signed = QuantType.QInt8
    types = {"activation_type": signed, "weight_type": signed, "quant_format": QuantFormat.QDQ, "per_channel": True}
    quantize_static(tmp_path / "f.onnx", tmp_path / "q.onnx", Noise(), **types)
    model = onnxviz.open(tmp_path / "q.onnx")
    notes: list[str] = []
    model.inference.executor(noted=notes.append)
    assert [note.split(":")[0] for note in notes] == ["activations are int8"]
    assert [remark.split(":")[0] for remark in model.expose("conv").remarks] == ["activations are int8"]
    alone, among = model.session('"y"'), model.session('conv,"y"')
    for seed in range(10):  # by itself onnxruntime moved the outputs of half of them by a step of rounding or two
        x = np.random.default_rng(seed).random((1, 3, 40, 40)).astype(np.float32)
        np.testing.assert_array_equal(among.run(x)["y"].array, alone.run(x)["y"].array)


@pytest.mark.parametrize("tail", ["an operator that nobody has", "types that it does not take"])
def test_what_needs_an_operator_that_is_lacking_leaves_out_itself_alone(tmp_path: Path, tail: str) -> None:
    narrow = [node("Cast", "r", "b", to=TensorProto.BFLOAT16), node("Relu", "b", "s"), node("Cast", "s", "y", to=FLOAT)]
    custom = [
        node("Cast", "r", "b", to=TensorProto.BFLOAT16),
        helper.make_node("Fold", ["b"], ["s"], "s", domain="acme"),
    ]
    nodes = [node("Relu", "x", "r"), *(narrow if tail.startswith("types") else [*custom, node("Relu", "s", "y")])]
    model = onnxviz.open(written(tmp_path / "m.onnx", nodes, {}))
    with pytest.warns(UserWarning) as caught:
        run = model.run(PICTURE, layers="all,other")
    assert list(run) == ["r", "b"]
    assert [str(each.message)[:32] for each in caught] == [
        f"'{name}' is left out: onnxruntime has"[:32] for name in "sy"
    ]
    options = onnxviz.ViewOptions(layers="all,other", html=False)
    record = onnxviz.view(model, [PICTURE, PICTURE], tmp_path / "out", options)
    assert [[layer["name"] for layer in each["layers"]] for each in record.document()["runs"]] == [["r", "b"]] * 2
    assert [name for name, _ in record.not_shown] == ["s", "y"]
    reason = "and not for bfloat16 (node 's')" if tail.startswith("types") else "operator acme:Fold"
    assert reason in record.not_shown[0][1]
    with pytest.raises(UnsupportedError, match="onnxruntime has"):
        model.run(PICTURE, layers="s")


HALVES = PICTURE.astype(np.float16).astype(np.float32)


def half_net(path: Path) -> Path:
    """Write six convolutions of float16, each with a Clip, and a Concat, which onnxruntime computes in float16."""
    generator = np.random.default_rng(0)
    half = {"low": np.float16(0), "high": np.float16(6)}
    nodes, value = [node("Cast", "x", "h", to=TensorProto.FLOAT16)], "h"
    for place in range(6):
        fan = 3 if place == 0 else 16
        weight = generator.normal(size=(16, fan, 3, 3)) * np.sqrt(2 / (9 * fan))
        half |= {f"w{place}": weight.astype(np.float16), f"b{place}": generator.normal(size=16).astype(np.float16)}
        nodes.append(node("Conv", f"{value} w{place} b{place}", f"c{place}", pads=[1, 1, 1, 1]))
        nodes.append(node("Clip", f"c{place} low high", f"r{place}"))
        value = f"r{place}"
    nodes += [node("Concat", "r4 r5", "j", axis=1), node("Mul", "j j", "m"), node("Cast", "m", "y", to=FLOAT)]
    return written(path, nodes, half)


@pytest.mark.parametrize("exact", [True, False])
def test_looking_at_float16_changes_nothing_on_the_cpu(tmp_path: Path, exact: bool) -> None:
    """An output in float16 has onnxruntime round where it would not; here only what is fetched is rounded."""
    model = onnxviz.open(half_net(tmp_path / "m.onnx"))
    run = onnxviz.RunOptions(device="cpu", exact=exact)
    among, plain = model.run(HALVES, layers='all,"y"', run=run), raw_outputs(tmp_path / "m.onnx", exact)
    np.testing.assert_array_equal(among["y"].array, plain)
    exposed = onnx.load(tmp_path / "m.onnx")
    exposed.graph.output.extend(helper.make_tensor_value_info(f"r{n}", TensorProto.FLOAT16, None) for n in range(6))
    onnx.save(exposed, tmp_path / "e.onnx")
    assert np.abs(raw_outputs(tmp_path / "e.onnx", exact) - plain).max() > 0
    assert [remark.split(",")[0] for remark in model.expose("conv").remarks] == ["float16 that is an output is rounded"]
    assert model.expose('"y"').remarks == ("'y' already is an output",)
    wide = in_float32(tmp_path / "m.onnx")
    for place in range(5):  # the sixth is computed from the fifth as the Concat takes it, in float16
        found = among[f"c{place}"].array  # the layer c, shown behind its Clip r
        assert found.dtype == np.float16 and among[f"c{place}"].read_from == ""
        # The same in float32, rounded once: half a unit in the last place of float16.
        np.testing.assert_allclose(found, wide[place], rtol=2**-11 * 1.01, atol=1e-6)


def raw_outputs(path: Path, exact: bool) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_DISABLE_ALL if exact else levels.ORT_ENABLE_EXTENDED
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["y"], {"x": HALVES})[0])


def in_float32(path: Path) -> list[np.ndarray]:
    """Return what each Clip makes where all is computed in float32, with the same weights."""
    model = onnx.load(path)
    for weight in model.graph.initializer:
        weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight).astype(np.float32), weight.name))
    model.graph.node[0].attribute[0].i = FLOAT
    names = [f"r{place}" for place in range(6)]
    model.graph.output.extend(helper.make_tensor_value_info(name, FLOAT, None) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(names, {"x": HALVES})

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxviz
from onnxviz.comparing.compare import compare
from onnxviz.comparing.compare_options import Tolerance
from onnxviz.errors import InputError, NoMatchError, UsageError
from onnxviz.runtime.session import RunOptions
from tests.comparing import planted
from tests.comparing.nets import float_net, inputs, quantised_net, with_norms

EXACT = RunOptions(exact=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pair")
    quantised_net(float_net(made / "float.onnx"), made / "int8.onnx")
    return made


def values_of(path: Path, value: str, x: np.ndarray) -> np.ndarray:
    """Return a value as onnxruntime computes it without optimising."""
    model = onnx.load(path)
    if value not in {output.name for output in model.graph.output}:
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(value))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    (found,) = onnxruntime.InferenceSession(model.SerializeToString(), options).run([value], {"x": x})
    return found


def sqnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10((a.astype(np.float64) ** 2).sum() / ((b.astype(np.float64) - a) ** 2).sum()))


def test_overall_errors_are_those_of_both_models_run_alone(folder: Path) -> None:
    x = inputs(1)[0]
    found = compare(folder / "float.onnx", folder / "int8.onnx", x, run_a=EXACT, run_b=EXACT)
    assert [name for name in found.layers if name.startswith("conv")] == [f"conv{number}" for number in range(6)]
    for number in range(6):
        values = (
            values_of(folder / "float.onnx", f"conv{number}_act", x),
            values_of(folder / "int8.onnx", f"conv{number}_act_dq", x),
        )
        overall = found.layers[f"conv{number}"].overall
        assert overall is not None and overall.sqnr == pytest.approx(sqnr(*values), abs=0.01)


def test_an_own_error_is_that_of_bs_layer_fed_with_as_values(folder: Path) -> None:
    x = inputs(1)[0]
    found = compare(folder / "float.onnx", folder / "int8.onnx", x, run_a=EXACT, run_b=EXACT)
    model = onnx.load(folder / "int8.onnx")
    for node in model.graph.node:  # conv4 alone, given A's values of conv3
        node.input[:] = ["given" if name == "conv3_act_dq" else name for name in node.input]
    model.graph.input.append(onnx.helper.make_tensor_value_info("given", onnx.TensorProto.FLOAT, None))
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info("conv4_act_dq"))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    given = values_of(folder / "float.onnx", "conv3_act", x)
    (alone,) = session.run(["conv4_act_dq"], {"x": x, "given": given})
    own = found.layers["conv4"].own
    assert own is not None
    assert own.sqnr == pytest.approx(sqnr(values_of(folder / "float.onnx", "conv4_act", x), alone), abs=0.01)


def test_nothing_stands_out_of_a_sound_int8_model(folder: Path) -> None:
    found = compare(folder / "float.onnx", folder / "int8.onnx", inputs(3), run_a=EXACT, run_b=EXACT)
    assert found.first is None
    assert "no layer stands out" in found.headline
    (output,) = found.outputs
    assert output.items == 3 and output.same_top is not None


def test_the_same_file_twice_differs_nowhere(folder: Path) -> None:
    found = compare(folder / "int8.onnx", folder / "int8.onnx", inputs(1))
    assert found.headline == f"no layer differs: all {len(found.layers)} are equal to the last bit"
    assert found.maps is None


def test_layers_of_other_sizes_are_refused_where_there_are_no_others(tmp_path: Path) -> None:
    for name, kernel in (("a", 1), ("b", 2)):
        weights = onnx.numpy_helper.from_array(np.ones((2, 1, kernel, kernel), np.float32), "w")
        text = f"""<ir_version: 8, opset_import: ["" : 17]> g (float[1,1,4,4] x) => (float[1,2,N,M] y)
            <float[2,1,{kernel},{kernel}] w> {{ y = Conv (x, w) }}"""
        model = onnx.parser.parse_model(text)
        model.graph.initializer.append(weights)
        model.graph.node[0].name = "conv"
        onnx.save(model, tmp_path / f"{name}.onnx")
    with pytest.raises(NoMatchError, match=r"such as conv: the shapes differ: 1 x 2 x 4 x 4 and 1 x 2 x 3 x 3"):
        compare(tmp_path / "a.onnx", tmp_path / "b.onnx", np.ones((1, 1, 4, 4), np.float32))


@pytest.mark.parametrize("fault", planted.FAULTS, ids=lambda fault: fault.name)
@pytest.mark.parametrize("kind", ["int8", "float"])
def test_a_planted_fault_is_the_first_layer_named(
    folder: Path, tmp_path: Path, fault: planted.Fault, kind: str
) -> None:
    model = onnx.load(folder / f"{kind}.onnx")
    nodes = [node for node in planted.convolutions(model) if planted.can_be_planted(fault, model, node)]
    if not nodes or (fault.quantised and kind == "float"):
        pytest.skip("this model cannot have it")
    node = random.Random(fault.name).choice(nodes[1:-1] or nodes)
    name = node.name
    fault.plant(model, node, 30 if fault.name == "output range coarse" else fault.strength)
    onnx.save(model, tmp_path / "b.onnx")
    found = compare(folder / "float.onnx", tmp_path / "b.onnx", inputs(2), run_a=EXACT, run_b=EXACT)
    assert found.first is not None and found.first.name == name, found.headline
    if fault.name not in ("pads on the wrong side", "one scale for all channels", "output range narrow"):
        assert fault.word in found.first.cause


def test_another_epsilon_is_named_by_both_numbers(folder: Path, tmp_path: Path) -> None:
    model = onnx.load(with_norms(folder / "float.onnx", tmp_path / "a.onnx"))
    node = next(node for node in planted.convolutions(model) if node.name == "conv2")
    planted.epsilon(model, node, 0.3)
    onnx.save(model, tmp_path / "b.onnx")
    found = compare(tmp_path / "a.onnx", tmp_path / "b.onnx", inputs(2), run_a=EXACT, run_b=EXACT)
    assert found.first is not None and found.first.name == "conv2"
    assert found.first.cause.startswith("epsilon is 1e-5 in A and 0.3 in B; ")


def test_other_padding_is_named_by_its_numbers_and_equal_padding_is_not(folder: Path, tmp_path: Path) -> None:
    model = onnx.load(folder / "float.onnx")
    node = next(node for node in planted.convolutions(model) if node.name == "conv2")
    planted.pads(model, node, 0)
    onnx.save(model, tmp_path / "b.onnx")
    found = compare(folder / "float.onnx", tmp_path / "b.onnx", inputs(1), run_a=EXACT, run_b=EXACT)
    assert found.first is not None
    assert found.first.cause.startswith("padding is 1, 1, 1, 1 in A and 2, 2, 0, 0 in B")
    assert {pair.written for pair in found.matches.pairs if pair.a.layer != "conv2"} == {""}


def test_a_transpose_that_is_missing_before_a_flatten_is_named(tmp_path: Path) -> None:
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[N,3,4,4] x) => (float[N,48] y) {
        t = Transpose<perm = [0, 2, 3, 1]> (x)
        f = Flatten (t)
        y = Mul (f, s)
    }"""
    model = onnx.parser.parse_model(text)
    scale = np.random.default_rng(0).uniform(0.5, 2, 48).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(scale, "s"))
    onnx.save(model, tmp_path / "a.onnx")
    del model.graph.node[0]
    model.graph.node[0].input[0] = "x"
    onnx.save(model, tmp_path / "b.onnx")
    x = np.random.default_rng(1).normal(size=(1, 3, 4, 4)).astype(np.float32)
    found = compare(tmp_path / "a.onnx", tmp_path / "b.onnx", x, run_a=EXACT, run_b=EXACT)
    assert found.first is not None
    assert "a Transpose or a layout" in found.first.cause


def test_an_overflow_is_named_first_and_breaks_every_tolerance(folder: Path, tmp_path: Path) -> None:
    model = onnx.load(folder / "float.onnx")
    planted.put(model, "b3", np.full(8, np.nan))
    onnx.save(model, tmp_path / "b.onnx")
    found = compare(folder / "float.onnx", tmp_path / "b.onnx", inputs(1))
    assert found.first is not None and found.first.name == "conv3"
    assert found.headline.startswith("first not finite: conv3: 1,152 values in B")
    assert found.outputs[0].measures is not None
    assert not Tolerance.parse("rel:1e9").is_kept(found.outputs[0].measures)


def test_a_small_memory_changes_no_number(folder: Path) -> None:
    small = RunOptions(exact=True, memory=9000)
    one = compare(folder / "float.onnx", folder / "int8.onnx", inputs(2), run_a=EXACT, run_b=EXACT)
    other = compare(folder / "float.onnx", folder / "int8.onnx", inputs(2), run_a=small, run_b=small)
    assert one.as_json()["layers"] == other.as_json()["layers"]


def test_selected_layers_alone_are_compared_and_their_own_errors_stay(folder: Path) -> None:
    whole = compare(folder / "float.onnx", folder / "int8.onnx", inputs(1))
    part = compare(folder / "float.onnx", folder / "int8.onnx", inputs(1), layers="conv[2]")
    assert list(part.layers) == ["conv2"]
    one, other = part.layers["conv2"].own, whole.layers["conv2"].own
    assert one is not None and other is not None and one.sqnr == pytest.approx(other.sqnr, abs=0.01)


def test_without_own_errors_no_layer_is_named(folder: Path) -> None:
    found = compare(folder / "float.onnx", folder / "int8.onnx", inputs(1), own=False)
    assert found.headline == "no layer can be named: own errors were not computed"
    assert all(layer.own is None for layer in found.layers.values())


def test_what_is_written_is_strict_json(folder: Path) -> None:
    found = compare(folder / "float.onnx", folder / "int8.onnx", inputs(1))
    document = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert document["layers"][0]["name"] == "conv0" and document["first"] is None


def test_another_input_or_no_shared_layer_is_one_clear_error(folder: Path, tmp_path: Path) -> None:
    other = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[1,4] z) => (float[1,4] e) { e = Erf (z) }'
    )
    onnx.save(other, tmp_path / "other.onnx")
    with pytest.raises(NoMatchError, match="share no layer"):
        compare(folder / "float.onnx", tmp_path / "other.onnx", inputs(1))
    model = onnx.load(folder / "float.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 24
    onnx.save(model, tmp_path / "larger.onnx")
    with pytest.raises(InputError, match="takes Nx3x24x12, and A is fed 1x3x12x12"):
        compare(folder / "float.onnx", tmp_path / "larger.onnx", inputs(1))


def test_a_tolerance_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(UsageError, match="decibels such as 30dB"):
        Tolerance.parse("30")


def test_a_sheet_is_drawn_in_both_themes(folder: Path) -> None:
    found = compare(folder / "float.onnx", folder / "int8.onnx", inputs(1))
    dark, light = found.sheet("dark"), found.sheet("light")
    assert dark.size == light.size and dark.getpixel((2, 2)) != light.getpixel((2, 2))


def test_models_can_be_given_opened(folder: Path) -> None:
    pair = [onnxviz.open(folder / name) for name in ("float.onnx", "int8.onnx")]
    assert compare(pair[0], pair[1], inputs(1)[0]).layers.keys() >= {"conv0", "fc"}


def test_a_layer_that_cannot_take_as_values_has_no_own_error(tmp_path: Path) -> None:
    weights = np.random.default_rng(5)
    for name, channels in (("a", 4), ("b", 6)):
        text = """<ir_version: 8, opset_import: ["": 17]> g (float[1,3,8,8] x) => (float[1,2] y) {
            c = Conv <pads=[1,1,1,1]> (x, w) r = Relu (c) p = GlobalAveragePool (r) f = Flatten (p) y = Gemm (f, v) }"""
        model = onnx.parser.parse_model(text)
        shapes = {"w": (channels, 3, 3, 3), "v": (channels, 2)}
        model.graph.initializer.extend(
            onnx.numpy_helper.from_array(weights.standard_normal(shape).astype(np.float32), key)
            for key, shape in shapes.items()
        )
        for node in model.graph.node:
            node.name = node.output[0]
        onnx.save(model, tmp_path / f"{name}.onnx")
    x = weights.standard_normal((1, 3, 8, 8)).astype(np.float32)
    found = compare(tmp_path / "a.onnx", tmp_path / "b.onnx", x)
    remarks = {name: layer.remark for name, layer in found.layers.items()}
    assert remarks["c"].startswith("the shapes differ")
    assert found.layers["y"].own is None
    assert found.layers["y"].overall is not None
    assert "does not take A's values" in remarks["y"]

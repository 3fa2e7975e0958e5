"""Models that put out their own heat: against the two models, in onnxruntime and, where it is installed, OpenVINO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper
from PIL import Image

import onnxviz
from onnxviz import ExplainOptions, FeedOptions
from onnxviz.errors import OutputError, UnsupportedError, UsageError
from onnxviz.explaining.heat_model import FORMULAS
from onnxviz.model import Model

PLAIN = {"feed": FeedOptions(preset="zero-one")}


def exported(model: Path, source: Path, place: Path, method: str, **changes: object) -> onnxruntime.InferenceSession:
    options = ExplainOptions(methods=(method,), target="top1", export=place, **changes)
    record = onnxviz.explain(model, [str(source)], place.with_suffix(".why"), options)
    assert record.document["export"]["method"] == method
    onnx.checker.check_model(str(place), full_check=True)
    return onnxruntime.InferenceSession(place)


@pytest.fixture
def drawn(picture: np.ndarray, tmp_path: Path) -> Path:
    path = tmp_path / "one.png"
    Image.fromarray(picture).save(path)
    return path


@pytest.mark.parametrize("method", sorted(FORMULAS))
def test_a_batch_gets_the_heat_of_a_class_for_each_item(
    scoring_model: Path, picture: np.ndarray, drawn: Path, tmp_path: Path, method: str
) -> None:
    session = exported(scoring_model, drawn, tmp_path / "heat.onnx", method, **PLAIN)
    model = onnxviz.open(scoring_model)
    image = picture.transpose(2, 0, 1)[None].astype(np.float32) / 255
    asked = np.array([2, 0, -1, 1])
    shares, heat = session.run(["shares", "heat"], {"image": np.repeat(image, 4, 0), "class_index": asked})
    np.testing.assert_allclose(shares, model.run(drawn, layers="softmax", **PLAIN)["softmax"].array.repeat(4, 0))
    for found, target in zip(heat, (2, 0, 1, 1), strict=True):  # class 1 is the strongest
        wanted = model.explain(Image.fromarray(picture), method=method, target=target, **PLAIN).array
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", ["gradcam", "gradcam++", "xgradcam", "hirescam"])
def test_the_bundled_classifier_explains_itself(bundled_model: Path, cat: Path, tmp_path: Path, method: str) -> None:
    place = tmp_path / "heat.onnx"
    session = exported(bundled_model, cat, place, method)
    assert place.stat().st_size < 1.3 * bundled_model.stat().st_size
    model = onnxviz.open(bundled_model)
    image = model.feed(cat).arrays["image"]
    for target in (285, 281):
        heat = session.run(["heat"], {"image": image, "class_index": np.array([target])})[0][0]
        wanted = model.explain(cat, method=method, target=target).array
        np.testing.assert_allclose(heat, wanted, atol=1e-6 * wanted.max())


def test_a_gradient_through_the_whole_net_is_that_of_two_models(bundled_model: Path, cat: Path, tmp_path: Path) -> None:
    place = tmp_path / "heat.onnx"
    exported(bundled_model, cat, place, "gradient")
    assert place.stat().st_size < 1.3 * bundled_model.stat().st_size
    # As written, without fusions: what these round otherwise turns switches on and off.
    plain = onnxruntime.SessionOptions()
    plain.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    model = onnxviz.open(bundled_model)
    image, two = model.feed(cat).arrays["image"], model.gradient("logits", "image").models
    values: dict[str, np.ndarray] = {"image": image, two.seed: np.eye(1000, dtype=np.float32)[285:286]}
    for number, graph in enumerate((two.forward, two.backward)):
        Model(model.file, graph).save(tmp_path / f"{number}.onnx")
        session = onnxruntime.InferenceSession(tmp_path / f"{number}.onnx", plain)
        fed = {one.name: values[one.name] for one in session.get_inputs()}
        values |= dict(zip([one.name for one in session.get_outputs()], session.run(None, fed), strict=True))
    wanted = np.abs(values[two.outputs["image"]][0]).max(0)
    session = onnxruntime.InferenceSession(place, plain)
    heat = session.run(["heat"], {"image": image, "class_index": np.array([285])})[0][0]
    np.testing.assert_allclose(heat, wanted, atol=1e-6 * wanted.max())


def test_openvino_finds_the_same_heat(bundled_model: Path, cat: Path, tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    session = exported(bundled_model, cat, tmp_path / "heat.onnx", "gradcam")
    fed = onnxviz.open(bundled_model).feed(cat).arrays
    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    compiled = core.compile_model(str(tmp_path / "heat.onnx"), "CPU")
    for target in (285, 967, -1):
        given = {**fed, "class_index": np.array([target])}
        heat = compiled(given)[compiled.output("heat")]
        wanted = session.run(["heat"], given)[0]
        np.testing.assert_allclose(heat, wanted, atol=1e-5 * wanted.max())


def test_an_old_opset_and_taken_names_are_no_matter(scoring_model: Path, drawn: Path, tmp_path: Path) -> None:
    proto = onnx.load(scoring_model)
    del proto.opset_import[:]
    proto.opset_import.append(helper.make_opsetid("", 11))
    proto.graph.output[0].name = "heat"
    proto.graph.node[-1].output[0] = "heat"
    proto.graph.node[2].output[0] = proto.graph.node[3].input[0] = "class_index"
    onnx.save(proto, scoring_model)
    session = exported(scoring_model, drawn, tmp_path / "made.onnx", "gradcam", **PLAIN)
    assert [one.name for one in session.get_inputs()] == ["image", "class_index'"]
    assert [one.name for one in session.get_outputs()] == ["heat", "heat'"]


def test_weights_stand_in_the_file_once(scoring_model: Path, drawn: Path, tmp_path: Path) -> None:
    proto = onnx.load(scoring_model)
    wide = np.random.default_rng(0).standard_normal((3, 4096)).astype(np.float32)
    # image -> ... -> f (N,2) -> Gemm (4096,2) -> Relu -> Gemm (3,4096)
    tensors = {"a": np.abs(np.random.default_rng(1).standard_normal((4096, 2))).astype(np.float32), "s": wide}
    del proto.graph.initializer[2]
    proto.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in tensors.items())
    proto.graph.node.insert(4, helper.make_node("Gemm", ["f", "a"], ["wide"], transB=1))
    proto.graph.node.insert(5, helper.make_node("Relu", ["wide"], ["open"]))
    proto.graph.node[6].input[0] = "open"
    onnx.save(proto, scoring_model)
    exported(scoring_model, drawn, tmp_path / "heat.onnx", "gradcam", **PLAIN)
    large = [t for t in onnx.load(tmp_path / "heat.onnx").graph.initializer if t.dims and max(t.dims) == 4096]
    assert sorted(tensor.name for tensor in large) == ["a", "s"]


def test_weights_above_two_gigabytes_stay_where_they_are(
    scoring_model: Path, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxviz.explaining.exporting.LARGEST", 100)
    proto = onnx.load(scoring_model)
    onnx.save(proto, scoring_model, save_as_external_data=True, location="weights", size_threshold=8)
    session = exported(scoring_model, drawn, tmp_path / "heat.onnx", "gradcam", **PLAIN)
    assert [one.name for one in session.get_outputs()] == ["shares", "heat"]
    made = onnx.load(tmp_path / "heat.onnx", load_external_data=False)
    (scores,) = [tensor for tensor in made.graph.initializer if tensor.name == "s"]
    assert scores.data_location == onnx.TensorProto.EXTERNAL


def test_what_cannot_be_exported_is_said(scoring_model: Path, drawn: Path, tmp_path: Path) -> None:
    place = tmp_path / "heat.onnx"

    def export(**changes: object) -> None:
        onnxviz.explain(scoring_model, [str(drawn)], tmp_path / "why", ExplainOptions(export=place, **PLAIN, **changes))

    with pytest.raises(UsageError, match=r"--export writes the heat of gradcam, .*, gradient: name one of them"):
        export(methods=("occlusion", "eigencam"))
    with pytest.raises(UsageError, match="--export writes the heat of classes, not of a unit"):
        export(unit="conv#1")
    place.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists"):
        export(methods=("gradcam",))
    assert place.read_bytes() == b"mine"
    assert not (tmp_path / "why").exists()


def test_a_branch_that_the_input_decides_is_no_one_graph(scoring_model: Path, drawn: Path, tmp_path: Path) -> None:
    proto = onnx.load(scoring_model)
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node("Mul", ["f", value], [f"{name}_out"])],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_out", onnx.TensorProto.FLOAT, None)],
        )
        for name, value in (("then", "half"), ("else", "twice"))
    }
    proto.graph.initializer.extend(
        numpy_helper.from_array(np.array(value, np.float32), name) for name, value in (("half", 0.5), ("twice", 2))
    )
    nodes = [
        helper.make_node("ReduceMax", ["f"], ["most"], keepdims=0),
        helper.make_node("Greater", ["most", "half"], ["is_large"]),
        helper.make_node("If", ["is_large"], ["scaled"], name="branch", **branches),
    ]
    for number, node in enumerate(nodes):
        proto.graph.node.insert(4 + number, node)
    proto.graph.node[7].input[0] = "scaled"
    onnx.save(proto, scoring_model)
    options = ExplainOptions(methods=("gradcam",), export=tmp_path / "heat.onnx", **PLAIN)
    with pytest.raises(UnsupportedError, match="which branch is taken depends on the input"):
        onnxviz.explain(scoring_model, [str(drawn)], tmp_path / "why", options)
    assert not (tmp_path / "heat.onnx").exists()
    assert not (tmp_path / "why").exists()

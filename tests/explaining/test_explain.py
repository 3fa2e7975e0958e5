"""Explanations of a network that is worked out on paper, and of the bundled classifier where they must lie."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

import onnxviz
from onnxviz import ExplainOptions, FeedOptions
from onnxviz.draw.explanation_sheet import SheetRow, draw_explanations
from onnxviz.draw.heat import stretched
from onnxviz.draw.style import Drawing
from onnxviz.errors import InputError, NoMatchError, OutputError, UnsupportedError, UsageError
from onnxviz.explaining.outlet import target_lines
from onnxviz.results.observer import Observer

PLAIN = {"feed": FeedOptions(preset="zero-one")}
RED = np.zeros((4, 4), np.float32)
RED[:2, :2] = 1
GREEN = RED[::-1, ::-1]


def explained(model: onnxviz.Model, picture: np.ndarray, method: str, target: str | int, **changes: object):
    return model.explain(Image.fromarray(picture), method=method, target=target, **{**PLAIN, **changes})


def test_the_gradient_of_a_class_is_its_weights_where_the_relu_is_open(
    scoring: onnxviz.Model, picture: np.ndarray
) -> None:
    found = explained(scoring, picture, "gradient", 1)
    # Class 1 is twice the mean over 16 places of green, which is above 0.2 in a quarter of them.
    np.testing.assert_allclose(found.array, GREEN * 2 / 16, rtol=1e-6)
    assert (found.target.name, found.target.value, found.target.index) == ("class 1", "logits", 1)
    assert found.value == pytest.approx(2 * 4 * 0.8 / 16)
    assert found.target.score == pytest.approx(np.exp(0.4) / (np.exp(0.2) + np.exp(0.4) + np.exp(0.0)), rel=1e-5)


@pytest.mark.parametrize("method", ["gradcam", "xgradcam", "hirescam", "layercam"])
def test_class_activation_is_weights_times_maps(scoring: onnxviz.Model, picture: np.ndarray, method: str) -> None:
    found = explained(scoring, picture, method, 2)
    # Class 2 is green less red: what lowers it is no heat.
    np.testing.assert_allclose(found.array, GREEN * 0.8 / 16, rtol=1e-5)
    assert found.layer == "conv"
    assert found.image.size == (4, 4)


def test_integrated_gradients_add_up_to_the_difference(scoring: onnxviz.Model, picture: np.ndarray) -> None:
    found = explained(scoring, picture, "integrated", 0, gap=0.001)
    # From the mean, 0.25 red everywhere, whose class 0 is 0.05, to the picture, whose class 0 is 0.2.
    assert found.array.sum() == pytest.approx(0.2 - 0.05, rel=0.001)
    assert found.settings["gap"] <= 0.001
    assert found.settings["steps"] >= 32


def test_smoothgrad_of_what_noise_does_not_change_is_the_gradient(scoring: onnxviz.Model, picture: np.ndarray) -> None:
    found = explained(scoring, picture, "smoothgrad", 1, noise=0.001, samples=4)
    np.testing.assert_allclose(found.array, GREEN * 2 / 16, rtol=1e-6)


def test_occlusion_is_the_fall_where_a_square_is_grey(scoring: onnxviz.Model, picture: np.ndarray) -> None:
    found = explained(scoring, picture, "occlusion", 0, patch=2)
    assert found.settings == {"patch": 2, "stride": 1, "fill": "mean"}
    image, fill = picture / 255.0, np.array([0.25, 0.25, 0])

    def share(pixels: np.ndarray) -> float:
        red, green = np.maximum(pixels[..., :2] - 0.2, 0).mean((0, 1))
        scores = np.exp([red, 2 * green, green - red])
        return scores[0] / scores.sum()

    falls, covers = np.zeros((4, 4)), np.zeros((4, 4))
    for y in range(3):
        for x in range(3):
            covered = image.copy()
            covered[y : y + 2, x : x + 2] = fill
            fall = share(image) - share(covered)
            falls[y : y + 2, x : x + 2] += fall
            covers[y : y + 2, x : x + 2] += 1
    np.testing.assert_allclose(found.array, falls / covers, atol=1e-6)
    assert found.value == pytest.approx(0.2)


def test_rise_is_bright_where_the_target_is(scoring: onnxviz.Model, picture: np.ndarray) -> None:
    heat = explained(scoring, picture, "rise", 0, masks=400).array
    assert heat[:2, :2].mean() > 2 * heat[2:, 2:].mean()


def test_random_methods_are_the_same_each_time(scoring: onnxviz.Model, picture: np.ndarray) -> None:
    for method in ("smoothgrad", "rise"):
        one, other, third = (
            explained(scoring, picture, method, 0, seed=seed, masks=20, noise=0.5).array for seed in (3, 3, 4)
        )
        assert one.tobytes() == other.tobytes() != third.tobytes()


def test_a_unit_is_explained_at_its_strongest_place(scoring: onnxviz.Model, picture: np.ndarray) -> None:
    found = explained(scoring, picture, "gradient", "conv#1")
    assert (found.target.name, found.target.value) == ("conv#1@2,2", "c")
    wanted = np.zeros((4, 4))
    wanted[2, 2] = 1
    assert found.array.tolist() == wanted.tolist()
    assert explained(scoring, picture, "gradient", "conv#0@3,1").array.nonzero()[0].tolist() == [3]


def test_a_place_of_an_output_is_explained_before_its_softmax(scoring: onnxviz.Model, picture: np.ndarray) -> None:
    found = explained(scoring, picture, "gradient", "shares[1]")
    np.testing.assert_allclose(found.array, GREEN * 2 / 16, rtol=1e-6)


def test_a_gradient_that_is_zero_everywhere_is_an_error(scoring: onnxviz.Model) -> None:
    with pytest.raises(
        UnsupportedError, match="gradient of class 0 is 0 everywhere: what it depends on lies at an end"
    ):
        explained(scoring, np.zeros((4, 4, 3), np.uint8), "gradient", 0)


def test_a_deconvnet_needs_a_max_pool(scoring: onnxviz.Model, picture: np.ndarray) -> None:
    with pytest.raises(UnsupportedError, match="no max pool lies between 'image' and class 0"):
        explained(scoring, picture, "deconvnet", 0)


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        ("tiger", NoMatchError, "names no classes"),
        (7, NoMatchError, "there is no class 7: the model has 3"),
        ("conv#5", NoMatchError, "'conv' has 2 channels, counted from 0: there is no 5"),
        ("conv#0@9,9", NoMatchError, "has no place 9,9: its maps are 4x4"),
        ("conv#x", UsageError, "a unit is LAYER#CHANNEL"),
        ("top0", UsageError, "top0 names no class"),
        ("conv#1@2,", UsageError, "a unit is LAYER#CHANNEL"),
        ("shares[1,]", UsageError, "a place of an output is NAME"),
        ("conw#0", NoMatchError, "conw"),
        ("shares[9]", NoMatchError, "has no place 9: behind the batch it is 3"),
        ("share[0]", NoMatchError, "no output is called 'share'"),
    ],
)
def test_what_is_not_there_is_named(
    scoring: onnxviz.Model, picture: np.ndarray, target: str | int, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        explained(scoring, picture, "gradient", target)


def test_a_fixed_batch_is_filled(scoring_model: Path, picture: np.ndarray) -> None:
    proto = onnx.load(scoring_model)
    for info in (*proto.graph.input, *proto.graph.output):
        info.type.tensor_type.shape.dim[0].dim_value = 2
    onnx.save(proto, scoring_model)
    model = onnxviz.open(scoring_model)
    np.testing.assert_allclose(explained(model, picture, "gradient", 1).array, GREEN * 2 / 16, rtol=1e-6)
    assert explained(model, picture, "occlusion", 1, patch=2).array.shape == (4, 4)


def test_a_folder_holds_a_sheet_a_picture_each_and_a_listing(
    scoring_model: Path, picture: np.ndarray, tmp_path: Path
) -> None:
    Image.fromarray(picture).save(tmp_path / "one.png")
    options = ExplainOptions(
        methods=("gradcam", "deconvnet", "occlusion"), target="top2", raw=tmp_path / "a.npz", **PLAIN
    )
    said = []

    class Listening(Observer):
        def noted(self, text: str) -> None:
            said.append(text)

    record = onnxviz.explain(scoring_model, [str(tmp_path / "one.png")], tmp_path / "why", options, Listening())
    assert [text for text in said if text.startswith("deconvnet is left out: ")]
    document = json.loads((tmp_path / "why" / "explain.json").read_text())
    assert document == record.document
    assert document["schema"] == "onnxviz.explain/1"
    (run,) = document["runs"]
    assert [(one["method"], one["target"]) for one in run["explanations"]] == [
        ("gradcam", "class 1"),
        ("gradcam", "class 0"),
        ("occlusion", "class 1"),
        ("occlusion", "class 0"),
    ]
    files = {path.name for path in (tmp_path / "why").iterdir()}
    assert files == {"explain.json", "sheet.png", "index.html", *(one["file"] for one in run["explanations"])}
    with np.load(tmp_path / "a.npz") as arrays:
        assert [list(arrays[one["array"]].shape) for one in run["explanations"]] == [
            one["shape"] for one in run["explanations"]
        ]
    # The same command again replaces its own folder, and no other.
    onnxviz.explain(scoring_model, [str(tmp_path / "one.png")], tmp_path / "why", ExplainOptions(**PLAIN))
    (tmp_path / "why" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds what onnxviz did not make"):
        onnxviz.explain(scoring_model, [str(tmp_path / "one.png")], tmp_path / "why", ExplainOptions(**PLAIN))
    assert (tmp_path / "why" / "mine.txt").read_text() == "mine"


def test_each_input_has_a_page_of_its_explanations(scoring_model: Path, picture: np.ndarray, tmp_path: Path) -> None:
    files = [tmp_path / "one.png", tmp_path / "two.png"]
    Image.fromarray(picture).save(files[0])
    Image.fromarray(picture[::-1]).save(files[1])
    options = ExplainOptions(methods=("gradcam", "occlusion"), target="top2", raw=tmp_path / "a.npz", **PLAIN)
    record = onnxviz.explain(scoring_model, [str(file) for file in files], tmp_path / "why", options)
    arrays = np.load(tmp_path / "a.npz")
    for run in record.document["runs"]:
        text = (tmp_path / "why" / run["directory"] / run["page"]).read_text("utf-8")
        index = json.loads(re.search('id="index">(.*?)</script>', text)[1])
        assert all(layer["explains"] for layer in index["layers"])
        assert [one["name"] for one in index["runs"]] == [run["name"]]
        methods = [layer["op"] for layer in index["layers"]]
        assert methods == ["gradcam", "occlusion"]
        for layer in index["layers"]:
            said = [one for one in run["explanations"] if one["method"] == layer["op"]]
            assert layer["labels"] == [one["target"] for one in said]
            assert layer["notes"][-1] == said[0]["says"]
            highest = np.frombuffer(base64.b64decode(layer["runs"][0]["stats"]["high"]), "<f4")
            np.testing.assert_allclose(highest, [arrays[one["array"]].max() for one in said], rtol=1e-6)
    arrays.close()


def test_a_class_may_be_called_like_a_unit_or_a_place(scoring: onnxviz.Model, picture: np.ndarray) -> None:
    names = ("C", "conv#1", "note[3]")
    found = [explained(scoring, picture, "gradient", name, labels=names).target for name in names[1:]]
    assert [(one.kind, one.index) for one in found] == [("class", 1), ("class", 2)]
    assert explained(scoring, picture, "gradient", "conv#0", labels=names).target.kind == "unit"


def test_an_unknown_keyword_is_named_with_those_near_it(scoring: onnxviz.Model, picture: np.ndarray) -> None:
    with pytest.raises(UsageError, match="explain takes no 'sample'; near: `samples`"):
        explained(scoring, picture, "smoothgrad", 1, sample=4)


def test_bad_input_leaves_nothing(scoring_model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(InputError):
        onnxviz.explain(scoring_model, [str(tmp_path / "bad.png")], tmp_path / "why")
    with pytest.raises(UsageError, match="no method 'gradcan'; near: `gradcam`"):
        onnxviz.explain(scoring_model, [], tmp_path / "why", ExplainOptions(methods=("gradcan",)))
    assert not (tmp_path / "why").exists()


def test_the_cat_s_class_lies_on_its_face(bundled_model: Path, cat: Path) -> None:
    model = onnxviz.open(bundled_model)
    found = model.explain(cat, method="gradcam", target="Egyptian cat")
    assert found.layer == "head/conv"
    heat, cells = found.array / found.array.sum(), (np.arange(7) + 0.5) * 32
    rows, columns = heat.sum(1) @ cells, heat.sum(0) @ cells
    # The face, from brow to chin, between the ears.
    assert 60 < rows < 170
    assert 50 < columns < 180


@pytest.mark.parametrize("name", ["cat", "coffee", "rocket"])
def test_covering_agrees_with_class_activation(bundled_model: Path, name: str) -> None:
    model, source = onnxviz.open(bundled_model), onnxviz.bundled.picture(name)
    one, other = (stretched(model.explain(source, method=how).array, (28, 28)) for how in ("gradcam", "occlusion"))
    ranks = [np.argsort(np.argsort(heat.ravel())) for heat in (one, other)]
    assert np.corrcoef(*ranks)[0, 1] > 0.25


def test_two_classes_of_one_name_have_a_row_each(
    scoring_model: Path, picture: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(picture).save(tmp_path / "one.png")
    rows = []

    def draw(head: object, columns: object, found: list[SheetRow], *rest: object) -> Drawing:
        rows.extend((row.name, row.lines[0]) for row in found)
        return draw_explanations(head, columns, found, *rest)

    monkeypatch.setattr("onnxviz.explaining.outlet.draw_explanations", draw)
    options = ExplainOptions(methods=("gradcam",), labels=("crane", "crane", "cat"), target="top2", **PLAIN)
    onnxviz.explain(scoring_model, [str(tmp_path / "one.png")], tmp_path / "why", options)
    assert rows == [("crane", "class 1"), ("crane", "class 0")]


@pytest.mark.parametrize("op", ["Cast", "Identity"])
def test_the_score_before_a_softmax_is_found_behind_a_cast(scoring_model: Path, picture: np.ndarray, op: str) -> None:
    proto = onnx.load(scoring_model)
    kind = {"to": onnx.TensorProto.FLOAT} if op == "Cast" else {}
    proto.graph.node.append(onnx.helper.make_node(op, ["shares"], ["end"], **kind))
    proto.graph.output[0].name = "end"
    onnx.save(proto, scoring_model)
    found = explained(onnxviz.open(scoring_model), picture, "gradient", 1)
    assert (found.target.value, found.target.output) == ("logits", "end")
    np.testing.assert_allclose(found.array, GREEN * 2 / 16, rtol=1e-6)


def test_of_several_pictures_one_that_has_no_explanation_is_left_out(
    scoring_model: Path, picture: np.ndarray, tmp_path: Path
) -> None:
    paths = [tmp_path / "one.png", tmp_path / "black.png"]
    for path, pixels in zip(paths, (picture, picture * 0), strict=True):
        Image.fromarray(pixels).save(path)
    options = ExplainOptions(methods=("gradient",), target=0, **PLAIN)
    record = onnxviz.explain(scoring_model, [str(path) for path in paths], tmp_path / "why", options)
    assert [run["name"] for run in record.document["runs"]] == ["one"]
    ((source, error),) = record.failures
    assert source == str(paths[1])
    assert error.startswith("black: the gradient of class 0 is 0 everywhere")


@pytest.mark.parametrize("method", ["gradcam", "eigencam", "smoothgrad", "integrated", "occlusion", "rise"])
def test_maps_with_nan_are_not_drawn_as_zeros(scoring_model: Path, picture: np.ndarray, method: str) -> None:
    proto = onnx.load(scoring_model)
    bias = next(tensor for tensor in proto.graph.initializer if tensor.name == "b")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.array([np.nan, 0], np.float32), "b"))
    # Without the Relu, which onnxruntime lets NaN pass or not by the machine.
    proto.graph.node[2].input[0] = "c"
    del proto.graph.node[1]
    scores = next(tensor for tensor in proto.graph.initializer if tensor.name == "s")
    scores.CopyFrom(onnx.numpy_helper.from_array(np.array([[np.nan, 1]] * 3, np.float32), "s"))
    onnx.save(proto, scoring_model)
    with pytest.raises(UnsupportedError, match=r"of the map of class 0 .* numbers are NaN or infinite"):
        explained(onnxviz.open(scoring_model), picture, method, 0, masks=4, samples=2)


def test_labels_that_fit_no_output_are_said(scoring: onnxviz.Model, picture: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    with pytest.raises(InputError, match="the labels name 2 classes, and no output is a vector of so many"):
        explained(scoring, picture, "gradient", 1, labels=tmp_path / "names.txt")
    assert explained(scoring, picture, "gradient", "dog", labels=("cat", "dog", "owl")).target.index == 1


def test_rise_of_an_input_in_bytes_is_that_of_the_same_numbers(scoring_model: Path, picture: np.ndarray) -> None:
    wanted = explained(onnxviz.open(scoring_model), picture, "rise", 1, masks=200).array
    proto = onnx.load(scoring_model)
    proto.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.UINT8
    proto.graph.node.insert(0, onnx.helper.make_node("Cast", ["image"], ["whole"], to=onnx.TensorProto.FLOAT))
    proto.graph.node.insert(1, onnx.helper.make_node("Div", ["whole", "most"], ["share"]))
    proto.graph.initializer.append(onnx.numpy_helper.from_array(np.array(255, np.float32), "most"))
    proto.graph.node[2].input[0] = "share"
    onnx.save(proto, scoring_model)
    found = onnxviz.open(scoring_model).explain(Image.fromarray(picture), method="rise", target=1, masks=200)
    np.testing.assert_allclose(found.array, wanted, atol=0.002)


def test_the_score_behind_a_sigmoid_is_not_called_a_softmax(scoring_model: Path, picture: np.ndarray) -> None:
    proto = onnx.load(scoring_model)
    proto.graph.node[-1].op_type = "Sigmoid"
    onnx.save(proto, scoring_model)
    found = explained(onnxviz.open(scoring_model), picture, "gradient", 1)
    assert target_lines(found) == ["class 1", "0.599 at the output", "value 0.4"]


def test_of_a_batch_every_input_gives_its_first_item(scoring_model: Path, picture: np.ndarray) -> None:
    proto = onnx.load(scoring_model)
    more = onnx.helper.make_tensor_value_info("more", onnx.TensorProto.FLOAT, ["N", 1])
    proto.graph.input.append(more)
    proto.graph.node[-1].input[0] = "both"
    proto.graph.node.insert(5, onnx.helper.make_node("Concat", ["logits", "more"], ["both"], axis=1))
    proto.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 4
    onnx.save(proto, scoring_model)
    batch = np.stack([picture, picture]).transpose(0, 3, 1, 2).astype(np.float32) / 255
    fed = {"image": batch, "more": np.zeros((2, 1), np.float32)}
    found = onnxviz.open(scoring_model).explain(fed, method="gradient", target=1)
    np.testing.assert_allclose(found.array, GREEN * 2 / 16, rtol=1e-6)


def test_each_of_several_layers_has_a_column(scoring_model: Path, picture: np.ndarray, tmp_path: Path) -> None:
    proto = onnx.load(scoring_model)
    proto.graph.node.insert(2, onnx.helper.make_node("AveragePool", ["r"], ["a"], kernel_shape=[2, 2], strides=[2, 2]))
    proto.graph.node[3].input[0] = "a"
    onnx.save(proto, scoring_model)
    Image.fromarray(picture).save(tmp_path / "one.png")
    options = ExplainOptions(methods=("gradcam", "occlusion"), target=1, layers="conv, pool[0]", **PLAIN)
    record = onnxviz.explain(scoring_model, [str(tmp_path / "one.png")], tmp_path / "why", options)
    found = [(one["method"], one["layer"], one["shape"]) for one in record.document["runs"][0]["explanations"]]
    assert [(method, shape) for method, _, shape in found] == [
        ("gradcam", [4, 4]),
        ("gradcam", [2, 2]),
        ("occlusion", [4, 4]),
    ]
    with Image.open(tmp_path / "why" / "sheet.png") as sheet:
        assert sheet.width > 4 * 224  # the input, two layers, and occlusion
    model = onnxviz.open(scoring_model)
    for _, layer, shape in found[:2]:
        alone = explained(model, picture, "gradcam", 1, layers=[layer])
        assert (alone.layer, list(alone.array.shape)) == (layer, shape)
    with pytest.raises(UsageError, match="one map is of one layer and one target: 2 are asked for"):
        explained(model, picture, "gradcam", 1, layers="conv, pool[0]")


@pytest.mark.parametrize("classed", [True, False])
def test_attention_rollout_is_the_product_of_the_weights(tmp_path: Path, classed: bool) -> None:
    """2 x 3 patches of 4 pixels, a class token before them or none, and two attentions."""
    draw = np.random.default_rng(3)
    tokens = 7 if classed else 6
    weights = {name: draw.normal(size=(8, 8)).astype(np.float32) for name in "ABCDEFG"}
    weights |= {"w": draw.normal(size=(8, 3, 2, 2)).astype(np.float32), "k": np.zeros((1, 1, 8), np.float32)}
    blocks = [
        f"q{n} = MatMul ({x}, {a}) k{n} = MatMul ({x}, {b}) v{n} = MatMul ({x}, {c}) "
        f"t{n} = Transpose <perm=[0,2,1]> (k{n}) s{n} = MatMul (q{n}, t{n}) p{n} = Softmax <axis=-1> (s{n}) "
        f"m{n} = MatMul (p{n}, v{n}) y{n} = Add (m{n}, {x}) "
        for n, x, (a, b, c) in ((0, "x", "ABC"), (1, "y0", "DEF"))
    ]
    joined = "x = Concat <axis=1> (k, t)" if classed else "x = Identity (t)"
    proto = onnx.parser.parse_model(
        '<ir_version: 8, opset_import: ["": 18]> net (float[1,3,4,6] image) => (float[] scores) {'
        "c = Conv <strides=[2,2]> (image, w) f = Reshape (c, flat) t = Transpose <perm=[0,2,1]> (f)"
        f"{joined} {' '.join(blocks)} u = ReduceMean <keepdims=0> (y1, one) scores = MatMul (u, G) }}"
    )
    tensors = {**weights, "flat": np.array([1, 8, 6]), "one": np.array([1])}
    read = {name for node in proto.graph.node for name in node.input}
    proto.graph.initializer.extend(
        onnx.numpy_helper.from_array(array, name) for name, array in tensors.items() if name in read
    )
    path = tmp_path / "vit.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(proto), path)
    model = onnxviz.open(path)
    pixels = Image.fromarray(draw.integers(0, 255, (4, 6, 3), np.uint8))
    found = model.explain(pixels, method="rollout", target="scores[2]", **PLAIN)
    layers = [model.run(pixels, layers=name, **PLAIN)[name].array[0].astype(np.float64) for name in ("p0", "p1")]
    first, second = ((one + np.eye(tokens)) / 2 for one in layers)
    rows = second @ first
    wanted = rows[0, 1:] if classed else rows.mean(0)
    np.testing.assert_allclose(found.array.reshape(-1), wanted - wanted.min(), atol=1e-6)
    assert (found.layer, found.array.shape) == ("rollout", (2, 3))


def test_a_model_without_attentions_has_no_rollout(scoring: onnxviz.Model, picture: np.ndarray) -> None:
    with pytest.raises(UnsupportedError, match="it has no rollout"):
        explained(scoring, picture, "rollout", 1)

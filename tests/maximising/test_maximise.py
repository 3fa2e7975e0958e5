"""`maximise`: gradients by differences, adjoints, known optima, equal bits by seed, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from PIL import Image

import onnxviz
from onnxviz.errors import NoMatchError, UnsupportedError, UsageError
from onnxviz.maximising.objectives import Objective, unit_objective
from onnxviz.maximising.picture_feed import PictureFeed
from onnxviz.maximising.picture_spectrum import Spectrum
from onnxviz.maximising.view_of_canvas import Motion, ViewOfCanvas

RANDOM = np.random.default_rng(0)
FEED = onnxviz.FeedOptions(preset="zero-one")


def sloped(function, at: np.ndarray, along: np.ndarray, step: float = 1e-3) -> float:
    """Return the slope of a number by central differences."""
    return (function(at + step * along) - function(at - step * along)) / (2 * step)


@pytest.mark.parametrize(("size", "channels"), [((12, 16), 3), ((9, 7), 1)])
def test_the_gradient_of_a_spectrum(size: tuple[int, int], channels: int) -> None:
    spectrum = Spectrum(size, channels, np.random.default_rng(1))
    weights = RANDOM.standard_normal((*size, channels))
    start, along = spectrum.numbers.astype(np.float64), RANDOM.standard_normal(spectrum.numbers.shape)

    def number(numbers: np.ndarray) -> float:
        spectrum.numbers = numbers
        return float((spectrum.pixels() * weights).sum())

    number(start)
    found = float((spectrum.gradient(weights) * along).sum())
    assert found == pytest.approx(sloped(number, start, along, 1e-2), rel=1e-2)


def test_a_spectrum_begins_with_a_picture() -> None:
    pixels = RANDOM.uniform(0.1, 0.9, (10, 12, 3))
    spectrum = Spectrum((10, 12), 3, np.random.default_rng(0))
    spectrum.begin_with(pixels)
    np.testing.assert_allclose(spectrum.pixels(), pixels, atol=1e-4)


def test_back_is_the_adjoint_of_a_view() -> None:
    view = ViewOfCanvas((20, 24), (14, 16), Motion(3.0), np.random.default_rng(2))
    canvas, seen = RANDOM.standard_normal((20, 24, 3)), RANDOM.standard_normal((14, 16, 3))
    grey = view.of(np.zeros((20, 24, 3)))  # what lies beyond the canvas
    inner = float(((view.of(canvas) - grey) * seen).sum())
    assert inner == pytest.approx(float((canvas * view.back(seen)).sum()), rel=1e-4)


def test_a_view_that_does_not_move_is_the_middle_of_the_canvas() -> None:
    view = ViewOfCanvas((10, 12), (6, 8), Motion(0.0, 0.0, 0.0), np.random.default_rng(0))
    canvas = RANDOM.random((10, 12, 3))
    np.testing.assert_allclose(view.of(canvas), canvas[2:8, 2:10], atol=1e-6)


@pytest.mark.parametrize(
    "objective",
    [
        Objective("channel", "v", "layer", ((2, 1.0),)),
        Objective("place", "v", "layer", ((2, 1.0),), place=(1, 3)),
        Objective("middle", "v", "layer", ((0, 1.0),), place="middle"),
        Objective("direction", "v", "layer", ((1, 1.0), (3, -1.0), (0, 1.0))),
        Objective("last", "v", "layer", ((4, 1.0),), axis=3),
    ],
    ids=lambda objective: objective.name,
)
def test_the_gradient_of_an_objective(objective: Objective) -> None:
    value = RANDOM.standard_normal((2, 4, 5, 6))
    along = RANDOM.standard_normal(value.shape)
    number, gradient = objective.number(value)
    assert (gradient[1] == 0).all()
    assert float((gradient * along).sum()) == pytest.approx(
        sloped(lambda at: objective.number(at)[0], value, along, 1e-5), rel=1e-4
    )
    if objective.name == "place":
        assert number == value[0, 2, 1, 3]
    if objective.name == "last":
        assert objective.map(value).shape == (4, 5)


def linear_model(path: Path, layout: str = "NCHW", pads: int = 0) -> Path:
    """x -> conv: 3x3, of which unit 1 is dead."""
    weights = np.random.default_rng(3).standard_normal((4, 3, 3, 3)).astype(np.float32)
    weights[1] = 0
    nodes = [helper.make_node("Conv", ["c", "w"], ["y0"], name="conv", pads=[pads] * 4)]
    nodes += [helper.make_node("Relu", ["y0"], ["y"], name="relu")]
    shape = ["N", 3, "h", "w"]
    if layout == "NHWC":
        nodes = [helper.make_node("Transpose", ["x"], ["c"], perm=[0, 3, 1, 2]), *nodes]
        shape = ["N", "h", "w", 3]
    else:
        nodes = [helper.make_node("Identity", ["x"], ["c"]), *nodes]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_known_optimum_is_reached(tmp_path: Path, layout: str) -> None:
    """One place of a linear unit is greatest where each pixel is white under a weight above 0, else black."""
    model = onnxviz.open(linear_model(tmp_path / "m.onnx", layout))
    weights = onnx.numpy_helper.to_array(onnx.load(tmp_path / "m.onnx").graph.initializer[0])
    (found,) = onnxviz.maximise(
        model, "conv#0@8,8", feed=FEED, size=(18, 18), steps=400, rate=0.05, run=onnxviz.RunOptions(threads=1)
    )
    optimum = float(np.maximum(weights[0], 0).sum())
    feed = PictureFeed(model, (18, 18), FEED)
    run = model.run(feed.of(found.pixels), layers="conv", tap="op")
    at = next(iter(run.values())).array[0, 0, 8, 8]
    assert 0.6 * optimum < at <= optimum
    assert found.made.map[8, 8] == pytest.approx(at, rel=1e-4)
    assert found.course[-1] > found.course[0]
    assert at > found.found.greatest > -1


def test_the_same_seed_makes_the_same_bits(tmp_path: Path) -> None:
    model = linear_model(tmp_path / "m.onnx")
    more = {"feed": FEED, "size": (24, 24), "steps": 12}
    one = onnxviz.maximise(model, ["conv#0", "conv#2"], run=onnxviz.RunOptions(threads=1), **more)
    two = onnxviz.maximise(model, ["conv#0", "conv#2"], run=onnxviz.RunOptions(threads=2), **more)
    for first, second in zip(one, two, strict=True):
        assert first.pixels.tobytes() == second.pixels.tobytes()
    (other,) = onnxviz.maximise(model, "conv#0", seed=1, **more)
    assert other.pixels.tobytes() != one[0].pixels.tobytes()


def test_what_is_fed_is_the_models_own_preprocessing(bundled_model: Path) -> None:
    feed = PictureFeed(onnxviz.open(bundled_model), None, onnxviz.FeedOptions())
    image = onnxviz.bundled.picture("cat")
    expected = feed.model.feed(image).arrays[feed.input]
    np.testing.assert_allclose(feed.of(feed.pixels(image)).arrays[feed.input], expected, atol=0.02)
    seed = RANDOM.standard_normal(expected.shape).astype(np.float32)
    pixels, along = RANDOM.random((224, 224, 3)), RANDOM.random((224, 224, 3))

    def number(at: np.ndarray) -> float:
        return float((feed.of(at).arrays[feed.input].astype(np.float64) * seed).sum())

    assert float((feed.back(seed) * along).sum()) == pytest.approx(sloped(number, pixels, along, 0.1), rel=1e-2)


def test_bgr_models_are_fed_in_their_order(tmp_path: Path) -> None:
    feed = PictureFeed(onnxviz.open(linear_model(tmp_path / "m.onnx")), (8, 8), onnxviz.FeedOptions(preset="caffe"))
    red = np.zeros((8, 8, 3))
    red[..., 0] = 1
    planes = feed.of(red).arrays["x"][0, :, 0, 0]
    np.testing.assert_allclose(planes, [-103.939, -116.779, 255 - 123.68], rtol=1e-4)
    slope = feed.back(np.stack([np.zeros((8, 8)), np.zeros((8, 8)), np.ones((8, 8))])[None])
    assert slope[0, 0].tolist() == [255.0, 0.0, 0.0]


def test_a_class_of_the_bundled_classifier(bundled_model: Path) -> None:
    (found,) = onnxviz.maximise(bundled_model, classes="espresso", steps=8)
    assert (found.name, found.objective.value) == ("espresso", "logits")
    assert found.found.source == "coffee.jpg"
    assert found.image.size == (224, 224)


def test_what_cannot_be_made_is_said(tmp_path: Path, bundled_model: Path) -> None:
    model = onnxviz.open(linear_model(tmp_path / "m.onnx"))
    few = {"feed": FEED, "size": (24, 24), "steps": 2}
    with pytest.raises(UnsupportedError, match=r"conv#1.* gradient is zero|conv#1 is dead"):
        onnxviz.maximise(model, "conv#1", **few)
    with pytest.raises(NoMatchError, match="has 4 channels, counted from 0: no 9"):
        onnxviz.maximise(model, "conv#9", **few)
    with pytest.raises(NoMatchError, match="has no place 50,1: 22x22"):
        onnxviz.maximise(model, "conv#0@50,1", **few)
    with pytest.raises(UsageError, match=r"a unit is LAYER#C, LAYER#C@Y,X or a direction LAYER#3\+17-4"):
        onnxviz.maximise(model, "conv", **few)
    with pytest.raises(UsageError, match="maximise takes no 'step'; near: `steps`"):
        onnxviz.maximise(model, "conv#0", step=3)
    with pytest.raises(UsageError, match="name a unit"):
        onnxviz.maximise(model, **few)
    with pytest.raises(NoMatchError, match="no output of the model holds class scores"):
        onnxviz.maximise(model, classes="cat", **few)
    with pytest.raises(NoMatchError, match="no class is called 'esspresso'; near: `espresso`"):
        onnxviz.maximise(bundled_model, classes="esspresso")
    assert unit_objective(model, "conv#3+1-2").channels == ((3, 1.0), (1, 1.0), (2, -1.0))


def test_the_command(tmp_path: Path, bundled_model: Path, onnxviz_command) -> None:
    file = tmp_path / "made.png"
    arguments = ("maximise", bundled_model, "--unit", "stem/conv#0", "--unit", "stem/conv#5@10,12", "--steps", 4)
    result = onnxviz_command(*arguments, "--seed", 3, "-o", file, "--json")
    assert result.code == 0, result.err
    document = json.loads(result.out)
    assert [unit["name"] for unit in document["units"]] == ["stem/conv#0", "stem/conv#5@10,12"]
    assert [len(unit["course"]) for unit in document["units"]] == [4, 4]
    assert document["units"][0]["seed"] == 3
    assert document["units"][0]["size"] == [96, 96]
    with Image.open(file) as sheet:
        assert "made, not found" in sheet.text["Description"]
    assert onnxviz_command(*arguments, "-o", file).code == 6
    assert onnxviz_command("maximise", bundled_model, "--unit", "stem/conv#31", "-o", tmp_path / "x.png").code == 3
    assert not (tmp_path / "x.png").exists()


def test_the_strongest_patches_stand_beside(mining_model: Path, photos: Path, tmp_path: Path, onnxviz_command) -> None:
    mined = onnxviz.MineOptions(layers="conv", count=4, feed=FEED)
    onnxviz.mine(mining_model, photos, tmp_path / "units", mined)
    common = ("maximise", mining_model, "--unit", "first#0", "--steps", 2, "--preset", "zero-one")
    assert onnxviz_command(*common, "-o", tmp_path / "a.png").code == 0
    assert onnxviz_command(*common, "-o", tmp_path / "b.png", "--units", tmp_path / "units").code == 0
    with Image.open(tmp_path / "a.png") as alone, Image.open(tmp_path / "b.png") as beside:
        assert beside.width - alone.width == 224 + 14

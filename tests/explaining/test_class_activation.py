"""Class activation maps against sums that are worked out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxviz
from onnxviz.explaining.class_activation import CLASS_ACTIVATION

MAPS = np.array([[[1, 2], [0, 1]], [[0, 4], [2, 0]]], np.float32)
GRADIENT = np.array([[[1, 1], [1, 1]], [[-1, 0.5], [0.5, 1]]], np.float32)


@pytest.mark.parametrize(
    ("method", "wanted"),
    [
        # The gradients' means are 1 and 0.25.
        ("gradcam", [[1, 3], [0.5, 1]]),
        # Place by place: 1 + 0, 2 + 2, 0 + 1, 1 + 0.
        ("hirescam", [[1, 4], [1, 1]]),
        # The same, without the only negative gradient, where the map is 0.
        ("layercam", [[1, 4], [1, 1]]),
        # Shares: 4 / 4 and (2 + 1) / 6.
        ("xgradcam", [[1, 4], [1, 1]]),
    ],
)
def test_maps_are_weighed_by_their_gradient(method: str, wanted: list[list[float]]) -> None:
    assert CLASS_ACTIVATION[method](MAPS, GRADIENT).tolist() == wanted


def test_what_lowers_the_target_is_not_heat() -> None:
    assert CLASS_ACTIVATION["gradcam"](MAPS, -GRADIENT).tolist() == [[0, 0], [0, 0]]


def test_gradcam_plus_plus_of_an_even_gradient_is_gradcam_times_a_number() -> None:
    # With the gradient g everywhere each place has the share 1 / (2 + S g), S the sum of the map.
    even = np.full((2, 2, 2), 0.5, np.float32)
    weights = [4 * 0.5 / (2 + 4 * 0.5), 4 * 0.5 / (2 + 6 * 0.5)]
    found = CLASS_ACTIVATION["gradcam++"](MAPS, even)
    np.testing.assert_allclose(found, weights[0] * MAPS[0] + weights[1] * MAPS[1], rtol=1e-6)


@pytest.mark.parametrize("channels", [2, 30])
def test_the_first_component_is_that_of_an_svd(channels: int) -> None:
    draw = np.random.default_rng(1)
    maps = draw.standard_normal((channels, 3, 4)).astype(np.float32)
    places = maps.reshape(channels, 12).T.astype(np.float64)
    left, sizes, _ = np.linalg.svd(places - places.mean(0), full_matrices=False)
    wanted = (left[:, 0] * sizes[0]).reshape(3, 4)
    wanted = wanted if wanted.max() >= -wanted.min() else -wanted
    np.testing.assert_allclose(CLASS_ACTIVATION["eigencam"](maps, maps), np.maximum(wanted, 0), atol=1e-5)


def test_gradcam_plus_plus_of_a_small_gradient_is_half_of_its_sum() -> None:
    # Where S g is small beside 2 each place has the share 1 / 2; the square of 1e-9 is below what float32 resolves.
    small = np.full((2, 2, 2), 1e-9, np.float32)
    found = CLASS_ACTIVATION["gradcam++"](MAPS, small)
    np.testing.assert_allclose(found, 4 * 1e-9 / 2 * MAPS.sum(0), rtol=1e-6)


def test_a_box_of_a_detector_is_explained_before_the_maps_that_hold_its_number(tmp_path: Path) -> None:
    """image -> a 3x3 -> relu -> b 3x3 -> relu -> head 1x1 -> boxes (2,64): each number is of one place of b."""
    numbers = np.random.default_rng(0)
    shapes = {"a": (4, 3, 3, 3), "b": (4, 4, 3, 3), "head": (2, 4, 1, 1)}
    weights = {name: np.abs(numbers.standard_normal(shape)).astype(np.float32) for name, shape in shapes.items()}
    text = """<ir_version: 8, opset_import: ["" : 17]> g (float[1,3,8,8] image) => (float[1,2,64] boxes)
        <int64[3] shape = {1, 2, 64}> {
            c1 = Conv <pads = [1, 1, 1, 1]> (image, a)
            r1 = Relu (c1)
            c2 = Conv <pads = [1, 1, 1, 1]> (r1, b)
            r2 = Relu (c2)
            c3 = Conv (r2, head)
            boxes = Reshape (c3, shape)
        }"""
    model = onnx.parser.parse_model(text)
    for node, name in zip(model.graph.node, ("first", "relu1", "second", "relu2", "last", "boxes"), strict=True):
        node.name = name
    model.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in weights.items())
    onnx.save(model, tmp_path / "boxes.onnx")
    picture = numbers.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    feed = onnxviz.FeedOptions(preset="zero-one")
    opened = onnxviz.open(tmp_path / "boxes.onnx")
    found = opened.explain(picture, method="gradcam", target="boxes[1,27]", feed=feed)
    assert found.layer == "first"
    # The weights are the means of the gradient, which is what the head makes of b, in the nine places around (3, 3).
    maps = opened.run(picture, layers="first", feed=feed)["first"].array[0]
    slopes = np.einsum("o,oikl->i", weights["head"][1, :, 0, 0], weights["b"]) / 64
    np.testing.assert_allclose(found.array, np.maximum(np.einsum("i,ihw->hw", slopes, maps), 0), rtol=1e-4)

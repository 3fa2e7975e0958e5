from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnxviz.feed.feed_options import FeedOptions
from tests.feed.feeding import COLOURS, RAW, feed, in_picture, refusal, spec


@pytest.mark.parametrize(
    ("shape", "axes"), [((1, 3, 2, 2), (2, 0, 1)), ((1, 2, 2, 3), (0, 1, 2)), ((3, 2, 2), (2, 0, 1)), ((2, 2, 3), None)]
)
def test_layouts(picture: Path, shape: tuple[int, ...], axes: tuple[int, ...] | None) -> None:
    result = feed(spec(*shape), picture).arrays["x"]
    assert result.shape == shape
    assert result.flags.c_contiguous
    assert (result.reshape(shape[-3:]) == COLOURS.transpose(axes or (0, 1, 2))).all()


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float64", "int32"])
def test_dtypes(picture: Path, dtype: str) -> None:
    array = feed(spec(1, 2, 2, 3, dtype=dtype), picture, FeedOptions() if dtype == "uint8" else RAW).arrays["x"]
    assert array.dtype == dtype
    assert array[0].tolist() == COLOURS.tolist()


def test_grey_and_alpha(picture: Path, tmp_path: Path) -> None:
    assert feed(spec(1, 1, 2, 2), picture).arrays["x"].ravel().tolist() == [2, 5, 8, 11]
    (fed,) = feed(spec(1, 4, 2, 2), picture).fed
    assert fed.notes == ("alpha is fed as the fourth channel, without mean and std",)
    clear = tmp_path / "clear.png"
    Image.fromarray(np.array([[[9, 9, 9, 0]]], np.uint8)).save(clear)
    assert feed(spec(1, 4, 1, 1), clear).arrays["x"].ravel().tolist() == [9, 9, 9, 0]
    assert feed(spec(1, 3, 1, 1), clear).arrays["x"].ravel().tolist() == [255, 255, 255]
    imagenet = feed(spec(1, 1, 2, 2), picture, FeedOptions(preset="imagenet")).fed[0]
    assert imagenet.notes == ("the model is grey: the mean of the three channels' mean and std is used",)


def test_values_that_an_integer_input_cannot_hold_are_said(picture: Path) -> None:
    options = FeedOptions(preset="raw", mean=(5.0,))
    (fed,) = feed(spec(1, 3, 2, 2, dtype="uint8"), picture, options).fed
    assert fed.notes == (
        "values from -4 to 7 are clipped to what uint8 holds: the preprocessing may be wrong for this model",
    )
    assert (fed.min, fed.max, fed.preset) == (0, 7, "raw (mean changed)")


def test_no_preprocessing_is_said_loudly(picture: Path) -> None:
    (fed,) = feed(spec(1, 3, 2, 2), picture, FeedOptions()).fed
    assert fed.preset == "zero-one"
    assert fed.notes == (
        "ATTENTION: the model does not say how its pixels are to be scaled; they are fed as 0..1 (zero-one), "
        "which may be wrong: give --preset, or --range, --mean and --std",
    )


def test_letterbox_pads_and_the_picture_shows_it(picture: Path) -> None:
    options = FeedOptions(preset="raw", resize="letterbox", filter="nearest")
    (fed,) = feed(spec(1, 3, 2, 4), picture, options).fed
    assert fed.picture is not None
    assert fed.picture[0].tolist() == [[114] * 3, [1, 2, 3], [4, 5, 6], [114] * 3]
    assert fed.geometry is not None
    assert in_picture(fed.geometry, 0, 1) == (0, 0)
    assert fed.preset == "raw (resize, filter changed)"


def test_a_batch_of_pictures_is_one_array() -> None:
    both = np.stack([COLOURS, COLOURS[::-1]])
    result = feed(spec("N", 3, 2, 2), both)
    assert result.arrays["x"][1, :, 0, 0].tolist() == [7, 8, 9]
    assert result.fed[0].source == "array"
    assert refusal(spec(1, 3, 2, 2), both) == "input 'x' takes 1x3x2x2, array has shape 2x3x2x2"
    assert refusal(spec(3, 2, 2), both) == "array: the input has no batch axis (CHW), 2 pictures do not fit"


def test_no_input_for_a_picture(picture: Path) -> None:
    way = "which has 1, 3 or 4 channels (inputs: 'x' (float32 1x13x5x5)); give an array of the input's shape (.npy)"
    assert refusal(spec(1, 13, 5, 5), picture) == f"{picture}: no input takes a picture, {way}"
    assert refusal(spec(1, 13, 5, 5), {"x": picture}) == f"{picture}: no input takes a picture, {way}"


def test_a_dtype_that_numpy_lacks(picture: Path) -> None:
    assert refusal(spec(1, 3, 2, 2, dtype="float8e4m3fn"), picture) == (
        "input 'x' is of type float8e4m3fn, which cannot be fed"
    )


def test_twelve_bits_in_sixteen_are_fed_as_a_range_that_holds_them(tmp_path: Path) -> None:
    values = np.array([[0, 819], [4095, 3]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    options = FeedOptions(range=(0.0, 4095.0))
    result = feed(spec(1, 1, 2, 2), tmp_path / "a.png", options)
    np.testing.assert_allclose(result.arrays["x"][0, 0], values, atol=1e-3)
    assert result.fed[0].notes == ("its numbers are in the range that is fed: 0..4095",)
    assert result.arrays["x"].tolist() == feed(spec(1, 1, 2, 2), values, options).arrays["x"].tolist()
    # A range within 0..255 is that of pixels, and one that the numbers exceed is not theirs.
    for low, high in ((0.0, 1.0), (0.0, 1000.0)):
        fed = feed(spec(1, 1, 2, 2), tmp_path / "a.png", FeedOptions(range=(low, high)))
        np.testing.assert_allclose(fed.arrays["x"][0, 0], values / 65535 * high, rtol=1e-5)
        assert "it is fed as dark as it is" in fed.fed[0].notes[0]


def test_truth_values_are_black_and_white() -> None:
    mask = np.array([[True, False], [False, True]])
    result = feed(spec(1, 1, 2, 2), mask, RAW)
    assert result.arrays["x"].ravel().tolist() == [255, 0, 0, 255]
    assert result.fed[0].notes == ("False is taken as black and True as white",)

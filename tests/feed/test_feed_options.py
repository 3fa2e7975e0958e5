from __future__ import annotations

import json

import numpy as np
import pytest

from onnxviz.errors import UsageError
from onnxviz.feed.feed_options import FeedOptions, check_options, choose_preprocessing
from onnxviz.layout import TensorSpec


def choice(options: FeedOptions, metadata: dict[str, str], dtype: str = "float32") -> tuple[str, bool]:
    result, notes = choose_preprocessing(options, metadata, TensorSpec("x", dtype, (1, 3, 8, 8)))
    return result.name, any("ATTENTION" in note for note in notes)


def test_which_preprocessing_is_chosen() -> None:
    own = {"onnxviz.preprocessing": json.dumps({"preset": "inception"})}
    assert choice(FeedOptions(preset="caffe"), own) == ("caffe", False)
    assert choice(FeedOptions(), own) == ("inception", False)
    assert choice(FeedOptions(mean=(1.0,), size=(8, 8)), own) == ("inception (mean changed)", False)
    assert choice(FeedOptions(), {}) == ("zero-one", True)
    assert choice(FeedOptions(resize="crop"), {}) == ("zero-one (resize changed)", True)
    assert choice(FeedOptions(range=(0.0, 255.0)), {}) == ("zero-one (range changed)", False)
    assert choice(FeedOptions(), {}, "uint8") == ("raw", False)
    assert choice(FeedOptions(), {}, "int8") == ("raw - 128", True)


CAFFE, DEVIATION = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
PIXEL = np.array([[[10, 20, 30]]], np.uint8)


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (FeedOptions(mean=CAFFE, std=DEVIATION), (PIXEL - np.array(CAFFE)) / DEVIATION),
        (FeedOptions(mean=(127.0,)), PIXEL - 127.0),
        (FeedOptions(std=(255.0,)), PIXEL / 255),
        (FeedOptions(preset="zero-one", mean=CAFFE, std=DEVIATION), (PIXEL - np.array(CAFFE)) / DEVIATION),
        # What is not given keeps its meaning: imagenet's std of 0.229 is 58.395 in 0..255.
        (
            FeedOptions(preset="imagenet", mean=CAFFE),
            (PIXEL - np.array(CAFFE)) / (np.array([0.229, 0.224, 0.225]) * 255),
        ),
        (FeedOptions(preset="inception", std=(100.0,)), (PIXEL - 127.5) / 100),
    ],
)
def test_a_mean_or_std_above_1_is_of_pixels_in_0_to_255(options: FeedOptions, numbers: np.ndarray) -> None:
    result, notes = choose_preprocessing(options, {}, TensorSpec("x", "float32", (1, 3, 8, 8)))
    assert result.normalise(PIXEL) == pytest.approx(numbers, abs=1e-5)
    assert notes == ("a mean or std above 1 is of pixels in 0..255 (--range changes it)",)


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (FeedOptions(mean=(0.5,), std=(1.0,)), PIXEL / 255 - 0.5),
        (FeedOptions(preset="caffe", mean=(100.0,)), PIXEL[..., ::-1] - 100.0),
    ],
)
def test_other_means_are_of_the_range(options: FeedOptions, numbers: np.ndarray) -> None:
    result, notes = choose_preprocessing(options, {}, TensorSpec("x", "float32", (1, 3, 8, 8)))
    assert result.normalise(PIXEL) == pytest.approx(numbers, abs=1e-5)
    assert notes == ()


def test_a_mean_beyond_the_range_is_said() -> None:
    options = FeedOptions(mean=(5.0,), range=(0, 1))
    result, notes = choose_preprocessing(options, {}, TensorSpec("x", "float32", (1, 3, 8, 8)))
    assert result.normalise(PIXEL) == pytest.approx(PIXEL / 255 - 5, abs=1e-5)
    assert notes == (
        "the mean or std is greater than any number that --range makes, and is applied to these all the same",
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (FeedOptions(preset="vgg"), "preset 'vgg' is not known: it is one of imagenet, inception, caffe"),
        (FeedOptions(transform="sqrt"), "transform 'sqrt' is not known: it is one of none, log"),
        (FeedOptions(random=True, constant=1.0), "random and constant input exclude each other"),
        (FeedOptions(random=-1), "the seed of random input must not be negative: -1"),
        (
            FeedOptions(dims={"higth": 5}),
            "no input of the model has a size named 'higth': its symbols are height, N; near: `height`",
        ),
        (FeedOptions(dims={"N": -1}), "the size of 'N' must not be negative: -1"),
    ],
)
def test_options_that_cannot_be_honoured(options: FeedOptions, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_options(options, (TensorSpec("x", "float32", ("N", 3, "height", 5)),))
    assert text.replace("height, N", "N, height") in str(caught.value)


def test_the_seed_of_random_input() -> None:
    assert [FeedOptions(random=given).seed for given in (None, False, True, 0, 7)] == [None, None, 0, 0, 7]

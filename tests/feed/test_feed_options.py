from __future__ import annotations

import json

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
    assert choice(FeedOptions(), {}, "int8") == ("raw - 128", False)


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
        (FeedOptions(dims={"N": 0}), "the size of 'N' must be at least 1, not 0"),
    ],
)
def test_options_that_cannot_be_honoured(options: FeedOptions, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_options(options, (TensorSpec("x", "float32", ("N", 3, "height", 5)),))
    assert text.replace("height, N", "N, height") in str(caught.value)


def test_the_seed_of_random_input() -> None:
    assert [FeedOptions(random=given).seed for given in (None, False, True, 0, 7)] == [None, None, 0, 0, 7]

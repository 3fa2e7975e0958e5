from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnxviz.errors import UsageError
from onnxviz.feed.feed_options import FeedOptions
from tests.feed.feeding import feed, refusal, spec


def test_a_free_size_is_the_pictures_own(tmp_path: Path) -> None:
    path = tmp_path / "wide.png"
    Image.new("RGB", (150, 90)).save(path)
    (fed,) = feed(spec("N", 3, "h", "w"), path).fed
    assert fed.shape == (1, 3, 96, 160)
    assert fed.notes == (
        "the model takes any size: 96x160 is fed, the picture's own in multiples of 32 (--size HxW changes it)",
    )
    assert feed(spec("N", 3, "s", "s"), path).fed[0].shape == (1, 3, 96, 96)
    (line,) = feed(spec("N", 3, 48, None), path).fed
    assert line.shape == (1, 3, 48, 96)
    assert line.notes == (
        "the model takes any size: 48x96 is fed, the picture's aspect in multiples of 32 (--size HxW changes it)",
    )


def test_sizes_that_are_given(picture: Path) -> None:
    free = spec("N", 3, "h", "w")
    assert feed(free, picture, FeedOptions(preset="raw", size=(5, 7))).fed[0].shape == (1, 3, 5, 7)
    assert feed(free, picture, FeedOptions(preset="raw", dims={"h": 4, "w": 6, "N": 2})).fed[0].shape == (2, 3, 4, 6)
    ultralytics = {"imgsz": "[64, 32]", "stride": "32", "names": "{0: 'a'}"}
    (fed,) = feed(free, picture, FeedOptions(), **ultralytics).fed
    assert (fed.shape, fed.preset, fed.notes) == ((1, 3, 64, 32), "yolo", ())
    (fixed,) = feed(spec(1, 3, 8, 8), picture, FeedOptions(), **ultralytics).fed
    assert fixed.notes == ("the model takes 8x8: the 64x32 of its preprocessing is not used",)


def test_a_size_that_the_model_does_not_take(picture: Path) -> None:
    with pytest.raises(UsageError) as caught:
        feed(spec(1, 3, 8, 8), picture, FeedOptions(size=(5, 8)))
    assert str(caught.value) == "the size 5x8 cannot be fed: input 'x' takes 1x3x8x8"


def test_a_fixed_batch_repeats_the_picture(picture: Path) -> None:
    result = feed(spec(10, 3, 2, 2), picture)
    assert result.arrays["x"].shape == (10, 3, 2, 2)
    assert (result.arrays["x"] == result.arrays["x"][0]).all()
    assert result.notes == ("the model takes batches of 10: the one input is repeated, item 0 is shown",)


def test_one_symbol_of_two_inputs_may_have_two_sizes() -> None:
    inputs = [spec("N", 2, name="a"), spec("N", 3, name="b")]
    given = {"a": np.zeros((5, 2)), "b": np.zeros((4, 3))}
    fed = feed(inputs, given)
    assert {name: array.shape for name, array in fed.arrays.items()} == {"a": (5, 2), "b": (4, 3)}
    assert fed.notes[-1] == "b: the model calls two sizes 'N': 4 here and 5 in 'a'"
    asked = FeedOptions(dims={"N": 5})
    assert refusal(inputs, given, asked) == "input 'b' takes Nx3 with N=5, array has shape 4x3"
    assert feed(inputs, given, FeedOptions(dims={"a:N": 5})).arrays["b"].shape == (4, 3)


def test_a_size_that_is_asked_for_one_input_is_not_that_of_another() -> None:
    inputs = [spec("N", "h", name="a"), spec("N", "h", name="b")]
    made = feed(inputs, None, FeedOptions(constant=1, dims={"h": 4, "b:h": 7}))
    assert [array.shape for array in made.arrays.values()] == [(1, 4), (1, 7)]
    with pytest.raises(UsageError, match="no input of the model has a size named 'c:h': its symbols are N, h"):
        feed(inputs, None, FeedOptions(constant=1, dims={"c:h": 7}))

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnxviz.errors import UsageError
from onnxviz.feed.feed_options import FeedOptions
from tests.feed.feeding import SILERO, feed, refusal, spec


def test_a_sound_with_its_rate_and_a_state_of_zeros(sound: Path) -> None:
    result = feed(SILERO, sound, FeedOptions())
    assert result.arrays["input"].tolist() == [[0, 0.5, -0.5, 0]]
    assert result.arrays["sr"].item() == 16000
    assert result.arrays["sr"].shape == ()
    assert (result.arrays["state"].shape, result.arrays["state"].any()) == ((2, 1, 128), False)
    assert result.notes == (
        "input: 16000 Hz, 16 bit, 0.00 s; the rate is not changed",
        "state: nothing is given for it: zeros are fed (state=VALUE changes it)",
        "sr: 16000, the rate of the sound, is fed",
    )


def test_whole_numbers_are_never_guessed(tmp_path: Path) -> None:
    array = np.zeros((1, 4), np.float32)
    assert refusal(SILERO, array, FeedOptions()) == "nothing is given for input 'sr' (int64 scalar): give sr=NUMBER"
    lengths = [spec("B", "N", name="waves"), spec("B", dtype="int64", name="lengths")]
    assert refusal(lengths, array, FeedOptions()) == (
        "nothing is given for input 'lengths' (int64 B): give lengths=640 or lengths=FILE.npy"
    )
    assert feed(lengths, {"": array, "lengths": 4}, FeedOptions()).arrays["lengths"].tolist() == [4]


def test_random_input_is_said_loudly_and_is_the_same_again() -> None:
    inputs = spec("N", 3, "h", "w")
    first, again, other = (feed(inputs, None, FeedOptions(random=seed)) for seed in (True, 0, 1))
    assert (first.arrays["x"] == again.arrays["x"]).all()
    assert (first.arrays["x"] != other.arrays["x"]).any()
    (fed,) = first.fed
    assert (fed.shape, fed.source, first.stem) == ((1, 3, 224, 224), "random, seed 0", "random")
    assert fed.notes[0] == "ATTENTION: no input is given, random numbers are fed (seed 0)"
    assert fed.picture is not None


def test_constant_input() -> None:
    result = feed(spec(1, 3, 2, 2), None, FeedOptions(constant=0.5))
    assert (result.arrays["x"] == 0.5).all()
    assert result.notes == ("ATTENTION: no input is given, every number is 0.5",)
    assert result.fed[0].source == "constant 0.5"


def test_random_input_for_every_kind_of_input() -> None:
    result = feed([*SILERO, spec("batch", 3, dtype="int64", name="ids")], None, FeedOptions(random=2))
    assert {name: array.shape for name, array in result.arrays.items()} == {
        "input": (1, 16000),
        "state": (2, 1, 128),
        "sr": (),
        "ids": (1, 3),
    }
    assert result.arrays["sr"].item() == 16000
    assert set(np.unique(result.arrays["ids"])) <= {0, 1}


def test_sizes_that_are_guessed_are_said() -> None:
    (note,) = feed(spec("N", "time", 8), None, FeedOptions(random=True)).notes[1:]
    assert note == "sizes that the model leaves open are guessed: time=64 (--dim changes them)"
    assert len(feed(spec("N", "time", 8), None, FeedOptions(random=True, dims={"time": 5})).notes) == 1
    assert "time=64" in feed(spec("N", "time", 8), None, FeedOptions(constant=1)).notes[1]


def test_random_fills_what_is_not_given(picture: Path) -> None:
    inputs = [spec(1, 3, 2, 2), spec(1, 5, name="z")]
    result = feed(inputs, picture, FeedOptions(preset="raw", random=0))
    assert result.arrays["x"].max() == 12
    assert result.arrays["z"].any()
    with pytest.raises(UsageError) as caught:
        feed(inputs[:1], picture, FeedOptions(random=0))
    assert str(caught.value) == (
        "random and constant are for inputs that nothing is given for: every input is given here"
    )

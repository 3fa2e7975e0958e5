from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxviz.feed.feed_options import FeedOptions
from tests.feed.feeding import feed, refusal, spec, write_wav


@pytest.mark.parametrize(
    ("shape", "expected", "note"),
    [
        (("L",), [0, 0.5, -0.5, 0], None),
        ((1, 1, "L"), [[[0, 0.5, -0.5, 0]]], None),
        (("N", 4, 1), [[[0], [0.5], [-0.5], [0]]], None),
        ((1, 2), [[0, 0.5]], "the model takes 2 samples: the first of its 4 are fed"),
        ((1, 6), [[0, 0.5, -0.5, 0, 0, 0]], "6 samples are fed: zeros follow its 4"),
        ((1, 2, "L"), [[[0, 0.5, -0.5, 0]] * 2], "its one channel is fed twice"),
    ],
)
def test_shapes_of_sound(sound: Path, shape: tuple[Any, ...], expected: Any, note: str | None) -> None:
    result = feed(spec(*shape), sound, FeedOptions())
    assert result.arrays["x"].tolist() == expected
    assert result.notes[1:] == ((note,) if note else ())


def test_a_sound_that_no_input_takes(sound: Path) -> None:
    assert refusal(spec(1, 16, 96), sound) == f"{sound} has 1 channel of sound, the input takes 16"
    assert refusal(spec(1, 3, 4, 4), sound) == (
        f"{sound}: no input takes a sound, which is L, NxL or NxCxL of floats (inputs: 'x' (float32 1x3x4x4)); "
        "give an array of the input's shape (.npy)"
    )


def test_two_channels_for_a_model_of_one(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "s.wav", np.array([0, 16384], "<i2").tobytes(), width=2, channels=2)
    result = feed(spec("N", "L"), path, FeedOptions())
    assert result.arrays["x"].tolist() == [[0.25]]
    assert result.notes[1] == "the mean of its 2 channels is fed"

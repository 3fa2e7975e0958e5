from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from onnxviz.feed.feed_options import FeedOptions
from onnxviz.feed.preprocessing import PRESETS
from tests.feed.feeding import SILERO, feed, refusal, spec


def test_the_bundled_classifier_sees_an_egyptian_cat(bundled_model: Path, cat: Path) -> None:
    preset = PRESETS["efficientnet-lite"].to_json()
    result = feed(spec("N", 3, 224, 224, name="image"), cat, FeedOptions(), **{"onnxviz.preprocessing": preset})
    session = onnxruntime.InferenceSession(bundled_model, providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(["probabilities"], dict(result.arrays))
    assert int(probabilities[0].argmax()) == 285
    assert float(probabilities[0, 285]) == pytest.approx(0.798, abs=0.005)
    (fed,) = result.fed
    assert fed.describe() == (
        f"image  1x3x224x224 float32 NCHW  -0.992..0.672 mean -0.091  preset efficientnet-lite  from {cat}"
    )
    assert (fed.notes, result.stem) == ((), "cat")
    assert fed.picture is not None
    assert fed.picture.shape == (224, 224, 3)
    assert fed.geometry is not None
    assert fed.geometry.picture == (300, 451)


def test_npz_by_input_name(tmp_path: Path) -> None:
    inputs = [spec("N", 2, name="a"), spec("N", 3, name="b")]
    np.savez(tmp_path / "both.npz", b=np.ones((5, 3), np.float32), a=np.zeros((5, 2), np.float32))
    result = feed(inputs, tmp_path / "both.npz", FeedOptions())
    assert {name: array.shape for name, array in result.arrays.items()} == {"a": (5, 2), "b": (5, 3)}
    np.savez(tmp_path / "other.npz", a=np.zeros((1, 2)), c=np.zeros((1, 2)))
    assert refusal(inputs, tmp_path / "other.npz") == (
        "the model has no input 'c'; its inputs are 'a' (float32 Nx2), 'b' (float32 Nx3)"
    )
    np.savez(tmp_path / "one.npz", anything=np.zeros((1, 2), np.float32))
    assert feed(inputs[:1], tmp_path / "one.npz", FeedOptions()).fed[0].shape == (1, 2)


def test_numbers_by_name(sound: Path) -> None:
    result = feed(SILERO, {"": sound, "sr": "8000"}, FeedOptions())
    assert result.arrays["sr"].item() == 8000
    assert result.stem == "s"
    assert feed([spec("N", 3, name="v")], {"v": "1,2,3"}, FeedOptions()).arrays["v"].tolist() == [[1, 2, 3]]
    flag = feed([spec("N", 3), spec(dtype="bool", name="on")], {"x": np.zeros((1, 3)), "on": "true"}, FeedOptions())
    assert flag.arrays["on"].item() is True


def test_nothing_is_given() -> None:
    expected = (
        "nothing is given for input 'x': give a picture, an array (.npy), a matrix (.csv) or a sound (.wav), "
        "or ask for noise: --random (in Python FeedOptions(random=True))"
    )
    assert refusal(spec(1, 3, 2, 2), None, FeedOptions()) == expected
    assert refusal([spec(1, 5), spec(dtype="int64", name="sr")], {"sr": 5}, FeedOptions()) == expected

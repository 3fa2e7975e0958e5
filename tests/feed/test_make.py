from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from onnxviz.errors import InputError
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.feed.preprocessing import PRESETS
from onnxviz.layout import InputUse, TensorSpec
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


def unneeded(one: TensorSpec) -> TensorSpec:
    return replace(one, use=InputUse(is_needed=False))


def test_what_the_run_does_not_need_is_not_asked_for(picture: Path) -> None:
    inputs = [
        spec(1, 3, 2, 2),
        unneeded(spec("N", 2, dtype="int64", name="size")),
        unneeded(spec(1, 3, 2, 2, name="z")),
    ]
    result = feed(inputs, picture)
    assert (list(result.arrays), result.notes) == (["x"], ())
    given = feed(inputs, {"": picture, "size": "1,2"})
    assert list(given.arrays) == ["x"]
    assert given.notes == ("nothing that is chosen needs 'size': what is given for it is not used",)
    # A picture goes to the input that needs one, whichever comes first.
    assert list(feed(inputs[::-1], picture).arrays) == ["x"]
    with pytest.raises(InputError, match="the model has no input 'sizes'"):
        feed(inputs, {"": picture, "sizes": 1})


def test_nothing_is_needed() -> None:
    result = feed([unneeded(spec(1, 3, 2, 2))], None)
    assert (result.arrays, result.fed, result.notes) == ({}, (), ())


TEXT = [spec(1, 3, 2, 2), spec("N", dtype="object", name="t"), spec("N", 1, dtype="object", name="column")]


def test_texts_by_name(picture: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "t.npy", np.array(["hello", "you"]))
    (tmp_path / "t.txt").write_text("hello\nyou\n", encoding="utf-8")
    for given, column in (
        (tmp_path / "t.npy", str(tmp_path / "t.txt")),
        (["hello", "you"], np.array(["hello", "you"])),
    ):
        made = feed(TEXT, {"": picture, "t": given, "column": column}).arrays
        assert (made["t"].tolist(), made["column"].tolist()) == (["hello", "you"], [["hello"], ["you"]])
    result = feed(TEXT, {"": picture, "t": "480,640 = a, text", "column": "b"})
    assert (result.arrays["t"].tolist(), result.arrays["column"].tolist()) == (["480,640 = a, text"], [["b"]])
    described = result.fed[1]
    assert (described.dtype, described.describe()) == ("text", "t  1 text  from '480,640 = a, text'")
    assert described.as_json()["min"] is None
    assert refusal(TEXT, {"": picture, "t": tmp_path / "t.txt", "column": 3}) == "array is int64, the input takes text"
    assert refusal(TEXT, {"": picture, "t": str(tmp_path / "no.txt"), "column": "b"}).endswith("there is no such file")


def test_a_file_of_text_goes_to_the_input_for_text(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("hello", encoding="utf-8")
    assert feed([spec(1, 5), spec("N", dtype="object", name="t")], tmp_path / "t.txt").arrays["t"].tolist() == ["hello"]
    said = refusal(spec(1, 5), tmp_path / "t.txt")
    assert said == f"{tmp_path / 't.txt'}: no input takes text (inputs: 'x' (float32 1x5))"

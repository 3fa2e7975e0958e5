from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxviz.errors import UsageError
from onnxviz.feed import synthetic
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.layout import InputUse, TensorSpec
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


@pytest.mark.parametrize(
    "options", [{"preset": "imagenet"}, {"mean": (0.5,)}, {"size": (32, 32)}, {"channel_order": "bgr"}]
)
def test_options_of_preprocessing_that_nothing_is_prepared_with_are_said(options: dict[str, Any]) -> None:
    note = "no picture is fed, and preprocessing is for pictures: its options are not used"
    vector, picture = spec(1, 7), spec(1, 3, "H", "W", name="p")
    assert feed(vector, None, FeedOptions(random=0, **options)).notes[-1] == note
    assert feed([vector, spec(1, 5, name="z")], None, FeedOptions(random=0, **options)).fed[0].notes[-1] == note
    grey = feed(picture, None, FeedOptions(constant=1, **options))
    assert (note in grey.notes) == ("size" not in options)
    assert grey.arrays["p"].shape[2:] == options.get("size", (224, 224))
    for fed in (
        feed([vector, picture], None, FeedOptions(random=0, **options)),
        feed(vector, None, FeedOptions(random=0)),
        feed(vector, np.zeros((1, 7)), FeedOptions(**options)),
    ):
        assert note not in " ".join(fed.notes)


def ids(name: str, rows: int | None = None, dtype: str = "int64") -> TensorSpec:
    return TensorSpec(name, dtype, (2, 500), use=InputUse(rows=rows))


def test_whole_numbers_are_what_their_names_and_tables_say() -> None:
    inputs = [
        ids("input_ids", 5000),
        ids("token_type_ids", 2),
        ids("attention_mask"),
        ids("position_ids", 300),
        ids("k"),
    ]
    made = feed(inputs, None, FeedOptions(random=0)).arrays
    assert made["input_ids"].min() >= 0
    assert 4000 < made["input_ids"].max() < 5000
    assert np.unique(made["token_type_ids"]).tolist() == [0, 1]
    assert (made["attention_mask"] == 1).all()
    assert made["position_ids"].tolist() == [[*range(300), *range(200)]] * 2
    assert np.unique(made["k"]).tolist() == [0, 1]
    assert feed(ids("mask", dtype="bool"), None, FeedOptions(random=0)).arrays["mask"].all()


DETECTOR = [
    spec("B", 2, name="im_shape"),
    spec("B", 3, 4, 8, name="image"),
    spec("B", 2, name="scale_factor"),
    spec("B", 2, dtype="int64", name="orig_target_sizes"),
]


def test_detectors_are_told_the_size_of_the_picture(picture: Path) -> None:
    """It is 2x2 pixels, and 4x8 are fed."""
    result = feed(DETECTOR, picture)
    assert {name: result.arrays[name].tolist() for name in ("im_shape", "scale_factor", "orig_target_sizes")} == {
        "im_shape": [[4, 8]],
        "scale_factor": [[1, 1]],
        "orig_target_sizes": [[2, 2]],
    }
    assert result.fed[0].notes == (
        "it is the height and width of the picture as it is fed (im_shape=VALUE changes it)",
    )
    assert feed(DETECTOR, {"": picture, "scale_factor": 2}).arrays["scale_factor"].tolist() == [[2, 2]]
    assert feed(DETECTOR, None, FeedOptions(random=0)).arrays["im_shape"].tolist() == [[4, 8]]


@pytest.mark.parametrize(
    ("needed", "way"),
    [
        (spec("N", dtype="object", name="t"), "(text N): give t=TEXT, t=FILE.txt or t=FILE.npy"),
        (spec("N", 2, dtype="int64", name="t"), "(int64 Nx2): give t=480,640 or t=FILE.npy"),
        (spec("N", 9, dtype="int32", name="t"), "(int32 Nx9): give t=640 or t=FILE.npy"),
        (
            spec("N", "total", dtype="int64", name="attention_mask"),
            "(int64 N x total): give attention_mask=1 or attention_mask=FILE.npy, or leave it to --random",
        ),
        (
            spec("N", 3, dtype="int64", name="position_ids"),
            "(int64 Nx3): give position_ids=0,1,2 or position_ids=FILE.npy, or leave it to --random",
        ),
        (
            TensorSpec("position_ids", "int64", ("N", 3), use=InputUse(rows=2)),
            "(int64 Nx3): give position_ids=0,1,0 (below 2) or position_ids=FILE.npy, or leave it to --random",
        ),
        (spec("N", 900, dtype="int64", name="positions"), "(int64 Nx900): give positions=0 or positions=FILE.npy, or"),
        (
            TensorSpec("ids", "int64", ("N", 9), use=InputUse(rows=50)),
            "(int64 Nx9): give ids=1 (below 50) or ids=FILE.npy, or leave it to --random",
        ),
        (spec(dtype="int64", name="t"), "(int64 scalar): give t=NUMBER"),
        (TensorSpec("t", "float32"), "(float32 ?): give t=FILE.npy"),
        (TensorSpec("t", use=InputUse("optional")), "(optional): give t=FILE.npy"),
        (TensorSpec("t", use=InputUse("sequence")), "(sequence): it cannot be fed; layers that do not need it can be"),
        (spec(2, dtype="complex64", name="t"), "(complex64 2): it cannot be fed; layers that do not need it can be"),
    ],
)
def test_how_an_input_is_given(picture: Path, needed: TensorSpec, way: str) -> None:
    said = refusal([spec(1, 3, 2, 2), needed], picture)
    assert said.startswith(f"nothing is given for input {needed.name!r} {way}")


def test_places_are_counted_as_far_as_the_ids_beside_them() -> None:
    inputs = [spec("N", "L", dtype="int64", name="ids"), spec("N", "L", dtype="int64", name="position_ids")]
    said = refusal(inputs, {"ids": "7,8,9"}, FeedOptions())
    assert "give position_ids=0,1,2 or" in said
    fed = feed(inputs, {"ids": "7,8,9", "position_ids": "0,1,2"}, FeedOptions()).arrays
    assert fed["position_ids"].tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("text", ["t=480,640", "t=640", "t=file.npy"])
def test_what_is_said_to_be_given_is_taken(picture: Path, tmp_path: Path, text: str) -> None:
    np.save(tmp_path / "file.npy", np.array([[3, 4]]))
    value = text[2:].replace("file", str(tmp_path / "file"))
    made = feed([spec(1, 3, 2, 2), spec("N", 2, dtype="int64", name="t")], {"": picture, "t": value}).arrays["t"]
    assert made.tolist() == {"t=480,640": [[480, 640]], "t=640": [[640, 640]], "t=file.npy": [[3, 4]]}[text]


def test_noise_is_the_same_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = feed(spec(1, 1000), None, FeedOptions(random=3)).arrays["x"]
    monkeypatch.setattr(synthetic, "_BLOCK", 64)
    assert (feed(spec(1, 1000), None, FeedOptions(random=3)).arrays["x"] == whole).all()

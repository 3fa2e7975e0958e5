from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from onnxviz.errors import InputError, UsageError
from onnxviz.feed.feed import Feed
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.feed.input_shapes import picture_input, picture_layout
from onnxviz.feed.make import make_feed
from onnxviz.feed.preprocessing import PRESETS
from onnxviz.layout import TensorSpec
from tests.feed.test_sounds import write_wav

RAW = FeedOptions(preset="raw")
COLOURS = np.array([[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]], np.uint8)


def spec(*shape: Any, dtype: str = "float32", name: str = "x") -> TensorSpec:
    return TensorSpec(name, dtype, shape)


def feed(inputs: TensorSpec | list[TensorSpec], source: Any, options: FeedOptions = RAW, **metadata: str) -> Feed:
    return make_feed(inputs if isinstance(inputs, list) else [inputs], source, options, metadata)


def refusal(inputs: TensorSpec | list[TensorSpec], source: Any, options: FeedOptions = RAW) -> str:
    with pytest.raises(InputError) as caught:
        feed(inputs, source, options)
    return str(caught.value)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "four.png"
    Image.fromarray(COLOURS).save(path)
    return path


# The bundled model


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


# Pictures


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((1, 3, 2, 2), "NCHW"),
        (("N", 3, "h", "w"), "NCHW"),
        ((1, 2, 2, 3), "NHWC"),
        ((None, 3, 2, 3), "NCHW"),
        ((1, 1, 4, 3), "NHWC"),
        ((1, 4, 4, 3), "NHWC"),
        ((1, 1, 28, 28), "NCHW"),
        ((1, 76, 32, 1), "NHWC"),
        ((-1, 3, None, None), "NCHW"),
        ((None, None, None, None), "NCHW"),
        ((None, 224, 224, None), "NCHW"),
        ((1, None, 224, None), "NHWC"),
        ((3, 5, 5), "CHW"),
        ((5, 5, 4), "HWC"),
        (("h", "w", 3), "HWC"),
        (("N", 1024, 3), None),
        ((1, 16, 96), "CHW"),
        (("N", 43844, 1), None),
        ((3, 1, 512), None),
        ((3, "batch", 512), None),
        ((1, 1, 512), None),
        (("h", "w", 1), None),
        (("N", 13, 5, 5), None),
        (("N", 7), None),
        ((), None),
    ],
)
def test_where_the_channels_are(shape: tuple[Any, ...], layout: str | None) -> None:
    expected = None if shape == (None, 224, 224, None) else layout
    assert picture_layout(TensorSpec("x", "float32", shape)) == expected


def test_the_input_of_rank_4_is_the_picture() -> None:
    inputs = [spec(3, 4, 4, name="small"), spec(1, 3, 4, 4, name="big"), spec(1, name="number")]
    chosen = picture_input(inputs)
    assert chosen is not None
    assert chosen.name == "big"
    assert picture_input([spec(1, name="number")]) is None


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


def test_several_pictures_are_one_batch(picture: Path) -> None:
    result = feed(spec("N", 3, 2, 2), [picture, Image.fromarray(COLOURS[::-1])])
    assert result.arrays["x"][1, :, 0, 0].tolist() == [7, 8, 9]
    assert result.fed[0].source == f"{picture} and 1 more"
    assert refusal(spec(1, 3, 2, 2), [picture, picture]) == (f"input 'x' takes 1x3x2x2, {picture} has shape 2x3x2x2")
    assert refusal(spec(3, 2, 2), [picture, picture]) == (
        f"{picture}: the input has no batch axis (CHW), 2 pictures do not fit"
    )


def test_letterbox_pads_and_the_picture_shows_it(picture: Path) -> None:
    options = FeedOptions(preset="raw", resize="letterbox", filter="nearest")
    (fed,) = feed(spec(1, 3, 2, 4), picture, options).fed
    assert fed.picture is not None
    assert fed.picture[0].tolist() == [[114] * 3, [1, 2, 3], [4, 5, 6], [114] * 3]
    assert fed.geometry is not None
    assert fed.geometry.to_picture(0, 1) == (0, 0)
    assert fed.preset == "raw (resize, filter changed)"


def test_no_input_for_a_picture(picture: Path) -> None:
    way = "which has 1, 3 or 4 channels (inputs: 'x' (float32 1x13x5x5)); give an array of the input's shape (.npy)"
    assert refusal(spec(1, 13, 5, 5), picture) == f"{picture}: no input takes a picture, {way}"
    assert refusal(spec(1, 13, 5, 5), {"x": picture}) == f"{picture}: no input takes a picture, {way}"


def test_a_dtype_that_numpy_lacks(picture: Path) -> None:
    assert refusal(spec(1, 3, 2, 2, dtype="bfloat16"), picture) == (
        "the input is of dtype bfloat16, which numpy does not have as a number: it cannot be fed"
    )


def test_the_transform_is_not_for_pictures(picture: Path) -> None:
    assert refusal(spec(1, 3, 2, 2), picture, FeedOptions(transform="log")) == (
        f"{picture}: the transform log is for matrices (.csv, .tsv), not for pictures"
    )


# Arrays


def test_an_array_is_fed_as_it_is(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    np.save(tmp_path / "a.npy", array)
    result = feed(spec(1, 3, 2, 2), tmp_path / "a.npy", FeedOptions())
    assert (result.arrays["x"] == array).all()
    (fed,) = result.fed
    assert (fed.notes, fed.preset, fed.layout, fed.min, fed.max, fed.mean) == ((), "none", "NCHW", 0, 11, 5.5)
    assert fed.describe() == f"x  1x3x2x2 float32 NCHW  0..11 mean 5.5  from {tmp_path / 'a.npy'}"
    assert fed.picture is not None
    assert fed.picture[1, 1].tolist() == [70, 162, 255]


def test_the_callers_array_is_never_shared() -> None:
    array = np.zeros((1, 3, 2, 2), np.float32)
    feed(spec(1, 3, 2, 2), array, FeedOptions()).arrays["x"][:] = 1
    assert not array.any()


def test_an_array_gets_a_batch_axis_a_dtype_and_a_batch() -> None:
    result = feed(spec(2, 13, 1, 1), np.arange(13).reshape(13, 1, 1), FeedOptions())
    assert result.arrays["x"].shape == (2, 13, 1, 1)
    assert result.notes == (
        "a batch axis is put before its shape 13x1x1",
        "the model takes batches of 2: the one input is repeated, item 0 is shown",
        "int64 is fed as float32",
    )


def test_preprocessing_that_is_asked_for_makes_an_array_a_picture() -> None:
    expected = feed(spec(1, 3, 4, 4), Image.fromarray(COLOURS)).arrays["x"]
    for array in (COLOURS, COLOURS.transpose(2, 0, 1), COLOURS[None]):
        assert (feed(spec(1, 3, 4, 4), array).arrays["x"] == expected).all()


def test_an_array_that_does_not_fit() -> None:
    assert refusal(spec(1, 3, 4, 4), np.zeros((1, 3, 4, 5)), FeedOptions()) == (
        "input 'x' takes 1x3x4x4, array has shape 1x3x4x5; an array is fed as it is: "
        "a preset, such as imagenet, has it prepared as a picture"
    )
    assert refusal(spec("N", 7), np.zeros((1, 2, 3)), FeedOptions()) == "input 'x' takes Nx7, array has shape 1x2x3"


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


def test_sizes_of_one_symbol_must_agree() -> None:
    inputs = [spec("N", 2, name="a"), spec("N", 3, name="b")]
    assert refusal(inputs, {"a": np.zeros((5, 2)), "b": np.zeros((4, 3))}) == (
        "input 'b' takes Nx3 with N=5, array has shape 4x3"
    )


def test_numbers_that_are_not_finite_are_counted() -> None:
    (fed,) = feed(spec(4), np.array([1, np.nan, np.inf, 3], np.float32), FeedOptions()).fed
    assert (fed.min, fed.max, fed.mean) == (1, 3, 2)
    assert fed.notes == ("2 of its 4 numbers are NaN or infinite",)


def test_lists_and_what_is_no_source() -> None:
    assert feed(spec("N", 2), [[1, 2], [3, 4]], FeedOptions()).arrays["x"].tolist() == [[1, 2], [3, 4]]
    assert feed(spec("N", 2), [np.zeros(2), np.ones(2)], FeedOptions()).arrays["x"].tolist() == [[0, 0], [1, 1]]
    assert refusal(spec(1), object()) == (
        "object cannot be fed: give a path, a picture, an array, a list of these or a mapping by input"
    )
    assert refusal(spec(1), [[1, 2], [3]]).startswith("the list cannot be fed: ")


# Matrices


def test_a_matrix_becomes_a_grey_picture(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("0,1\n1,0\n")
    (fed,) = feed(spec(1, 3, 2, 2), path, FeedOptions(preset="imagenet", mean=(0.0,), std=(1.0,))).fed
    assert fed.notes == ("0..1 is fed as black to white",)
    assert fed.picture is not None
    assert fed.picture[..., 0].tolist() == [[0, 255], [255, 0]]
    assert (fed.min, fed.max) == (0, 1)


def test_a_matrix_is_never_cropped_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("\n".join(["0,1,0,0"] * 4))
    options = {"preset": "imagenet", "filter": "nearest"}
    whole = feed(spec(1, 1, 4, 4), path, FeedOptions(**options)).fed[0]
    assert whole.geometry is not None
    assert whole.geometry.scale == (1, 1)
    cropped = feed(spec(1, 1, 4, 4), path, FeedOptions(resize="crop", **options)).fed[0]
    assert cropped.geometry is not None
    assert cropped.geometry.scale == (0.875, 0.875)


def test_the_connectome_with_log(bundled_model: Path) -> None:
    path = bundled_model.parent / "connectome_aal2_80.csv"
    plain, log = (
        feed(spec(1, 3, 224, 224), path, FeedOptions(preset="zero-one", transform=transform)).fed[0]
        for transform in ("none", "log")
    )
    assert plain.mean < 0.03
    assert log.mean > 0.15
    assert log.notes[0] == "transform log: sign(v) * log10(1 + |v| / median)"


def test_a_matrix_for_an_input_that_is_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("1,2,3\n4,5,6\n")
    assert feed(spec("N", 3), path).arrays["x"].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert feed(spec("N", 2, 3), path).arrays["x"].shape == (1, 2, 3)


# Sounds, numbers and states

SILERO = [
    spec("batch", "sequence", name="input"),
    spec(2, "batch", 128, name="state"),
    spec(dtype="int64", name="sr"),
]


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "s.wav", np.array([0, 16384, -16384, 0], "<i2").tobytes(), width=2)


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


def test_numbers_by_name(sound: Path) -> None:
    result = feed(SILERO, {"": sound, "sr": "8000"}, FeedOptions())
    assert result.arrays["sr"].item() == 8000
    assert result.stem == "s"
    assert feed([spec("N", 3, name="v")], {"v": "1,2,3"}, FeedOptions()).arrays["v"].tolist() == [[1, 2, 3]]
    flag = feed([spec("N", 3), spec(dtype="bool", name="on")], {"x": np.zeros((1, 3)), "on": "true"}, FeedOptions())
    assert flag.arrays["on"].item() is True


def test_whole_numbers_are_never_guessed(tmp_path: Path) -> None:
    array = np.zeros((1, 4), np.float32)
    assert refusal(SILERO, array, FeedOptions()) == "input 'sr' (int64 scalar) is given nothing: give sr=NUMBER"
    lengths = [spec("B", "N", name="waves"), spec("B", dtype="int64", name="lengths")]
    assert refusal(lengths, array, FeedOptions()) == (
        "input 'lengths' (int64 B) is given nothing: give lengths=FILE.npy"
    )
    assert feed(lengths, {"": array, "lengths": 4}, FeedOptions()).arrays["lengths"].tolist() == [4]


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


def test_a_batch_of_sounds_has_the_length_of_the_longest(sound: Path, tmp_path: Path) -> None:
    short = write_wav(tmp_path / "short.wav", np.array([8192], "<i2").tobytes(), width=2)
    result = feed(spec("N", "L"), [sound, short], FeedOptions())
    assert result.arrays["x"].tolist() == [[0, 0.5, -0.5, 0], [0.25, 0, 0, 0]]
    assert result.notes[1:] == ("4 samples are fed: zeros follow its 1",)
    assert result.fed[0].source == f"{sound} and 1 more"
    both = feed(spec("N", "L", 1), [short, short], FeedOptions())
    assert both.arrays["x"].tolist() == [[[0.25]], [[0.25]]]


def test_sounds_that_are_no_batch(sound: Path, tmp_path: Path) -> None:
    fast = write_wav(tmp_path / "fast.wav", bytes(8), width=2, rate=44100)
    assert refusal(spec("N", "L"), [sound, fast]) == "the sounds of a batch must have one rate, not 16000, 44100 Hz"
    assert refusal(spec("L"), [sound, sound]) == f"{sound}: the input has no batch axis (L), 2 sounds do not fit"
    both = write_wav(tmp_path / "both.wav", bytes(8), width=2, channels=2)
    expected = "the sounds of a batch must have one number of channels"
    assert refusal(spec("N", "C", "L"), [sound, both]) == expected
    assert refusal(spec("N", "L"), [sound, np.zeros(4, np.float32)]) == "a batch must hold sounds alone or arrays alone"


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


# Made input


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


def test_nothing_is_given() -> None:
    expected = (
        "nothing is given for input 'x': give a picture, an array (.npy), a matrix (.csv) or a sound (.wav), "
        "or ask for noise: --random (in Python FeedOptions(random=True))"
    )
    assert refusal(spec(1, 3, 2, 2), None, FeedOptions()) == expected
    assert refusal([spec(1, 5), spec(dtype="int64", name="sr")], {"sr": 5}, FeedOptions()) == expected


# Standard input


class Pipe(io.BytesIO):
    terminal = False

    def isatty(self) -> bool:
        return self.terminal


def piped(monkeypatch: pytest.MonkeyPatch, data: bytes, *, terminal: bool = False) -> None:
    pipe = Pipe(data)
    pipe.terminal = terminal
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(pipe))


def test_standard_input(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    piped(monkeypatch, picture.read_bytes())
    result = feed(spec(1, 2, 2, 3), "-")
    assert result.arrays["x"][0].tolist() == COLOURS.tolist()
    assert (result.stem, result.fed[0].source) == ("stdin", "standard input")
    stream = io.BytesIO()
    np.save(stream, np.ones((1, 2, 2, 3), np.float32))
    piped(monkeypatch, stream.getvalue())
    assert feed(spec(1, 2, 2, 3), "-", FeedOptions()).arrays["x"].sum() == 12


def test_standard_input_without_anything(monkeypatch: pytest.MonkeyPatch) -> None:
    what = "'-' stands for a picture or .npy file from a pipe"
    piped(monkeypatch, b"")
    assert refusal(spec(1, 2, 2, 3), "-") == f"standard input is empty: {what}"
    piped(monkeypatch, b"", terminal=True)
    assert refusal(spec(1, 2, 2, 3), "-") == f"nothing is piped into standard input: {what}"


# What is said


def test_a_name_with_control_characters_is_escaped() -> None:
    (fed,) = feed(spec(1, name="a\x1b[31m\n"), np.ones(1, np.float32), FeedOptions()).fed
    assert fed.describe() == "a\\x1b[31m\\n  1 float32  1..1 mean 1  from array"

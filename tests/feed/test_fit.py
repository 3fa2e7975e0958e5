from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401  as onnx does, which adds bfloat16 to numpy
import numpy as np
import pytest
from PIL import Image

from onnxviz.feed.feed_options import FeedOptions
from onnxviz.layout import InputUse, TensorSpec
from tests.feed.feeding import COLOURS, feed, refusal, spec


def test_the_transform_is_not_for_pictures(picture: Path) -> None:
    assert refusal(spec(1, 3, 2, 2), picture, FeedOptions(transform="log")) == (
        f"{picture}: the transform log is for matrices (.csv, .tsv), not for pictures"
    )


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


@pytest.mark.parametrize(
    ("wanted", "shape", "fed", "note"),
    [
        (("N", 1, 2, 3, 4), (2, 3, 4), (1, 1, 2, 3, 4), "2 axes of size 1 are put before its shape 2x3x4"),
        ((1, 1, 2, 3), (2, 3), (1, 1, 2, 3), "2 axes of size 1 are put before its shape 2x3"),
        (("N", 2, 2, 3, 4), (2, 2, 3, 4), (1, 2, 2, 3, 4), "a batch axis is put before its shape 2x2x3x4"),
    ],
)
def test_axes_that_are_missing_alone(wanted: Any, shape: Any, fed: Any, note: str) -> None:
    array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    result = feed(spec(*wanted), array, FeedOptions())
    assert result.arrays["x"].tolist() == array.reshape(fed).tolist()
    assert result.notes == (note,)


def test_axes_that_cannot_be_told_are_named() -> None:
    assert refusal(spec("N", 2, "D", "H", "W"), np.zeros((3, 4, 5)), FeedOptions()) == (
        "input 'x' takes Nx2xDxHxW, array has shape 3x4x5; give it all of its axes, such as 1x2x3x4x5"
    )
    assert "give it all of its axes, such as 1x1x3x4x5" in refusal(
        spec("N", "C", "D", "H", "W"), np.zeros((3, 4, 5)), FeedOptions()
    )


def test_types_that_cannot_be_fed() -> None:
    one = TensorSpec("x", use=InputUse("sequence"))
    assert refusal(one, {"x": np.zeros(2)}) == "input 'x' is of type sequence, which cannot be fed"
    two = np.ones(2, np.float32)
    assert feed(TensorSpec("x", use=InputUse("optional")), {"x": two}).arrays["x"].tolist() == [1, 1]


def test_floats_become_bfloat16() -> None:
    made = feed(spec(1, 3, dtype="bfloat16"), np.array([[1.0, 0.1, -3e38]]), FeedOptions())
    # 8 bits of mantissa: 0.1 is 0x3dcd.
    assert made.arrays["x"].view(np.uint16).tolist() == [[0x3F80, 0x3DCD, 0xFF62]]
    assert made.notes == ("float64 is fed as bfloat16",)
    assert made.fed[0].max == 1


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_narrow_floats_are_fed_as_they_are_or_as_wider_ones(name: str) -> None:
    array = np.array([[1.0, -0.5, 2.0]], name)
    same = feed(spec(1, 3, dtype=name), array, FeedOptions())
    assert same.arrays["x"].dtype == np.dtype(name) and same.fed[0].max == 2
    wider = feed(spec(1, 3), array, FeedOptions())
    assert wider.arrays["x"].dtype == np.float32 and wider.arrays["x"].tolist() == [[1.0, -0.5, 2.0]]


def test_preprocessing_that_is_asked_for_makes_an_array_a_picture() -> None:
    expected = feed(spec(1, 3, 4, 4), Image.fromarray(COLOURS)).arrays["x"]
    for array in (COLOURS, COLOURS.transpose(2, 0, 1), COLOURS[None]):
        assert (feed(spec(1, 3, 4, 4), array).arrays["x"] == expected).all()


def test_an_array_that_does_not_fit() -> None:
    assert refusal(spec(1, 3, 4, 4), np.zeros((1, 3, 4, 5)), FeedOptions()) == (
        "input 'x' takes 1x3x4x4, array has shape 1x3x4x5; an array is fed as it is, "
        "unless a preset, such as imagenet, has it prepared as a picture"
    )
    assert refusal(spec("N", 7), np.zeros((1, 2, 3)), FeedOptions()) == "input 'x' takes Nx7, array has shape 1x2x3"


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
    array = np.array([[0, 1, 0, 0]] * 4)
    logged = feed(spec(1, 1, 4, 4), array, FeedOptions(transform="log", **options)).fed[0]
    assert logged.geometry is not None
    assert logged.geometry.scale == (1, 1)


def test_the_connectome_with_log(bundled_model: Path) -> None:
    path = bundled_model.parent / "connectome_aal2_80.csv"
    plain, log = (
        feed(spec(1, 3, 224, 224), path, FeedOptions(preset="zero-one", transform=transform)).fed[0]
        for transform in ("none", "log")
    )
    assert plain.mean < 0.03
    assert log.mean > 0.15
    assert log.notes[0] == "transform log: sign(v) * log10(1 + |v| / median)"


def test_a_matrix_for_an_input_that_does_not_take_pictures(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("1,2,3\n4,5,6\n")
    assert feed(spec("N", 3), path).arrays["x"].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert feed(spec("N", 2, 3), path).arrays["x"].shape == (1, 2, 3)

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from onnxviz.feed.feed_options import FeedOptions
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

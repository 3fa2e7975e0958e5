"""Pictures that are decoded smaller, against Pillow's decoder by hand and against the same pictures decoded whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from onnxviz import bundled
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.feed.make import FeedMaker
from tests.feed.feeding import feed, spec

CAT = Image.open(bundled.picture("cat")).convert("RGB").resize((640, 480))
DRAFT = FeedOptions(preset="raw", draft=True)
WHOLE = FeedOptions(preset="raw")


def saved(folder: Path, name: str, image: Image.Image, **given: object) -> Path:
    image.save(folder / name, **given)
    return folder / name


def test_a_jpeg_is_decoded_as_small_as_it_is_needed(tmp_path: Path) -> None:
    path = saved(tmp_path, "cat.jpg", CAT, quality=95)
    found = feed(spec(1, 60, 80, 3), path, DRAFT)
    by_hand = Image.open(path)
    by_hand.draft("RGB", (160, 120))
    assert by_hand.size == (160, 120)
    expected = np.array(by_hand.resize((80, 60), Image.Resampling.BILINEAR))
    assert found.arrays["x"][0].tolist() == expected.tolist()
    assert found.fed[0].notes == ("decoded at 1/4 of its size (--draft): numbers differ a little",)
    whole = feed(spec(1, 60, 80, 3), path, WHOLE)
    assert found.fed[0].geometry == whole.fed[0].geometry
    difference = np.abs(found.arrays["x"] - whole.arrays["x"])
    assert 0 < difference.mean() < 1.5
    (alone,) = FeedMaker((spec(1, 60, 80, 3),), DRAFT, {}).arrays({"x": str(path)}).values()
    assert alone.tolist() == found.arrays["x"].tolist()
    (alone,) = FeedMaker((spec(1, 60, 80, 3),), DRAFT, {}).arrays({"": path}).values()
    assert alone.tolist() == found.arrays["x"].tolist()


@pytest.mark.parametrize("resize", ["crop", "letterbox", "squash"])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_the_same_part_of_the_picture_is_fed(tmp_path: Path, resize: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, "cat.jpg", CAT, quality=95, exif=exif)
    given = spec(1, 3, 64, 56)
    options = {"preset": "raw", "resize": resize}
    found, whole = (feed(given, path, FeedOptions(**options, draft=draft)) for draft in (True, False))
    assert found.fed[0].geometry == whole.fed[0].geometry
    assert found.fed[0].notes != whole.fed[0].notes
    assert np.abs(found.arrays["x"] - whole.arrays["x"]).mean() < 2
    assert np.array(ImageOps.exif_transpose(Image.open(path))).shape[:2] == found.fed[0].geometry.picture


def test_others_are_decoded_whole(tmp_path: Path) -> None:
    for path, given in (
        (saved(tmp_path, "cat.png", CAT), spec(1, 3, 60, 80)),
        (saved(tmp_path, "cat.jpg", CAT), spec(1, 3, 300, 400)),
        (saved(tmp_path, "open.jpg", CAT), spec(1, 3, "height", "width")),
        (saved(tmp_path, "dot.jpg", CAT.resize((3, 2))), spec(1, 3, 60, 80)),
    ):
        found, whole = (feed(given, path, options).arrays["x"] for options in (DRAFT, WHOLE))
        assert found.tolist() == whole.tolist()


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_kind_of_jpeg(tmp_path: Path, mode: str, channels: int) -> None:
    path = saved(tmp_path, "cat.jpg", CAT.convert(mode), quality=95)
    given = spec(1, 30, 40, channels)
    found, whole = (feed(given, path, options) for options in (DRAFT, WHOLE))
    assert any("1/8" in note for note in found.fed[0].notes)
    assert np.abs(found.arrays["x"] - whole.arrays["x"]).mean() < 2


def test_pictures_are_fed_bit_for_bit_as_their_pixels(tmp_path: Path) -> None:
    for image in (CAT, CAT.convert("L"), CAT.convert("P"), CAT.convert("RGBA"), CAT.convert("1")):
        path = saved(tmp_path, "cat.png", image)
        for channels in (1, 3, 4):
            given = spec(1, 61, 47, channels)
            expected = feed(given, np.array(image.convert("RGB" if image.mode == "P" else image.mode)), WHOLE)
            if image.mode == "1":
                expected = feed(given, np.array(image.convert("L")), WHOLE)
            assert feed(given, path, WHOLE).arrays["x"].tolist() == expected.arrays["x"].tolist(), (
                image.mode,
                channels,
            )

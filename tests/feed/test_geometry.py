from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxviz.feed.geometry import Geometry, PictureFit, crop, letterbox, squash
from onnxviz.feed.pictures import Picture, place
from tests.feed.feeding import in_picture

SIDES = st.integers(1, 3000)
SIZES = st.tuples(SIDES, SIDES)


@st.composite
def placements(draw: st.DrawFn) -> PictureFit:
    picture, fed = draw(SIZES), draw(SIZES)
    rule = draw(st.sampled_from(["squash", "crop", "letterbox"]))
    if rule == "crop":
        return crop(picture, fed, draw(st.floats(0.05, 1)))
    return letterbox(picture, fed) if rule == "letterbox" else squash(picture, fed)


@given(placements())
def test_the_box_lies_in_the_picture_and_its_edges_are_those_of_what_is_drawn(placement: PictureFit) -> None:
    left, top, right, bottom = placement.box
    height, width = placement.geometry.picture
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    first, last = placement.corner, (placement.corner[0] + placement.size[0], placement.corner[1] + placement.size[1])
    assert 0 <= first[0] < last[0] <= placement.geometry.fed[0]
    assert 0 <= first[1] < last[1] <= placement.geometry.fed[1]
    y, x = in_picture(placement.geometry, first[0] - 0.5, first[1] - 0.5)
    assert (y + 0.5, x + 0.5) == pytest.approx((top, left), abs=1e-6)
    y, x = in_picture(placement.geometry, last[0] - 0.5, last[1] - 0.5)
    assert (y + 0.5, x + 0.5) == pytest.approx((bottom, right), rel=1e-9, abs=1e-6)


def test_squash_by_hand() -> None:
    geometry = squash((100, 200), (50, 50)).geometry
    assert in_picture(geometry, 0, 0) == (0.5, 1.5)
    assert in_picture(geometry, 49, 49) == (98.5, 197.5)


def test_crop_takes_the_middle_of_the_aspect() -> None:
    placement = crop((100, 200), (10, 10), 0.5)
    assert placement.box == (75.0, 25.0, 125.0, 75.0)
    assert in_picture(placement.geometry, 0, 0) == (27.0, 77.0)


def test_letterbox_keeps_the_aspect_and_tells_padding_from_picture() -> None:
    placement = letterbox((100, 200), (64, 64))
    assert (placement.size, placement.corner) == ((32, 64), (16, 0))
    # Rows are 100 / 32 pixels apart; row 15 lies above the picture, row 48 below it: padding.
    rows = [in_picture(placement.geometry, row, 0)[0] for row in (15, 16, 47, 48)]
    assert rows == [-2.0625, 1.0625, 97.9375, 101.0625]


def test_a_letterbox_of_odd_padding_puts_the_odd_pixel_below() -> None:
    placement = letterbox((1, 2), (4, 4))
    assert (placement.size, placement.corner) == ((2, 4), (1, 0))
    assert letterbox((3, 4), (4, 4)).corner == (0, 0)


def test_identity_changes_nothing() -> None:
    assert in_picture(Geometry.identity((7, 9)), 3.25, 4) == (3.25, 4)


@pytest.mark.parametrize("rule", ["squash", "crop", "letterbox"])
def test_a_mark_is_found_where_the_geometry_says(rule: str) -> None:
    pixels = np.zeros((120, 200, 1), np.uint8)
    pixels[60:64, 80:84] = 255
    sizes = ((120, 200), (60, 80))
    placement = {"squash": squash(*sizes), "crop": crop(*sizes, 0.9), "letterbox": letterbox(*sizes)}[rule]
    drawn = place(Picture(pixels), 1, placement, "bilinear", 0)[..., 0].astype(float)
    centre = (np.indices(drawn.shape) * drawn).sum(axis=(1, 2)) / drawn.sum()
    assert in_picture(placement.geometry, *centre) == pytest.approx((61.5, 81.5), abs=0.3)

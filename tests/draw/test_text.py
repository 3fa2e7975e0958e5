"""Text: what is drawn for any name, and where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from onnxviz.draw.page import Page
from onnxviz.draw.palette import INK, INK_STEPS
from onnxviz.draw.text import face
from onnxviz.errors import UsageError


def bundled_font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font.font_variant(layout_engine=ImageFont.Layout.BASIC)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("stem/conv_relu6", "stem/conv_relu6"),
        ("1 × 32 × 112", "1 x 32 x 112"),
        ("a → b − c", "a -> b - c"),
        ("café Ångström", "cafe Angstrom"),
        ("日本語/conv", "???/conv"),
        ("cat 😀", "cat ?"),
        ("👩\u200d👧", "??"),
        ("❤\ufe0f", "?"),
        ("ｆｕｌｌ ½", "full 1⁄2"),
        ("line\nbreak\ttab", "line break tab"),
        ("bell\x07", "bell?"),
        ("σ=0.5 µm", "sigma=0.5 um"),
        ("", ""),
    ],
)
def test_characters_that_the_font_lacks_are_replaced(text: str, shown: str) -> None:
    assert face().plain(text) == shown


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_no_text_draws_the_box_of_a_missing_character(text: str) -> None:
    font = bundled_font(48)
    box = bytes(font.getmask("\uffff"))
    assert all(bytes(font.getmask(character)) != box for character in set(face().plain(text)))


def test_the_middle_of_a_long_text_is_given_up() -> None:
    letters = face()
    name = "/model/" + "block/" * 40 + "conv2d_output_0"
    shown = letters.fit(name, 22, 300)
    assert letters.width(shown, 22) <= 300
    assert shown.startswith("/model/")
    assert shown.endswith("output_0")
    assert shown.count("…") == 1
    assert letters.fit("short", 22, 300) == "short"


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200), st.integers(20, 400))
def test_a_fitted_text_fits(text: str, width: int) -> None:
    assert face().width(face().fit(text, 13, width), 13) <= width


def test_lines_break_between_parts() -> None:
    letters = face()
    parts = ["Conv", "1 x 32 x 112 x 112", "float32"]
    assert letters.lines(parts, 13, 1000) == ["Conv  ·  1 x 32 x 112 x 112  ·  float32"]
    assert letters.lines(parts, 13, 180) == ["Conv  ·  1 x 32 x 112 x 112", "float32"]
    assert letters.lines(parts, 13, 1) == parts
    assert letters.lines([], 13, 100) == []


def test_a_decimal_point_is_seen_at_the_size_of_labels() -> None:
    with_point, without = face().coverage("2.04", 10), face().coverage("204", 10)
    assert with_point.shape[1] > without.shape[1]
    point = with_point[:, 6:9]
    assert point[8:11].max() > 120
    assert point[:7, 1].max() < 60


def test_words_drawn_from_characters_are_the_words_the_font_draws() -> None:
    font = bundled_font(44)
    text = "stage2/block1 0.25 .. 6"
    drawn = Image.new("L", (800, 64))
    ImageDraw.Draw(drawn).text((0, 44), text, font=font, fill=255, anchor="ls")
    whole = np.asarray(drawn.reduce(4)).astype(int)
    pieces = face().coverage(text, 11).astype(int)
    width = min(whole.shape[1], pieces.shape[1])
    # Neighbours that share a pixel are not added up.
    assert np.abs(whole[:, :width] - pieces[:, :width]).max() <= 64
    assert np.abs(whole[:, :width] - pieces[:, :width]).mean() < 0.5


def test_words_have_boxes_and_leave_the_canvas_alone() -> None:
    page = Page(200, 60)
    page.text(10, 20, "left", 12)
    page.text(100, 20, "middle", 12, anchor="m")
    page.text(190, 20, "right", 12, anchor="r")
    left, middle, right = page.words
    assert left.left == 10
    assert abs((middle.left + middle.right) / 2 - 100) <= 1
    assert abs(right.right - 190) <= 1
    assert left.right < middle.left < middle.right < right.left
    assert (page.canvas == INK).all()
    inked = page.inked()
    outside = np.ones(inked.shape, bool)
    for word in page.words:
        outside[word.baseline - word.size : word.baseline + word.size // 3, word.left - 1 : word.right + 2] = False
    assert (inked[outside] == INK).all()
    assert inked[~outside].max() == INK + INK_STEPS - 1


def test_words_may_leave_the_page() -> None:
    page = Page(30, 10)
    for x, y in ((-20, 5), (25, 5), (5, -3), (5, 14), (400, 5), (5, 400), (-400, 5)):
        page.text(x, y, "outside", 12)
    assert page.inked().shape == (10, 30)


def test_muted_ink_is_closer_to_the_background() -> None:
    page = Page(60, 20)
    page.text(5, 15, "M", 12, ink=128)
    assert INK + 5 < page.inked().max() <= INK + INK_STEPS // 2


def test_a_font_file_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "font.ttf"
    path.write_bytes(b"no font")
    with pytest.raises(UsageError, match="cannot be read as a font"):
        face(str(path))
    with pytest.raises(UsageError, match="cannot be read as a font"):
        face(str(tmp_path / "absent.ttf"))


def test_a_font_file_draws_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "font.ttf"
    path.write_bytes(bundled_font(12).font_bytes)
    letters = face(str(path))
    assert letters.plain("conv 日 é") == "conv ? e"
    assert (letters.coverage("conv", 12) == face().coverage("conv", 12)).all()

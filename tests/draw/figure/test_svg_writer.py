"""Figures as SVG, read back as XML."""

from __future__ import annotations

import base64
import io
import re
import sys
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from onnxviz.draw.text import face
from onnxviz.errors import UsageError
from tests.draw.figure.reading import example
from tests.draw.figure.test_pdf_writer import FONT

SVG = "{http://www.w3.org/2000/svg}"
POINTS = 72 / 2.54


def tree(**changes: object) -> ElementTree.Element:
    return ElementTree.fromstring(replace(example(), **changes).encoded(".svg"))


def font_of(root: ElementTree.Element) -> TTFont:
    (data,) = re.findall(r"src:url\(data:font/ttf;base64,([^)]+)\)", root.findtext(f"{SVG}style") or "")
    return TTFont(io.BytesIO(base64.b64decode(data)))


def test_its_size_is_in_centimetres() -> None:
    root = tree()
    assert (root.get("width"), root.get("height")) == ("8.0000cm", "4.0000cm")
    assert [float(side) for side in str(root.get("viewBox")).split()] == pytest.approx([0, 0, 226.772, 113.386])


def test_text_is_text_in_its_place_and_size() -> None:
    first, second, third = tree().iter(f"{SVG}text")
    assert (first.text, first.get("font-size"), first.get("text-anchor")) == ("First <conv> & more", "8", None)
    assert float(str(first.get("x"))) == pytest.approx(POINTS, abs=0.001)
    assert (second.text, second.get("text-anchor"), second.get("fill")) == ("centred", "middle", "#14181e")
    assert re.fullmatch(r"translate\(22\.677 48\.189\) rotate\(-90\)", str(third.get("transform")))


def test_every_picture_is_a_png_of_its_own_pixels() -> None:
    images = list(tree().iter(f"{SVG}image"))
    for element, wanted in zip(images, example().marks.images, strict=True):
        kind, _, data = str(element.get("href")).partition(",")
        assert kind == "data:image/png;base64"
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
        np.testing.assert_array_equal(pixels, wanted.rgb)
        assert float(str(element.get("width"))) == pytest.approx(wanted.place.width * POINTS, abs=0.001)
    assert "image-rendering:pixelated" in (tree().findtext(f"{SVG}style") or "")


def test_it_holds_the_font_of_pillow() -> None:
    font = font_of(tree())
    assert str(font["name"].getDebugName(1)) == "Aileron"


@pytest.mark.skipif(not FONT.is_file(), reason="DejaVu is not installed")
def test_of_another_font_it_holds_the_letters_that_are_used(capfd: pytest.CaptureFixture[str]) -> None:
    font = font_of(tree(font=str(FONT)))
    letters = {ord(letter) for text in example().marks.texts for letter in text.text}
    assert set(font.getBestCmap()) == letters
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not FONT.is_file(), reason="DejaVu is not installed")
def test_without_fonttools_another_font_cannot_be_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    face(str(FONT))
    monkeypatch.setitem(sys.modules, "fontTools", None)
    with pytest.raises(UsageError, match=r"cut to its letters by fontTools: pip install 'onnxviz\[pdf\]'"):
        tree(font=str(FONT))


def test_the_same_figure_gives_the_same_file() -> None:
    assert example().encoded(".svg") == example().encoded(".svg")

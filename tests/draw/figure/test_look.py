"""What print asks of words and colours: size, contrast, and order that survives without colour."""

from __future__ import annotations

import io

import numpy as np
import pytest
from fontTools.ttLib import TTFont

from onnxviz.draw.figure.figure_rows import SIGNED
from onnxviz.draw.figure.look import Look
from onnxviz.draw.palette import Colour, data_colours
from onnxviz.draw.text import face

# Machado, Oliveira, Fernandes: A Physiologically-based Model for Simulation of Color Vision Deficiency (2009), table 1,
# severity 1.0, for linear light.
DEFICIENCIES = {
    "none": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def linear(colours: np.ndarray) -> np.ndarray:
    shares = np.asarray(colours) / 255
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast of WCAG 2, 1 to 21."""
    dark, light = sorted(float(linear(np.array(colour)) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_stand_out(theme: str) -> None:
    look = Look(theme=theme)
    assert contrast(look.ink, look.background) > 12
    assert contrast(look.muted, look.background) > 4.5
    assert contrast(look.rule, look.background) > 4.5


@pytest.mark.parametrize(("size", "sizes"), [(7.0, (6.0, 7.0, 8.0)), (6.0, (6.0, 6.0, 7.0)), (9.0, (8.0, 9.0, 10.0))])
def test_nothing_is_below_six_points(size: float, sizes: tuple[float, ...]) -> None:
    look = Look(size)
    assert (look.small, look.size, look.large) == sizes


def test_smaller_words_are_there_for_whoever_asks() -> None:
    assert (Look(5.0).small, Look(5.0).size) == (5.0, 5.0)


@pytest.mark.parametrize("eye", DEFICIENCIES)
@pytest.mark.parametrize("name", ["viridis", SIGNED])
def test_the_default_colours_rise_in_lightness_for_every_eye(name: str, eye: str) -> None:
    seen = np.clip(linear(data_colours(name)) @ np.array(DEFICIENCIES[eye]).T, 0, 1)
    luminance = seen @ [0.2126, 0.7152, 0.0722]
    # CIE's L*; colours of 8 bits make it fall by a fraction of what can be seen.
    lightness = np.where(luminance > 0.008856, 116 * np.cbrt(luminance) - 16, 903.3 * luminance)
    assert (np.diff(lightness) > -0.3).all()
    assert lightness[-1] - lightness[0] > 60


def test_widths_are_those_of_the_font() -> None:
    font = TTFont(io.BytesIO(face().content))
    advances = [font["hmtx"][font.getBestCmap()[ord(letter)]][0] for letter in "conv/0.25"]
    ems = sum(advances) / font["head"].unitsPerEm
    assert Look().width("conv/0.25", 10) == pytest.approx(ems * 10 * 2.54 / 72, rel=0.001)

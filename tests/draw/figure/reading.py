"""Small figures to write, and a reader of what was written that owes nothing to the writers."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import pypdf

from onnxviz.draw.figure.figure_parts import Figure, FigureArea, FigureImage, FigureMarks, FigureText, Panel, Rectangle
from onnxviz.draw.palette import palette

INK = (20, 24, 30)


def example() -> Figure:
    """Return a figure of 8 x 4 cm: two maps, a picture, an area and three texts, one of them turned."""
    rng = np.random.default_rng(0)
    indices = rng.integers(0, 231, (7, 9), dtype=np.uint8)
    colours = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    images = (
        FigureImage(Rectangle(1, 1, 1.8, 1.4), indices, palette("viridis", "light")),
        FigureImage(Rectangle(3, 1, 1.8, 1.4), indices, palette("magma", "light")),
        FigureImage(Rectangle(5, 1, 1.8, 1.5), colours),
    )
    texts = (
        FigureText("First <conv> & more", 1, 0.7, 8, INK),
        FigureText("centred", 4, 3.4, 7, INK, "m"),
        FigureText("upwards", 0.8, 1.7, 6, INK, "m", turned=True),
    )
    marks = FigureMarks((FigureArea(Rectangle(7.2, 1, 0.1, 1.4), (200, 30, 0)),), images)
    return Figure(8.0, 4.0, (Panel("conv", "cat", Rectangle(1, 1, 5.8, 1.5), marks),), around=FigureMarks(texts=texts))


@dataclass(frozen=True)
class ReadPdf:
    """What stands in a PDF: its size in cm, its words, its pictures as RGB, the facts of its fonts."""

    size: tuple[float, float]
    words: str
    pictures: list[np.ndarray]
    fonts: list[dict[str, Any]]
    interpolated: bool


def read_pdf(content: bytes) -> ReadPdf:
    """Read a PDF of one page with pypdf."""
    (page,) = pypdf.PdfReader(io.BytesIO(content)).pages
    inches = [float(side) / 72 for side in page.mediabox[2:]]
    images = [each.get_object() for each in page["/Resources"]["/XObject"].values()]
    descended = [font.get_object()["/DescendantFonts"][0] for font in page["/Resources"].get("/Font", {}).values()]
    return ReadPdf(
        (inches[0] * 2.54, inches[1] * 2.54),
        page.extract_text(),
        [_pixels(image) for image in images],
        [font["/FontDescriptor"].get_object() | {"/BaseFont": font["/BaseFont"]} for font in descended],
        any(image.get("/Interpolate", False) for image in images),
    )


def _pixels(image: Any) -> np.ndarray:
    raw = np.frombuffer(image.get_data(), np.uint8).reshape(image["/Height"], image["/Width"], -1)
    if image["/ColorSpace"] == "/DeviceRGB":
        return raw
    kind, base, _, table = image["/ColorSpace"]
    assert (kind, base) == ("/Indexed", "/DeviceRGB")
    return np.frombuffer(table.get_object().get_data(), np.uint8).reshape(-1, 3)[raw[..., 0]]

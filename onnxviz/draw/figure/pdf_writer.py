"""A figure as PDF, by fpdf2: text as text in a font that the file holds, and every map as its own pixels, once."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from onnxviz.draw.figure.embedded_font import NEEDS, quiet
from onnxviz.draw.figure.figure_parts import POINT, Figure, FigureArea, FigureImage, FigureText, Rectangle
from onnxviz.draw.text import face
from onnxviz.errors import UsageError
from onnxviz.version import __version__

if TYPE_CHECKING:
    from fpdf import FPDF

_FAMILY = "figure"


def pdf_of(figure: Figure) -> bytes:
    """Return a figure as a PDF of one page of its size.

    Raises:
        UsageError: fpdf2 cannot embed the font.
    """
    from fpdf import FPDF

    pdf = FPDF(unit="pt", format=(figure.width_cm / POINT, figure.height_cm / POINT))
    pdf.set_margin(0)
    pdf.set_auto_page_break(False)
    pdf.set_producer(f"onnxviz {__version__}")
    pdf.add_page()
    _add_font(pdf, figure.font)
    _fill(pdf, FigureArea(Rectangle(0, 0, figure.width_cm, figure.height_cm).grown(0.1), figure.background))
    for area in figure.marks.areas:
        _fill(pdf, area)
    for picture in figure.marks.images:
        _paste_map(pdf, picture)
    for text in filter(lambda text: text.text, figure.marks.texts):
        _write(pdf, text)
    with quiet():
        return bytes(pdf.output())


def check_pdf() -> None:
    """Raise UsageError where fpdf2 is missing."""
    try:
        import fpdf  # noqa: F401
    except ImportError:
        raise UsageError(f"PDF is written by fpdf2: {NEEDS}\nSVG, PNG and TIFF need nothing more") from None


def _add_font(pdf: FPDF, font: str | None) -> None:
    with _font_file(font) as path:
        try:
            pdf.add_font(_FAMILY, fname=path)
        except Exception as error:  # of fontTools, whatever is wrong with the file
            raise UsageError(f"{font} cannot be embedded in a PDF: {error}") from None


@contextmanager
def _font_file(font: str | None) -> Iterator[Path]:
    """Yield the file of a font, with a suffix that fpdf2 takes; Pillow's own lies in its code."""
    if font is not None and Path(font).suffix.lower() in (".ttf", ".otf", ".ttc"):
        yield Path(font)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "font.ttf")
        path.write_bytes(face(font).content)
        yield path


def _fill(pdf: FPDF, area: FigureArea) -> None:
    place = area.place
    pdf.set_fill_color(*area.colour)
    pdf.rect(place.left / POINT, place.top / POINT, place.width / POINT, place.height / POINT, style="F")


def _paste_map(pdf: FPDF, picture: FigureImage) -> None:
    place = picture.place
    # As a PNG: of a Pillow image fpdf2 2.8 compares the pixels alone, and takes one of other size or colours for it.
    pdf.image(
        io.BytesIO(picture.png),
        x=place.left / POINT,
        y=place.top / POINT,
        w=place.width / POINT,
        h=place.height / POINT,
    )


def _write(pdf: FPDF, text: FigureText) -> None:
    pdf.set_font(_FAMILY, size=text.size)
    pdf.set_text_color(*text.colour)
    x, y = text.x / POINT, text.y / POINT
    back = pdf.get_string_width(text.text) * {"l": 0.0, "m": 0.5, "r": 1.0}[text.anchor]
    if not text.turned:
        pdf.text(x - back, y, text.text)
        return
    with pdf.rotation(90, x, y):
        pdf.text(x - back, y, text.text)

"""The formats of figures, and the writer of each."""

from __future__ import annotations

from collections.abc import Callable

from onnxviz.draw.figure.figure_parts import Figure
from onnxviz.draw.figure.pdf_writer import check_pdf, pdf_of
from onnxviz.draw.figure.pixel_writer import pixels_of
from onnxviz.draw.figure.svg_writer import svg_of
from onnxviz.errors import UsageError

FIGURE_FORMATS: dict[str, Callable[[Figure, str, int], bytes]] = {
    ".pdf": lambda figure, suffix, dpi: pdf_of(figure),
    ".svg": lambda figure, suffix, dpi: svg_of(figure).encode(),
    ".png": pixels_of,
    ".tif": pixels_of,
    ".tiff": pixels_of,
}
"""What writes a figure, by the suffix of its file."""


def check_writer(suffix: str) -> None:
    """Check that figures are written with a suffix, before there is one.

    Raises:
        UsageError: they are not, or fpdf2 is missing, which writes PDF.
    """
    if suffix.lower() not in FIGURE_FORMATS:
        known = ", ".join(FIGURE_FORMATS)
        raise UsageError(f"figures are not written as {suffix or 'a file without suffix'!r}: {known}")
    if suffix.lower() == ".pdf":
        check_pdf()


def encode_figure(figure: Figure, suffix: str, dpi: int) -> bytes:
    """Return a figure as the bytes of a file; see `Figure.save`."""
    check_writer(suffix)
    return FIGURE_FORMATS[suffix.lower()](figure, suffix, dpi)

"""The font that a figure's file holds: of a given one the letters that are used, of Pillow's all 113."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from onnxviz.draw.text import face
from onnxviz.errors import UsageError

NEEDS = "pip install 'onnxviz[pdf]'"
"""What installs fpdf2, and fontTools with it."""


def subset(font: str | None, letters: str) -> bytes:
    """Return a font's file with these letters; the font that Pillow carries has 13 kB and is kept whole.

    Raises:
        UsageError: fontTools is missing.
    """
    content = face(font).content
    if font is None:
        return content
    try:
        from fontTools import subset as subsetting
    except ImportError:
        raise UsageError(f"a font of your own is cut to its letters by fontTools: {NEEDS}") from None
    out = io.BytesIO()
    with quiet():
        loaded = subsetting.load_font(io.BytesIO(content), subsetting.Options())
        subsetter = subsetting.Subsetter()
        subsetter.populate(text=letters or " ")
        subsetter.subset(loaded)
        loaded.save(out)
    return out.getvalue()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep from standard error what fontTools logs of tables that it drops, which every font editor adds."""
    logger = logging.getLogger("fontTools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)

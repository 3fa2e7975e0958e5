"""Text as small arrays of coverage, from the font that Pillow carries or a given one.

At 8 to 13 px a hinted font loses blanks and decimal points ("2.04" reads "204"), so every character is drawn at four
times its size and reduced. It is drawn once, and texts are put together from characters: a page of a thousand labels
takes a fifteenth of the time that asking the font for each would take.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from onnxviz.errors import UsageError

Coverage = NDArray[np.uint8]

_OVERSAMPLING = 4
# A size in pixels at which widths are found to a thousandth of it.
_LARGE = 250
_ELLIPSIS = "…"

# Pillow's font has 113 characters: ASCII and these.
_BUNDLED = frozenset(map(chr, range(32, 127))) | frozenset("«°±·»‘’“”…‹›⁄™")

_STAND_INS = {
    "×": "x",
    "−": "-",
    "–": "-",
    "—": "-",
    "‐": "-",
    "→": "->",
    "←": "<-",
    "µ": "u",
    "μ": "u",
    "σ": "sigma",
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "∞": "inf",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "ß": "ss",
    "æ": "ae",
    "ø": "o",
    "œ": "oe",
    "ł": "l",
    "•": "·",
    "″": '"',
    "′": "'",
}


class Face:
    """A font at any size: how wide texts are in it, and their pixels.

    Args:
        path: a TrueType or OpenType file; None is the font that Pillow carries.

    Raises:
        UsageError: the file cannot be read as a font.
    """

    def __init__(self, path: str | None = None) -> None:
        self._path = path
        self.plain = lru_cache(8192)(self._plain)
        self.width = lru_cache(8192)(self._width)
        self.coverage = lru_cache(8192)(self._coverage)
        self._show = cache(self._find)
        self._font = cache(lambda size: _load(path, size * _OVERSAMPLING))
        self._glyph = lru_cache(4096)(self._draw_glyph)
        self._advance = lru_cache(4096)(self._measure_glyph)
        self._font(12)

    def fit(self, text: str, size: int, width: float) -> str:
        """Return the text, with an ellipsis in place of its middle if it is wider than `width` pixels."""
        text = self.plain(text)
        if self.width(text, size) <= width:
            return text
        room = width - self.width(_ELLIPSIS, size)
        start, end = 0, len(text)
        while start < end:
            forward = start <= len(text) - end
            room -= self._advance(text[start if forward else end - 1], size) / _OVERSAMPLING
            if room < 0:
                break
            start, end = (start + 1, end) if forward else (start, end - 1)
        return text[:start].rstrip() + _ELLIPSIS + text[end:].lstrip()

    def em(self, text: str) -> float:
        """Return how wide a text is at size 1, for text that is not drawn in pixels of a given size."""
        return self.width(text, _LARGE) / _LARGE

    def fit_em(self, text: str, width: float) -> str:
        """Return the text as `fit` does, at most `width` times its size wide."""
        return self.fit(text, _LARGE, width * _LARGE)

    def at(self, size: float) -> ImageFont.FreeTypeFont:
        """Return the font itself at a size in pixels, which may be a fraction."""
        return self._font(12).font_variant(size=size)

    @property
    def content(self) -> bytes:
        """The bytes of the font's file."""
        font = self._font(12)
        return font.font_bytes if self._path is None else Path(self._path).read_bytes()

    def lines(self, parts: Sequence[str], size: int, width: float) -> list[str]:
        """Return parts as lines with dots between them, at most `width` pixels wide unless a single part is wider."""
        lines: list[str] = []
        for part in parts:
            longer = f"{lines[-1]}  ·  {part}" if lines else part
            if lines and self.width(longer, size) <= width:
                lines[-1] = longer
            else:
                lines.append(part)
        return lines

    def _width(self, text: str, size: int) -> float:
        return sum(self._advance(character, size) for character in self.plain(text)) / _OVERSAMPLING

    def _plain(self, text: str) -> str:
        """Return the text in characters that the font has; those without a stand-in become question marks."""
        if all(character in _BUNDLED for character in text) and self._path is None:
            return text
        return "".join(map(self._show, text))

    def _find(self, character: str) -> str:
        if self._has(character):
            return character
        if character in _STAND_INS:
            return _STAND_INS[character]
        if character.isspace():
            return " "
        # Marks, joiners and variation selectors only change the character before them.
        if unicodedata.category(character) in ("Mn", "Me", "Cf"):
            return ""
        simpler = unicodedata.normalize("NFKD", character)
        kept = "".join(part for part in simpler if self._has(part))
        return kept if kept and simpler != character else "?"

    def _has(self, character: str) -> bool:
        if self._path is None:
            return character in _BUNDLED
        if unicodedata.category(character)[0] in "CM" or character.isspace():
            return character == " "
        # A font draws a character that it lacks like U+FFFF, which is not a character, or leaves it out.
        font = self._font(12)
        mask = bytes(font.getmask(character))
        return any(mask) and mask != bytes(font.getmask("\uffff"))

    def _coverage(self, text: str, size: int) -> Coverage:
        """Return how much of each pixel the text covers, (height, width) uint8; its baseline lies below row `size`."""
        text = self.plain(text)
        advances = [self._advance(character, size) for character in text]
        cells = np.zeros((_height(size), sum(advances) // _OVERSAMPLING + 3), np.uint8)
        pen = 0
        for character, advance in zip(text, advances, strict=True):
            column, phase = divmod(pen, _OVERSAMPLING)
            glyph = self._glyph(character, size, phase)
            target = cells[:, column : column + glyph.shape[1]]
            np.maximum(target, glyph, out=target)
            pen += advance
        return cells

    def _draw_glyph(self, character: str, size: int, phase: int) -> Coverage:
        width = self._advance(character, size) // _OVERSAMPLING + 3
        drawn = Image.new("L", (width * _OVERSAMPLING, _height(size) * _OVERSAMPLING))
        pen = (phase, size * _OVERSAMPLING)
        ImageDraw.Draw(drawn).text(pen, character, font=self._font(size), fill=255, anchor="ls")
        return np.asarray(drawn.reduce(_OVERSAMPLING))

    def _measure_glyph(self, character: str, size: int) -> int:
        return round(self._font(size).getlength(character))


@lru_cache(8)
def face(path: str | None = None) -> Face:
    """Return a font; the same path gives the same object, which keeps the characters that it has drawn."""
    return Face(path)


def _height(size: int) -> int:
    return size + size // 2


def _load(path: str | None, size: int) -> ImageFont.FreeTypeFont:
    # The basic layout is in every build of Pillow, so pictures are the same everywhere.
    if path is None:
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont)
        return font.font_variant(layout_engine=ImageFont.Layout.BASIC)
    try:
        return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise UsageError(f"{path} cannot be read as a font: {error}") from None

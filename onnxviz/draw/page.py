"""A page: a canvas of palette indices, and texts that are laid over it when it becomes an image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onnxviz.draw import palette as colours
from onnxviz.draw.text import Face, face

Canvas = NDArray[np.uint8]

MARGIN = 28
"""Pixels between a page's edge and what is on it."""

BARE = 4
"""The same on a page without words."""

_SHARES = {"l": 0.0, "m": 0.5, "r": 1.0}
"""The share of a text that stands before the place of its anchor."""


@dataclass(frozen=True, slots=True)
class PageText:
    """A text on a page: its columns `left` to `right`, and its `baseline`, from which capitals reach `size` rows up.

    One that stands `upright` is read from the baseline up, as high as it is long.
    """

    text: str
    size: int
    ink: int
    left: int
    right: int
    baseline: int
    upright: bool = False


class Page:
    """A canvas of palette indices, (height, width) uint8, which is all background at first.

    `words` are its texts. They are kept apart until `image`, so that `canvas` holds the drawing alone. `face` is its
    font.

    >>> page = Page(200, 40)
    >>> page.canvas[10:20, 10:100] = 231
    >>> page.text(10, 35, "conv1", 12)
    >>> page.image("viridis", "dark").size
    (200, 40)
    """

    def __init__(self, width: int, height: int, font: str | None = None) -> None:
        self.canvas: Canvas = np.full((height, width), colours.INK, np.uint8)
        self.words: list[PageText] = []
        self.face = face(font)

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.canvas.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.canvas.shape[0])

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: int = 12,
        ink: int = 255,
        anchor: str = "l",
        width: float | None = None,
    ) -> None:
        """Put a text on the page.

        Args:
            x: where it begins (anchor `l`), is centred (`m`) or ends (`r`).
            y: its baseline.
            text: any text; characters that the font lacks are replaced.
            size: in pixels.
            ink: 255 is the theme's ink, 0 its background.
            anchor: `l`, `m` or `r`.
            width: the most pixels that it may take; the middle of a longer text becomes an ellipsis.
        """
        text = self.face.fit(text, size, width) if width is not None else self.face.plain(text)
        length = self.face.width(text, size)
        left = round(x - length * _SHARES[anchor])
        self.words.append(PageText(text, size, ink, left, left + math.ceil(length), round(y)))

    def upright(self, x: float, y: float, text: str, size: int, ink: int, width: float) -> None:
        """Put a text on the page that is read upwards: it begins at row `y`, centred on column `x`; see `text`."""
        left = round(x - size / 2)
        self.words.append(PageText(self.face.fit(text, size, width), size, ink, left, left + size, round(y), True))

    def image(self, colormap: str, theme: str) -> Image.Image:
        """Return the page as an image of mode P."""
        image = Image.fromarray(self.inked())
        image.putpalette(colours.palette(colormap, theme).tobytes())
        return image

    def inked(self) -> Canvas:
        """Return a copy of the canvas with the words on it."""
        canvas = self.canvas.copy()
        for word in self.words:
            top, left = word.baseline - word.size, word.left
            ramp = _ramp(self.face, word.text, word.size, word.ink)
            if word.upright:
                ramp = np.rot90(ramp)
                top = word.baseline - ramp.shape[0]
            ramp = ramp[max(-top, 0) :, max(-left, 0) :]
            target = canvas[max(top, 0) :, max(left, 0) :][: ramp.shape[0], : ramp.shape[1]]
            np.maximum(target, ramp[: target.shape[0], : target.shape[1]], out=target)
        return canvas


@lru_cache(8192)
def _ramp(face: Face, text: str, size: int, ink: int) -> Canvas:
    """Return a text as palette indices, 0 where no letter is."""
    return _steps(ink)[face.coverage(text, size)]


@lru_cache(256)
def _steps(ink: int) -> Canvas:
    """Return the palette index for each coverage of a pixel by a letter, (256,); 0 for none."""
    steps = (np.arange(256) * ink // 255 * (colours.INK_STEPS - 1) + 127) // 255
    return np.where(steps > 0, colours.INK + steps, 0).astype(np.uint8)


def hatch(view: Canvas, step: int = 6) -> None:
    """Fill part of a canvas with diagonal lines, the sign for maps that have nothing to show."""
    view[:] = _hatching(view.shape[0], view.shape[1], step)


@lru_cache(4)
def _hatching(height: int, width: int, step: int) -> Canvas:
    rows, columns = np.ogrid[:height, :width]
    lines = (rows + columns) % step == 0
    return np.where(lines, colours.HATCH_LINE, colours.HATCH_BACK).astype(np.uint8)

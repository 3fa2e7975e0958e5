"""A page of palette indices with pictures in colours of their own, on which an overview is drawn."""

from __future__ import annotations

from PIL import Image

from onnxviz.draw import palette
from onnxviz.draw.overview.boxes import CURVE, GAP, STRIP, TILE
from onnxviz.draw.page import MARGIN, Page
from onnxviz.draw.style import Style

MEAN = MARGIN + 240
PROJECTION = MEAN + TILE + 10
TILES = PROJECTION + TILE + 24
CURVES = MEAN + STRIP + 16
WIDTH = CURVES + CURVE + MARGIN
"""Where the columns of an overview begin, and its width."""

SMALL = 12
"""The size in pixels of the smallest words; a screen 1280 pixels wide shows them at five sixths, 10 pixels."""

TILE_STEP = TILE + GAP
"""From one channel to the next."""


class Sheet:
    """What the parts of an overview are drawn on: its `page`, in its `style`; `titled`: whether columns have titles."""

    def __init__(self, page: Page, style: Style, *, titled: bool) -> None:
        self.page = page
        self.style = style
        self.titled = titled
        self._pictures: list[tuple[tuple[int, int], Image.Image]] = []

    def image(self) -> Image.Image:
        """Return the page with its pictures, mode RGB."""
        colormap = "viridis" if self.style.colormap == "auto" else self.style.colormap
        image = self.page.image(colormap, self.style.theme).convert("RGB")
        for place, picture in self._pictures:
            image.paste(picture, place)
        return image

    def paste(self, picture: Image.Image, x: int, y: int, *, framed: bool = False) -> None:
        """Put a picture with its corner at x, y; `framed` draws a line around it."""
        if framed:
            self.page.canvas[y - 1 : y + picture.height + 1, x - 1 : x + picture.width + 1] = palette.FRAME
        self._pictures.append(((x, y), picture))

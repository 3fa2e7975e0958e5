"""The numbers along the bottom of a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from onnxviz.draw.header import ticks
from onnxviz.draw.palette import RULE

if TYPE_CHECKING:
    from onnxviz.draw.page import Page

HEIGHT = 28
"""Pixels that a ruler takes below a drawing."""


def draw_ruler(page: Page, place: tuple[int, int], width: int, count: int) -> None:
    """Number `count` indices along the bottom of a drawing whose lower left corner is at `place` (y, x).

    A tick stands at the left of what it numbers, or under its middle where that is 8 pixels wide or more.
    """
    top, left = place
    middle = width // count // 2 if width // count >= 8 else 0
    for index in ticks(0, count - 1, min(10, max(2, width // 50))):
        if index == int(index):
            x = left + int(index * width / count) + middle
            page.canvas[top + 2 : top + 7, x] = RULE
            page.text(x, top + 20, f"{int(index)}", 11, 170, "m")

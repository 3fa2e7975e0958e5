"""One sheet for one picture: a row for each target, a column for each method, and what each method can say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from onnxviz.draw.heat import RgbPixels
from onnxviz.draw.page import MARGIN, Page
from onnxviz.draw.style import Drawing

CELL = 224
"""The longer side of a picture."""

_GAP = 10
_HEAD = 92
_TITLES = 44
_NAMES = 190
_LINE = 17


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """A method on a sheet: its name, what it was made of, and what it can say."""

    title: str
    line: str
    says: str


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A target on a sheet: its name, lines about it, and a picture for each column; None where a method had none."""

    name: str
    lines: Sequence[str]
    pictures: Sequence[Image.Image | None]


@dataclass(frozen=True, slots=True)
class SheetHead:
    """What stands above: the title, a line, and the input as it was fed."""

    title: str
    line: str
    picture: RgbPixels


def draw_explanations(
    head: SheetHead, columns: Sequence[SheetColumn], rows: Sequence[SheetRow], theme: str, font: str | None = None
) -> Drawing:
    """Draw explanations of one picture as a sheet of mode RGB."""
    height, width = _cell(head.picture)
    step = width + _GAP
    left = MARGIN + _NAMES + step
    first = _HEAD + _TITLES
    pitch = max(height, 42 + _LINE * max(len(row.lines) for row in rows)) + _GAP
    words = [f"{column.title}: {column.says}" for column in columns]
    foot = first + len(rows) * pitch + 16
    page = Page(left + len(columns) * step - _GAP + MARGIN, foot + _LINE * len(words) + MARGIN, font)
    page.text(MARGIN, 42, head.title, 22, width=page.width - 2 * MARGIN)
    page.text(MARGIN, 64, head.line, 13, 175, width=page.width - 2 * MARGIN)
    for place, column in enumerate(columns):
        x = left + place * step
        page.text(x, first - 26, column.title, 15, width=width)
        page.text(x, first - 9, column.line, 12, 150, width=width)
    page.text(left - step, first - 26, "input", 15, width=width)
    page.text(left - step, first - 9, "as fed", 12, 150, width=width)
    pasted = [(_fitted(Image.fromarray(head.picture), CELL), (left - step, first))]
    for number, row in enumerate(rows):
        y = first + number * pitch
        page.text(MARGIN, y + 18, row.name, 16, width=_NAMES - 20)
        for place, line in enumerate(row.lines):
            page.text(MARGIN, y + 38 + _LINE * place, line, 13, 165, width=_NAMES - 20)
        for place, picture in enumerate(row.pictures):
            if picture is not None:
                pasted.append((_fitted(picture, max(width, height)), (left + place * step, y)))
    for place, line in enumerate(words):
        page.text(MARGIN, foot + 8 + _LINE * place, line, 12, 150, width=page.width - 2 * MARGIN)
    image = page.image("viridis", theme).convert("RGB")
    for picture, corner in pasted:
        image.paste(picture, corner)
    return Drawing(image, True, {"Title": head.title, "Description": head.line})


def _cell(picture: RgbPixels) -> tuple[int, int]:
    scale = CELL / max(picture.shape[:2])
    return max(1, round(picture.shape[0] * scale)), max(1, round(picture.shape[1] * scale))


def _fitted(picture: Image.Image, longest: int) -> Image.Image:
    scale = longest / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    if size == picture.size:
        return picture
    return picture.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC)

"""A sheet of rows: a name and lines about it, then pictures of one size, each with a caption below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from onnxviz.draw.page import MARGIN, Page
from onnxviz.draw.palette import LEVELS, data_colours
from onnxviz.draw.style import Drawing
from onnxviz.layout import Array

CELL = 224
_GAP, _HEAD, _NAMES, _LINE, _FOOT = 14, 116, 210, 17, 40


@dataclass(frozen=True, slots=True)
class CaptionedPicture:
    """A picture and what stands below it; `smooth` is whether it is enlarged smoothly, as photographs are."""

    image: Image.Image
    caption: str
    smooth: bool = True


@dataclass(frozen=True, slots=True)
class CaptionedRow:
    """A row: its name, lines about it, and its pictures; None where a column has none."""

    name: str
    lines: Sequence[str]
    pictures: Sequence[CaptionedPicture | None]


def picture_of(pixels: Array) -> Image.Image:
    """Return pixels `(H, W, channels)` in 0..1 as a picture of mode RGB, or L of one channel."""
    levels = np.round(pixels * 255).astype(np.uint8)
    return Image.fromarray(levels[..., 0] if levels.shape[-1] == 1 else levels)


def map_picture(numbers: Array) -> Image.Image:
    """Return a map `(h, w)` in viridis from its least to its greatest finite number, a pixel a number."""
    found = np.nan_to_num(numbers)
    low, high = float(found.min()), float(found.max())
    codes = np.round((found - low) / ((high - low) or 1.0) * (LEVELS - 1)).astype(int)
    return Image.fromarray(data_colours("viridis")[codes])


def draw_captioned_rows(
    title: str, line: str, columns: Sequence[str], rows: Sequence[CaptionedRow], theme: str
) -> Drawing:
    """Draw rows below a title and the names of their columns, as a picture of mode RGB."""
    count = max(len(row.pictures) for row in rows)
    pitch = CELL + _FOOT
    page = Page(MARGIN + _NAMES + count * (CELL + _GAP) - _GAP + MARGIN, _HEAD + len(rows) * pitch + MARGIN)
    page.text(MARGIN, 42, title, 22, width=page.width - 2 * MARGIN)
    page.text(MARGIN, 64, line, 13, 175, width=page.width - 2 * MARGIN)
    lefts = [MARGIN + _NAMES + place * (CELL + _GAP) for place in range(count)]
    for left, column in zip(lefts, columns, strict=False):
        page.text(left, _HEAD - 10, column, 14, 190, width=CELL)
    pasted = []
    for number, row in enumerate(rows):
        top = _HEAD + number * pitch
        for place, words in enumerate(_broken(page, row.name, 16)):
            page.text(MARGIN, top + 16 + 20 * place, words, 16, width=_NAMES - 20)
        below = top + 16 + 20 * len(_broken(page, row.name, 16))
        for place, words in enumerate(row.lines):
            page.text(MARGIN, below + 4 + _LINE * place, words, 13, 165, width=_NAMES - 20)
        for left, picture in zip(lefts, row.pictures, strict=False):
            if picture is None:
                continue
            fitted = _fitted(picture)
            pasted.append((fitted, (left, top)))
            page.text(left, top + fitted.height + 16, picture.caption, 12, 175, width=CELL)
    image = page.image("viridis", theme).convert("RGB")
    for fitted, corner in pasted:
        image.paste(fitted, corner)
    text: Mapping[str, str] = {"Title": title, "Description": line}
    return Drawing(image, True, text)


def _broken(page: Page, name: str, size: int) -> list[str]:
    """Return a long name in lines, broken behind a slash."""
    lines = [""]
    for part in name.replace("/", "/\0").split("\0"):
        if lines[-1] and page.face.width(lines[-1] + part, size) > _NAMES - 20:
            lines.append("")
        lines[-1] += part
    return lines


def _fitted(picture: CaptionedPicture) -> Image.Image:
    scale = CELL / max(picture.image.size)
    size = max(1, round(picture.image.width * scale)), max(1, round(picture.image.height * scale))
    how = (
        Image.Resampling.NEAREST
        if not picture.smooth
        else Image.Resampling.BOX
        if scale < 1
        else Image.Resampling.BICUBIC
    )
    return picture.image.convert("RGB").resize(size, how)

"""One sheet for one picture: a row for each target, a column for each method, and what each method can say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from onnxviz.draw.check_plot import CheckPlot, draw_check_plot, draw_swatch, scale_of
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
_PLOT = 72
_HOW_TO_READ = (
    "The better a map, the sooner orange falls and blue rises, and the less its ranks correlate with those of a model "
    "that lost what it learnt."
)
_LEGEND = (
    ("covered, brightest first", 0, False),
    ("covered at random", 0, True),
    ("uncovered, brightest first", 1, False),
    ("uncovered at random", 1, True),
)


@dataclass(frozen=True, slots=True)
class SheetColumn:
    """A method on a sheet: its name, what it was made of, and what it can say."""

    title: str
    line: str
    says: str


@dataclass(frozen=True, slots=True)
class SheetCheck:
    """What checks say of a picture on a sheet: curves, and a line or two."""

    plot: CheckPlot
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A target on a sheet: its name, lines about it, and a picture for each column; None where a method had none.

    `checks` has an entry for each picture where they were checked, and is empty elsewhere.
    """

    name: str
    lines: Sequence[str]
    pictures: Sequence[Image.Image | None]
    checks: Sequence[SheetCheck | None] = ()


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
    words = list(dict.fromkeys(f"{column.title}: {column.says}" for column in columns))
    checked = first + len(rows) * pitch
    foot = checked + _height_of_checks(rows) + 16
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
    if any(row.checks for row in rows):
        pasted += _checks(page, rows, (left, step), checked, theme)
    for place, line in enumerate(words):
        page.text(MARGIN, foot + 8 + _LINE * place, line, 12, 150, width=page.width - 2 * MARGIN)
    image = page.image("viridis", theme).convert("RGB")
    for picture, corner in pasted:
        image.paste(picture, corner)
    return Drawing(image, True, {"Title": head.title, "Description": head.line})


def _height_of_checks(rows: Sequence[SheetRow]) -> int:
    checked = [row for row in rows if row.checks]
    return 34 + len(checked) * _check_pitch(checked) if checked else 0


def _check_pitch(rows: Sequence[SheetRow]) -> int:
    return _PLOT + 10 + _LINE * max(len(check.lines) for row in rows for check in row.checks if check) + _GAP


def _checks(
    page: Page, rows: Sequence[SheetRow], columns: tuple[int, int], top: int, theme: str
) -> list[tuple[Image.Image, tuple[int, int]]]:
    """Write what checks say under the pictures; return the plots and where they belong.

    `columns` is where the first column begins, and how far apart they are.
    """
    left, step = columns
    page.text(MARGIN, top + 24, "Can the maps be trusted?", 15, width=_NAMES)
    page.text(left - step, top + 24, _HOW_TO_READ, 12, 150, width=page.width - MARGIN - left + step)
    pasted = []
    checked = [row for row in rows if row.checks]
    for number, row in enumerate(checked):
        y = top + 34 + number * _check_pitch(checked)
        page.text(MARGIN, y + 18, row.name, 14, width=_NAMES - 20)
        for place, (words, which, dotted) in enumerate(_LEGEND if number == 0 else ()):
            x, baseline = left - step, y + 16 + (_LINE + 2) * place
            pasted.append((draw_swatch(which, dotted, theme), (x, baseline - 8)))
            page.text(x + 34, baseline, words, 12, 165, width=step - 44)
        ends = scale_of(check.plot for check in row.checks if check is not None)
        for place, check in enumerate(row.checks):
            if check is None:
                continue
            x = left + place * step
            pasted.append((draw_check_plot(check.plot, (step - _GAP, _PLOT), ends, theme), (x, y)))
            for line, words in enumerate(check.lines):
                page.text(x, y + _PLOT + 16 + _LINE * line, words, 12, 165, width=step - _GAP)
    return pasted


def _cell(picture: RgbPixels) -> tuple[int, int]:
    scale = CELL / max(picture.shape[:2])
    return max(1, round(picture.shape[0] * scale)), max(1, round(picture.shape[1] * scale))


def _fitted(picture: Image.Image, longest: int) -> Image.Image:
    scale = longest / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    if size == picture.size:
        return picture
    return picture.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC)

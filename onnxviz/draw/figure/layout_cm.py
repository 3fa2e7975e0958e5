"""Where everything on a figure stands: rows of layers, columns of inputs, heads, colour bars.

        cat        coffee
conv   [tiles]    [tiles]    | bar
pool   [tiles]    [tiles]    | bar
legend
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from onnxviz.draw.figure.figure_parts import (
    POINT,
    Figure,
    FigureBar,
    FigureMarks,
    FigureText,
    Panel,
    Rectangle,
    joined,
)
from onnxviz.draw.figure.figure_rows import FigureRow
from onnxviz.draw.figure.look import Look
from onnxviz.draw.figure.scale_bar import THICK, BarScale, legend, lying_bar, room_below, room_beside, standing_bar
from onnxviz.errors import UsageError

COLORBARS = ("auto", "right", "bottom", "none")
"""Where colour bars stand: `auto` is at the right of rows with numbers, else below."""

HIGHEST = 100.0
"""The most centimetres that a figure is high."""

NARROWEST = 0.4
"""The least centimetres that a column is wide."""

COLUMN_GAP, ROW_GAP = 0.2, 0.25
"""Centimetres between two columns and between two rows."""

_BAR_GAP, _HEAD_GAP = 0.12, 0.08
_LONGEST_BAR = 5.0
_EDGE = 0.02


@dataclass(frozen=True, slots=True)
class FigureFrame:
    """What stands around the maps of a figure.

    Attributes:
        width_cm: the width of the figure; its height follows.
        title: above all; empty for none.
        columns: a head for each input; empty for none.
        heads: whether rows have heads.
        colorbar: one of COLORBARS.
        look: of the words.
    """

    width_cm: float
    title: str = ""
    columns: tuple[str, ...] = ()
    heads: bool = True
    colorbar: str = "auto"
    look: Look = field(default_factory=Look)


def check_room(width_cm: float, columns: int) -> None:
    """Raise UsageError where columns would be too narrow to see anything in them."""
    if (width_cm - COLUMN_GAP * (columns - 1)) / columns < NARROWEST:
        raise UsageError(f"{columns} columns have no room in {max(width_cm, 0):.3g} cm: make the figure wider")


def lay_out(rows: Sequence[FigureRow], frame: FigureFrame, notes: Sequence[str] = ()) -> Figure:
    """Return rows as a figure.

    Raises:
        UsageError: The figure is too narrow for its columns, or higher than HIGHEST.
    """
    figure = _Arrangement(tuple(rows), frame).figure(tuple(notes))
    if figure.height_cm > HIGHEST:
        raise UsageError(
            f"{len(rows)} rows make a figure {figure.height_cm:.0f} cm high, more than {HIGHEST:g}: "
            "select fewer layers or channels, or put more maps in a row"
        )
    return figure


@dataclass(frozen=True, slots=True)
class _LaidRow:
    """A row in its place, and where it ends."""

    panels: tuple[Panel, ...]
    bars: tuple[FigureBar, ...]
    heads: FigureMarks
    bottom: float


@dataclass(frozen=True)
class _Arrangement:
    """Rows and what stands around them, and the places that follow."""

    rows: tuple[FigureRow, ...]
    frame: FigureFrame

    def figure(self, notes: tuple[str, ...]) -> Figure:
        look, signs = self.frame.look, {sign for row in self.rows for sign in row.signs}
        above, y = self._heads()
        top, laid = y, []
        for row in self.rows:
            laid.append(self._row(row, y))
            y = laid[-1].bottom + ROW_GAP
        y -= ROW_GAP
        bars = [*(bar for row in laid for bar in row.bars), *self._shared_bars(top, y)]
        y += _BAR_GAP + room_below(look) if self.below and not self.each else 0.0
        y += _BAR_GAP if signs else 0.0
        return Figure(
            width_cm=self.frame.width_cm,
            height_cm=y + _EDGE + (look.line(look.small) if signs else 0.0),
            panels=tuple(panel for row in laid for panel in row.panels),
            bars=tuple(bars),
            around=joined([FigureMarks(texts=above), *(row.heads for row in laid), legend(signs, self.left, y, look)]),
            background=look.background,
            font=look.font,
            notes=notes,
        )

    @cached_property
    def scales(self) -> tuple[BarScale, ...]:
        """The different scales that have a bar."""
        return tuple(dict.fromkeys(row.scale for row in self.rows if row.scale is not None))

    @cached_property
    def each(self) -> bool:
        """Whether each row has a bar of its own: where scales have numbers."""
        return any(scale.words is None for scale in self.scales)

    @cached_property
    def beside(self) -> bool:
        """Whether bars stand at the right."""
        return bool(self.scales) and (self.frame.colorbar == "right" or (self.frame.colorbar == "auto" and self.each))

    @cached_property
    def below(self) -> bool:
        """Whether bars lie below."""
        return bool(self.scales) and not self.beside and self.frame.colorbar != "none"

    @cached_property
    def turned(self) -> bool:
        """Whether heads read upwards at the left of rows; else they stand above them."""
        look = self.frame.look
        inner = self.frame.width_cm - self._right - look.line(look.size) - _HEAD_GAP
        width = (inner - self._aside - COLUMN_GAP * (self._count - 1)) / self._count
        return self.frame.heads and all(
            look.width(row.head, look.size) <= max(cell.height(width, look) for cell in row.cells) for row in self.rows
        )

    @cached_property
    def left(self) -> float:
        """Where the first column begins."""
        look = self.frame.look
        heads = look.line(look.size) + _HEAD_GAP if self.turned and any(row.head for row in self.rows) else 0.0
        return _EDGE + heads + self._aside

    @cached_property
    def columns(self) -> tuple[Rectangle, ...]:
        """The columns, with no height."""
        room = self.frame.width_cm - self._right - self.left - _EDGE
        width = (room - COLUMN_GAP * (self._count - 1)) / self._count
        check_room(room, self._count)
        return tuple(Rectangle(self.left + number * (width + COLUMN_GAP), 0, width, 0) for number in range(self._count))

    @property
    def _count(self) -> int:
        return len(self.rows[0].cells)

    @property
    def _aside(self) -> float:
        """The room for numbers of axes at the left of the first column."""
        return max(row.cells[0].aside(self.frame.look) for row in self.rows)

    @property
    def _right(self) -> float:
        """The room for bars at the right."""
        if not self.beside:
            return 0.0
        return _BAR_GAP + max(room_beside(scale, self.frame.look) for scale in self.scales)

    def _heads(self) -> tuple[tuple[FigureText, ...], float]:
        """Return the title and the heads of columns, and where the first row begins."""
        frame, look, y = self.frame, self.frame.look, _EDGE
        texts = []
        if frame.title:
            title = look.fitted(frame.title, look.large, frame.width_cm - self.left)
            texts.append(FigureText(title, self.left, y + look.large * POINT, look.large, look.ink))
            y += look.line(look.large) + _HEAD_GAP
        for place, head in zip(self.columns if frame.columns else (), frame.columns, strict=True):
            words = look.fitted(head, look.size, place.width)
            texts.append(look.head(words, place.left + place.width / 2, y + look.size * POINT, "m"))
        return tuple(texts), y + (look.line(look.size) + _HEAD_GAP if frame.columns else 0.0)

    def _row(self, row: FigureRow, top: float) -> _LaidRow:
        """Lay a row from `top` on."""
        look = self.frame.look
        above = self.frame.heads and row.head and not self.turned
        y = top + (look.line(look.size) + _HEAD_GAP / 2 if above else 0.0)
        heights = [cell.height(place.width, look) for cell, place in zip(row.cells, self.columns, strict=True)]
        bottom = y + max(heights)
        texts = []
        if above:
            words = look.fitted(row.head, look.size, self.columns[-1].right - self.left)
            texts = [look.head(words, self.left, top + look.size * POINT)]
        elif self.turned and row.head:
            texts = [look.head(row.head, _EDGE + look.size * POINT, (y + bottom) / 2, "m", turned=True)]
        places = [
            Rectangle(column.left, y, column.width, height)
            for column, height in zip(self.columns, heights, strict=True)
        ]
        sources = self.frame.columns or ("",) * self._count
        panels = tuple(
            Panel(row.head, source, place, cell.drawn(place, look), row.channels)
            for cell, place, source in zip(row.cells, places, sources, strict=True)
        )
        bars = self._own_bar(row, y, bottom)
        return _LaidRow(panels, bars, FigureMarks(texts=tuple(texts)), bottom + self._below_row(row))

    def _own_bar(self, row: FigureRow, top: float, bottom: float) -> tuple[FigureBar, ...]:
        """Return the bar of a row, where each row has its own."""
        look = self.frame.look
        if not self.each or row.scale is None or not (self.beside or self.below):
            return ()
        if self.beside:
            return (standing_bar(row.scale, self._beside(top, bottom - top), (row.head,), look),)
        place = Rectangle(self.left, bottom + _BAR_GAP, self._length, THICK)
        return (lying_bar(row.scale, place, (row.head,), look),)

    def _below_row(self, row: FigureRow) -> float:
        """Return the room that the bar of a row takes below it."""
        return _BAR_GAP + room_below(self.frame.look) if self.each and self.below and row.scale is not None else 0.0

    def _beside(self, top: float, height: float) -> Rectangle:
        """Return the place of a bar at the right of maps from `top` on."""
        length = min(height, _LONGEST_BAR)
        return Rectangle(self.columns[-1].right + _BAR_GAP, top + (height - length) / 2, THICK, length)

    @property
    def _length(self) -> float:
        """How long a lying bar is."""
        return min(self.columns[-1].right - self.left, _LONGEST_BAR)

    def _shared_bars(self, top: float, bottom: float) -> Iterator[FigureBar]:
        """Yield the bars of scales without numbers, which several rows share."""
        if self.each or not (self.beside or self.below):
            return
        look, count = self.frame.look, len(self.scales)
        room = self.columns[-1].right - self.left
        for number, scale in enumerate(self.scales):
            layers = tuple(row.head for row in self.rows if row.scale == scale)
            if self.beside:
                part = (bottom - top - ROW_GAP * (count - 1)) / count
                yield standing_bar(scale, self._beside(top + number * (part + ROW_GAP), part), layers, look)
            else:
                length = min((room - 0.6 * (count - 1)) / count, _LONGEST_BAR)
                place = Rectangle(self.left + number * (length + 0.6), bottom + _BAR_GAP, length, THICK)
                yield lying_bar(scale, place, layers, look)

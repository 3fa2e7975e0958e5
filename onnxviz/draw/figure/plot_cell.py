"""Values as bars about zero, in a cell of a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from onnxviz.draw.bars import BAR, Columns, spans
from onnxviz.draw.figure.cells import FRAME
from onnxviz.draw.figure.figure_parts import POINT, FigureArea, FigureMarks, Rectangle
from onnxviz.draw.figure.look import Look
from onnxviz.draw.header import ticks
from onnxviz.draw.palette import Colour, Palette
from onnxviz.words import number_text

PLOT = 1.8
"""Centimetres that a plot is high."""

_PER_CM = 120
"""Bars of a plot in a centimetre, at most."""

# Centimetres between two names.
_APART = 0.06
# Bars that are thinner, in centimetres, have no gaps between them.
_THIN = 0.05


@dataclass(frozen=True, slots=True)
class PlotCell:
    """Values as bars about zero.

    Attributes:
        values: (n,) float64; NaN and infinities fill their place in colours of their own.
        ends: the values at the bottom and at the top.
        colours: of the bars and of what is not finite.
        numbered: whether the values of the axis stand at its left.
        names: what stands below each bar; empty for nothing.
    """

    values: npt.NDArray[np.float64]
    ends: tuple[float, float]
    colours: Palette = field(repr=False)
    numbered: bool = True
    names: Sequence[str] = ()

    def aside(self, look: Look) -> float:
        """Return the room of the widest number of the axis."""
        return max(look.width(number_text(tick), look.small) for tick in self._ticks) + 0.1 if self.numbered else 0.0

    def height(self, width: float, look: Look) -> float:
        """Return PLOT, and a line for names."""
        return PLOT + (look.line(look.small) if self._named(width, look) else 0.0)

    def drawn(self, place: Rectangle, look: Look) -> FigureMarks:
        """Return a rectangle for each bar, the axis at zero, its numbers and the names."""
        named = self._named(place.width, look)
        place = replace(place, height=PLOT)
        columns = spans(self.values, min(len(self.values), max(1, int(place.width * _PER_CM))))
        thick = place.width / len(columns.low)
        bars = [self._bar(columns, index, place, thick) for index in range(len(columns.low))]
        zero = FigureArea(Rectangle(place.left, self._row(0.0, place) - FRAME / 2, place.width, FRAME), look.rule)
        axis = FigureArea(Rectangle(place.left - FRAME, place.top, FRAME, place.height), look.rule)
        marks, texts = [], []
        for tick in self._ticks if self.numbered else ():
            row = self._row(tick, place)
            marks.append(FigureArea(Rectangle(place.left - 0.06, row - FRAME / 2, 0.06, FRAME), look.rule))
            texts.append(look.number(tick, place.left - 0.09, row, place, "r"))
        for number, name in enumerate(self.names if named else ()):
            texts.append(look.note(name, place.left + (number + 0.4) * thick, place.bottom + look.small * POINT, "m"))
        return FigureMarks(areas=(*bars, zero, axis, *marks), texts=tuple(texts))

    def _named(self, width: float, look: Look) -> bool:
        """Return whether every name fits below its bar; else none stands there."""
        room = width / len(self.values) - _APART
        return bool(self.names) and all(look.width(name, look.small) <= room for name in self.names)

    @property
    def _ticks(self) -> list[float]:
        return ticks(*self.ends, 3)

    def _bar(self, columns: Columns, index: int, place: Rectangle, thick: float) -> FigureArea:
        mark, left = int(columns.marks[index]), place.left + index * thick
        # Thin bars overlap a little: a viewer that smooths edges would leave pale lines between them.
        width = thick * (1.3 if thick < _THIN else 0.8)
        if mark:
            return FigureArea(Rectangle(left, place.top, width, place.height), self._colour(mark))
        top, bottom = self._row(float(columns.high[index]), place), self._row(float(columns.low[index]), place)
        return FigureArea(Rectangle(left, top, width, bottom - top), self._colour(BAR))

    def _row(self, value: float, place: Rectangle) -> float:
        """Return where a value stands, in centimetres from the top of the paper."""
        low, high = self.ends
        inside = min(max(value, low), high)
        # Halves first, since the difference of two large numbers can overflow.
        return place.top + (high / 2 - inside / 2) / (high / 2 - low / 2) * place.height

    def _colour(self, index: int) -> Colour:
        red, green, blue = self.colours[index].tolist()
        return red, green, blue

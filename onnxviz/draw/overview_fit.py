"""How the pictures of a layer lie in its row of an overview: in one line, or wide ones larger and in several."""

from __future__ import annotations

import math
from dataclasses import dataclass

TILE = 112
"""The longer side, in pixels, of a picture that is not wide; larger maps are averaged down to it."""

SHOWN = 7
"""How many channels are shown, behind the mean and the principal components."""

CURVE = 150
"""Pixels, and therefore points at most, of a sorted curve."""

STRIP = 2 * (TILE + 10) + 14 + SHOWN * (TILE + 6) - 6
"""Pixels from the first of them to the end of the last; a vector's bars take their place."""

CAPTION = 16
"""Pixels for the words below a picture."""

GAP = 6
"""Pixels between two pictures of a line."""

THINNEST = 8
"""Pixels that the shorter side of a picture keeps."""

WIDE = 2
"""How much wider than high maps are at least to have a line of another kind."""

LABEL, RANGE = 66, 112
"""Pixels for the words at the left and at the right of a sequence."""

SAMPLES = STRIP - LABEL - RANGE
"""Pixels that a sequence is long."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How pictures lie in a row.

    Attributes:
        lines, columns: how many stand below one another, and side by side.
        box: (height, width) in pixels that each may fill.
    """

    lines: int
    columns: int
    box: tuple[int, int]

    @property
    def usual(self) -> bool:
        """Whether they stand below the titles of the columns."""
        return self == ONE_LINE

    def place(self, number: int) -> tuple[int, int]:
        """Return the corner (y, x) of a picture's box, from the corner of the row's first; the usual fit has others.

        >>> [Fit(2, 5, (48, 210)).place(number) for number in (0, 1, 5)]
        [(0, 0), (0, 216), (64, 0)]
        """
        line, column = divmod(number, self.columns)
        return line * (self.box[0] + CAPTION), column * (self.box[1] + GAP)


ONE_LINE = Fit(1, 2 + SHOWN, (TILE, TILE))
"""The usual fit."""


def fit(count: int, height: int, width: int) -> Fit:
    """Return the fit in which `count` pictures of (height, width) values are largest, the usual one if not wide.

    >>> fit(9, 56, 56) == ONE_LINE, fit(9, 24, 160), fit(1, 4, 2100)
    (True, Fit(lines=2, columns=5, box=(48, 210)), Fit(lines=1, columns=1, box=(112, 1078)))
    """
    if width < WIDE * height and count > 1:
        return ONE_LINE
    return max((_in_lines(count, lines) for lines in (1, 2, 3)), key=lambda fitted: _scale(fitted, height, width))


def _in_lines(count: int, lines: int) -> Fit:
    columns = math.ceil(count / lines)
    high = (TILE + CAPTION) // lines - CAPTION
    if lines == 1 and count > 1:
        return ONE_LINE
    return Fit(lines, columns, (high, (STRIP + GAP) // columns - GAP))


def _scale(fitted: Fit, height: int, width: int) -> float:
    return min(fitted.box[0] / height, fitted.box[1] / width)

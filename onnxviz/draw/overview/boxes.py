"""Where the pictures of a layer stand in its row of an overview: in one line, wide ones larger and in up to three."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

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
class Boxes:
    """The places for the pictures of a row.

    Attributes:
        lines, columns: how many stand below one another, and side by side.
        size: (height, width) of each, in pixels; a picture fills as much of it as its shape allows.
    """

    lines: int
    columns: int
    size: tuple[int, int]

    @property
    def usual(self) -> bool:
        """Whether they stand in one line, below the titles of the columns."""
        return self.lines == 1 and self.columns == ONE_LINE.columns

    def place(self, number: int) -> tuple[int, int]:
        """Return the corner (y, x) of a box, counted from the corner of the first; not for the usual line.

        >>> [Boxes(2, 5, (48, 210)).place(number) for number in (0, 1, 5)]
        [(0, 0), (0, 216), (64, 0)]
        """
        line, column = divmod(number, self.columns)
        return line * (self.size[0] + CAPTION), column * (self.size[1] + GAP)


ONE_LINE = Boxes(1, 2 + SHOWN, (TILE, TILE))
"""The usual line: mean, principal components and channels, each below its column's title."""


def choose_boxes(count: int, height: int, width: int) -> Boxes:
    """Return the boxes in which `count` pictures of (height, width) values are largest; the usual line if not wide.

    The usual line is as high as its pictures, so that the words below stand right under them.

    >>> choose_boxes(9, 56, 56) == ONE_LINE, choose_boxes(9, 24, 160)
    (True, Boxes(lines=2, columns=5, size=(48, 210)))
    >>> choose_boxes(9, 36, 64)
    Boxes(lines=1, columns=9, size=(63, 112))
    """
    if width < WIDE * height and count > 1:
        return replace(ONE_LINE, size=(min(TILE, round(TILE * height / width)), TILE))
    return max((_in_lines(count, lines) for lines in (1, 2, 3)), key=lambda boxes: _scale(boxes, height, width))


def _in_lines(count: int, lines: int) -> Boxes:
    columns = math.ceil(count / lines)
    high = (TILE + CAPTION) // lines - CAPTION
    if lines == 1 and count > 1:
        return ONE_LINE
    return Boxes(lines, columns, (high, (STRIP + GAP) // columns - GAP))


def _scale(boxes: Boxes, height: int, width: int) -> float:
    return min(boxes.size[0] / height, boxes.size[1] / width)

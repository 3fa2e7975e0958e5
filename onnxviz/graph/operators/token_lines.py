"""Lines: positions of tokens one after the other, with the cell of the picture's grid that each stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OUTSIDE, PADDING = -1, -2
"""Cells of positions that stand for no place: what was joined, as a class token, and what was padded."""

MOST_CELLS = 1 << 17
"""The longest axis whose positions are followed one by one: a hostile size would take all memory."""

ITEMS = -1
"""The axis of the input that counts its items; those of an item are 0, 1 and so on."""


@dataclass(frozen=True, slots=True)
class Line:
    """Positions one after the other, each of which stands for a cell of a grid over some axes of the input.

    Attributes:
        axes: the axes of an item of the input, or ITEMS.
        sizes: how many cells the grid has along each.
        cells: the cell of each position, counted row by row, or OUTSIDE or PADDING.
    """

    axes: tuple[int, ...]
    sizes: tuple[int, ...]
    cells: Sequence[int]


def coarser_line(line: Line, step: int) -> Line | None:
    """Return the line of every `step` positions, where these lie in one larger cell; None where they do not."""
    if len(line.axes) > 1:
        return None
    cells = []
    for start in range(0, len(line.cells), step):
        found = {cell // step if cell >= 0 else cell for cell in line.cells[start : start + step]} - {PADDING}
        if len(found) > 1:
            return None
        cells.append(found.pop() if found else PADDING)
    return Line(line.axes, (-(-line.sizes[0] // step),), plain(cells))


def merged_line(lines: Sequence[Line]) -> Line | None:
    """Return the line of positions that stand for a cell of each of several lines, all in one larger cell, or None.

    Even and odd rows joined along the channels are a line of pairs of rows. Padding stands for whatever meets it.
    """
    first = lines[0]
    if len({(line.axes, line.sizes, len(line.cells)) for line in lines}) > 1:
        return None
    step = -(-first.sizes[0] // len(first.cells)) if len(first.axes) == 1 else 1
    found = [
        {cell // step if cell >= 0 else cell for cell in met if cell != PADDING}
        for met in zip(*(line.cells for line in lines), strict=True)
    ]
    if any(len(cells) > 1 for cells in found):
        return None
    cells = plain([cells.pop() if cells else PADDING for cells in found])
    return Line(first.axes, (-(-first.sizes[0] // step), *first.sizes[1:]), cells)


def plain(cells: Sequence[int]) -> Sequence[int]:
    """Return cells that count from 0 on as a range, which is compared at once."""
    if isinstance(cells, range) and cells.step == 1 and cells.start == 0:
        return cells
    counted = range(len(cells))
    return counted if all(map(int.__eq__, cells, counted)) else tuple(cells)

"""How an array whose places are known becomes a map: a TokenGrid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from onnxviz.graph.operators.token_digits import BOTH, KEY, QUERY, PlaceDigit, Places, cells_of, in_order, lines_in
from onnxviz.graph.operators.token_lines import ITEMS, MOST_CELLS, OUTSIDE
from onnxviz.layout import TokenGrid


def grids_of(found: Mapping[str, Places]) -> Mapping[str, TokenGrid]:
    """Return the grids of values; most values of a model share a few of them."""
    made: dict[tuple[tuple[object, ...], ...], TokenGrid | None] = {}
    grids: dict[str, TokenGrid] = {}
    for value, places in found.items():
        key = tuple(
            (place, id(each.line), each.count, each.step, each.role)
            for place, axis in enumerate(places)
            for each in axis
        )
        if key not in made:
            made[key] = _grid(places)
        grid = made[key]
        if grid is not None:
            grids[value] = grid
    return grids


def _grid(places: Places) -> TokenGrid | None:
    """Return how a value is laid out as a map; None where its positions do not fill one."""
    digits = [digit for axis in places for digit in axis]
    queries = _cells(digits, QUERY)
    if queries is None:
        return None
    keys = _cells(digits, KEY) if any(digit.role == KEY for digit in digits) else None
    return replace(queries, axes=_map_axes(places), keys=keys)


def _cells(digits: Sequence[PlaceDigit], role: str) -> TokenGrid | None:
    own = [digit for digit in digits if digit.role in (BOTH, role)]
    lines = [line for line in lines_in(own) if line.axes != (ITEMS,)]
    if len({axis for line in lines for axis in line.axes}) != 2 or sum(len(line.axes) for line in lines) != 2:
        return None
    tokens = [place for place, digit in enumerate(digits) if digit.line in lines and digit.role in (BOTH, role)]
    if math.prod(digits[place].count for place in tokens) > MOST_CELLS:
        return None
    _, sizes, cells = cells_of([digits[place] for place in tokens], lines)
    held = np.zeros(sizes, bool)
    held.reshape(-1)[cells[cells >= 0]] = True
    rows, columns = held.any(axis=1), held.any(axis=0)  # those of which no token is left fall away
    height, width = int(rows.sum()), int(columns.sum())
    if not np.count_nonzero(held) == np.count_nonzero(cells >= 0) == height * width > 1:
        return None
    closed = (np.cumsum(rows) - 1)[cells // sizes[1]] * width + (np.cumsum(columns) - 1)[cells % sizes[1]]
    return TokenGrid(
        grid=(height, width),
        prefix=int(np.count_nonzero(cells == OUTSIDE)),
        split=tuple(digit.count for digit in digits),
        items=tuple(place for place, digit in enumerate(digits) if digit.line and digit.line.axes == (ITEMS,)),
        tokens=tuple(tokens),
        cells=tuple(np.where(cells < 0, cells, closed).tolist()),
    )


def _map_axes(places: Places) -> tuple[int, ...]:
    """Return the two axes along which the rows and columns of the picture lie in order, if they do."""
    held = [
        place for place, axis in enumerate(places) if any(digit.line and digit.line.axes != (ITEMS,) for digit in axis)
    ]
    numbers = [in_order(places[place]) for place in held]
    ordered = [number for number in numbers if number is not None]
    return tuple(held) if len(numbers) == len(ordered) == 2 and ordered[0] < ordered[1] else ()

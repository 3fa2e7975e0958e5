"""Attention as pictures: where one token, or the mean of all, looks, for each head.

The weights of an attention are a matrix for each head: a row for each query, a column for each key. Where the keys lie
in the picture, a row is a map over it: position (7, 3) of the class token's is how much it takes from the token in row
7, column 3 of the grid. Keys that lie nowhere, such as the class token itself, stand beside it. Where all of them lie
nowhere, as in text, a row is a band, and the whole matrix a picture.

Windows, which attend within themselves, are put back: what a query in one of them cannot see is 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from onnxviz.errors import UsageError
from onnxviz.extremes import as_floats
from onnxviz.layout import Array, AttentionLayout, TokenGrid
from onnxviz.words import number_text

AUTO, CLASS, MEAN, MATRIX = "auto", "class", "mean", "matrix"
_OUTSIDE = -1

Cells = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Query:
    """Whose attention is shown.

    Attributes:
        kind: `auto`, `class`, `mean`, `matrix`, or empty where a token is named.
        place: the token's row and column in the grid, or its number.
    """

    kind: str = AUTO
    place: tuple[int, ...] = ()


def parse_query(text: str) -> Query:
    """Read whose attention is to be shown.

    >>> parse_query("7,3"), parse_query("mean")
    (Query(kind='', place=(7, 3)), Query(kind='mean', place=()))

    Raises:
        UsageError: It is not a place, a number or one of the words.
    """
    if text in (AUTO, CLASS, MEAN, MATRIX):
        return Query(text)
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 2 or not all(part.isdecimal() and len(part) < 10 for part in parts):
        raise UsageError(
            f"a query is a token's row and column, such as 7,3, its number, class, mean or matrix, not {text!r}"
        )
    return Query("", tuple(map(int, parts)))


@dataclass(frozen=True, slots=True)
class Attended:
    """Attention as it is shown.

    Attributes:
        values: over the picture `(heads, H, W)`, of text a query's `(heads, keys)` or all `(heads, queries, keys)`.
        query: whose it is, as `parse_query` reads it: `7,3`, `5`, `class`, `mean` or `matrix`.
        notes: the words for it.
        prefix: what each head gives to the keys that lie nowhere, `(heads, n)`.
        labels: a name for each head, with the sum of these.
        mark: the cell (y, x) in which the query lies.
    """

    values: Array
    query: str
    notes: tuple[str, ...]
    prefix: Array | None = None
    labels: tuple[str, ...] | None = None
    mark: tuple[int, int] | None = None


def over_picture(array: Array, layout: AttentionLayout) -> Attended | None:
    """Return item 0 of attention weights as maps over the picture; None where the keys lie nowhere.

    The layout's query says whose attention it is. A query that the layer does not have is replaced by the class
    token's, or by the mean where the layer has no class token, and a note says so. The query `matrix` has no map: None.
    """
    asked = parse_query(layout.query)
    weights = None if asked.kind == MATRIX else _over_picture(array, layout)
    return None if weights is None else _as_maps(weights, asked)


def of_text(matrix: Array, layout: AttentionLayout) -> Attended:
    """Return weights `(heads, queries, keys)` whose keys lie nowhere: those of the query, or all of them."""
    asked = parse_query(layout.query)
    if asked.kind == MEAN:
        return Attended(matrix.mean(axis=1), MEAN, ("mean over queries",))
    name = ",".join(map(str, asked.place))
    if len(asked.place) == 1 and asked.place[0] < matrix.shape[1]:
        return Attended(np.ascontiguousarray(matrix[:, asked.place[0]]), name, (f"query {name}",))
    return Attended(matrix, MATRIX, ("rows are queries", *([f"no query {name}"] if name else [])))


@dataclass(frozen=True, slots=True)
class _PlacedWeights:
    """Weights by window, head, query and key `(B, C, Q, K)`, and the cells of a grid where queries and keys lie.

    `queries` (B, Q) are None where these lie nowhere; -1 marks a token of no place, below that is padding. `items` is
    how many items the batch has.
    """

    values: Array
    keys: Cells
    grid: tuple[int, int]
    queries: Cells | None = None
    query_grid: tuple[int, int] = (1, 1)
    items: int = 1


def _over_picture(array: Array, layout: AttentionLayout) -> _PlacedWeights | None:
    """Return the weights of item 0 with the places of their keys, None where these lie nowhere."""
    tokens, letters = layout.tokens, layout.letters
    if tokens is None or math.prod(tokens.split) != array.size or not array.size:
        return None
    axes = _places_of_axes(array.shape, tokens.split)
    if axes is None:
        return None
    rows, columns = (set(axes[axis]) for axis, letter in enumerate(letters) if letter == "T")
    keys = tokens.keys or tokens
    if not set(keys.tokens) & columns:
        return None
    both = [place for place in keys.tokens if place not in columns]
    batch = {*tokens.items, *(axes[letters.index("N")] if "N" in letters else ())} - set(both)
    heads = [place for place in range(len(tokens.split)) if place not in {*batch, *both, *rows, *columns}]
    order = [*sorted(batch), *both, *heads, *sorted(rows), *sorted(columns)]
    split = array.reshape(tokens.split).transpose(order)[(0,) * len(batch)]
    sizes = [math.prod(tokens.split[place] for place in places) for places in (both, heads, rows, columns)]
    queries = None if tokens.keys is None else _cells(tokens, both, sorted(rows))
    values, cells = as_floats(split.reshape(sizes)), _cells(keys, both, sorted(columns))
    items = math.prod(tokens.split[place] for place in batch)
    return _PlacedWeights(values, cells, keys.grid, queries, tokens.grid, items)


def _places_of_axes(shape: Sequence[int], split: Sequence[int]) -> list[tuple[int, ...]] | None:
    """Return which places of a split each axis of an array has."""
    places: list[tuple[int, ...]] = []
    start = 0
    for size in shape:
        end = start
        while math.prod(split[start:end]) < size and end < len(split):
            end += 1
        if math.prod(split[start:end]) != size:
            return None
        places.append(tuple(range(start, end)))
        start = end
    return places


def _cells(grid: TokenGrid, both: Sequence[int], own: Sequence[int]) -> Cells:
    """Return the cell of each token by window and number, (B, T)."""
    order = [grid.tokens.index(place) for place in (*both, *own)]
    cells = np.asarray(grid.cells).reshape([grid.split[place] for place in grid.tokens]).transpose(order)
    return cells.reshape(math.prod(grid.split[place] for place in both), -1)


def _as_maps(weights: _PlacedWeights, asked: Query) -> Attended:
    """Return the attention of a query over the picture, `(heads, H, W)`."""
    found, query, words = _chosen(weights, asked)
    if found is None:
        kept = np.ones(weights.values.shape[:3:2], bool) if weights.queries is None else weights.queries >= _OUTSIDE
        count = np.maximum(kept.sum(axis=1), 1)[:, None, None]
        rows = np.einsum("bcqk,bq->bck", weights.values, kept.astype(weights.values.dtype)) / count
        windows, mark = range(len(rows)), None
    else:
        window, place = found
        rows, windows = weights.values[window : window + 1, :, place], range(window, window + 1)
        mark = _mark(weights, window, place)
    height, width = weights.grid
    maps = np.zeros((rows.shape[1], height * width), rows.dtype)
    for row, window in zip(rows, windows, strict=True):
        cells = weights.keys[window]
        maps[:, cells[cells >= 0]] = row[:, cells >= 0]
    notes = (f"item 0 of {weights.items}", words) if weights.items > 1 else (words,)
    prefix = rows[0][:, weights.keys[windows[0]] == _OUTSIDE]
    if not prefix.size:
        return Attended(maps.reshape(-1, height, width), query, notes, mark=mark)
    return Attended(maps.reshape(-1, height, width), query, notes, prefix, _labels(prefix), mark)


def _chosen(weights: _PlacedWeights, asked: Query) -> tuple[tuple[int, int] | None, str, str]:
    """Return the window and number of the query that is shown, None for all of them, its name, and words for it."""
    outside = np.argwhere(weights.queries == _OUTSIDE) if weights.queries is not None else np.empty((0, 2), int)
    if asked.kind == CLASS or (asked.kind == AUTO and len(outside)):
        if len(outside):
            return (int(outside[0, 0]), int(outside[0, 1])), CLASS, "class token's attention"
        return None, MEAN, "no class token: mean over queries"
    if asked.kind in (AUTO, MEAN):
        return None, MEAN, "mean over queries"
    name = ",".join(map(str, asked.place))
    found = _named(weights, asked.place)
    if found is not None:
        return found, name, f"query {name}"
    found, query, words = _chosen(weights, Query())
    return found, query, f"no query {name}: {words}"


def _named(weights: _PlacedWeights, place: tuple[int, ...]) -> tuple[int, int] | None:
    """Return the window and number of a query by its row and column, or by its number where there is one window."""
    if len(place) == 1:
        return (0, place[0]) if len(weights.values) == 1 and place[0] < weights.values.shape[2] else None
    height, width = weights.query_grid
    if weights.queries is None or place[0] >= height or place[1] >= width:
        return None
    found = np.argwhere(weights.queries == place[0] * width + place[1])
    return (int(found[0, 0]), int(found[0, 1])) if len(found) else None


def _mark(weights: _PlacedWeights, window: int, place: int) -> tuple[int, int] | None:
    """Return the cell of the keys' grid in which a query lies; None of a query without a place."""
    cell = -1 if weights.queries is None else int(weights.queries[window, place])
    if cell < 0:
        return None
    at = divmod(cell, weights.query_grid[1])
    pairs = zip(at, weights.query_grid, weights.grid, strict=True)
    return tuple(int((one + 0.5) * own / size) for one, size, own in pairs)  # type: ignore[return-value]


def _labels(prefix: Array) -> tuple[str, ...]:
    name = "class" if prefix.shape[1] == 1 else "prefix"
    return tuple(f"{head} · {name} {number_text(float(weight), 2)}" for head, weight in enumerate(prefix.sum(axis=1)))

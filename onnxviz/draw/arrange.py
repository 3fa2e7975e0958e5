"""Which kind of picture suits an array, and its axes in the order that this kind draws."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from onnxviz.draw.attention import of_text, over_picture
from onnxviz.draw.statistics import ChannelStatistics
from onnxviz.extremes import as_floats
from onnxviz.layout import SPATIAL, STEPS, Array, AttentionLayout, Layout, TokenGrid, channels_first

NO_NUMBERS = "OSUTMm"
"""numpy's kinds of dtypes that hold texts, objects or times."""

MAPS, BANDS, BARS, FILMSTRIP, ATTENTION, NOTHING = "maps", "bands", "bars", "filmstrip", "attention", "nothing"
STEP_MAPS = "steps"
ATTENDED, ATTENDED_BANDS = "attended", "attended bands"
SEQUENCES = (BANDS, ATTENDED_BANDS)
"""The kinds that draw a sequence for each channel."""


@dataclass(frozen=True, slots=True)
class Arranged:
    """One item of an array, ready to be drawn.

    Attributes:
        kind: `maps` (C, H, W), `bands` (C, L), `bars` (C,), `filmstrip` (C, D, H, W), `steps` (C, S, H, W),
            `attention` (heads, T, T), of one query `attended` (heads, H, W) or `attended bands` (heads, T), or
            `nothing` (the array is empty, or holds no numbers).
        values: float32 or float64 in the shape of the kind; a view where the array allows it.
        notes: what was done or assumed, for the caption.
        in_steps: whether the first axis behind the channels, or that of bars, is steps.
        prefix: tokens that stand for no place of the maps, (C, n), None where there are none.
        labels: a name for each channel, where these say more than its number.
        mark: a position (y, x) that every map marks.
        query: whose attention it is, else empty.
        groups: how many groups of as many channels C holds, one behind the other, such as the directions of a recurrent
            layer.
    """

    kind: str
    values: Array
    notes: tuple[str, ...] = ()
    in_steps: bool = False
    prefix: Array | None = None
    labels: tuple[str, ...] | None = None
    mark: tuple[int, int] | None = None
    query: str = ""
    groups: int = 1


def arrange_axes(array: Array, layout: Layout) -> Arranged:
    """Take item 0 of an array and put its axes in the order of a picture.

    A layout has one letter an axis; N is the batch, C the channels, T tokens, D, H, W, L space, S steps, which are one
    more axis before those of space; two T make attention, G is groups of channels, one behind the other, and any other
    letter is folded into the channels. Tokens are bands: how many there are does not say where in a picture they lie;
    a TokenGrid says it and makes them maps. An AttentionLayout says whose attention is shown, over the picture where
    its keys lie there. Without a layout that fits, the rank decides and the notes say so.

    Example:
        >>> import numpy as np
        >>> arranged = arrange_axes(np.zeros((2, 5, 6, 3)), "NHWC")
        >>> arranged.kind, arranged.values.shape, arranged.notes
        ('maps', (3, 5, 6), ('item 0 of 2',))
    """
    if not array.size or array.dtype.kind in NO_NUMBERS:
        return Arranged(NOTHING, np.empty(0, np.float32), ("no numbers" if array.size else "no values",))
    if isinstance(layout, TokenGrid):
        return _on_grid(array, layout)
    if isinstance(layout, AttentionLayout):
        return _attention(array, layout)
    values, letters, notes = _item(array, layout)
    arranged = _by_letters(as_floats(values), letters)
    groups = values.shape[letters.index("G")] if {"G", "C"} <= set(letters) else 1
    if groups > 1:
        notes.append(f"{groups} groups of {len(arranged.values) // groups} channels")
    return replace(arranged, notes=(*notes, *arranged.notes), groups=groups)


def item_channels(array: Array, layout: Layout, item: int = 0) -> Array:
    """Return one item of an array with its channels first, `(C, ...)`, in the order of its picture, with every value.

    Tokens on a grid are `(C, H, W)`, or with tokens besides `(C, H * W + n)`, these last. Complex numbers become
    magnitudes. An array that holds no numbers has no channels.

    >>> item_channels(np.zeros((2, 5, 6, 3)), "NHWC", 1).shape, item_channels(np.zeros((2, 7)), None).shape
    ((3, 5, 6), (7,))
    """
    if array.dtype.kind in NO_NUMBERS:
        return np.empty(0, np.float32)
    if isinstance(layout, TokenGrid):
        maps, prefix = token_maps(array, layout, item)
        return maps if not layout.prefix else np.concatenate([maps.reshape(len(maps), -1), prefix], axis=1)
    letters = layout.letters if isinstance(layout, AttentionLayout) else layout
    values, letters, _ = _item(array, letters, item)
    return np.ascontiguousarray(_channels_first(values, letters))


def item_count(array: Array, layout: Layout) -> int:
    """Return how many items an array has, each of which `item_channels` returns.

    >>> item_count(np.zeros((2, 5, 6, 3)), "NHWC"), item_count(np.zeros(7), None)
    (2, 1)
    """
    if array.dtype.kind in NO_NUMBERS:
        return 1
    if isinstance(layout, TokenGrid):
        return math.prod(layout.split[place] for place in layout.items)
    letters = layout.letters if isinstance(layout, AttentionLayout) else layout
    letters = letters if letters is not None and len(letters) == array.ndim else _assumed(array.ndim)
    return array.shape[letters.index("N")] if "N" in letters else 1


def token_maps(array: Array, grid: TokenGrid, item: int = 0) -> tuple[Array, Array]:
    """Return the tokens of an item as maps (C, H, W), and those that stand for no place (C, n), in their order.

    >>> grid = TokenGrid((2, 3), prefix=1, split=(7, 4), tokens=(0,), cells=(-1, 0, 1, 2, 3, 4, 5))
    >>> maps, prefix = token_maps(np.arange(28).reshape(1, 7, 4), grid)
    >>> maps[0], prefix[:, 0]
    (array([[ 4,  8, 12],
           [16, 20, 24]]), array([0, 1, 2, 3]))
    """
    channels = [place for place in range(len(grid.split)) if place not in (*grid.items, *grid.tokens)]
    split = np.abs(array.reshape(grid.split)) if array.dtype.kind == "c" else array.reshape(grid.split)
    count = math.prod(grid.split[place] for place in channels)
    ordered = split.transpose(*grid.items, *channels, *grid.tokens)
    values = ordered.reshape(-1, count, len(grid.cells))[item]
    cells = np.asarray(grid.cells)
    maps = np.empty((count, math.prod(grid.grid)), values.dtype)
    maps[:, cells[cells >= 0]] = values[:, cells >= 0]
    return maps.reshape(count, *grid.grid), values[:, cells == -1]


def beside_words(prefix: Array) -> str:
    """Return the words for tokens (C, n) that stand beside their maps."""
    return f"at the left {prefix.shape[1]} token{'s' * (prefix.shape[1] != 1)} without a place"


def _attention(array: Array, layout: AttentionLayout) -> Arranged:
    shown = over_picture(array, layout)
    if shown is not None:
        return Arranged(
            ATTENDED,
            shown.values,
            shown.notes,
            prefix=shown.prefix,
            labels=shown.labels,
            mark=shown.mark,
            query=shown.query,
        )
    matrix = arrange_axes(array, layout.letters)
    if matrix.kind != ATTENTION:
        return matrix
    shown = of_text(matrix.values, layout)
    kind = ATTENTION if shown.values.ndim == 3 else ATTENDED_BANDS
    notes = (*matrix.notes[:-1], *shown.notes)
    return replace(matrix, kind=kind, values=shown.values, notes=notes, query=shown.query)


def _on_grid(array: Array, grid: TokenGrid) -> Arranged:
    maps, prefix = token_maps(array, grid)
    items = math.prod(grid.split[place] for place in grid.items)
    notes = ("magnitudes of complex numbers",) if array.dtype.kind == "c" else ()
    notes = (*notes, f"item 0 of {items}") if items > 1 else notes
    return Arranged(MAPS, as_floats(maps), notes, prefix=as_floats(prefix) if grid.prefix else None)


def matching(
    statistics: ChannelStatistics | None, arranged: Arranged, array: Array, layout: Layout
) -> ChannelStatistics | None:
    """Return the statistics of an array's `item_channels` if its picture has the same channels, else None.

    The picture has other channels where axes were folded.
    """
    if array.dtype.kind in NO_NUMBERS + "c":
        return None
    maps = item_channels(array, layout)
    same = maps.ndim > 0 and len(maps) == len(arranged.values) and maps.size == arranged.values.size
    return statistics if same else None


def _item(array: Array, layout: str | None, item: int = 0) -> tuple[Array, str, list[str]]:
    """Return an item without its batch axis, a letter for each axis that is left, and notes."""
    notes = ["magnitudes of complex numbers"] if array.dtype.kind == "c" else []
    if layout is None or len(layout) != array.ndim:
        layout = _assumed(array.ndim)
        if array.ndim > 1:
            notes.append(f"layout {layout} assumed" if "X" not in layout else "all axes but the last two as channels")
    if "N" in layout:
        batch = layout.index("N")
        items, layout = array.shape[batch], layout.replace("N", "", 1)
        notes += [f"item {item} of {items}"] if items > 1 else []
        # An empty batch has no item: one without channels stands for it.
        array = np.moveaxis(array, batch, 0)[item] if items else np.empty((0, *[1] * (array.ndim - 2)), array.dtype)
    return np.abs(array) if array.dtype.kind == "c" else array, layout, notes


def _assumed(rank: int) -> str:
    if rank < 2:
        return "C" * rank
    # X is not a letter of layouts; it marks axes that are folded into the channels.
    return channels_first(rank) or "N" + "X" * (rank - 3) + "HW"


def _by_letters(item: Array, layout: str) -> Arranged:
    """Arrange an item (no batch axis) whose layout has a letter an axis."""
    values = np.ascontiguousarray(_channels_first(item, layout))
    space = [letter for letter in layout if letter in _kept(layout)]
    if values.ndim == 1:
        return Arranged(BARS, values, in_steps=bool(space) and space[0] == STEPS)
    if space[-2:] == ["T", "T"]:
        queries = ("rows are queries",)
        if STEPS in layout and values.shape[1] > 1:
            return Arranged(STEP_MAPS, values, queries, in_steps=True)
        return Arranged(ATTENTION, values.reshape(len(values), *values.shape[-2:]), queries)
    return _named_steps(_by_shape(values)) if space and space[0] == STEPS and values.shape[1] > 1 else _by_shape(values)


def _named_steps(arranged: Arranged) -> Arranged:
    """Say which axis of an arranged array is steps; not of one in which they were folded into the channels."""
    kind = {FILMSTRIP: STEP_MAPS}.get(arranged.kind, arranged.kind)
    if arranged.notes:
        return arranged
    notes = {MAPS: ("rows are steps",), BANDS: ("columns are steps",)}.get(kind, ())
    return replace(arranged, kind=kind, notes=notes, in_steps=True)


def _kept(layout: str) -> str:
    """Return the letters of the axes that are not folded into the channels."""
    return STEPS + "T" if layout.count("T") == 2 else STEPS + SPATIAL + "T"


def _channels_first(item: Array, layout: str) -> Array:
    """Return an item `(C, ...)`; without a channel axis and with at most one axis of space it is a vector `(C,)`."""
    kept = _kept(layout)
    channels = [axis for axis, letter in enumerate(layout) if letter not in kept]
    channels.sort(key=lambda axis: layout[axis] != "G")  # whole groups, wherever the axis lies
    space = [axis for axis, letter in enumerate(layout) if letter in kept]
    values = item.transpose(channels + space)
    if not channels and len(space) < 2:
        return values.reshape(-1)
    return values.reshape(math.prod(item.shape[axis] for axis in channels), *(item.shape[axis] for axis in space))


def _by_shape(values: Array) -> Arranged:
    """Choose the picture of `(C, ...)` by the axes of space that are longer than 1."""
    channels, *space = values.shape
    long = [size for size in space if size > 1]
    if len(space) > 3:
        folded = values.reshape(-1, *space[-2:])
        return replace(_by_shape(folded), notes=("all axes but the last two as channels",))
    if not long:
        return Arranged(BARS, values.reshape(channels))
    if len(long) == 1:
        return Arranged(BANDS, values.reshape(channels, long[0]))
    if len(long) == 3:
        return Arranged(FILMSTRIP, values)
    return Arranged(MAPS, values.reshape(channels, *(space if len(space) == 2 else long)))

"""Which picture suits an array: its axes put in order, by its layout or by its rank."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxviz.draw.scale import as_floats
from onnxviz.layout import SPATIAL, channels_first

if TYPE_CHECKING:
    import numpy.typing as npt

MAPS, BANDS, BARS, FILMSTRIP, ATTENTION, NOTHING = "maps", "bands", "bars", "filmstrip", "attention", "nothing"


@dataclass(frozen=True, slots=True)
class Arranged:
    """One item of an array, ready to be drawn.

    Attributes:
        kind: `maps` (C, H, W), `bands` (C, L), `bars` (C,), `filmstrip` (C, D, H, W), `attention`
            (heads, T, T) or `nothing` (the array has no values, or none that are numbers).
        values: float32 or float64 in the shape of the kind; a view where the array allows it.
        notes: what was done or assumed, for the caption.
    """

    kind: str
    values: npt.NDArray[Any]
    notes: tuple[str, ...] = ()


def arrange_axes(array: npt.NDArray[Any], layout: str | None) -> Arranged:
    """Take item 0 of an array and put its axes in the order of a picture.

    A layout has one letter an axis; N is the batch, C the channels, T tokens, D, H, W, L space; two T make
    attention, and any other letter is folded into the channels. Without a layout that fits, the rank decides
    and the notes say so.

    Example:
        >>> import numpy as np
        >>> arranged = arrange_axes(np.zeros((2, 5, 6, 3)), "NHWC")
        >>> arranged.kind, arranged.values.shape, arranged.notes
        ('maps', (3, 5, 6), ('item 0 of 2',))
    """
    if not array.size:
        return Arranged(NOTHING, np.empty(0, np.float32), ("no values",))
    if array.dtype.kind in "OSUTMm":
        return Arranged(NOTHING, np.empty(0, np.float32), ("no numbers",))
    notes = ["magnitudes of complex numbers"] if array.dtype.kind == "c" else []
    if layout is None or len(layout) != array.ndim:
        layout = _assumed(array.ndim)
        if array.ndim > 1:
            notes.append(f"layout {layout} assumed" if "X" not in layout else "all axes but the last two as channels")
    if "N" in layout:
        batch = layout.index("N")
        notes += [f"item 0 of {array.shape[batch]}"] if array.shape[batch] > 1 else []
        array, layout = array.take(0, batch) if batch else array[0], layout.replace("N", "", 1)
    arranged = _by_letters(as_floats(np.abs(array) if array.dtype.kind == "c" else array), layout)
    return replace(arranged, notes=(*notes, *arranged.notes))


def _assumed(rank: int) -> str:
    if rank < 2:
        return "C" * rank
    # X is no letter of a layout: axes that are folded into the channels.
    return channels_first(rank) or "N" + "X" * (rank - 3) + "HW"


def _by_letters(item: npt.NDArray[Any], layout: str) -> Arranged:
    """Arrange an item (no batch axis) whose layout has a letter an axis."""
    attention = layout.count("T") == 2
    kept = "T" if attention else SPATIAL + "T"
    channels = [axis for axis, letter in enumerate(layout) if letter not in kept]
    space = [axis for axis, letter in enumerate(layout) if letter in kept]
    values = item.transpose(channels + space)
    if not channels and len(space) < 2:
        return Arranged(BARS, values.reshape(-1))
    values = np.ascontiguousarray(values.reshape((-1, *(item.shape[axis] for axis in space))))
    if attention:
        return Arranged(ATTENTION, values, ("rows are queries",))
    if len(space) == 1 and layout[space[0]] == "T":
        return _tokens(values)
    return _by_shape(values)


def _tokens(values: npt.NDArray[Any]) -> Arranged:
    """Fold tokens `(C, T)` to the square grid they come from, if they do; one token more is the class token."""
    count = values.shape[1]
    for extra in (0, 1):
        side = math.isqrt(count - extra)
        if side > 2 and side * side == count - extra:
            note = f"{side} x {side} tokens" + (", class token left out" if extra else "")
            return Arranged(MAPS, values[:, extra:].reshape(-1, side, side), (note,))
    return _by_shape(values)


def _by_shape(values: npt.NDArray[Any]) -> Arranged:
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

"""Layouts as texts: what becomes of axis letters when axes are merged, dropped or put in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from onnxviz.layout import SPATIAL, Dimension


@dataclass(frozen=True, slots=True)
class Axes:
    """The layout of a value, such as `NCHW`, and whether it is a guess."""

    layout: str
    assumed: bool = False


def reshape_axes(axes: Axes, before: Sequence[Dimension], after: Sequence[Dimension]) -> Axes | None:
    """Return the layout after a Reshape, or None where axes are mixed that have no common letter.

    >>> reshape_axes(Axes("NCHW"), ("N", 8, 7, 7), ("N", 8, 49))
    Axes(layout='NCT', assumed=False)
    """
    if len(before) != len(axes.layout):
        return None
    layout, assumed = "", axes.assumed
    for old, new in _groups(before, after):
        letters = _merged(axes.layout[old], before[old], after[new])
        if letters is None:
            return None
        layout += letters.layout
        assumed = assumed or letters.assumed
    mixed = "T" in layout and any(letter in SPATIAL for letter in layout)
    if len(layout) != len(after) or len(set(layout)) != len(layout) or mixed:
        return None
    return Axes(_respaced(layout, axes.layout), assumed)


def remove_axes(axes: Axes, places: Iterable[int]) -> Axes | None:
    """Return the layout without the axes at these places.

    >>> remove_axes(Axes("NCHW"), (2,))
    Axes(layout='NCL', assumed=False)
    """
    rank = len(axes.layout)
    gone = {place % rank for place in places if -rank <= place < rank}
    rest = "".join(letter for place, letter in enumerate(axes.layout) if place not in gone)
    return Axes(_respaced(rest, axes.layout), axes.assumed) if rest else None


def insert_axes(axes: Axes, places: Sequence[int]) -> Axes | None:
    """Name axes of size 1 that are put in: the batch where there is none yet, else one more of space."""
    rank = len(axes.layout) + len(places)
    new = {place % rank for place in places}
    letters, layout = iter(axes.layout), ""
    for place in range(rank):
        layout += next(letters, "") if place not in new else "N" if place == 0 and "N" not in axes.layout else "S"
    spaces = _spaces(sum(letter == "S" or letter in SPATIAL for letter in layout))
    if spaces is None or ("T" in layout and "S" in layout):
        return None
    names = iter(spaces)
    return Axes(
        "".join(next(names) if letter == "S" or letter in SPATIAL else letter for letter in layout), axes.assumed
    )


def _groups(before: Sequence[Dimension], after: Sequence[Dimension]) -> list[tuple[slice, slice]]:
    """Pair up the runs of axes, old and new, that hold the same elements: first from the left, then from the right."""
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start] is not None:
        start += 1
    left = [(slice(place, place + 1), slice(place, place + 1)) for place in range(start)]
    right: list[tuple[slice, slice]] = []
    old, new = len(before), len(after)
    while old > start and new > start:
        run = _run_from_right(before[start:old], after[start:new])
        right.append((slice(old - run[0], old), slice(new - run[1], new)))
        old, new = old - run[0], new - run[1]
    if old > start or new > start:
        right.append((slice(start, old), slice(start, new)))
    return left + right[::-1]


def _run_from_right(before: Sequence[Dimension], after: Sequence[Dimension]) -> tuple[int, int]:
    """Return how many axes at the right end, old and new, have the same product; all of them if sizes are unknown."""
    old = new = 1
    while True:
        first, second = _product_of(before[len(before) - old :]), _product_of(after[len(after) - new :])
        if first is not None and first == second:
            return old, new
        if first is None or second is None:
            return len(before), len(after)
        if first < second and old < len(before):
            old += 1
        elif second < first and new < len(after):
            new += 1
        else:
            return len(before), len(after)


def _product_of(sizes: Sequence[Dimension]) -> int | None:
    numbers = [size for size in sizes if isinstance(size, int) and size > 0]
    return math.prod(numbers) if len(numbers) == len(sizes) else None


def _merged(letters: str, old: Sequence[Dimension], new: Sequence[Dimension]) -> Axes | None:
    """Name the new axes of one run of old ones."""
    if len(letters) == len(new) == 1 or not new:
        return Axes(letters[: len(new)])
    if not letters:
        spaces = _spaces(len(new)) if all(size == 1 for size in new) else None
        return None if spaces is None else Axes(spaces)
    full = "".join(letter for letter, size in zip(letters, old, strict=True) if size != 1) or letters[0]
    if all(size == 1 for size in new[1:]):
        spaces = _spaces(len(new) - 1)
        if spaces is not None and len(full) == 1 and (full in "NC" or len(new) == 1):
            return Axes(full + spaces)
    if len(new) == 1 and all(letter in SPATIAL for letter in full):
        return Axes("T")
    if len(new) == 1:
        # Flattened maps: the units of a vector, by habit called its channels.
        return Axes("C", assumed=True) if "C" in (full[0], full[-1]) and "N" not in full else None
    return Axes("HW", assumed=True) if full in ("T", "L") and len(new) == len("HW") else None


def _spaces(count: int) -> str | None:
    return {0: "", 1: "L", 2: "HW", 3: "DHW"}.get(count)


def _respaced(layout: str, before: str) -> str:
    """Call a single axis of space that is left over `L`, and two `HW`."""
    left = [letter for letter in layout if letter in SPATIAL]
    if len(left) == sum(letter in SPATIAL for letter in before):
        return layout
    names = iter(_spaces(len(left)) or "".join(left))
    return "".join(next(names) if letter in SPATIAL else letter for letter in layout)

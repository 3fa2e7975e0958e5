"""Layouts as texts: what becomes of axis letters where axes are merged, split, dropped or put in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from onnxviz.layout import SPATIAL, Dimension


@dataclass(frozen=True, slots=True)
class Axes:
    """The layout of a value, such as `NCHW`, and whether it is a guess."""

    layout: str
    assumed: bool = False


def carried(
    axes: Axes,
    links: Sequence[tuple[int, int]],
    before: Sequence[Dimension],
    after: Sequence[Dimension],
    *,
    may_come_in: Collection[Dimension] = (),
) -> Axes | None:
    """Return the layout behind a node, or None where axes are mixed that have no common letter.

    Args:
        axes: the layout before the node.
        links: pairs of an axis before and one behind that mean the same, or of which one is a part of the other.
        before: the sizes there.
        after: the sizes behind the node.
        may_come_in: sizes that an axis behind may have which is linked to none before.

    >>> carried(Axes("NCHW"), [(0, 0), (1, 1), (2, 2), (3, 2)], ("N", 8, 7, 7), ("N", 8, 49))
    Axes(layout='NCT', assumed=False)
    """
    if len(before) != len(axes.layout) or any(old >= len(before) or new >= len(after) for old, new in links):
        return None  # the sizes that the file declares contradict its nodes
    letters: dict[int, str] = {}
    assumed = axes.assumed
    for olds, news in _groups(links):
        named = _merged(
            "".join(axes.layout[old] for old in olds), [before[old] for old in olds], [after[new] for new in news]
        )
        if named is None:
            return None
        letters.update(zip(news, named.layout, strict=True))
        assumed = assumed or named.assumed
    if not letters or any(place not in letters and size not in may_come_in for place, size in enumerate(after)):
        return None
    places = [letters.get(place, "") for place in range(len(after))]
    if "G" in places and "N" in axes.layout and "N" not in places and after[places.index("G")] == 1:
        places[places.index("G")] = "N"  # of two axes of size 1 the one that stays is the batch
    if None not in may_come_in and axes.layout == "NC" and sorted(places) == ["", "C", "N"] and places[-1] == "C":
        # A Reshape of rows into a sequence: most often they are its steps, and the axis that comes in is the batch.
        return Axes("".join({"": "N", "N": "T"}.get(letter, letter) for letter in places), assumed=True)
    layout = _filled(places, axes.layout)
    if layout is None or (len(set(layout)) != len(layout) and not _is_same_matrix(axes.layout, layout, links)):
        return None
    return None if "T" in layout and any(letter in SPATIAL for letter in layout) else Axes(layout, assumed)


def _is_same_matrix(before: str, after: str, links: Sequence[tuple[int, int]]) -> bool:
    """Return whether a layout that names two axes T is that of an attention whose queries still lie before its keys."""
    rows = [[there for here, there in links if here == place] for place, letter in enumerate(before) if letter == "T"]
    places = [[place] for place, letter in enumerate(after) if letter == "T"]
    others = after.replace("T", "")
    return len(rows) == 2 and rows == places and len(set(others)) == len(others)


def _groups(links: Iterable[tuple[int, int]]) -> list[tuple[list[int], list[int]]]:
    """Join links that share an axis: the axes before and behind that hold the same elements."""
    groups: list[tuple[list[int], list[int]]] = []
    for old, new in links:
        for olds, news in groups:
            if old in olds or new in news:
                olds.extend({old}.difference(olds))
                news.extend({new}.difference(news))
                break
        else:
            groups.append(([old], [new]))
    return groups


def _filled(letters: Sequence[str], before: str) -> str | None:
    """Name axes that come in: the batch where there is none yet, else one more of space; and space by its number."""
    named = ["N" if not letter and not place and "N" not in before else letter for place, letter in enumerate(letters)]
    space = [place for place, letter in enumerate(named) if not letter or letter in SPATIAL]
    if all(named) and len(space) == sum(letter in SPATIAL for letter in before):
        return "".join(named)
    names = _SPACES.get(len(space))
    if names is None or ("T" in named and "" in named):
        return None if "" in named else "".join(named)
    for place, letter in zip(space, names, strict=True):
        named[place] = letter
    return "".join(named)


def _merged(letters: str, old: Sequence[Dimension], new: Sequence[Dimension]) -> Axes | None:
    """Name the axes of a group behind the node by those before it."""
    if len(letters) == len(new) == 1:
        return Axes(letters)
    full = "".join(letter for letter, size in zip(letters, old, strict=True) if size != 1) or letters[0]
    if len(new) > 1:
        split = _SPLIT.get((full, len(new)))
        return None if split is None else Axes(split, assumed=full != "GC")
    if all(letter in SPATIAL for letter in full):
        return Axes("T")
    if len(full) == 1 or full in ("GC", "CG"):
        return Axes(full.strip("G") or full)
    if full == "NG":
        return Axes("G")  # the heads of all items, as PyTorch's attention puts them beside each other
    # Flattened maps: the units of a vector, by habit called its channels.
    return Axes("C", assumed=True) if "C" in (full[0], full[-1]) and "N" not in full else None


_SPLIT: Mapping[tuple[str, int], str] = {
    ("T", 2): "HW",
    ("L", 2): "HW",
    ("N", 2): "NT",
    ("N", 3): "NHW",
    ("GC", 2): "NC",
}
"""What an axis most often becomes: tokens a map, rows that a product took one by one the steps or places of items.

The heads of all items with the channels of each become the items with the channels of all, which is not a guess: where
the batch has an axis of its own already, they do not."""

_SPACES: Mapping[int, str] = {0: "", 1: "L", 2: "HW", 3: "DHW"}

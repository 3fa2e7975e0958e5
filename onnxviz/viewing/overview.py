"""`overview.png`: which layers stand in it, and what is said above them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from onnxviz.feed.feeds import Fed
from onnxviz.graph.selection import Choice

ROWS = 12
"""How many layers an overview shows at most: two thousand pixels, which can be read at once."""

FEWEST = 5
"""Fewer blocks than this tell too little of a network."""


def telling_layers(choices: Sequence[Choice], most: int = ROWS) -> frozenset[int]:
    """Return the places of the layers that an overview shows: all, or the first one and the last of every block.

    A block is a scope of the graph; where scopes do not part the layers, all of one size. Where those are too many
    still, they are thinned evenly, and where there are hardly any, the layers themselves are.
    """
    if len(choices) <= most:
        return frozenset(range(len(choices)))
    for keys in ([_block(choice) for choice in choices], [_size(choice) for choice in choices]):
        ends = _ends(keys)
        if FEWEST <= len(ends) < len(choices):
            break
    else:
        ends = list(range(len(choices)))
    return frozenset(ends[place] for place in evenly(len(ends), most))


def evenly(count: int, most: int) -> list[int]:
    """Return which of `count` places to keep: all, or `most` of them spread evenly, both ends in.

    >>> evenly(9, 3)
    [0, 4, 8]
    """
    if count <= most:
        return list(range(count))
    return [place * (count - 1) // (most - 1) for place in range(most)]


def shown_words(shown: int, count: int) -> str:
    """Return how many layers an overview shows, in words."""
    if shown == count:
        return f"{count} layer{'s' * (count != 1)}"
    return f"{shown} of {count} layers, spread over the blocks"


def fed_lines(fed: Fed | None) -> list[str]:
    """Return what is said of the input beside its picture."""
    if fed is None:
        return ["the model has no input"]
    return [
        f"{fed.name}  ·  {' x '.join(map(str, fed.shape))}  ·  {fed.dtype}",
        f"range {fed.min:.3g} .. {fed.max:.3g}  ·  mean {fed.mean:.2g}",
        f"preset {fed.preset}" if fed.preset != "none" else fed.source,
    ]


def _ends(keys: Sequence[Hashable]) -> list[int]:
    """Return the first place and the last of every run of equal keys."""
    last = [place for place, key in enumerate(keys) if place + 1 == len(keys) or keys[place + 1] != key]
    return sorted({0, *last})


def _block(choice: Choice) -> Hashable:
    """Return the scope that a layer is part of; the newer PyTorch exporter's scope is the layer itself."""
    if choice.layer is None:
        return choice.name
    scope = choice.layer.scope
    if scope != choice.layer.name:
        return scope
    return scope[: max(scope.rfind("/"), scope.rfind("."), 0)]


def _size(choice: Choice) -> Hashable:
    return None if choice.layer is None else (choice.layer.height, choice.layer.width)

"""The contents of `overview.png`: which layers it shows, and the words above them."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxviz.feed.feed import Fed, Feed
from onnxviz.graph.selection.choices import Choice
from onnxviz.layout import SPATIAL
from onnxviz.words import number_text

if TYPE_CHECKING:
    import numpy.typing as npt

ROWS = 12
"""How many layers an overview shows at most: two thousand pixels, which can be read at once."""

LINEAR = ("conv", "dense")
"""Kinds whose own output is linear; where a nonlinearity after them is absorbed, its output is shown instead."""


def telling_layers(choices: Sequence[Choice], most: int = ROWS, outputs: Collection[str] = ()) -> frozenset[int]:
    """Return the places of the layers that an overview shows: all of up to `most`, else a choice of so many.

    Those that are `outputs` of the model are always shown, be they up to half of `most`. Of the others maps come before
    vectors: a vector is shown only at the end of the network, or where there are too few maps. The first maps and the
    last are always shown. The layers between them are cut into stretches of one scope and size, at most one a row, and
    longer stretches get more rows. A row shows the last layer of its part of a stretch, if possible one behind a
    nonlinearity.
    """
    if len(choices) <= most:
        return frozenset(range(len(choices)))
    ends = [place for place, choice in enumerate(choices) if choice.value in outputs][: most // 2]
    if ends:
        rest = [place for place in range(len(choices)) if place not in ends]
        telling = telling_layers([choices[place] for place in rest], most - len(ends))
        return frozenset([*ends, *(rest[place] for place in telling)])
    vectors = [place for place, choice in enumerate(choices) if _is_vector(choice)]
    maps = [place for place, choice in enumerate(choices) if not _is_vector(choice)]
    if len(maps) < most:
        return frozenset([*maps, *(part[-1] for part in _parts(vectors, most - len(maps)))])
    end = [vectors[-1]] if vectors and vectors[-1] > maps[-1] else []
    room = most - 1 - len(end)
    parts = _shares(_stretches(maps[1:], choices, room), room)
    between = [_last_telling(part, choices) for part in parts[:-1]]
    return frozenset([maps[0], *between, maps[-1], *end])


def shown_words(shown: int, count: int) -> str:
    """Return how many layers an overview shows, in words."""
    if shown == count:
        return f"{count} layer{'s' * (count != 1)}"
    return f"{shown} of {count} layers, spread over the depth"


def title(path: Path) -> str:
    """Return what a model is called: its file's stem, with its folder where that is only `model`.

    >>> title(Path("resnet50.onnx")), title(Path("zoo/magika/model.onnx"))
    ('resnet50', 'magika/model')
    """
    folder = path.absolute().parent.name
    return f"{folder}/{path.stem}" if path.stem.lower() == "model" and folder else path.stem


def fed_picture(feed: Feed) -> npt.NDArray[Any] | None:
    """Return the input as an overview shows it: its picture, or the channels of a sequence `(C, L)`, of item 0."""
    if not feed.fed:
        return None
    fed = feed.main
    if fed.picture is not None:
        return fed.picture
    array, layout = feed.arrays[fed.name], fed.layout or ""
    if "L" not in layout or len(layout) != array.ndim or array.size < 2:
        return None
    item = array.take(0, axis=layout.index("N")) if "N" in layout else array
    samples = np.moveaxis(item, layout.replace("N", "").index("L"), -1)
    channels: npt.NDArray[Any] = samples.reshape(-1, samples.shape[-1])
    return channels


def fed_lines(fed: Fed | None) -> list[str]:
    """Return the lines beside the picture of the input."""
    if fed is None:
        return ["the model has no input"]
    lines = [
        f"{fed.name}  ·  {' x '.join(map(str, fed.shape))}  ·  {fed.dtype}",
        f"range {number_text(fed.min)} .. {number_text(fed.max)}  ·  mean {number_text(fed.mean, 2)}",
        f"preset {fed.preset}" if fed.preset != "none" else fed.source,
    ]
    # Text has no range, nor has an array without numbers.
    return [lines[0], lines[2]] if math.isnan(fed.mean) else lines


def _stretches(places: Sequence[int], choices: Sequence[Choice], most: int) -> list[list[int]]:
    """Cut places into stretches of one scope, one size or both, whichever gives the most stretches up to `most`.

    A scope is tried whole and by its first parts: `stage2/block1` where there are few blocks, else `stage2`.
    """
    scopes = {place: _scope(choices[place]) for place in places}
    sizes = {place: _size(choices[place]) for place in places}
    found = [_cut(places, sizes)]
    for parts in range(max(map(len, scopes.values())) + 1):
        outer = {place: scope[:parts] for place, scope in scopes.items()}
        both = {place: (outer[place], sizes[place]) for place in places}
        found += [_cut(places, outer), _cut(places, both)]
    return max((cut for cut in found if len(cut) <= most), key=len)


def _cut(places: Sequence[int], keys: Mapping[int, Hashable]) -> list[list[int]]:
    return [list(stretch) for _, stretch in groupby(places, keys.__getitem__)]


def _shares(stretches: Sequence[Sequence[int]], count: int) -> list[Sequence[int]]:
    """Cut stretches into `count` parts in all, each into one at least; the longest parts are cut first."""
    cuts = [1] * len(stretches)
    for _ in range(count - len(stretches)):
        cuts[max(range(len(stretches)), key=lambda place: len(stretches[place]) / cuts[place])] += 1
    return [part for stretch, parts in zip(stretches, cuts, strict=True) for part in _parts(stretch, parts)]


def _parts(places: Sequence[int], count: int) -> Iterable[Sequence[int]]:
    """Cut places into at most `count` parts, as even as can be.

    >>> list(_parts([1, 2, 3, 4, 5], 2))
    [[1, 2], [3, 4, 5]]
    """
    count = min(count, len(places))
    return (places[part * len(places) // count : (part + 1) * len(places) // count] for part in range(count))


def _last_telling(places: Sequence[int], choices: Sequence[Choice]) -> int:
    return next((place for place in reversed(places) if not _is_linear(choices[place])), places[-1])


def _is_linear(choice: Choice) -> bool:
    layer = choice.layer
    return layer is not None and layer.kind in LINEAR and choice.value == layer.output


def _is_vector(choice: Choice) -> bool:
    """Return whether a layer has one value for each channel: its axes of space and tokens, if any, have size 1."""
    layer = choice.layer
    if layer is None or layer.shape is None:
        return False
    if layer.layout is None:
        return len(layer.shape) < 3
    space = [size for size, letter in zip(layer.shape, layer.layout, strict=True) if letter in f"{SPATIAL}T"]
    return all(size == 1 for size in space)


def _scope(choice: Choice) -> tuple[str, ...]:
    """Return the parts of the scope that a layer is in; the newer PyTorch exporter's scope is the layer itself."""
    if choice.layer is None:
        return (choice.name,)
    parts = tuple(re.split("[/.]", choice.layer.scope))
    return parts[:-1] if choice.layer.scope == choice.layer.name else parts


def _size(choice: Choice) -> Hashable:
    """Return the size of a layer's maps, or how many input pixels lie between its positions where that is not known."""
    layer = choice.layer
    if layer is None:
        return None
    return (layer.height, layer.width) if layer.width is not None else layer.stride

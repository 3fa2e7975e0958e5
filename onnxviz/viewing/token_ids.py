"""The ids that were fed, or their words, as names of tokens on the pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from onnxviz.activations import Activation
from onnxviz.feed.feed import Feed
from onnxviz.layout import Array, TensorSpec
from onnxviz.viewing.vocabulary import words_beside

_FEWEST_ROWS = 16
"""A table of fewer rows has types of tokens and not their ids."""


def fed_ids(feed: Feed, inputs: Sequence[TensorSpec], model: Path) -> Mapping[int, tuple[str, ...]]:
    """Return the ids of item 0 by how many there are, those that look into a table of words.

    They are words where the vocabulary lies beside the model's file.

    Of two inputs of one length, such as those of an encoder and a decoder, it is not known which names a token: they
    name none. Positions, which only count, are not ids.
    """
    found: dict[int, set[tuple[str, ...]]] = {}
    for spec in inputs:
        array = feed.arrays.get(spec.name)
        if array is not None and (spec.use.rows or 0) >= _FEWEST_ROWS and _is_sequence(array):
            ids = array.reshape(-1, array.shape[-1])[0]
            if not np.array_equal(ids, np.arange(len(ids))):
                words = words_beside(model, spec.use.rows or 0)
                found.setdefault(len(ids), set()).add(tuple(words.get(each, str(each)) for each in ids.tolist()))
    return {length: names.pop() for length, names in found.items() if len(names) == 1}


def names_for(activation: Activation, ids: Mapping[int, tuple[str, ...]]) -> Mapping[int, tuple[str, ...]]:
    """Return the ids that may name tokens of an activation: those of as many as it has along an axis of tokens."""
    if activation.layout is None or len(activation.layout) != activation.array.ndim:
        return {}
    sizes = zip(activation.layout, activation.array.shape, strict=True)
    along = {size for letter, size in sizes if letter in "TL"}
    return {length: names for length, names in ids.items() if length in along}


def _is_sequence(array: Array) -> bool:
    return array.dtype.kind in "iu" and array.ndim in (1, 2) and array.shape[-1] > 1

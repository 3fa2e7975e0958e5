"""Explanations that only run the model: parts of the input are covered, and what becomes of the target is watched.

They need no gradient, and say what the answer depends on in the sense of the cover: another fill, another answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from onnxviz.explaining.network import Network
from onnxviz.explaining.target import Target, numbers_of
from onnxviz.layout import Array

_CELLS = 7
_AT_A_TIME = 64


def occlusion(
    network: Network, targets: Sequence[Target], axes: tuple[int, int], patch: int, stride: int
) -> list[Array]:
    """Return for each target how far it falls where a square of the input is grey, (H, W); above 0 it is needed there.

    Squares of `patch` pixels lie `stride` pixels apart, the last at the border; grey is the input's own mean in each
    channel. A pixel has the mean over all squares that cover it (Zeiler and Fergus 2014, arXiv:1311.2901, section 4.2).
    """
    array = network.array
    height, width = (array.shape[axis] for axis in axes)
    corners = [(y, x) for y in _starts(height, patch, stride) for x in _starts(width, patch, stride)]
    fill = array.mean(axes, keepdims=True, dtype=np.float64).astype(array.dtype)
    falls = np.zeros((len(targets), height, width))
    covers = np.zeros((height, width))
    covered = (_covered(array, axes, corner, patch, fill) for corner in corners)
    sound, *found = numbers_of(network, targets, chain([array], covered)).T
    for (y, x), numbers in zip(corners, found, strict=True):
        falls[:, y : y + patch, x : x + patch] += (sound - numbers)[:, None, None]
        covers[y : y + patch, x : x + patch] += 1
    return [(fall / np.maximum(covers, 1)).astype(np.float32) for fall in falls]


def rise(network: Network, targets: Sequence[Target], axes: tuple[int, int], masks: int, seed: int) -> list[Array]:
    """Return for each target the mean of random masks, weighed by what it is behind them, (H, W).

    A mask keeps half of 7 x 7 cells, smoothly, at a random offset; what it covers has the input's own mean (Petsiuk,
    Das and Saenko 2018, arXiv:1806.07421, equation 6). The fifth percentile is taken away: it is what a place has that
    says nothing.
    """
    array = network.array
    height, width = (array.shape[axis] for axis in axes)
    fill = array.mean(axes, keepdims=True, dtype=np.float64).astype(array.dtype)
    draw = np.random.default_rng(seed)
    heat = np.zeros((len(targets), height, width))
    for start in range(0, masks, _AT_A_TIME):
        shown = np.stack([_mask(draw, height, width) for _ in range(min(_AT_A_TIME, masks - start))])
        shape = [1] * array.ndim
        shape[axes[0]], shape[axes[1]] = height, width
        variants = (_mixed(array, fill, mask.reshape(shape)) for mask in shown)
        heat += np.einsum("tn,nhw->thw", numbers_of(network, targets, variants), shown)
    heat /= masks * 0.5
    return [np.maximum(one - np.percentile(one, 5), 0).astype(np.float32) for one in heat]


def _starts(size: int, patch: int, stride: int) -> list[int]:
    """Return where squares begin, so that the last ends at the border.

    >>> _starts(70, 32, 16)
    [0, 16, 32, 38]
    """
    last = max(size - patch, 0)
    return sorted({*range(0, last + 1, stride), last})


def _covered(array: Array, axes: tuple[int, int], corner: tuple[int, int], patch: int, fill: Array) -> Array:
    """Return the input with a square filled."""
    found = array.copy()
    where = [slice(None)] * array.ndim
    for axis, start in zip(axes, corner, strict=True):
        where[axis] = slice(start, start + patch)
    found[tuple(where)] = fill
    return found


def _mask(draw: np.random.Generator, height: int, width: int) -> Array:
    """Return a smooth random mask, (H, W), between 0 and 1."""
    cells = (draw.random((_CELLS + 1, _CELLS + 1)) < 0.5).astype(np.float64)
    down = (np.arange(height) + draw.random() * height / _CELLS) * _CELLS / height
    across = (np.arange(width) + draw.random() * width / _CELLS) * _CELLS / width
    return _between(_between(cells, down).T, across).T


def _mixed(array: Array, fill: Array, mask: Array) -> Array:
    """Return the input where a mask is 1 and the fill where it is 0, in the input's dtype."""
    if array.dtype.kind in "iu":  # pixels of a byte each: a share of 0.5 is not one of them
        whole: Array = np.rint(mask * array + (1 - mask) * fill).astype(array.dtype)
        return whole
    mixed: Array = fill + mask.astype(array.dtype) * (array - fill)
    return mixed


def _between(rows: Array, places: Array) -> Array:
    """Return rows of a grid at places between them, linearly."""
    low = np.minimum(places.astype(int), len(rows) - 1)
    high = np.minimum(low + 1, len(rows) - 1)
    share = (places - low)[:, None]
    between: Array = rows[low] * (1 - share) + rows[high] * share
    return between

"""How alike two layers are whose channels do not correspond: the centred kernel alignment (CKA) of what they compute.

Of two networks that were trained apart, channel 3 of one has nothing to do with channel 3 of the other, so that errors
say nothing. CKA asks instead whether both find the same inputs, and the same places of an input, alike. It is 1 where
one layer is the other turned, with its channels in another order, or scaled, and about 0 where they share nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

import numpy as np

from onnxviz.comparing.causes import Values
from onnxviz.comparing.matching.by_weights import LEAST
from onnxviz.comparing.matching.matches import Pair
from onnxviz.layout import Array

_CELLS = 4
_MOST_OF_RUN, _MOST = 64, 512
"""How many examples are kept of a layer, of one run and of all."""

_FEWEST = 16
"""With fewer examples too little can be said: a map of one picture has as many, a vector needs as many inputs."""

_FEWEST_WEIGHTS = 2


def are_apart(pairs: Sequence[Pair]) -> bool:
    """Return whether two networks were trained apart: the weights of most pairs have nothing in common."""
    scores = [pair.score for pair in pairs if pair.score is not None]
    return len(scores) >= _FEWEST_WEIGHTS and median(scores) < LEAST / 2


class Examples:
    """The examples on which two layers are compared: the mean of each channel in each of 4 x 4 cells of a map.

    A token, or an item without space, is one example.
    """

    def __init__(self) -> None:
        """Begin without examples."""
        self._rows: list[tuple[Array, Array]] = []
        self.count = 0

    def add(self, a: Array, b: Array, layout: str | None) -> None:
        """Add a pair of arrays of one shape, with the axes `layout`."""
        values = Values.of(a, b, layout)
        self._keep(_cells(values.a), _cells(values.b))

    def join(self, other: Examples) -> None:
        """Add what another has kept of the same layers."""
        for rows in other._rows:
            self._keep(*rows)

    @property
    def cka(self) -> float | None:
        """The CKA of both layers; None where there are too few examples, or a layer says the same of all."""
        if self.count < _FEWEST:
            return None
        return cka(*(np.concatenate(rows).astype(np.float64) for rows in zip(*self._rows, strict=True)))

    def _keep(self, a: Array, b: Array) -> None:
        finite = np.isfinite(a).all(1) & np.isfinite(b).all(1)
        rows = a[finite][: _MOST - self.count], b[finite][: _MOST - self.count]
        if len(rows[0]):
            self._rows.append(rows)
            self.count += len(rows[0])


def cka(x: Array, y: Array) -> float | None:
    """Return the linear CKA of two layers on the same examples, `(examples, channels)` each.

    With `K = x x'` and `L = y y'` it is `HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L))` (Kornblith et al. 2019, Similarity
    of Neural Network Representations Revisited, section 3). HSIC is estimated without bias (Song et al. 2012, equation
    5; Nguyen et al. 2021, equation 3): the plain estimate is near 1 for whatever has more channels than examples. So
    it can be a little below 0.

    Args:
        x: One layer.
        y: The other; it may have another number of channels.

    Returns:
        None where a layer says the same of all examples.
    """
    k, m = (_kernel(each) for each in (x, y))
    spreads = _hsic(k, k), _hsic(m, m)
    if min(spreads) <= 0:
        return None
    return _hsic(k, m) / math.sqrt(spreads[0] * spreads[1])


def _kernel(rows: Array) -> Array:
    """Return the products of all examples, centred for accuracy alone, 0 on the diagonal."""
    centred = rows - rows.mean(0)
    kernel: Array = centred @ centred.T
    np.fill_diagonal(kernel, 0)
    return kernel


def _hsic(k: Array, m: Array) -> float:
    n = len(k)
    along = float((k * m).sum())
    apart = float(k.sum()) * float(m.sum()) / ((n - 1) * (n - 2))
    shared = 2 * float(k.sum(0) @ m.sum(0)) / (n - 2)
    return (along + apart - shared) / (n * (n - 3))


def _cells(values: Array) -> Array:
    """Return the examples of `(C, N, H, W)`: `(examples, C) float32`."""
    for axis in (2, 3):
        parts = np.array_split(np.arange(values.shape[axis]), min(_CELLS, values.shape[axis]))
        values = np.stack([values.take(part, axis).mean(axis, dtype=np.float32) for part in parts], axis)
    rows = values.reshape(len(values), -1).T
    places = np.unique(np.linspace(0, len(rows) - 1, min(_MOST_OF_RUN, len(rows))).astype(int))
    return np.array(rows[places], np.float32)

"""Statistics of channels: numbers about each, which are strongest, and which hold values that are not finite."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onnxviz.extremes import Extremes, as_floats, is_constant
from onnxviz.layout import Array

Floats = NDArray[np.float64]

MOST_CHANNELS = 1 << 15
"""More channels than this are not listed one by one. Usual vocabularies and lists of classes have fewer, maps that were
flattened have more: of these the strongest units are kept, and numbers of the whole."""

# Values handled at once: they stay in the second-level cache.
_BLOCK = 1 << 16

MOST_SORTED = 1 << 20
"""Channels sorted at once, where only the first of them are asked for."""


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """Numbers about each channel, over its finite values.

    Attributes:
        minimum, maximum, mean, deviation: (C,) float64, NaN where no value is finite; the deviation is that over
            space, divided by n.
        nan, inf: (C,) how many values are NaN or infinite.
        constant: (C,) whether all values are finite and the same but for rounding; False for maps of one value.
    """

    minimum: Floats
    maximum: Floats
    mean: Floats
    deviation: Floats
    nan: NDArray[np.int64]
    inf: NDArray[np.int64]
    constant: NDArray[np.bool_]

    @property
    def irregular(self) -> NDArray[np.bool_]:
        """(C,) whether a channel has values that are not finite."""
        return (self.nan > 0) | (self.inf > 0)

    @property
    def live(self) -> NDArray[np.bool_]:
        """(C,) whether a channel varies and has a finite value."""
        return ~self.constant & ~np.isnan(self.minimum)

    @property
    def extremes(self) -> Extremes:
        """The ends of each channel, and how many of its values are not finite."""
        return Extremes(self.minimum, self.maximum, self.nan, self.inf)

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest finite value of the layer; NaN if no value is finite."""
        return float(np.fmin.reduce(self.minimum, initial=np.nan)), float(np.fmax.reduce(self.maximum, initial=np.nan))

    def take(self, channels: NDArray[np.intp] | slice) -> ChannelStatistics:
        """Return the statistics of some channels, in this order."""
        return ChannelStatistics(*(getattr(self, name)[channels] for name in self.__slots__))


def channel_statistics(maps: Array) -> ChannelStatistics:
    """Return the statistics of maps (C, ...) of any real dtype.

    >>> channel_statistics(np.array([[0.0, 4.0], [3.0, 3.0]])).deviation
    array([2., 0.])
    """
    values = as_floats(maps).reshape(len(maps), math.prod(maps.shape[1:]))
    if values.shape[1] == 1:
        return _single_values(values[:, 0])
    columns = np.full((4, len(values)), np.nan)
    counts = np.zeros((2, len(values)), np.int64)
    if values.size:
        with np.errstate(all="ignore"):
            for block in channel_blocks(values):
                columns[:, block] = _moments(values[block])
        # NaN shows in a minimum and infinity in either end, so finite channels need no pass of their own.
        for channel in np.flatnonzero(~np.isfinite(columns).all(axis=0)):
            columns[:, channel], counts[:, channel] = _careful(values[channel].astype(np.float64))
    minimum, maximum, mean, deviation = columns
    constant = is_constant(minimum, maximum) & (counts.sum(axis=0) == 0) & (values.shape[1] > 1)
    return ChannelStatistics(minimum, maximum, mean, deviation, counts[0], counts[1], constant)


def channel_extremes(maps: Array) -> ChannelStatistics:
    """Return the statistics of maps (C, ...) with NaN for mean and deviation, in a fifth of the time."""
    values = as_floats(maps).reshape(len(maps), math.prod(maps.shape[1:]))
    if values.size:
        with np.errstate(invalid="ignore"):
            minimum, maximum = values.min(axis=1).astype(np.float64), values.max(axis=1).astype(np.float64)
        if np.isfinite(minimum).all() and np.isfinite(maximum).all():
            unknown, none = np.full(len(values), np.nan), np.zeros(len(values), np.int64)
            constant = is_constant(minimum, maximum) & (values.shape[1] > 1)
            return ChannelStatistics(minimum, maximum, unknown, unknown, none, none, constant)
    return channel_statistics(values)


def strongest_channels(statistics: ChannelStatistics, most: int) -> NDArray[np.intp]:
    """Return the channels that vary most in space or, of a vector, are farthest from zero, in index order.

    >>> strongest_channels(channel_statistics(np.array([1.0, -3.0, 2.0])), 2).tolist()
    [1, 2]
    """
    varied = bool((statistics.deviation > 0).any())
    values = statistics.deviation if varied else statistics.mean
    kept = np.empty(0, np.intp)
    for start in range(0, len(values), MOST_SORTED):  # of those before, only the strongest may still be among them
        channels = np.concatenate([kept, np.arange(start, min(start + MOST_SORTED, len(values)))])
        strength = np.nan_to_num(np.abs(values[channels]), nan=-1.0)
        kept = channels[np.sort(np.argsort(-strength, kind="stable")[:most])]
    return kept


def irregular_words(maps: Array, statistics: ChannelStatistics) -> str:
    """Return in how many channels (C, ...) values are not finite, in words; nothing where all are.

    >>> maps = np.array([[1.0, np.nan], [np.inf, 2.0], [3.0, 4.0]])
    >>> irregular_words(maps, channel_statistics(maps))
    'NaN in 1, inf in 1 of 3'
    """
    if not statistics.irregular.any():
        return ""
    infinite = maps[statistics.inf > 0]
    space = tuple(range(1, infinite.ndim))
    above, below = (np.count_nonzero((infinite == end).any(axis=space)) for end in (np.inf, -np.inf))
    counts = {"NaN": np.count_nonzero(statistics.nan), "inf": above, "-inf": below}
    return ", ".join(f"{name} in {count}" for name, count in counts.items() if count) + f" of {len(maps)}"


def not_finite(values: Array, nan: bool = True) -> list[str]:
    """Return which of `NaN`, `inf` and `-inf` are among values; without `nan` the first is not looked for.

    >>> not_finite(np.array([1.0, -np.inf, np.nan]))
    ['NaN', '-inf']
    """
    found = {"NaN": nan and bool(np.isnan(values).any())}
    found |= {"inf": bool((values == np.inf).any()), "-inf": bool((values == -np.inf).any())}
    return [name for name, there in found.items() if there]


def channel_blocks(values: Array) -> Iterator[slice]:
    """Cut channels (C, ...) into groups that are worked on at once, about 256 KiB of float32 each."""
    step = max(1, _BLOCK // max(1, math.prod(values.shape[1:])))
    return (slice(start, start + step) for start in range(0, len(values), step))


def _single_values(values: Array) -> ChannelStatistics:
    """Return the statistics of channels of one value each; of a vector of millions columns are shared or one number."""
    none, zeros = np.broadcast_to(np.False_, values.shape), np.broadcast_to(np.int64(0), values.shape)
    finite = np.isfinite(values)
    if finite.all():
        known = values.astype(np.float64)
        return ChannelStatistics(known, known, known, np.broadcast_to(0.0, values.shape), zeros, zeros, none)
    nan = np.isnan(values)
    known = np.where(finite, values, np.nan).astype(np.float64)
    deviation = np.where(finite, 0.0, np.nan)
    return ChannelStatistics(
        known, known, known, deviation, nan.astype(np.int64), (~finite & ~nan).astype(np.int64), none
    )


def _moments(values: Array) -> Floats:
    """Return minimum, maximum, mean and deviation of each row; not finite where its values or their squares are not."""
    # The mean is subtracted before squaring, and its rounding error afterwards.
    mean = values.mean(axis=1)
    centred = values - mean[:, None]
    rest = centred.mean(axis=1, dtype=np.float64)
    squares = np.einsum("ij,ij->i", centred, centred).astype(np.float64) / values.shape[1]
    deviation = np.sqrt(np.maximum(squares - rest**2, 0))
    return np.stack([values.min(axis=1), values.max(axis=1), mean + rest, deviation]).astype(np.float64)


def _careful(row: Floats) -> tuple[Floats, tuple[int, int]]:
    """Return the four statistics of the finite values of one channel, and the counts of NaN and infinities."""
    finite = row[np.isfinite(row)]
    counts = int(np.isnan(row).sum()), int(np.isinf(row).sum())
    if not finite.size:
        return np.full(4, np.nan), counts
    # Divided by the greatest, so that no square overflows.
    size = float(np.abs(finite).max()) or 1.0
    parts = finite / size
    return np.array([finite.min(), finite.max(), parts.mean() * size, parts.std() * size]), counts

"""`Measures`: how far the values of one layer are from another's, and the sums of which they are made.

What is measured is the difference B - A against A. The signal-to-quantisation-noise ratio is
`10 log10(sum(A^2) / sum((B - A)^2))`: 20 dB are a tenth of the values' size, 40 dB a hundredth, 60 dB a thousandth.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from onnxviz.layout import Array
from onnxviz.strict_json import number

_BLOCK = 1 << 18
"""Values that are looked at together: no temporary is larger, whatever the map."""

_LARGE = 1e15
"""Squares of larger numbers are added in float64: they would pass what float32 holds."""


@dataclass(frozen=True, slots=True)
class Measures:
    """How far B is from A at one layer, over all inputs together.

    Attributes:
        sqnr: dB; infinite where nothing differs.
        relative: the length of the difference as a share of A's: 0.1 at 20 dB.
        max_abs: the largest difference of two values.
        cosine: of the angle between A and B as vectors; it does not see a scale.
        channel: the channel with most of the difference, None where the layer has none.
        channel_share: the share of the squared difference that lies in it.
        not_finite: how many values are NaN or infinite in A and in B; they are left out of all else.
        at_ends: the share of B's values at the low and at the high end of its codes, None where it has none.
        largest: the greatest magnitude in A.
        count: how many values were compared.
    """

    sqnr: float
    relative: float
    max_abs: float
    cosine: float
    channel: int | None
    channel_share: float
    not_finite: tuple[int, int]
    at_ends: tuple[float, float] | None
    largest: float
    count: int

    @property
    def breaks(self) -> bool:
        """Whether B is not finite where A is, somewhere."""
        return self.not_finite[1] > self.not_finite[0]

    def as_json(self) -> dict[str, Any]:
        """Return it as `compare.json` has it: an SQNR without bound is null, where `relative` is 0."""
        return {
            "sqnr": number(self.sqnr),
            "relative": number(self.relative),
            "max_abs": number(self.max_abs),
            "cosine": number(self.cosine),
            "worst_channel": self.channel,
            "worst_channel_share": number(self.channel_share),
            "not_finite": {"a": self.not_finite[0], "b": self.not_finite[1]},
            "at_ends": None if self.at_ends is None else {"low": self.at_ends[0], "high": self.at_ends[1]},
            "largest": number(self.largest),
            "values": self.count,
        }


def decibels(signal: float, noise: float) -> float:
    """Return the ratio of two sums of squares in dB.

    >>> decibels(100.0, 1.0), decibels(1.0, 0.0)
    (20.0, inf)
    """
    return 10 * math.log10(max(signal, 1e-300) / noise) if noise > 0 else math.inf


@dataclass(slots=True)
class Sums:
    """What is added up of one layer, pair of arrays by pair, so that the arrays can be let go.

    `channel_axis` is that of the arrays, None where they have none; `each` holds the SQNR of every pair.
    """

    channel_axis: int | None = None
    each: list[float] = field(default_factory=list)
    count: int = 0
    squares_a: Array = field(default_factory=lambda: np.zeros(1))
    squares_of_difference: Array = field(default_factory=lambda: np.zeros(1))
    squares_b: float = 0.0
    products: float = 0.0
    max_abs: float = 0.0
    largest: float = 0.0
    not_finite_a: int = 0
    not_finite_b: int = 0
    at_ends: tuple[float, float] | None = None

    def add(self, a: Array, b: Array, at_ends: tuple[float, float] | None = None) -> None:
        """Add a pair of arrays of one shape; of the shares of B's values at the ends of its codes the last are kept."""
        axis = self.channel_axis if self.channel_axis is not None and self.channel_axis < a.ndim else None
        channels = 1 if axis is None else a.shape[axis]
        signal, noise = np.zeros(channels), np.zeros(channels)
        for place, x, y in _blocks(a, b, axis):
            part = slice(place, place + x.shape[1])
            self._add_block(x, y, signal[part], noise[part])
        self.at_ends = at_ends
        self.count += a.size
        self.squares_a = _added(self.squares_a, signal)
        self.squares_of_difference = _added(self.squares_of_difference, noise)
        self.each.append(decibels(float(signal.sum()), float(noise.sum())))

    def _add_block(self, x: Array, y: Array, signal: Array, noise: Array) -> None:
        """Add a block `(before, channels, after)`; what is not finite on either side counts as equal zeros."""
        x, y = np.asarray(x, np.float32), np.asarray(y, np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            regular = math.isfinite(float(x.sum())) and math.isfinite(float(y.sum()))
            if not regular:
                finite_x, finite_y = np.isfinite(x), np.isfinite(y)
                self.not_finite_a += int(x.size - np.count_nonzero(finite_x))
                self.not_finite_b += int(y.size - np.count_nonzero(finite_y))
                both = finite_x & finite_y
                x, y = np.where(both, x, 0), np.where(both, y, 0)
        difference = y - x
        gap, largest = (float(np.abs(each).max(initial=0.0)) for each in (difference, x))
        self.max_abs, self.largest = max(self.max_abs, gap), max(self.largest, largest)
        if max(gap, largest) > _LARGE:
            x, y = x.astype(np.float64), y.astype(np.float64)
            difference = y - x
        signal += np.einsum("icj,icj->c", x, x)
        noise += np.einsum("icj,icj->c", difference, difference)
        self.squares_b += float(np.einsum("icj,icj->", y, y))
        self.products += float(np.einsum("icj,icj->", x, y))

    def join(self, other: Sums) -> None:
        """Add what another has added up of the same layer."""
        if other.at_ends is not None:
            low, high = self.at_ends or (0.0, 0.0)
            new = other.count / max(1, self.count + other.count)
            self.at_ends = low + new * (other.at_ends[0] - low), high + new * (other.at_ends[1] - high)
        self.squares_a = _added(self.squares_a, other.squares_a)
        self.squares_of_difference = _added(self.squares_of_difference, other.squares_of_difference)
        self.each += other.each
        self.max_abs, self.largest = max(self.max_abs, other.max_abs), max(self.largest, other.largest)
        for name in ("count", "squares_b", "products", "not_finite_a", "not_finite_b"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def measures(self) -> Measures:
        """What the sums say."""
        signal, noise = float(self.squares_a.sum()), float(self.squares_of_difference.sum())
        lengths = math.sqrt(signal * self.squares_b)
        share = self.squares_of_difference / noise if noise > 0 else np.zeros_like(self.squares_of_difference)
        worst = int(share.argmax())
        has_channels = self.channel_axis is not None
        return Measures(
            sqnr=decibels(signal, noise),
            relative=math.sqrt(noise / signal) if signal > 0 else (math.inf if noise > 0 else 0.0),
            max_abs=self.max_abs,
            cosine=self.products / lengths if lengths > 0 else float(signal == self.squares_b),
            channel=worst if has_channels and noise > 0 else None,
            channel_share=float(share[worst]) if has_channels else 0.0,
            not_finite=(self.not_finite_a, self.not_finite_b),
            at_ends=self.at_ends,
            largest=self.largest,
            count=self.count,
        )

    @property
    def worst_channels(self) -> Array:
        """The channels by their part of the squared difference, the largest first."""
        return np.argsort(-self.squares_of_difference, kind="stable")


def _added(old: Array, new: Array) -> Array:
    if old.shape == new.shape:
        return old + new
    return new if old.size == 1 else old


def _blocks(a: Array, b: Array, axis: int | None) -> Iterator[tuple[int, Array, Array]]:
    """Yield parts of both arrays as `(before, channels, after)`, with the number of the first channel of each."""
    if axis is None:
        flat_a, flat_b = a.reshape(1, 1, -1), b.reshape(1, 1, -1)
        for start in range(0, a.size, _BLOCK):
            yield 0, flat_a[:, :, start : start + _BLOCK], flat_b[:, :, start : start + _BLOCK]
        return
    shape = math.prod(a.shape[:axis]), a.shape[axis], math.prod(a.shape[axis + 1 :])
    one, other = a.reshape(shape), b.reshape(shape)
    step = max(1, _BLOCK // max(1, shape[0] * shape[2]))
    for start in range(0, shape[1], step):
        yield start, one[:, start : start + step], other[:, start : start + step]

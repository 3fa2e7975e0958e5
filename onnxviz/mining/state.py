"""What is known of every channel after some pictures: its strongest places, counts, sums and a histogram.

All is kept as arrays whose last axis, or of the histogram the first, are the channels of all layers side by side, so
that two states merge by a few operations whatever the model is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxviz.layout import Array
from onnxviz.mining.histogram import BINS, count_bins
from onnxviz.mining.strongest import Strongest, nobody, strongest

SUMS = ("greatest", "greatest_squared", "mean", "mean_squared")
"""What is summed of each picture's map: its greatest number, its mean, and their squares."""


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """What some pictures made of C channels, of which the k strongest places are kept.

    Attributes:
        pictures: how many were finite there, `(C,) int64`.
        irregular: in how many a NaN or an infinity was, `(C,) int64`.
        alive: in how many the greatest number was above 0, `(C,) int64`.
        full: in how many it reached the ceiling of its nonlinearity, `(C,) int64`.
        low, high: the least and the greatest of the greatest numbers, `(C,) float32`.
        sums: a row for each of SUMS, `(4, C) float64`.
        histogram: of the greatest numbers, `(C, BINS) uint32`.
        class_sums: sums of the means for each class, `(K, C) float64`.
        class_pictures: how many of each class were finite, `(K, C) int64`.
        value, tie, picture, place: the strongest (see `Strongest`), `(k, C)`.
    """

    pictures: npt.NDArray[np.int64]
    irregular: npt.NDArray[np.int64]
    alive: npt.NDArray[np.int64]
    full: npt.NDArray[np.int64]
    low: npt.NDArray[np.float32]
    high: npt.NDArray[np.float32]
    sums: npt.NDArray[np.float64]
    histogram: npt.NDArray[np.uint32]
    class_sums: npt.NDArray[np.float64]
    class_pictures: npt.NDArray[np.int64]
    value: npt.NDArray[np.float32]
    tie: npt.NDArray[np.float32]
    picture: npt.NDArray[np.int64]
    place: npt.NDArray[np.int32]

    @property
    def top(self) -> Strongest:
        """The strongest of each channel."""
        return Strongest(self.value, self.tie, self.picture, self.place)

    def as_arrays(self) -> dict[str, Array]:
        """Return the arrays by name."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @classmethod
    def of(cls, arrays: Mapping[str, Array]) -> State:
        """Return the state of arrays by name."""
        return cls(**{each.name: arrays[each.name] for each in fields(cls)})


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What pictures made of channels, a row a picture: greatest number, its place, mean; `(n, C)`."""

    greatest: npt.NDArray[np.float32]
    place: npt.NDArray[np.int32]
    mean: npt.NDArray[np.float32]

    @classmethod
    def of_size(cls, pictures: int, channels: int) -> Rows:
        """Return rows to fill."""
        shape = pictures, channels
        return cls(np.empty(shape, np.float32), np.zeros(shape, np.int32), np.empty(shape, np.float32))

    def part(self, pictures: int, channels: slice) -> Rows:
        """Return the first rows, of some channels."""
        part = slice(pictures), channels
        return Rows(self.greatest[part], self.place[part], self.mean[part])


def state_of(rows: Rows, numbers: Array, classes: Array, ceiling: Array, sizes: tuple[int, int]) -> State:
    """Return the state after pictures.

    Args:
        rows: what they made of C channels.
        numbers: the number of each picture in the data set, `(n,)`.
        classes: the number of each one's class, -1 for none, `(n,)`.
        ceiling: the number from which on a channel is at its end, inf for none, `(C,)`.
        sizes: how many strongest are kept, and how many classes there are.
    """
    count, kinds = sizes
    # The mean alone shows a NaN wherever it is: the greatest number misses it depending on its place.
    finite = np.isfinite(rows.mean) & np.isfinite(rows.greatest)
    whole = bool(finite.all())
    greatest = rows.greatest if whole else np.where(finite, rows.greatest, np.float32(-np.inf))
    mean = rows.mean if whole else np.where(finite, rows.mean, np.float32(0))
    picture = np.broadcast_to(numbers[:, None], greatest.shape)
    picture = picture if whole else np.where(finite, picture, -1)
    known = greatest if whole else np.where(finite, greatest, np.float32(0))
    class_sums, class_pictures = _by_class(mean, finite, classes, kinds)
    top = strongest(Strongest(greatest, mean, picture, rows.place), count)
    return State(
        pictures=finite.sum(axis=0),
        irregular=(~finite).sum(axis=0),
        alive=(greatest > 0).sum(axis=0),
        full=(greatest >= ceiling).sum(axis=0),
        low=(greatest if whole else np.where(finite, greatest, np.float32(np.inf))).min(axis=0, initial=np.inf),
        high=greatest.max(axis=0, initial=-np.inf),
        sums=_sums(known, mean),
        histogram=count_bins(greatest, None if whole else finite),
        class_sums=class_sums,
        class_pictures=class_pictures,
        **top._asdict(),
    )


def _sums(greatest: Array, mean: Array) -> npt.NDArray[np.float64]:
    wide = greatest.astype(np.float64), mean.astype(np.float64)
    return np.stack([part for each in wide for part in (each.sum(axis=0), np.square(each).sum(axis=0))])


def _by_class(mean: Array, finite: Array, classes: Array, kinds: int) -> tuple[Array, Array]:
    channels = mean.shape[1]
    sums, pictures = np.zeros((kinds, channels)), np.zeros((kinds, channels), np.int64)
    for kind in np.unique(classes[classes >= 0]) if kinds else ():
        of_kind = classes == kind
        sums[kind] = mean[of_kind].sum(axis=0, dtype=np.float64)
        pictures[kind] = finite[of_kind].sum(axis=0)
    return sums, pictures


def side_by_side(states: list[State]) -> State:
    """Return the states of several layers as one of all their channels."""

    def joined(name: str) -> Any:
        return np.concatenate([getattr(state, name) for state in states], axis=0 if name == "histogram" else -1)

    return State(**{each.name: joined(each.name) for each in fields(State)})


def merged(first: State, second: State) -> State:
    """Return the state after the pictures of both."""
    added = ("pictures", "irregular", "alive", "full", "sums", "histogram", "class_sums", "class_pictures")
    both = {name: np.concatenate([getattr(first, name), getattr(second, name)]) for name in Strongest._fields}
    top = strongest(Strongest(**both), len(first.value))
    return State(
        **{name: getattr(first, name) + getattr(second, name) for name in added},
        low=np.minimum(first.low, second.low),
        high=np.maximum(first.high, second.high),
        **top._asdict(),
    )


def empty_state(channels: int, sizes: tuple[int, int]) -> State:
    """Return the state before any picture."""
    count, kinds = sizes
    none = np.zeros(channels, np.int64)
    ends = np.full(channels, np.inf, np.float32)
    top = nobody(count, channels)
    sums, kept = np.zeros((len(SUMS), channels)), np.zeros((kinds, channels), np.int64)
    histogram = np.zeros((channels, BINS), np.uint32)
    return State(none, none, none, none, ends, -ends, sums, histogram, kept.astype(float), kept, **top._asdict())

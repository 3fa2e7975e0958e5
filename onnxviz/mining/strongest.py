"""The k strongest of each channel, in a total order: merging is then the same whatever is merged first.

Stronger is the greater number, among equals the greater mean of the map, among those the earlier picture of the data
set: photographs that are there twice tie in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from onnxviz.layout import Array


class Strongest(NamedTuple):
    """Places of channels, all arrays `(m, C)`.

    Attributes:
        value: the greatest number of a map, -inf where there is no picture.
        tie: the mean of the map.
        picture: the number of the picture, -1 for none.
        place: the flat place of the number in the map.
    """

    value: npt.NDArray[np.float32]
    tie: npt.NDArray[np.float32]
    picture: npt.NDArray[np.int64]
    place: npt.NDArray[np.int32]


def nobody(count: int, channels: int) -> Strongest:
    """Return that many candidates without a picture."""
    shape = count, channels
    return Strongest(
        np.full(shape, -np.inf, np.float32),
        np.full(shape, -np.inf, np.float32),
        np.full(shape, -1, np.int64),
        np.full(shape, -1, np.int32),
    )


def strongest(all_of: Strongest, count: int) -> Strongest:
    """Return the `count` strongest of each channel, the strongest first."""
    value, picture = all_of.value, all_of.picture
    entries, channels = value.shape
    found = nobody(count, channels)
    if not entries:
        return found
    floor = np.partition(value, entries - count, axis=0)[entries - count] if entries > count else found.value[0]
    take = value > floor
    equal = (value == floor) & (picture >= 0)
    spare = min(count, entries) - take.sum(axis=0)
    crowded = np.flatnonzero(equal.sum(axis=0) > spare)
    take |= equal
    if len(crowded):
        take[:, crowded] &= ~equal[:, crowded] | _best_tied(all_of, equal, crowded, spare[crowded])
    row, channel = np.nonzero(take & (picture >= 0))
    order = np.lexsort((picture[row, channel], -all_of.tie[row, channel], -value[row, channel], channel))
    row, channel = row[order], channel[order]
    rank = np.arange(len(channel)) - np.searchsorted(channel, np.arange(channels))[channel]
    arrays: Iterable[tuple[Array, Array]] = zip(all_of, found, strict=True)
    for source, target in arrays:
        target[rank, channel] = source[row, channel]
    return found


def _best_tied(all_of: Strongest, equal: npt.NDArray[np.bool_], crowded: Array, spare: Array) -> npt.NDArray[np.bool_]:
    """Return which of equal numbers stay, `spare` for each crowded channel: by their means, then by the picture."""
    tied = equal[:, crowded]
    tie = np.where(tied, all_of.tie[:, crowded], -np.inf)
    last = -np.sort(-tie, axis=0)[spare - 1, np.arange(len(crowded))]
    above = tied & (tie > last)
    level = tied & (tie == last)
    left = spare - above.sum(axis=0)
    picture = np.where(level, all_of.picture[:, crowded], np.iinfo(np.int64).max)
    latest = np.sort(picture, axis=0)[np.maximum(left, 1) - 1, np.arange(len(crowded))]
    stays: npt.NDArray[np.bool_] = above | (level & (picture <= latest) & (left > 0))
    return stays

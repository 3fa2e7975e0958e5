"""The health of an array's channels, as its pictures have them."""

from __future__ import annotations

import math
from functools import reduce

from onnxviz.bounds import Bounds
from onnxviz.draw.arrange import item_channels, item_count
from onnxviz.draw.statistics import ChannelStatistics
from onnxviz.extremes import extremes_of
from onnxviz.health import Health, count_health
from onnxviz.layout import Array, Layout


def channel_health(
    array: Array, layout: Layout, bounds: Bounds | None = None, statistics: ChannelStatistics | None = None
) -> Health:
    """Return the health of each channel over all items of an array.

    Args:
        array: the values, of any dtype.
        layout: how it is arranged, which decides what its channels are (see `arrange.item_channels`).
        bounds: from where on values are saturated; None counts none.
        statistics: those of item 0, if they are known.
    """
    ends = (bounds or Bounds()).ends(array.shape)

    def health(item: int) -> Health:
        rows = _rows(item_channels(array, layout, item))
        low, high = (_rows(item_channels(end, layout, item)) if end.ndim else end for end in ends)
        known = statistics.extremes if statistics is not None and item == 0 else extremes_of(rows)
        return count_health(rows, (low, high), known)

    return reduce(Health.merged, map(health, range(max(1, item_count(array, layout)))))


def _rows(maps: Array) -> Array:
    return maps.reshape(len(maps), math.prod(maps.shape[1:]))

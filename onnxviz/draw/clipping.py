"""Where the scale of a channel ends that leaves out its few greatest values, so that the others have colours."""

from __future__ import annotations

import math

import numpy as np

from onnxviz.draw.statistics import ChannelStatistics, Floats
from onnxviz.extremes import as_floats
from onnxviz.layout import Array

HELD = 0.98
"""The share of a channel's magnitudes within the scales `signed` and `clipped`.

An edge detector answers weakly to most pixels and strongly to a few, such as the border of a letterbox: on its whole
range all others would have the colour of zero.
"""

PERCENTILES = (0.01, 0.99)
"""The shares of a channel's values below the ends of the scale `percentile`."""

# The most values of a channel from which what the share HELD reaches is found.
_SAMPLES = 1024


def reaches(maps: Array, statistics: ChannelStatistics) -> Floats:
    """Return for each channel the magnitude at which the scales `signed` and `clipped` end, (C,).

    The share HELD of its magnitudes above the least does not exceed it: a channel that is zero but for a few values is
    judged by these. Where they are too few to leave any out, it is the greatest magnitude. For large maps this is found
    from evenly spaced values, in a tenth of the time; the share moves by half a percent.
    """
    greatest = np.fmax(np.abs(statistics.minimum), np.abs(statistics.maximum))
    values = as_floats(maps).reshape(len(maps), -1)
    step = max(1, -(-values.shape[1] // _SAMPLES))
    # Else maps 1024 wide would be judged by their first column.
    while step > 1 and math.gcd(step, maps.shape[-1]) > 1:
        step += 1
    found = _held(values[:, ::step], greatest)
    for channel in np.flatnonzero(statistics.irregular):
        finite = values[channel][np.isfinite(values[channel])]
        found[channel] = _held(finite[None], greatest[channel])[0]
    return found


def percentiles(maps: Array, statistics: ChannelStatistics) -> tuple[Floats, Floats]:
    """Return the 1st and the 99th percentile of each channel, its ends where they are the same."""
    values = as_floats(maps).reshape(len(maps), -1)
    low, high, irregular = statistics.minimum.copy(), statistics.maximum.copy(), statistics.irregular
    for channel, row in enumerate(values):
        if irregular[channel]:
            row = row[np.isfinite(row)]
        if row.size:
            ordered = np.sort(row)
            below, above = ((row.size - 1) * share for share in PERCENTILES)
            first, last = ordered[int(below)], ordered[math.ceil(above)]
            if last > first:
                low[channel], high[channel] = first, last
    return low, high


def _held(values: Array, greatest: Floats) -> Floats:
    """Return the magnitude that holds the share HELD of the values of each channel (C, n), (C,); if all, `greatest`."""
    # numpy sorts with SIMD, faster than it partitions.
    ordered = np.sort(np.abs(values), axis=1)
    clipped = ((1 - HELD) * np.count_nonzero(ordered > ordered[:, :1], axis=1)).astype(np.intp)
    held = np.take_along_axis(ordered, -1 - clipped[:, None], axis=1)[:, 0] if ordered.size else greatest
    return np.where(clipped > 0, held, greatest).astype(np.float64)

"""The scale of a layer of a figure: of the channels that are drawn, over all inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from onnxviz.draw.scale import Limits, both_signs, limits, own_scale
from onnxviz.draw.statistics import channel_statistics
from onnxviz.draw.style import Style
from onnxviz.layout import Array


@dataclass(frozen=True, slots=True)
class RowStyle:
    """How the rows of a figure are drawn.

    Attributes:
        style: scale, colormap, theme, channels, order, top, and the tiles in a row.
        same_scale: draw all channels of a layer on one scale.
        percentile: the scale that all channels share leaves out this many percent of the magnitudes, from 0 to below
            50; None for a scale as the style says.
        numbers: write the number of its channel above each tile.
    """

    style: Style
    same_scale: bool = False
    percentile: float | None = None
    numbers: bool = False


def common_limits(flat: Array, how: RowStyle) -> Limits:
    """Return the scale of channels (C, n), with the values of all inputs together."""
    statistics, style = channel_statistics(flat), how.style
    found = limits(flat, statistics, style)
    if how.percentile is not None:
        ends = percentile_ends(flat, how.percentile)
    elif how.same_scale and found.own:
        ends = own_scale(flat, style).ends
    else:
        return found
    return limits(flat, statistics, replace(style, limits=ends)) if np.isfinite(ends).all() else found


def percentile_ends(values: Array, left_out: float) -> tuple[float, float]:
    """Return the ends of a scale that leaves out so many percent of the finite values.

    Values of both signs get a scale about 0, which leaves out the greatest magnitudes, the others one that leaves out
    as many at either end.

    >>> percentile_ends(np.arange(101.0), 1), percentile_ends(np.arange(-100.0, 101), 0)
    ((1.0, 99.0), (-100.0, 100.0))
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        return np.nan, np.nan
    if both_signs(float(finite.min()), float(finite.max())):
        reach = float(np.percentile(np.abs(finite), 100 - left_out))
        return -reach, reach
    low, high = np.percentile(finite, [left_out, 100 - left_out])
    return float(low), float(high)

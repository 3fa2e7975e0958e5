"""One scale for a layer of all inputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from onnxviz.draw.scale import both_signs, channel_statistics
from onnxviz.feed.feed import Feed
from onnxviz.viewing.call import Call
from onnxviz.viewing.inputs import Inputs

Limits = Mapping[str, tuple[float, float]]
"""The ends of the scale of each value."""


def common_limits(call: Call, inputs: Inputs) -> Limits:
    """Run every input and return each value's scale: its range over all of them, about zero where `auto` has it so."""
    ranges: dict[str, tuple[float, float]] = {}

    def widen(feed: Feed) -> None:
        for value, (low, high) in _ranges(call, feed).items():
            before = ranges.get(value, (low, high))
            ranges[value] = float(np.fmin(low, before[0])), float(np.fmax(high, before[1]))

    inputs.each(widen)
    scale = call.options.style.scale
    return {value: _scaled(scale, *ends) for value, ends in ranges.items() if not np.isnan(ends[0])}


def _ranges(call: Call, feed: Feed) -> Limits:
    """Return the ranges of one run, which count only if it ends well."""
    return {activation.value: channel_statistics(activation.maps()).range for activation in call.stream(feed)}


def _scaled(scale: str, low: float, high: float) -> tuple[float, float]:
    if scale not in ("auto", "signed", "symmetric"):
        return low, high
    reach = max(-low, high)
    return (-reach, reach) if scale != "auto" or both_signs(low, high) else (low, high)

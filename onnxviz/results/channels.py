"""The channels of a layer in `view.json`: all of them, or of very many the strongest and numbers of the whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxviz.draw.statistics import MOST_CHANNELS, ChannelStatistics, strongest_channels
from onnxviz.strict_json import numbers

LISTED = 1024
"""How many channels are listed of a layer that has more than MOST_CHANNELS."""

SHARES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
"""The shares of the channels below each quantile that is given then."""


def channel_documents(statistics: ChannelStatistics) -> dict[str, Any]:
    """Return the members of a layer that hold its channels: `channels`, and `summary` where these are not all."""
    count = len(statistics.minimum)
    if count <= MOST_CHANNELS:
        return {"channels": _listed(statistics, np.arange(count))}
    chosen = strongest_channels(statistics, LISTED)
    means = statistics.mean[np.isfinite(statistics.mean)]
    ends = np.quantile(means, SHARES).tolist() if means.size else [None] * len(SHARES)
    summary = {
        "channels": count,
        "mean": float(means.mean()) if means.size else None,
        "std": float(means.std()) if means.size else None,
        "nan": int(np.count_nonzero(statistics.nan)),
        "inf": int(np.count_nonzero(statistics.inf)),
        "quantiles": [{"share": share, "value": value} for share, value in zip(SHARES, ends, strict=True)],
    }
    return {"channels": _listed(statistics, chosen), "summary": summary}


def _listed(statistics: ChannelStatistics, chosen: np.ndarray[Any, np.dtype[np.intp]]) -> list[dict[str, Any]]:
    some = statistics.take(chosen)
    columns = map(numbers, (some.minimum, some.maximum, some.mean, some.deviation))
    return [
        {"index": index, "min": least, "max": most, "mean": mean, "std": deviation, "nan": nan, "inf": inf}
        for index, least, most, mean, deviation, nan, inf in zip(
            chosen.tolist(), *columns, some.nan.tolist(), some.inf.tolist(), strict=True
        )
    ]

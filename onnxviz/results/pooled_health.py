"""The health of layers over all inputs of a command: counts are added, and a channel is dead if it never was alive."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxviz.draw.statistics import MOST_CHANNELS
from onnxviz.health import Health
from onnxviz.results.channels import LISTED


@dataclass(frozen=True, slots=True)
class PooledLayer:
    """The health of a layer over the runs that computed it.

    Attributes:
        name, output, tap: which layer, and which value of it.
        health: its counts; of more than 32,768 channels all are pooled as one, so that memory stays flat.
        runs: how many there were.
    """

    name: str
    output: str
    tap: str
    health: Health
    runs: int = 1

    @classmethod
    def of(cls, name: str, output: str, tap: str, health: Health) -> PooledLayer:
        """Return what one run adds."""
        return cls(name, output, tap, health.whole if len(health.values) > MOST_CHANNELS else health)

    def joined(self, other: PooledLayer) -> PooledLayer:
        """Return the health over the runs of both."""
        ours, theirs = self.health, other.health
        if 1 in (len(ours.values), len(theirs.values)):  # one of them may have had too many channels
            ours, theirs = ours.whole, theirs.whole
        return PooledLayer(self.name, self.output, self.tap, ours.merged(theirs), self.runs + other.runs)

    def as_json(self) -> dict[str, Any]:
        """Return all of it, exactly, for a command that goes on later."""
        return {"name": self.name, "output": self.output, "tap": self.tap, "health": self.health.as_json()}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> PooledLayer:
        """Return what `as_json` wrote of one run."""
        health = Health.from_json(document["health"])
        return cls(document["name"], document["output"], document["tap"], health)


Pool = Mapping[tuple[str, str], PooledLayer]
"""The layers by name and value, in the order in which they came."""


def pooled(before: Pool, layers: Iterable[PooledLayer]) -> Pool:
    """Return the layers of some runs joined with those of one more."""
    found = dict(before)
    for layer in layers:
        key = layer.name, layer.output
        found[key] = found[key].joined(layer) if key in found else layer
    return found


def pool_document(pool: Pool) -> list[dict[str, Any]]:
    """Return the layers as `view.json` has them."""
    return [
        {"name": layer.name, "output": layer.output, "tap": layer.tap, "runs": layer.runs}
        | health_document(layer.health)
        for layer in pool.values()
    ]


def health_document(health: Health) -> dict[str, Any]:
    """Return the counts of a layer, and in columns those of its channels that are not well, the first 1,024 at most.

    >>> from onnxviz.health import health_of
    >>> health_document(health_of(np.array([[0, 0], [1, 2], [3, 3]]), 0))["not_well"]["index"]
    [0, 2]
    """
    dead, bad = health.dead, health.nan + health.inf + health.saturated_low + health.saturated_high
    ill = np.flatnonzero(dead | (bad > 0))[:LISTED]
    counts = {name: getattr(health, name)[ill].tolist() for name in ("nan", "inf", "saturated_low", "saturated_high")}
    return health.totals.as_json() | {"not_well": {"index": ill.tolist(), **counts, "dead": dead[ill].tolist()}}

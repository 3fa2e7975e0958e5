"""Whether a map depends on what was learnt: the same method on the model with its last kernels shuffled.

Adebayo et al. (Sanity Checks for Saliency Maps, 2018, arXiv:1810.03292, section 3.1): from the answer back, more and
more layers lose what they learnt. A map that stays as it is shows edges of the picture, not reasons of the model. They
draw new weights; here the model's own are shuffled along each axis of a kernel, which keeps their size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from onnxviz.explaining.class_activation import CLASS_ACTIVATION
from onnxviz.explaining.explanation import Explanation
from onnxviz.explaining.heats import heats_of
from onnxviz.explaining.method_work import Explaining, Heat
from onnxviz.explaining.network import Network
from onnxviz.explaining.target import Target
from onnxviz.graph.shuffled_kernels import nodes_with_kernels, shuffled
from onnxviz.layout import Array
from onnxviz.model import Model

_ANY_GAP = 9.0
"""Integrated gradients of shuffled weights need not add up: their ranks are what is compared."""


@dataclass(frozen=True, slots=True)
class Sanity:
    """How a map compares with that of the model whose last kernels are shuffled.

    Attributes:
        kernels: how many kernels were shuffled, the last before the target first.
        of: how many there are.
        correlation: of the ranks of both maps, -1 to 1; None where the other model has no map.
    """

    kernels: int
    of: int
    correlation: float | None


class ShuffledNetworks:
    """A network with its last kernel shuffled, the last half of them, and all; made once for all methods."""

    def __init__(self, work: Explaining) -> None:
        """Take what is explained."""
        self._work = work
        self._networks: dict[tuple[str, int], Network] = {}
        self._heats: dict[tuple[str, int, str, str], Mapping[Target, Heat]] = {}

    def sanity(self, shown: Explanation) -> Iterator[Sanity]:
        """Yield the comparison for each of them."""
        count = len(nodes_with_kernels(self._work.network.model.graph, shown.target.value))
        for last in sorted({min(1, count), (count + 1) // 2, count} - {0}):
            other = self._heats_of(shown, last).get(shown.target)
            yield Sanity(last, count, None if other is None else rank_correlation(shown.array, other.array))

    def _heats_of(self, shown: Explanation, last: int) -> Mapping[Target, Heat]:
        """Return what the method makes of the other network, for all targets that are made of one value."""
        value, layer = shown.target.value, shown.layer if shown.method in CLASS_ACTIVATION else ""
        key = (value, last, shown.method, layer)
        if key not in self._heats:
            targets = [target for target in self._work.targets if target.value == value]
            options = replace(self._work.options, layers=[layer] if layer else None, gap=_ANY_GAP)
            work = Explaining(self._network(value, last), targets, options)
            # Of random weights it may be that nothing raises the target, or that its gradient is 0: there is no map.
            self._heats[key] = heats_of(shown.method, work, [])
        return self._heats[key]

    def _network(self, value: str, last: int) -> Network:
        if (value, last) not in self._networks:
            model, options = self._work.network.model, self._work.options
            nodes = nodes_with_kernels(model.graph, value)[-last:]
            graph = shuffled(model.graph, nodes, model.types, options.seed)
            made = Network(Model(model.file, graph), self._work.network.feed, options.run)
            self._networks[value, last] = made
        return self._networks[value, last]


def rank_correlation(one: Array, other: Array) -> float | None:
    """Return Spearman's correlation of two arrays; None where one of them is the same everywhere.

    >>> rank_correlation(np.array([1.0, 2, 3]), np.array([10.0, 20, 99]))
    1.0
    """
    first, second = (_ranks(array.reshape(-1)) for array in (one, other))
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    return round(float(np.corrcoef(first, second)[0, 1]), 12)


def _ranks(numbers: Array) -> Array:
    """Return the place of each number in their order; equal ones share the mean of theirs.

    >>> _ranks(np.array([5.0, 1, 5])).tolist()
    [1.5, 0.0, 1.5]
    """
    _, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Array = (ends - (counts + 1) / 2)[places]
    return ranks

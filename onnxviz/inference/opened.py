"""`Opened`: for which feeds a model that was opened around values inside serves, by the conditions of its Ifs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from onnxviz.errors import UnsupportedError
from onnxviz.feed.feed import Feed
from onnxviz.graph.graph import Graph
from onnxviz.graph.specialise import Decide
from onnxviz.inference.conditions import Conditions
from onnxviz.runtime.executor import Executor
from onnxviz.words import quoted


@dataclass(frozen=True, slots=True)
class Opened:
    """A model opened around values: for which values and steps, and what its conditions were."""

    key: tuple[tuple[str, ...], range]
    conditions: Conditions
    verdicts: Mapping[str, bool]

    def serves(self, fed: Feed | None) -> bool:
        """Return whether another feed takes the same branches."""
        return not self.verdicts or (fed is not None and self.conditions.are(self.verdicts, fed))


def decider(executor: Executor, fed: Feed | None) -> Decide:
    """Return what finds the conditions of Ifs for a feed; without one it refuses to.

    Raises:
        UnsupportedError: A condition has to be found, and nothing is fed.
    """
    return partial(_decide, executor, fed)


def _decide(executor: Executor, fed: Feed | None, graph: Graph, names: Sequence[str]) -> Sequence[bool]:
    if fed is None:
        raise UnsupportedError(f"which branch an If takes is not known before a run ({quoted(names[0])} decides)")
    found = Conditions(graph, names, executor).find(fed)
    return [found[name] for name in names]

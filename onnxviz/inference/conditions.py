"""What the conditions of Ifs are for a feed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from onnxviz.errors import ExecutionError
from onnxviz.feed.feed import Feed
from onnxviz.graph.cut import cut
from onnxviz.graph.graph import Graph
from onnxviz.inference.run_plan import skeleton_of
from onnxviz.runtime.executor import Executor
from onnxviz.runtime.session import Session


@dataclass(slots=True)
class Conditions:
    """Some conditions of a graph: those that it computes come from a session, which is opened once."""

    graph: Graph
    names: Sequence[str]
    executor: Executor
    _session: Session | None = field(default=None, init=False)

    def find(self, fed: Feed) -> dict[str, bool]:
        """Run what they need, and return them by name.

        Raises:
            ExecutionError: onnxruntime fails on the feed.
        """
        computed = [name for name in dict.fromkeys(self.names) if name not in fed.arrays]
        if computed and self._session is None:
            self._session = self.executor.open(skeleton_of(cut(self.graph, computed)))
        found = dict(fed.arrays)
        if computed and self._session is not None:
            found |= zip(computed, self._session.run(fed.arrays, computed), strict=True)
        return {name: bool(np.asarray(found[name]).reshape(-1)[0]) for name in self.names}

    def are(self, verdicts: Mapping[str, bool], fed: Feed) -> bool:
        """Return whether they are these for a feed."""
        try:
            return self.find(fed) == verdicts
        except ExecutionError:
            return False  # the branches of another input may not fit to this one

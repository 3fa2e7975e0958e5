"""`Reached`: a graph from which values inside a model can be fetched, and how they come out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onnxviz.graph.computed import Computed
from onnxviz.graph.graph import Graph
from onnxviz.inference.fetched import Stack


@dataclass(frozen=True, slots=True)
class Reached:
    """The graph from which values can be fetched on one input, and on any other with the same conditions.

    Attributes:
        graph: the model, opened around the values.
        conditions: what the conditions of the Ifs on the way are.
        absent: the values that the input does not compute, and why.
        refused: the values that cannot be fetched whatever the input, and why.
        stacks: how the steps of values in Loops and the like come out.
        computed: what can be computed besides what the model's nodes put out.
        flat: the flat graph of the whole model, where this one was opened around values in it.
    """

    graph: Graph
    conditions: Mapping[str, bool] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    stacks: Mapping[str, Stack] = field(default_factory=dict)
    computed: Computed = field(default_factory=Computed)
    flat: Graph | None = None

    @property
    def missing(self) -> Mapping[str, str]:
        """Why values are not there to be fetched."""
        return {**self.absent, **self.refused}

    def outputs(self, values: Sequence[str]) -> list[str]:
        """Return what is fetched for values: them, and of those in Loops how many steps there were."""
        counts = (self.stacks[value].count for value in values if value in self.stacks)
        return [*values, *filter(None, counts)]

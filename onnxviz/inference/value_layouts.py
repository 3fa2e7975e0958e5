"""`ValueLayouts`: which axis is what, in the graph and in the arrays that a run computes."""

from __future__ import annotations

from collections.abc import Mapping

from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.families import Families
from onnxviz.graph.layers.layer_map import read_layer_map
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.graph.operators.layouts import guess_axes
from onnxviz.graph.selection.choices import Choice
from onnxviz.layout import TensorSpec


class ValueLayouts:
    """The layouts of a graph's values: what its operators fix, and of what they do not, what the rank suggests."""

    def __init__(
        self,
        graph: Graph,
        types: Mapping[str, TensorSpec],
        families: Families | None = None,
        inside: Mapping[str, ValueLayouts] | None = None,
    ) -> None:
        """Take the graph, the type and shape of its values, and the families of its nodes, where they are known.

        Values that lie `inside`, of which the graph only hands out the steps, have their layouts elsewhere.
        """
        self._graph = graph
        self._types = types
        self._families = families or Families(graph, types)
        self._inside = inside or {}
        self._by_rank: dict[tuple[str, int], Axes | None] = {}

    @property
    def known(self) -> Mapping[str, Axes]:
        """The layouts that the graph's operators tell before a run."""
        return self._families.axes

    def of_array(self, choice: Choice, rank: int) -> Axes | None:
        """Return the layout of what was computed: the layer's, else the value's of this rank, else a guess."""
        if choice.value in self._inside:
            return self._inside[choice.value].of_array(choice, rank)
        layer = choice.layer
        if layer is not None and layer.layout is not None and len(layer.layout) == rank:
            return Axes(layer.layout, layer.layout_assumed)
        axes = self.known.get(choice.value) or self._of_rank(choice, rank)
        if axes is not None and len(axes.layout) == rank:
            return axes
        spec = TensorSpec(choice.value, shape=(None,) * rank)
        return guess_axes(spec, channels_last=read_layer_map(self._graph.metadata).channels_last)

    def _of_rank(self, choice: Choice, rank: int) -> Axes | None:
        """Return the layout of a value of whose rank inference knows nothing, now that a run shows it."""
        values = {choice.value, choice.value if choice.layer is None else choice.layer.output}
        unknown = [value for value in values if value not in self._types or self._types[value].shape is None]
        if choice.value not in unknown:
            return None
        if (choice.value, rank) not in self._by_rank:
            ranked = {value: TensorSpec(value, shape=(None,) * rank) for value in unknown}
            found = Families(self._graph, {**self._types, **ranked}).axes
            self._by_rank[choice.value, rank] = found.get(choice.value)
        return self._by_rank[choice.value, rank]

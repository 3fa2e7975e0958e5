"""`ValueTypes`: type, shape and tokens of every value for what is fed, found once for inputs of the same sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property

from onnxviz.feed.feed import Feed
from onnxviz.graph.computed import Computed, grid_of
from onnxviz.graph.graph import Graph
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.graph.operators.layouts import rearranged
from onnxviz.graph.shapes import fix_inputs, infer_types
from onnxviz.graph.unfold import Unfolded
from onnxviz.layout import Array, TensorSpec, TokenGrid

Types = Mapping[str, TensorSpec]
Shapes = Mapping[str, tuple[int, ...]]


class ValueTypes:
    """What the sizes of a feed make known of the values of one graph."""

    def __init__(self, graph: Graph, unfolded: Unfolded, computed: Computed) -> None:
        """Take the graph that is run, the same with all that lies inside, and what can be computed besides."""
        self._graph = graph
        self._flat = unfolded.graph
        self._computed = computed
        self._last_types: tuple[Shapes | None, Types] = (None, {})
        self._last_grids: tuple[Shapes | None, Mapping[str, TokenGrid]] = (None, {})

    def types(self, fed: Feed) -> Types:
        """Return type and shape of every value."""
        shapes = shapes_of(fed)
        if self._last_types[0] != shapes:
            self._last_types = shapes, infer_types(fix_inputs(self._flat, shapes))
        return self._last_types[1]

    def grids(self, fed: Feed) -> Mapping[str, TokenGrid]:
        """Return where the tokens of every value lie."""
        # Not at the top: most models have no tokens to follow.
        from onnxviz.graph.operators.tokens import token_grids

        shapes = shapes_of(fed)
        if self._last_grids[0] != shapes:
            self._last_grids = shapes, token_grids(self._flat, self.types(fed))
        return self._last_grids[1]

    def tokens(self, fed: Feed, value: str, array: Array, axes: Axes | None) -> TokenGrid | None:
        """Return where the tokens of an array lie; None where its layout says it, or it was not followed."""
        is_certain = axes is not None and not axes.assumed and "T" not in axes.layout
        if array.ndim < 2 or (is_certain and value not in self._rearranged):
            return None
        grids = self.grids(fed)
        grid = grids.get(value)
        if value in self._computed.values and grids:
            grid = grid_of(value, array.shape, self._computed, self._graph, grids)
        if grid is None or math.prod(grid.split) != array.size:
            return None
        return None if grid.is_said_by(None if axes is None else axes.layout) else grid

    @cached_property
    def _rearranged(self) -> frozenset[str]:
        return rearranged(self._flat)


def shapes_of(fed: Feed) -> Shapes:
    """Return the shape of each array that is fed, by its input's name."""
    return {name: array.shape for name, array in fed.arrays.items()}

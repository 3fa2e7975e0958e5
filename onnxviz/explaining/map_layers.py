"""The layers whose maps a class activation map is made of: where in the picture their values lie."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from onnxviz.draw.arrange import item_channels, token_maps
from onnxviz.errors import NoMatchError, UnsupportedError, UsageError
from onnxviz.explaining.network import Network
from onnxviz.graph.cut import needed_nodes
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.layer import Layer
from onnxviz.graph.operators.tokens import token_grids
from onnxviz.graph.selection.choices import SelectionText
from onnxviz.graph.shapes import fix_inputs, infer_types
from onnxviz.layout import Array, TensorSpec, TokenGrid, channel_axis, spatial_axes
from onnxviz.model import choices_of
from onnxviz.words import quoted

_WITHIN_BLOCKS = frozenset({"dense", "attention"})
"""Kinds whose tokens are queries, keys or weights of a block; what blocks hand on are their sums and norms."""


def _is_within(layer: Layer) -> bool:
    return layer.kind in _WITHIN_BLOCKS or layer.op == "Softmax"


@dataclass(frozen=True, slots=True)
class MapLayer:
    """A value with maps.

    Attributes:
        name: its layer's name.
        value: the value.
        layout: which axis is what, or where its tokens lie in the picture.
        size: rows and columns of its maps.
    """

    name: str
    value: str
    layout: str | TokenGrid
    size: tuple[int, int]

    def maps(self, array: Array) -> Array:
        """Return the first item of the value, or of its gradient, as (C, H, W) of at least float32, to be summed."""
        wide = array.astype(np.promote_types(array.dtype, np.float32), copy=False)
        if isinstance(self.layout, TokenGrid):
            return token_maps(wide, self.layout)[0]
        return item_channels(wide, self.layout)


class MapLayers:
    """The values with maps between an input and a target, from the input on."""

    def __init__(self, network: Network) -> None:
        """Find the sizes and tokens of all values for what is fed."""
        self._model, self._input = network.model, network.input
        fed = {name: array.shape for name, array in network.feed_of(network.array).arrays.items()}
        graph = fix_inputs(self._model.graph, fed)
        self._types: Mapping[str, TensorSpec] = infer_types(graph)
        self._grids = token_grids(graph, self._types)

    def on_the_way(self, target: str) -> list[MapLayer]:
        """Return those that depend on the input and on which the target depends, in the order of the graph."""
        values = values_between(self._model.graph, self._input, target)
        found: dict[str, MapLayer] = {}
        for layer in self._model.catalogue:
            value = layer.act if layer.act in values else layer.output
            if value in values and value != target:
                made = self._map_layer(layer.name, value, layer.layout)
                if made is not None and isinstance(made.layout, TokenGrid) and _is_within(layer):
                    continue
                if made is not None and made.size != (1, 1):
                    found.setdefault(value, made)
        producers = self._model.graph.producers
        return sorted(found.values(), key=lambda one: producers[one.value].index if one.value in producers else -1)

    def last(self, target: str) -> MapLayer:
        """Return the last one before the target.

        Raises:
            UnsupportedError: There is none.
        """
        found = self.on_the_way(target)
        if not found:
            raise UnsupportedError(
                "no layer before the target has maps of a picture: class activation maps need one; "
                "--method smoothgrad or occlusion does without"
            )
        return found[-1]

    def larger(self, target: str, last: MapLayer) -> MapLayer:
        """Return the last one before another whose maps are larger, one stage below it; else that other."""
        found, area = self.on_the_way(target), math.prod(last.size)
        before = reversed(found[: found.index(last)])
        return next((one for one in before if math.prod(one.size) > area), last)

    def named(self, selection: SelectionText, target: str) -> MapLayer:
        """Return the one that a selection chooses.

        Raises:
            UsageError: It chooses several layers.
            NoMatchError: The layer has no maps, or the target does not depend on it.
        """
        choices, _ = choices_of(self._model, selection)
        if len(choices) != 1:
            raise UsageError(f"a class activation map is of one layer: {len(choices)} are selected")
        found = {one.value: one for one in self.on_the_way(target)}.get(choices[0].value)
        if found is None:
            raise NoMatchError(f"{quoted(choices[0].name)} has no maps of the picture on which the target depends")
        return found

    def _map_layer(self, name: str, value: str, layout: str | None) -> MapLayer | None:
        grid = self._grids.get(value)
        if grid is not None and grid.keys is not None:
            return None  # attention: places by places
        if grid is not None and not grid.is_said_by(layout):
            return MapLayer(name, value, grid, grid.grid)
        spec = self._types.get(value)
        axes = spatial_axes(layout)
        if layout is None or len(axes) != 2 or channel_axis(layout) is None or spec is None or spec.shape is None:
            return None
        height, width = (spec.shape[axis] for axis in axes) if len(spec.shape) == len(layout) else (None, None)
        return (
            MapLayer(name, value, layout, (height, width))
            if isinstance(height, int) and isinstance(width, int)
            else None
        )


def values_between(graph: Graph, source: str, target: str) -> frozenset[str]:
    """Return the values that depend on one and on which another depends, both included."""
    found = {source}
    for node in needed_nodes(graph, [target]):
        if not found.isdisjoint(node.reads):
            found.update(output for output in node.outputs if output)
    return frozenset(found)

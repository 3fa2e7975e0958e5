"""The catalogue of layers: what a person can look at in a graph, with what is known of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from onnxviz.graph.carrying import is_carrier
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.absorption import Absorber
from onnxviz.graph.layers.families import Families
from onnxviz.graph.layers.layer import Fields, Layer
from onnxviz.graph.layers.layer_map import read_layer_map
from onnxviz.graph.layers.names import LayerNames
from onnxviz.graph.node import Node
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.graph.operators.layouts import guess_axes
from onnxviz.graph.operators.table import DEEPENING, KINDS, operator_of, packed_weights, weight_count
from onnxviz.layout import TensorSpec, channel_axis

__all__ = ["KINDS", "Layer", "catalogue"]


def catalogue(
    graph: Graph, types: Mapping[str, TensorSpec], families: Families | None = None, *, every: bool = False
) -> tuple[Layer, ...]:
    """Return the layers of a graph in graph order; with `every`, all that nodes put out, what is of no kind as `other`.

    A node of no kind that the model's own layer map knows (a Flatten, say) is a layer as well. `families` are those of
    the graph, if they are known.

    >>> import onnx
    >>> model = onnx.parser.parse_model('''<ir_version: 8, opset_import: ["" : 13]>
    ... g (float[1,3,8,8] x, float[4,3,1,1] w) => (float[1,4,8,8] y) {
    ...     c = Conv (x, w)
    ...     y = Relu (c)
    ... }''')
    >>> graph = Graph.from_proto(model)
    >>> types = {"y": TensorSpec("y", "float32", (1, 4, 8, 8))}
    >>> [(layer.name, layer.kind, layer.act, layer.channels) for layer in catalogue(graph, types)]
    [('c', 'conv', 'y', 4), ('y', 'act', 'y', 4)]
    """
    layers = _Cataloguer(graph, types, families or Families(graph, types)).layers()
    return tuple(layer for layer, is_mapped in layers if every or is_mapped or layer.kind != "other")


class _Cataloguer:
    """What is found about a graph as a whole, put together layer by layer."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec], families: Families) -> None:
        self._graph = graph
        self._types = types
        self._families = families
        self._absorber = Absorber(graph, self._families)
        self._names = LayerNames(graph, self._families.kinds, self._chain)
        self._fields = Fields(graph, types)
        self._channels_last = read_layer_map(graph.metadata).channels_last
        self._depths: dict[str, int] = {}

    def layers(self) -> Iterator[tuple[Layer, bool]]:
        """Give every node of the file as a layer, and whether the model's author knew it as one."""
        for node in self._graph.nodes:
            depth = max([self._depths.get(value, 0) for value in (*node.inputs, *node.captured)], default=0)
            depth += self._families.kinds[node.index] in DEEPENING
            self._depths.update((output, depth) for output in node.outputs if output)
            if any(node.outputs) and not is_carrier(node.domain, node.op):
                first, *further = filter(None, node.outputs)
                yield self._layer(node, first, self._absorber.act(node, first), depth), self._names.is_mapped(node)
                yield from ((self._further(node, output, depth), False) for output in further)

    def _further(self, node: Node, output: str, depth: int) -> Layer:
        """Return what a node puts out besides its first output, such as the second half of a Split."""
        is_weights = self._families.kinds[node.index] == "attention" and output in node.outputs[3:4]
        kind = "attention" if is_weights else "other"
        return replace(self._layer(node, output, output, depth), name=output, kind=kind, parameters=0)

    def _layer(self, node: Node, output: str, act: str, depth: int) -> Layer:
        spec = self._types.get(act)
        axes = self._axes(act, spec)
        layout = None if axes is None else axes.layout
        place = channel_axis(layout)
        channels = spec.shape[place] if spec is not None and spec.shape is not None and place is not None else None
        return Layer(
            name=self._names.name(node),
            node=node.name,
            kind=self._families.kinds[node.index],
            op=node.op,
            scope=self._names.scope(node),
            output=output,
            act=act,
            shape=None if spec is None else spec.shape,
            dtype=None if spec is None else spec.dtype,
            layout=layout,
            layout_assumed=axes is not None and axes.assumed,
            channels=channels if isinstance(channels, int) else None,
            depth=depth,
            parameters=self._parameters(node),
            bytes=_bytes(spec, layout),
            index=node.index,
            inside=self._graph.inside.get(output, ""),
            fields=self._fields,
        )

    def _chain(self, node: Node) -> Sequence[str]:
        output = next(filter(None, node.outputs), "")
        return self._absorber.chain(node, output) if output else ()

    def _axes(self, value: str, spec: TensorSpec | None) -> Axes | None:
        """Return a value's layout: as followed from an operator that fixes it or from the layer map, or as guessed."""
        return self._families.axes.get(value) or guess_axes(spec, channels_last=self._channels_last)

    def _parameters(self, node: Node) -> int:
        packed = packed_weights(node.proto)
        if packed:
            return packed
        weights = (node.inputs[place] for place in operator_of(node).weights if place < len(node.inputs))
        return sum(self._elements(value) for value in weights if value and self._graph.is_constant(value))

    def _elements(self, value: str) -> int:
        """Count the elements of a constant, however it is computed from initializers (DequantizeLinear, Reshape)."""
        spec = self._types.get(value)
        shape = spec.shape if spec is not None else None
        for _ in range(len(self._graph.nodes) + 1):
            sizes = self._graph.dims(value) or shape
            if sizes is not None and all(isinstance(size, int) for size in sizes):
                return weight_count([size for size in sizes if isinstance(size, int)])
            maker = self._graph.producers.get(value)
            if maker is None or not maker.inputs:
                return 0
            value = maker.inputs[0]
        return 0


_ITEM_SIZES: Mapping[str, float] = {
    "bool": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4, "int64": 8, "uint64": 8,
    "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16,
    "float8_e4m3fn": 1, "float8_e4m3fnuz": 1, "float8_e5m2": 1, "float8_e5m2fnuz": 1, "int4": 0.5, "uint4": 0.5,
}  # fmt: skip


def _bytes(spec: TensorSpec | None, layout: str | None) -> int | None:
    if spec is None or spec.shape is None or spec.dtype is None or spec.dtype not in _ITEM_SIZES:
        return None
    batch = (layout or "N").find("N")
    sizes = [size if isinstance(size, int) else 1 for size in spec.shape]
    if any(size.__class__ is not int and axis != batch for axis, size in enumerate(spec.shape)):
        return None
    return math.ceil(math.prod(sizes) * _ITEM_SIZES[spec.dtype])

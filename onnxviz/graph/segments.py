"""Chosen values and a budget of memory become a plan: pieces of the graph that are run one after the other.

Each piece makes some of the wanted values, which its reader draws and lets go, and carries on what later pieces
need. A session keeps every output until its run ends, so a net whose maps are larger than the budget runs in as
much memory as its largest piece asks for, in the same time.

Memory is followed node by node: a piece holds the wanted values that it has made, what was carried into it, and
what is still to be read. Where the next node would pass the budget, the piece ends at a border before it:

1. Each value that crosses the border has a known type and rank, for it becomes an input of the next piece. None is of
   a type that the runtime does not hand out (bfloat16, float8, four bits and less).
2. No fusion of the runtime reaches over the border, so that the pieces compute to the last bit what the whole would:
   all that cross are outputs anyway, inputs, or values with which fused patterns end. Only where half as much again
   as the budget would be held, any border will do: then results may move in the last digits, as by exposing.
3. Initializers and what is computed from them alone do not cross: each piece that reads them has its own.
4. A border that would let go next to nothing does not count: the runtime frees by itself what nobody asked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

import numpy
import onnx

from onnxviz.graph.cut import assemble, cut, declare, needed_nodes
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.layout import TensorSpec

_WORTH = 8
"""A border is worth a new segment only if it lets go at least this part of the budget (an eighth)."""

_PATIENCE = 1.5
"""How much more than the budget is held before a fusion is broken to keep to it."""

_END_FUSIONS = frozenset(
    {"Relu", "Clip", "LeakyRelu", "Concat", "QuantizeLinear"}
    | {"MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"}
)
_STAY_INSIDE = frozenset(
    number
    for name, number in onnx.TensorProto.DataType.items()
    if name in ("BFLOAT16", "INT4", "UINT4", "INT2", "UINT2") or name.startswith(("FLOAT8", "FLOAT4"))
)
_GO_ON = frozenset({"QuantizeLinear", "Mul", "Div"})
"""Readers that a runtime may yet fuse with the nodes above: an int8 kernel ends with QuantizeLinear, and
`x * Clip(x + 3) / 6` is a nonlinearity."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a plan.

    Attributes:
        graph: what to run.
        inputs: the values to feed: inputs of the model and values that earlier segments carried.
        outputs: the values to fetch, in graph order: wanted ones and those that later segments read.
    """

    graph: Graph
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def plan(
    graph: Graph,
    wanted: Sequence[str],
    types: Mapping[str, TensorSpec],
    budget: int,
    sizes: Mapping[str, int] | None = None,
) -> tuple[Segment, ...]:
    """Divide the graph, cut to what is wanted, into segments that hold about `budget` bytes of maps each.

    Args:
        graph: the model.
        wanted: values to fetch, each in the segment that makes it.
        types: what is known of each value; what crosses a border is declared so.
        budget: bytes of maps that a segment may hold; where a node alone needs more, so does its segment.
        sizes: bytes of values for what is fed, where they are known; else the types tell.

    Returns:
        One segment if all fits, else several, in the order in which they are to be run.

    Raises:
        NoMatchError: a wanted value is not in the graph.
    """
    flow = _Flow(cut(graph, wanted, types), types, sizes or {})
    borders = [0]
    while borders[-1] < len(flow.nodes) or len(borders) == 1:
        borders.append(flow.end_of(borders[-1], budget))
    return tuple(flow.segment(start, end) for start, end in pairwise(borders))


def map_bytes(spec: TensorSpec) -> int | None:
    """Return the bytes of an array of this type, or None where a size or the type is not known.

    >>> map_bytes(TensorSpec("c", "float32", (1, 64, 112, 112)))
    3211264
    """
    if spec.dtype in {None, "object"} or spec.shape is None:
        return None
    sizes = [size for size in spec.shape if isinstance(size, int)]
    if len(sizes) < len(spec.shape):
        return None
    return math.prod(sizes) * numpy.dtype(spec.dtype).itemsize


def item_bytes(spec: TensorSpec) -> int | None:
    """Return the bytes of an array of this type as `map_bytes`, with a batch of unknown size taken as one item."""
    if spec.shape and not isinstance(spec.shape[0], int):
        spec = replace(spec, shape=(1, *spec.shape[1:]))
    return map_bytes(spec)


class _Flow:
    """The nodes that depend on the inputs, and from where to where each of their values is needed.

    Places are indices into `nodes`; the border `place` lies before `nodes[place]`.
    """

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec], sizes: Mapping[str, int]) -> None:
        self.graph, self.types = graph, types
        self.nodes = [node for node in graph.nodes if not all(map(graph.is_constant, filter(None, node.outputs)))]
        self.wanted = frozenset(spec.name for spec in graph.outputs)
        self.made = {value: place for place, node in enumerate(self.nodes) for value in node.outputs if value}
        self.last_read = dict(self.made)
        for place, node in enumerate(self.nodes):
            self.last_read.update((value, place) for value in node.reads if value in self.made)
        self.sizes = _estimate(self.nodes, graph, types, sizes)
        declared = zip(self.made, declare(graph, self.made, types), strict=True)
        untyped = [value for value, info in declared if not _can_cross(info)]
        self.carried_bytes = self._crossing(self.made, self.sizes)
        self.untyped = self._crossing(untyped)
        self.fusible = self._crossing(value for value in self.made if not self._ends_fusion(value))

    def end_of(self, start: int, budget: int) -> int:
        """Return the border at which a segment that starts here ends."""
        held = self.carried_bytes[start]
        idle = 0  # what is held only because the segment is not over
        seamless = possible = start
        for place in range(start, len(self.nodes)):
            if place > start and not self.untyped[place] and idle * _WORTH >= budget:
                possible = place
                seamless = seamless if self.fusible[place] else place
            outputs = [value for value in self.nodes[place].outputs if value]
            held += sum(self.sizes[value] for value in outputs)
            if held > budget and seamless > start:
                return seamless
            if held > budget * _PATIENCE and possible > start:
                return possible
            for value in {*outputs, *self.nodes[place].reads}:
                if self.last_read.get(value) == place:
                    if value in self.wanted or self.made[value] < start:
                        idle += self.sizes[value]
                    else:
                        held -= self.sizes[value]
        return len(self.nodes)

    def segment(self, start: int, end: int) -> Segment:
        """Make the segment between two borders."""
        nodes = self.nodes[start:end]
        outputs = [
            value
            for node in nodes
            for value in node.outputs
            if value and (value in self.wanted or self.last_read[value] >= end)
        ]
        if start == 0:  # a wanted input or constant is made by no node of ours
            outputs = [*(spec.name for spec in self.graph.outputs if spec.name not in self.made), *outputs]
        needed = {*outputs, *(value for node in nodes for value in node.reads)}
        inputs = [spec.name for spec in self.graph.inputs if spec.name in needed]
        inputs += [value for value, place in self.made.items() if place < start and value in needed]
        constants = needed_nodes(self.graph, filter(self.graph.is_constant, needed))
        return Segment(
            graph=self._part(sorted([*constants, *nodes], key=lambda node: node.index), inputs, outputs),
            inputs=tuple(inputs),
            outputs=tuple(outputs),
        )

    def _part(self, nodes: Sequence[Node], inputs: Sequence[str], outputs: Sequence[str]) -> Graph:
        declared = declare(self.graph, inputs, self.types)
        # Old files list their initializers as inputs too, and have to.
        defaults = [info for info in self.graph.proto.graph.input if info.name not in set(inputs)]
        return assemble(
            self.graph,
            nodes,
            [*declared, *(info for info in defaults if self.graph.is_constant(info.name))],
            declare(self.graph, outputs, self.types),
        )

    def _ends_fusion(self, value: str) -> bool:
        """Return whether the runtime fuses nothing across a value: it is an output, or ends fused patterns."""
        if value in self.wanted:
            return True
        node = self.graph.producers[value]
        readers = {reader.operator for reader in self.graph.consumers.get(value, ())}
        return node.operator in _END_FUSIONS and not readers & _GO_ON

    def _crossing(self, values: Iterable[str], weights: Mapping[str, int] | None = None) -> list[int]:
        """Return for each border the number, or the summed weights, of these values that cross it."""
        steps = [0] * (len(self.nodes) + 2)
        for value in values:
            weight = 1 if weights is None else weights[value]
            steps[self.made[value] + 1] += weight
            steps[self.last_read[value] + 1] -= weight
        return list(accumulate(steps))


def _can_cross(info: onnx.ValueInfoProto) -> bool:
    tensor = info.type.tensor_type
    return tensor.HasField("shape") and tensor.elem_type not in _STAY_INSIDE


def _estimate(
    nodes: Sequence[Node], graph: Graph, types: Mapping[str, TensorSpec], sizes: Mapping[str, int]
) -> dict[str, int]:
    """Return bytes of each value that the nodes make; one that nothing tells counts as what its node reads."""
    result = {spec.name: sizes.get(spec.name, item_bytes(types.get(spec.name, spec)) or 0) for spec in graph.inputs}
    for node in nodes:
        largest = max((result.get(value, 0) for value in node.reads), default=0)
        for value in filter(None, node.outputs):
            told = sizes.get(value, item_bytes(types.get(value, TensorSpec(value))))
            result[value] = largest if told is None else told
    return result

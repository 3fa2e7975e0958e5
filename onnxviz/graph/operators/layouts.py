"""Which axis of each value is what, followed through the graph from the operators that fix it.

A convolution fixes the axes of what it reads and makes (axis_seeds.py). From there they are carried in both directions,
as the rules of reads/ say where an axis of an operand lies in the result: elementwise operators keep axes, Transpose
permutes them, Reshape and Flatten keep, merge or drop them. Then layouts that the model's metadata record are carried
to what is left, and at last, marked as assumed, what only looks right: the last axis of a MatMul as channels, flattened
maps as units.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.axis_letters import Axes, carried
from onnxviz.graph.operators.axis_seeds import Seed
from onnxviz.graph.operators.reads import moving, reshaping
from onnxviz.graph.operators.reads.rule import KnownSizes, Operand, Reads, identity
from onnxviz.graph.operators.table import operator_of, reads_of
from onnxviz.layout import CHANNELS_LAST, Dimension, TensorSpec, channels_first


@dataclass(frozen=True, slots=True)
class Hints:
    """What is known of a graph's axes beside its operators.

    Attributes:
        recorded: layouts of values that the model's metadata tell; what operators fix counts before.
        likely: layouts that patterns of several nodes make likely, by the index of their last node.
        parts: the indices of nodes that fix nothing by themselves: a global pooling may be the mean of a norm.
        certain: layouts of values that patterns of several nodes fix as an operator does.
    """

    recorded: Mapping[str, Axes] = field(default_factory=dict)
    likely: Mapping[int, Mapping[str, Axes]] = field(default_factory=dict)
    parts: Collection[int] = ()
    certain: Mapping[str, Axes] = field(default_factory=dict)


def follow_axes(graph: Graph, types: Mapping[str, TensorSpec], hints: Hints | None = None) -> Mapping[str, Axes]:
    """Return the layout of every value that convolutions and their like, or failing these a likely guess, reach.

    >>> import onnx
    >>> model = onnx.parser.parse_model('''<ir_version: 8, opset_import: ["" : 13]>
    ... g (float[1,8,8,3] x, float[4,3,1,1] w) => (float[1,4,8,8] y) {
    ...     t = Transpose <perm = [0, 3, 1, 2]> (x)
    ...     y = Conv (t, w)
    ... }''')
    >>> graph = Graph.from_proto(model)
    >>> follow_axes(graph, {spec.name: spec for spec in graph.inputs})["x"].layout
    'NHWC'
    """
    walk, hints = _Walk(graph, types), hints or Hints()
    for node in graph.nodes:
        if node.index not in hints.parts:
            walk.sow(operator_of(node).fixes, node)
    walk.spread(certain=True)
    for known in (hints.certain, hints.recorded):
        for value, axes in known.items():
            walk.learn(value, axes)
        walk.spread(certain=True)
    walk.spread()
    for node in graph.nodes:
        # What is likely is carried as far as it goes, from the inputs on, before the next likely thing is heard.
        walk.sow(operator_of(node).suggests, node)
        for value, axes in hints.likely.get(node.index, {}).items():
            walk.learn(value, axes)
        walk.spread()
    return walk.found


def guess_axes(spec: TensorSpec | None, *, channels_last: bool = False) -> Axes | None:
    """Return the layout that a value of this rank most often has, in ONNX or with channels last, always as a guess."""
    rank = len(spec.shape) if spec is not None and spec.shape is not None else 0
    layout = (CHANNELS_LAST.get if channels_last else channels_first)(rank)
    return None if layout is None else Axes(layout, assumed=True)


_COMES_IN: Mapping[str, Sequence[Dimension]] = {
    **dict.fromkeys(("Squeeze", "Unsqueeze"), (1, None)),
    **dict.fromkeys(("Reshape", "Flatten"), (1,)),
}
"""Sizes of axes that these operators put in or take away, which hold nothing."""


class _LearnedSizes(KnownSizes):
    """Sizes of values; where nothing is known of one but its layout, that tells at least the rank.

    `supposed` is a value with the rank that it is taken to have while it is asked about.
    """

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec], found: Mapping[str, Axes]) -> None:
        super().__init__(graph, types)
        self.supposed = ("", 0)
        self._found = found

    def shape(self, value: str) -> tuple[Dimension, ...] | None:
        spec = self._types.get(value)
        if spec is not None and spec.shape is not None:
            return spec.shape
        known = self.graph.dims(value)
        if known is not None:
            return known
        if value in self._found:
            return (None,) * len(self._found[value].layout)
        return (None,) * self.supposed[1] if value == self.supposed[0] else None


def rearranged(graph: Graph) -> frozenset[str]:
    """Return the values behind a Reshape or Gather; all others lie as the operators that made them say."""
    found: set[str] = set()
    for node in graph.nodes:
        if operator_of(node).reads in (reshaping.reshape, moving.gather) or not found.isdisjoint(node.reads):
            found.update(node.outputs)
    return frozenset(found)


class _Walk:
    """Layouts found so far and the values whose neighbours are still to be looked at."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        self.found: dict[str, Axes] = {}
        self.sizes = _LearnedSizes(graph, types, self.found)
        self._graph = graph
        # Those that are found, or will be as they wait: whatever else is said of them comes too late.
        self._settled: set[str] = set()
        self._waiting: tuple[deque[tuple[str, Axes]], ...] = (deque(), deque(), deque())

    def sow(self, seed: Seed | None, node: Node) -> None:
        """Learn what a seed says of a node."""
        if seed is not None:
            with suppress(*MALFORMED):
                for value, axes in seed(node, self.sizes):
                    self.learn(value, axes)

    def learn(self, value: str, axes: Axes | None) -> None:
        """Take a layout of a value that has none yet, as long as its rank agrees.

        Where two ways to a value disagree, a certain layout counts before an assumed one, and of certain ones that with
        channels before one that lost them on the way, as boxes behind the distributions of a YOLO head.
        """
        if not value or axes is None or value in self._settled or self._graph.is_constant(value):
            return
        if self.sizes.rank(value, len(axes.layout)) == len(axes.layout):
            certainty = 2 if axes.assumed else "C" not in axes.layout
            self._waiting[certainty].append((value, axes))
            if not certainty:
                self._settled.add(value)

    def spread(self, *, certain: bool = False) -> None:
        """Carry what was found, or of that what is certain, over all operators around, until nothing new is found."""
        waiting = self._waiting[:2] if certain else self._waiting
        while any(waiting):
            value, axes = next(filter(None, waiting)).popleft()
            if value in self.found:
                continue
            self.found[value] = axes
            self._settled.add(value)
            maker = self._graph.producers.get(value)
            if maker is not None:
                self._back(maker, maker.outputs.index(value))
            for reader in self._graph.consumers.get(value, ()):
                if not self._settled.issuperset(filter(None, reader.outputs)):
                    for place in [place for place, read in enumerate(reader.inputs) if read == value]:
                        self._on(reader, place)

    def _on(self, node: Node, place: int) -> None:
        """Carry the layout of an operand to what the node makes."""
        axes = self.found[node.inputs[place]]
        for output, value in enumerate(node.outputs):
            if value and value not in self._settled:
                operand = Operand(node, place, len(axes.layout), output, self.sizes)
                reads = _reads(operand)
                if reads is not None:
                    self.learn(value, self._carried(axes, operand, reads))

    def _back(self, node: Node, output: int) -> None:
        """Carry the layout of what a node makes to its operands."""
        axes = self.found[node.outputs[output]]
        rank = len(axes.layout)
        for place, value in enumerate(node.inputs):
            if value and value not in self._settled and not self._graph.is_constant(value):
                # Of an operand of unknown rank, all the axes have to come from the output.
                is_ranked = self.sizes.shape(value) is not None
                if not is_ranked and node.operator in _COMES_IN:
                    continue
                self.sizes.supposed = (value, rank)
                operand = Operand(node, place, self.sizes.rank(value, rank), output, self.sizes)
                reads = _reads(operand)
                if reads is not None and (is_ranked or {there for _, there in reads.links} == set(range(rank))):
                    self.learn(value, self._carried(axes, operand, reads, back=True))

    def _carried(self, axes: Axes, operand: Operand, reads: Reads, *, back: bool = False) -> Axes | None:
        if reads is identity(len(axes.layout)):
            shapes = [self.sizes.shape(operand.source), self.sizes.shape(operand.result)]
            if all(shape is None or len(shape) == len(axes.layout) for shape in shapes):
                return axes
        links = reads.links
        before = self._shape(operand.source, len(reads.axes))
        after = self._shape(operand.result, 1 + max((there for _, there in links), default=-1))
        if back:
            links, before, after = [(there, here) for here, there in links], after, before
        return carried(axes, links, before, after, may_come_in=_COMES_IN.get(operand.node.operator, ()))

    def _shape(self, value: str, least: int) -> tuple[Dimension, ...]:
        """Return a value's sizes; where its rank is not known, as many unknown ones as the rule speaks of."""
        known = self.sizes.shape(value)
        return (None,) * least if known is None else known


def _reads(operand: Operand) -> Reads | None:
    """Return how a node reads an operand, None where that says nothing of each of its axes."""
    reads = reads_of(operand)
    return reads if reads is not None and len(reads.axes) == operand.rank else None

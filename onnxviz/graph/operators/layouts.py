"""Which axis of each value is what, followed through the graph from the operators that fix it.

A convolution fixes the axes of what it reads and makes. From there they are carried in both directions: elementwise
operators keep them, Transpose permutes them, Reshape and Flatten keep, merge or drop them. What only looks right
(the last axis of a MatMul as channels, flattened maps as units) is carried in a second round and marked as assumed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import suppress

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph, Node
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.graph.operators.axis_rules import FIXED, LIKELY, RULES, Found, Rule
from onnxviz.layout import Dimension, TensorSpec, channels_first


def follow_axes(graph: Graph, types: Mapping[str, TensorSpec]) -> Mapping[str, Axes]:
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
    follower = Follower(graph, types)
    for round_of_seeds in (FIXED, LIKELY):
        for node in graph.nodes:
            seed = round_of_seeds.get(node.op)
            if seed is not None:
                follower.ask(seed, node)
        follower.spread()
    return follower.found


def guess_axes(spec: TensorSpec | None) -> Axes | None:
    """Return the layout that a value of this rank most often has in ONNX, always as a guess."""
    layout = channels_first(len(spec.shape)) if spec is not None and spec.shape is not None else None
    return None if layout is None else Axes(layout, assumed=True)


class Follower:
    """Layouts found so far and the values whose neighbours are still to be looked at."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        self.graph = graph
        self.types = types
        self.found: dict[str, Axes] = {}
        self._waiting: deque[str] = deque()

    def shape(self, value: str) -> tuple[Dimension, ...] | None:
        """Return the shape of a value, of a constant too."""
        spec = self.types.get(value)
        return spec.shape if spec is not None and spec.shape is not None else self.graph.dims(value)

    def rank(self, value: str) -> int | None:
        """Return the number of axes of a value."""
        shape = self.shape(value)
        return None if shape is None else len(shape)

    def integers(self, node: Node, attribute: str, place: int) -> tuple[int, ...] | None:
        """Return a list of integers that older opsets keep in an attribute and newer ones in an input."""
        given = node.attribute(attribute)
        if given is not None:
            return tuple(given)
        if len(node.inputs) <= place or not node.inputs[place]:
            return None
        constant = self.graph.constant(node.inputs[place])
        return None if constant is None else tuple(int(number) for number in constant.ravel())

    def ask(self, rule: Rule, node: Node) -> None:
        """Learn what a rule tells of a node; one that breaks its operator's definition tells nothing."""
        with suppress(*MALFORMED):
            self.learn(rule(node, self))

    def learn(self, found: Found) -> None:
        """Note layouts of values that have none yet, as long as their rank agrees."""
        for value, axes in found:
            if not value or axes is None or value in self.found or self.graph.is_constant(value):
                continue
            if self.rank(value) in (None, len(axes.layout)):
                self.found[value] = axes
                self._waiting.append(value)

    def spread(self) -> None:
        """Carry what was found over all operators around, until nothing new is found."""
        while self._waiting:
            value = self._waiting.popleft()
            maker = self.graph.producers.get(value)
            for node in (*((maker,) if maker is not None else ()), *self.graph.consumers.get(value, ())):
                rule = RULES.get(node.op)
                if rule is not None and node.inputs and node.outputs:
                    self.ask(rule, node)

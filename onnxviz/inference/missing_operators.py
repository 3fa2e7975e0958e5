"""The part of a graph that needs operators which onnxruntime lacks, as its errors name them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from onnxviz.errors import MissingOperatorError
from onnxviz.graph.cut import needed_nodes
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.selection.choices import Choice
from onnxviz.layout import TensorSpec
from onnxviz.words import quoted


class MissingOperators:
    """Finds in a graph what an error of onnxruntime is about."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        """Take the graph, and the type and shape of its values."""
        self._graph = graph
        self._types = types

    def needing(self, choices: Iterable[Choice], error: MissingOperatorError) -> list[Choice]:
        """Return the choices that cannot be computed without the operator."""
        lacking = {node.index for node in self._nodes(error)}
        needed = ((choice, needed_nodes(self._graph, [choice.value])) for choice in choices)
        return [choice for choice, nodes in needed if any(node.index in lacking for node in nodes)]

    def with_types(self, error: MissingOperatorError) -> MissingOperatorError:
        """Return the error with the types that the model has there, where onnxruntime has the operator for others."""
        kinds = sorted({kind for node in self._nodes(error) for kind in self._kinds(node)} - {*error.kinds})
        where = f" (node {quoted(error.node)})" if error.node else ""
        types = f", and not for {', '.join(kinds) or 'what the model has there'}{where}" if error.kinds else ""
        return MissingOperatorError(f"{error}{types}", error.op, error.node, error.kinds)

    def _nodes(self, error: MissingOperatorError) -> list[Node]:
        """Return the nodes that call the operator: the one that is named, else all of that type."""
        domain, _, op = error.op.rpartition(":")
        nodes = [node for node in self._graph.nodes if node.op == op and (not domain or node.domain == domain)]
        if error.node:
            return [node for node in nodes if node.name == error.node]
        return [node for node in nodes if not error.kinds or self._kinds(node).difference(error.kinds)]

    def _kinds(self, node: Node) -> set[str]:
        specs = map(self._types.get, node.inputs)
        return {spec.dtype for spec in specs if spec is not None and spec.dtype}

"""Shapes of several nodes that mean one thing: a value times a function of itself, whole numbers that are scaled.

Exporters write SiLU as `x * Sigmoid(x)`, HardSwish as `x * Clip(x + 3, 0, 6) / 6`, Mish as `x * Tanh(Softplus(x))`
and GELU as `x * (1 + Erf(x / sqrt 2)) / 2`: all are a Mul whose two sides come from one value through elementwise
operators.
Quantisers of weights and inputs write a ConvInteger or MatMulInteger, a Cast, and a Mul by both scales. For norms see
norms.py, for attention attention_matrices.py.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node


@dataclass(frozen=True, slots=True)
class Pattern:
    """A nonlinearity or norm of several nodes: the value it reads, the indices of its nodes, and the last of these."""

    root: str
    members: frozenset[int]
    final: Node


def find_gates(graph: Graph) -> Mapping[int, Pattern]:
    """Return the nonlinearities of the form x * f(x), by the index of their last node."""
    gates = (_gate(graph, node) for node in graph.nodes if node.operator == "Mul")
    return {gate.final.index: gate for gate in gates if gate is not None}


def find_floats(graph: Graph) -> Mapping[int, Node]:
    """Return, by the index of a product of whole numbers, the Mul that scales it to what it stands for."""
    products = (node for node in graph.nodes if node.operator in ("ConvInteger", "MatMulInteger"))
    found = {node.index: _scaled_to_floats(graph, node) for node in products}
    return {index: node for index, node in found.items() if node is not None}


_LONGEST_GATE = 12
_NONLINEAR = frozenset({"Sigmoid", "HardSigmoid", "Tanh", "Clip", "Relu", "Min", "Max", "Erf", "Softplus"})
_GATE_STEPS = _NONLINEAR | {
    "Add", "Sub", "Mul", "Div", "Pow", "Exp", "Log", "Neg", "Cast", "Identity", "QuantizeLinear", "DequantizeLinear",
}  # fmt: skip
# What is left to scale after the product, by what bounded the gate: HardSwish divides by 6, GELU by 2.
_SCALES: Mapping[str, float] = {"Clip": 6.0, "Relu": 6.0, "Min": 6.0, "Max": 6.0, "Erf": 2.0, "Tanh": 2.0}


def _gate(graph: Graph, product: Node) -> Pattern | None:
    gate = gathered(graph, product, _GATE_STEPS, _LONGEST_GATE)
    operators = set() if gate is None else {graph.nodes[index].operator for index in gate.members - {product.index}}
    if gate is None or not operators & _NONLINEAR:
        return None
    final = _scaled(graph, product, operators)
    return Pattern(gate.root, gate.members | {final.index}, final)


def gathered(graph: Graph, final: Node, steps: Collection[str], longest: int) -> Pattern | None:
    """Walk back from a node, latest value first, until a single value is left from which all its sides come.

    Args:
        graph: of the node.
        final: the node that two sides lead to.
        steps: the operators that a side may be made of.
        longest: of how many nodes at the most.
    """
    members = {final.index}
    values = computed(graph, final)
    if len(values) < 2:
        return None
    while len(values) > 1:
        made = [graph.producers[value] for value in values if value in graph.producers]
        latest = max(made, key=lambda node: node.index, default=None)
        if latest is None or latest.operator not in steps or len(members) > longest:
            return None
        members.add(latest.index)
        values = (values - set(latest.outputs)) | computed(graph, latest)
    return Pattern(values.pop(), frozenset(members), final) if values else None


def computed(graph: Graph, node: Node) -> set[str]:
    """Return what a node reads that is not constant."""
    return {value for value in node.inputs if value and not graph.is_constant(value)}


def _scaled(graph: Graph, product: Node, operators: set[str]) -> Node:
    """Return the node that scales the product where the gate's form asks for one, else the product itself."""
    consumers = graph.consumers.get(product.outputs[0], ())
    if len(consumers) != 1 or consumers[0].operator not in ("Mul", "Div"):
        return product
    factors = [graph.constant(value) for value in consumers[0].inputs if value != product.outputs[0]]
    if len(factors) != 1 or factors[0] is None or factors[0].size != 1:
        return product
    factor = float(factors[0].item())
    scale = factor if consumers[0].operator == "Div" else 1 / factor if factor else 0.0
    return consumers[0] if any(abs(scale - _SCALES.get(op, 0.0)) < 1e-2 for op in operators) else product


def _scaled_to_floats(graph: Graph, product: Node) -> Node | None:
    cast = _lone_reader(graph, product.outputs[0], "Cast")
    scaled = None if cast is None else _lone_reader(graph, cast.outputs[0], "Mul")
    if cast is None or scaled is None:
        return None
    return scaled if all(value == cast.outputs[0] or _is_scale(graph, value) for value in scaled.inputs) else None


def _lone_reader(graph: Graph, value: str, op: str) -> Node | None:
    readers = graph.consumers.get(value, ())
    return readers[0] if len(readers) == 1 and readers[0].operator == op and readers[0].outputs else None


def _is_scale(graph: Graph, value: str) -> bool:
    """Return whether a value is a scale: a constant, that of a DynamicQuantizeLinear, or a product of two such ones."""
    node = graph.producers.get(value)
    factors = node.inputs if node is not None and node.operator == "Mul" else (value,)
    return all(graph.is_constant(factor) or _is_scale_of_input(graph, factor) for factor in factors)


def _is_scale_of_input(graph: Graph, value: str) -> bool:
    node = graph.producers.get(value)
    return node is not None and node.operator == "DynamicQuantizeLinear" and node.outputs[1:2] == (value,)

"""What the codes of quantised tensors stand for: their scale and zero point, followed through the graph.

A code stands for `(code - zero point) * scale`. `QLinearConv` and its kin name the scale of what they make, and what
only moves or chooses values passes it on: behind `QLinearConv -> MaxPool -> Transpose` the codes still have the scale
of the convolution. `Concat` passes it on where the scales of all parts are equal. Behind DequantizeLinear stand the
numbers themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy

from onnxviz.errors import ModelError
from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.table import operator_of, passes_values
from onnxviz.quantised import Quantised


@dataclass(frozen=True, slots=True)
class CodeScale:
    """The values that hold the scale and the zero point of codes; without a name the latter is 0.

    Each is one number, or behind a DequantizeLinear one for each place along `axis`.
    """

    scale: str
    zero_point: str = ""
    axis: int | None = None

    def quantised(self, graph: Graph, dtype: str) -> Quantised | None:
        """Return how codes of a dtype are quantised; None where the scale is computed, or its data lie outside."""
        scales = _constant(graph, self.scale)
        zeros = _constant(graph, self.zero_point) if self.zero_point else numpy.zeros(1)
        if scales is None or zeros is None or scales.size == 0 or zeros.size not in (1, scales.size):
            return None
        scale, zero = scales.reshape(-1).astype(float).tolist(), zeros.reshape(-1).astype(int).tolist()
        if not all(map(math.isfinite, scale)):
            return None
        if len(scale) == 1:
            return Quantised(dtype, scale[0], zero[0])
        zero = zero if len(zero) > 1 else zero * len(scale)
        return None if self.axis is None else Quantised(dtype, tuple(scale), tuple(zero), self.axis)


def code_scales(graph: Graph) -> Mapping[str, CodeScale]:
    """Return the scale of every value that holds codes and is shown as what they stand for.

    The outputs of QuantizeLinear and DynamicQuantizeLinear are not among them: whoever asks for these wants codes.
    """
    quantised: dict[str, CodeScale] = {}
    found: dict[str, CodeScale] = {}
    for node in graph.nodes:
        made = _made(node)
        if made is not None and _is_single(graph, made.scale):
            quantised[node.outputs[0]] = made
            if operator_of(node).output_scale is not None:
                found[node.outputs[0]] = made
        elif passes_values(node) and (passed := _passed(graph, node, quantised)) is not None:
            outputs = node.outputs if node.operator == "Split" else node.outputs[:1]
            quantised.update(dict.fromkeys(filter(None, outputs), passed))
            found.update(dict.fromkeys(filter(None, outputs), passed))
    return found


def dequantised(graph: Graph, value: str) -> tuple[str, CodeScale] | None:
    """Return the codes that a value stands for behind a DequantizeLinear, and their scale; None where it is another.

    One with a scale for each block of values is left out.
    """
    node = graph.producers.get(value)
    if node is None or node.operator != "DequantizeLinear" or len(node.inputs) < 2:
        return None
    with suppress(*MALFORMED):
        if node.integer("block_size", 0) == 0:
            scale, zero_point = [*node.inputs[1:3], ""][:2]
            return node.inputs[0], CodeScale(scale, zero_point, node.integer("axis", 1))
    return None


def _made(node: Node) -> CodeScale | None:
    """Return the scale that a node itself gives to what it makes."""
    if not node.outputs or not node.outputs[0]:
        return None
    if node.operator == "DynamicQuantizeLinear":
        return CodeScale(node.outputs[1], node.outputs[2]) if len(node.outputs) == 3 and all(node.outputs) else None
    place = 1 if node.operator == "QuantizeLinear" else operator_of(node).output_scale
    if place is None or len(node.inputs) <= place or not node.inputs[place]:
        return None
    scale, zero_point = [*node.inputs[place : place + 2], ""][:2]
    return CodeScale(scale, zero_point)


def _passed(graph: Graph, node: Node, known: Mapping[str, CodeScale]) -> CodeScale | None:
    """Return the scale of what a node passes on: that of its first input, and of all inputs of a Concat."""
    inputs = node.inputs if node.operator == "Concat" else node.inputs[:1]
    scales = [known.get(value) for value in inputs]
    first = scales[0] if scales else None
    if first is None or None in scales:
        return None
    alike = len({_numbers(graph, scale) for scale in scales if scale is not None}) == 1
    return first if alike else None


def _numbers(graph: Graph, scale: CodeScale) -> object:
    """Return what is equal for two scales of the same numbers; where these are computed or lie outside, their names."""
    arrays = [_constant(graph, value) for value in (scale.scale, scale.zero_point) if value]
    known = [float(array.reshape(-1)[0]) for array in arrays if array is not None and array.size == 1]
    return tuple([*known, 0.0][:2]) if len(known) == len(arrays) else scale


def _constant(graph: Graph, value: str) -> numpy.ndarray[Any, Any] | None:
    try:
        return graph.constant(value)
    except ModelError:
        return None  # its data are damaged, which the runtime says best


def _is_single(graph: Graph, scale: str) -> bool:
    """Return whether a scale is one number, as far as the graph says: one an axis cannot follow values that move."""
    dims = graph.dims(scale)
    return dims is None or all(size == 1 for size in dims)

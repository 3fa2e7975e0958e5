"""Which codes the values of a graph stand for, so that a run hands out codes: a quarter of the memory of numbers.

Behind `c -> DequantizeLinear -> v` lies the number v for the code c. Some quantisers write one DequantizeLinear for
each reader: all of them hold the same numbers, and are one value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.codes import CodeScale, code_scales, dequantised
from onnxviz.layout import TensorSpec
from onnxviz.quantised import Quantised

_CODES = frozenset({"int8", "uint8", "int16", "uint16"})


@dataclass(frozen=True, slots=True)
class Coded:
    """A value and the codes that it stands for.

    Attributes:
        codes: the value that holds them.
        quantised: what they stand for.
        readers: the DequantizeLinear nodes whose outputs are what they stand for.
    """

    codes: str
    quantised: Quantised
    readers: tuple[Node, ...]


class CodedValues:
    """Finds the codes of one graph's values."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        """Take a graph and what is known of its values."""
        self._graph = graph
        self._types = types
        self._scales = code_scales(graph)

    def of(self, value: str) -> Coded | None:
        """Return the codes that a value stands for, or is; None where it is neither, or their scale is computed."""
        found = dequantised(self._graph, value)
        codes, scale = found if found is not None else (value, self._scales.get(value))
        if scale is None or self._graph.is_constant(codes) or codes not in self._graph.producers:
            return None
        quantised = scale.quantised(self._graph, self._dtype(codes, scale))
        if quantised is None or quantised.dtype not in _CODES:
            return None
        same = (node for node in self._graph.consumers.get(codes, ()) if dequantised(self._graph, node.outputs[0]))
        readers = tuple(node for node in same if node.inputs[0] == codes and _is_same(self._graph, node, quantised))
        return Coded(codes, quantised, readers)

    def _dtype(self, codes: str, scale: CodeScale) -> str:
        names = (scale.zero_point, codes)
        return next((spec.dtype for name in names if (spec := self._types.get(name)) is not None and spec.dtype), "")


def _is_same(graph: Graph, node: Node, quantised: Quantised) -> bool:
    """Return whether a DequantizeLinear makes the numbers that codes stand for."""
    found = dequantised(graph, node.outputs[0])
    return found is not None and found[1].quantised(graph, quantised.dtype) == quantised

"""From where on the values of a graph are saturated: at the ends of their codes, or of what made them.

    a = Conv(x); b = Clip(a, 0, 6); q = QuantizeLinear(b); d = DequantizeLinear(q)

The values d end where the codes of q do, and where b does: at 6 or, as 6 may lie between two codes, half a step below.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from onnxviz.bounds import Bounds
from onnxviz.errors import ModelError
from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.ends import ValueEnds
from onnxviz.graph.operators.table import operator_of, passes_values
from onnxviz.quantised import Quantised

_KEEPING = frozenset({"Cast", "QuantizeLinear", "DequantizeLinear", "Min", "Max"})
_FARTHEST = 64


def saturation_bounds(graph: Graph, value: str, quantised: Quantised | None = None) -> Bounds | None:
    """Return from where on numbers of a value are saturated; None where neither end counts.

    1. An end of the codes counts, but for one that stands for 0 (see `Quantised.bounds`).
    2. So does an end of the nonlinearity that made the value, be it moved or quantised since (see ends.py). Where the
       value is quantised, values nearer to it than half a step count, and an end at 0 does not.

    Args:
        graph: a flat graph, in which the value is called so.
        value: its name.
        quantised: how it is quantised, where its numbers come from codes.
    """
    codes = Bounds() if quantised is None else quantised.bounds
    if quantised is not None and (codes.axis is not None or isinstance(quantised.scale, tuple)):
        return codes
    lows, highs = [codes.low], [codes.high]
    for ends in _limits(graph, value, are_numbers=quantised is not None):
        step = quantised.scale / 2 if quantised is not None and isinstance(quantised.scale, float) else 0.0
        near = max(ends.near, step)
        lows += [ends.low + near] if quantised is None or ends.low else []
        highs += [ends.high - near] if quantised is None or ends.high else []
    low = max((end for end in lows if isinstance(end, float) and end == end), default=math.nan)
    high = min((end for end in highs if isinstance(end, float) and end == end), default=math.nan)
    return None if math.isnan(low) and math.isnan(high) else Bounds(low, high)


def _limits(graph: Graph, value: str, *, are_numbers: bool) -> Iterator[ValueEnds]:
    """Yield the ends of what made a value, from there back as long as nothing but limits and moves lie between."""

    def constant(name: str) -> float | None:
        dims = graph.dims(name)
        if dims is None or math.prod(dims) != 1:
            return None
        try:
            found = graph.constant(name)
        except ModelError:
            return None  # its data are damaged, which the runtime says best
        return None if found is None or found.dtype.kind not in "iuf" else float(found.reshape(-1)[0])

    for _ in range(_FARTHEST):
        node = graph.producers.get(value)
        if node is None or (node.operator == "QuantizeLinear" and not are_numbers):
            return
        are_numbers = are_numbers or node.operator == "DequantizeLinear"
        rule = operator_of(node).ends
        if rule is not None:
            try:
                yield rule(node, constant)
            except MALFORMED:
                return
        followed = _followed(graph, node)
        if followed is None:
            return
        value = followed


def _followed(graph: Graph, node: Node) -> str | None:
    """Return the value whose numbers a node passes on, None where it makes others or joins several."""
    if not (node.operator in _KEEPING or passes_values(node)) or node.operator == "Concat":
        return None
    return next((value for value in node.inputs if value and not graph.is_constant(value)), None)

"""Put a switch at quantisers, so that each can be left out of one and the same graph.

Before: `x -> QuantizeLinear -> q -> DequantizeLinear -> d`, and `d` is read.
After: `r + g * (d - r)` is read, with `r = x` held to the range of the codes, and the input `g`, one number: at 1 the
quantiser works, at 0 its range stays and its steps go.

1. All DequantizeLinear of the same codes get the one switch.
2. An output of the model that is such a `d` is switched as well, under its name.
3. Nothing else changes: with all at 1 the graph computes what it did, but for the rounding of an addition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy
import onnx
from onnx import NodeProto, helper, numpy_helper

from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node

_RAW = "__quantised"


@dataclass(frozen=True, slots=True)
class Switch:
    """A quantiser to switch: its node, those that read its codes, and the numbers at the ends of the codes."""

    quantiser: Node
    readers: tuple[Node, ...]
    low: float
    high: float

    @property
    def input(self) -> str:
        """The input that switches it."""
        return f"{self.quantiser.outputs[0]}__switch"


def with_switches(graph: Graph, switches: Sequence[Switch]) -> Graph:
    """Return the graph with a scalar input for each quantiser (see `Switch.input`)."""
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    del proto.graph.node[:]
    after = {switch.readers[0].index: switch for switch in switches}
    switched = {reader.index: switch for switch in switches for reader in switch.readers}
    names = {reader.outputs[0]: switch.readers[0].outputs[0] for switch in switches for reader in switch.readers}
    for node in graph.nodes:
        copied = NodeProto()
        copied.CopyFrom(node.proto)
        if node.index in switched:
            copied.output[0] += _RAW
        else:
            copied.input[:] = [names.get(value, value) for value in copied.input]
        proto.graph.node.append(copied)
        if node.index in after:
            _append(proto.graph, after[node.index], node.outputs[0])
    for switch in switches:
        proto.graph.input.append(helper.make_tensor_value_info(switch.input, onnx.TensorProto.FLOAT, []))
    return Graph.from_proto(proto)


def _append(graph: onnx.GraphProto, switch: Switch, value: str) -> None:
    source = switch.quantiser.inputs[0]
    ends = [f"{switch.input}_{name}" for name in ("low", "high")]
    for name, number in zip(ends, (switch.low, switch.high), strict=True):
        graph.initializer.append(numpy_helper.from_array(numpy.array(number, numpy.float32), name))
    parts = [f"{switch.input}_{number}" for number in range(4)]
    graph.node.extend(
        [
            helper.make_node("Max", [source, ends[0]], [parts[0]]),
            helper.make_node("Min", [parts[0], ends[1]], [parts[1]]),
            helper.make_node("Sub", [value + _RAW, parts[1]], [parts[2]]),
            helper.make_node("Mul", [parts[2], switch.input], [parts[3]]),
            helper.make_node("Add", [parts[1], parts[3]], [value]),
        ]
    )

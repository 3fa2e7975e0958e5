"""Loops and Scans as their steps one after the other, where the number of steps is known.

    y = Loop(3, , x) <body: (i, go, v) => (on, w, r) { w = Mul(v, v)  r = Neg(w) }>, ys

becomes, for a Loop called `L`,

    L/0/w = Mul(x, x)          L/0/r = Neg(L/0/w)
    L/1/w = Mul(L/0/w, L/0/w)  L/1/r = Neg(L/1/w)
    L/2/w = Mul(L/1/w, L/1/w)  L/2/r = Neg(L/2/w)
    y = Identity(L/2/w)        ys = Concat(the three r, each with a new first axis)

1. The number of a step is a constant; what a body holds of weights all steps share.
2. A Scan's parts are those of a Split along its axis, the last first where it goes from the end.
3. Another input may take another number of steps. `checks` are values, with what they are where it is this number: the
   condition before each step, and of a Scan or a Loop with a limit whether that is as large.
4. Of a Loop without a step what it carries stays as it was; it stacks nothing, and such a Loop is not laid out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, SparseTensorProto, TensorProto, numpy_helper
from onnx.helper import make_node

from onnxviz.graph.graph import Graph
from onnxviz.graph.loop_steps import body_of, carried_count, operand, scanned_axis, used_names
from onnxviz.graph.node import Node
from onnxviz.graph.specialise import renamed, renamed_weights
from onnxviz.graph.topology import free_name

_AXES_AS_INPUT = 13
_COUNTED_SPLIT = 18


@dataclass(frozen=True, slots=True)
class Unrolled:
    """A graph without some of its Loops, and what holds for the inputs for which it is the same model."""

    graph: Graph
    checks: Mapping[str, bool] = field(default_factory=dict)


def unrolled(graph: Graph, counts: Mapping[int, int]) -> Unrolled:
    """Return a graph with Loops and Scans laid out: how many steps each takes, by its index."""
    laying = _Laying(graph)
    for node in graph.nodes:
        if node.index in counts:
            _LaidLoop(laying, node, counts[node.index]).lay()
        else:
            laying.nodes.append(node.proto)
    proto = onnx.ModelProto()
    proto.CopyFrom(graph.proto)
    del proto.graph.node[:]
    proto.graph.node.extend(laying.nodes)
    proto.graph.initializer.extend(laying.initializers)
    proto.graph.sparse_initializer.extend(laying.sparse)
    made = Graph.from_checked(proto)
    return Unrolled(made, {name: value for name, value in laying.checks.items() if not made.is_constant(name)})


class _Laying:
    """The nodes and constants of a graph while Loops of it are laid out."""

    def __init__(self, graph: Graph) -> None:
        self.opset = graph.opset
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.sparse: list[SparseTensorProto] = []
        self.checks: dict[str, bool] = {}
        self._used = used_names(graph)

    def name(self, hint: str) -> str:
        found = free_name(hint, self._used)
        self._used.add(found)
        return found

    def op(self, operator: str, inputs: Sequence[str], hint: str, **attributes: Any) -> str:
        made = self.name(hint)
        self.nodes.append(make_node(operator, inputs, [made], name=made, **attributes))
        return made

    def number(self, number: object, hint: str, dtype: type = np.int64) -> str:
        made = self.name(hint)
        self.initializers.append(numpy_helper.from_array(np.array(number, dtype), made))
        return made

    def with_axes(self, operator: str, value: str, axis: int, hint: str) -> str:
        """Write a Squeeze or Unsqueeze."""
        if self.opset >= _AXES_AS_INPUT:
            return self.op(operator, [value, self.number([axis], f"{hint}/axis")], hint)
        return self.op(operator, [value], hint, axes=[axis])


class _LaidLoop:
    """One Loop or Scan, and its steps."""

    def __init__(self, laying: _Laying, node: Node, count: int) -> None:
        self._to, self._node, self._count = laying, node, count
        self._body, self._carried = body_of(node), carried_count(node)
        self._is_loop = node.op == "Loop"
        self._shared = self._weights()

    def lay(self) -> None:
        """Write all steps, and what the node puts out."""
        lead = 1 if self._is_loop else 0
        states = list(self._node.inputs[2:] if self._is_loop else self._node.inputs[: self._carried])
        stacks: list[list[str]] = [[] for _ in self._body.output[lead + self._carried :]]
        condition = operand(self._node, 1) if self._is_loop else ""
        parts = self._parts()
        for step in range(self._count):
            if condition:
                self._to.checks[condition] = True
            given = [self._step_number(step), self._going_on(condition)] if self._is_loop else []
            results = self._step(step, [*given, *states, *(each[step] for each in parts)])
            condition = results[0] if self._is_loop else ""
            states, made = results[lead : lead + self._carried], results[lead + self._carried :]
            for stack, value in zip(stacks, made, strict=True):
                stack.append(value)
        self._check_end(condition)
        outputs = self._node.outputs
        ends = list(zip(states, outputs, strict=False))
        for place, (stack, output) in enumerate(zip(stacks, outputs[self._carried :], strict=False)):
            ends += [(self._stacked(stack, place), output)] if output else []
        self._to.nodes += [make_node("Identity", [end], [output], name=output) for end, output in ends if output]

    def _step(self, step: int, given: Sequence[str]) -> list[str]:
        """Write one step and return its results."""
        names = {info.name: value for info, value in zip(self._body.input, given, strict=True)} | self._shared
        prefix = f"{self._node.key}/{step}/"
        names |= {value: self._to.name(prefix + value) for node in self._body.node for value in node.output if value}
        for node in self._body.node:
            inner = renamed(node, names, {})
            inner.name = inner.name and prefix + inner.name
            self._to.nodes.append(inner)
        return [names.get(info.name, info.name) for info in self._body.output]

    def _weights(self) -> dict[str, str]:
        """Take what the body holds of weights, once for all steps; return their new names."""
        names, weights = renamed_weights(self._body, lambda name: self._to.name(f"{self._node.key}/{name}"))
        self._to.initializers.extend(weights.initializer)
        self._to.sparse.extend(weights.sparse_initializer)
        return names

    def _step_number(self, step: int) -> str:
        return self._to.number(step, f"{self._node.key}/{step}/number")

    def _going_on(self, condition: str) -> str:
        """Return the condition that a step is given: it is run only where that holds."""
        return condition or self._to.number(True, f"{self._node.key}/condition", np.bool_)

    def _parts(self) -> list[list[str]]:
        """Write the Splits of what a Scan goes along; return for each array its parts in the order of the steps."""
        if self._is_loop:
            return []
        found = []
        backwards = self._node.integers("scan_input_directions") or ()
        for place, value in enumerate(self._node.inputs[self._carried :]):
            axis = scanned_axis(self._node, place)
            self._check_limit(value, axis)
            hint = f"{self._node.key}/part"
            names = [self._to.name(hint) for _ in range(self._count)]
            more: dict[str, Any] = {"num_outputs": self._count} if self._to.opset >= _COUNTED_SPLIT else {}
            self._to.nodes.append(make_node("Split", [value], names, name=names[0], axis=axis, **more))
            parts = [self._to.with_axes("Squeeze", name, axis, hint) for name in names]
            found.append(parts[::-1] if backwards and backwards[place] else parts)
        return found

    def _stacked(self, stack: Sequence[str], place: int) -> str:
        axes, backwards = (self._node.integers(f"scan_output_{name}") or () for name in ("axes", "directions"))
        axis = axes[place] if axes else 0
        hint = f"{self._node.key}/stacked"
        wide = [self._to.with_axes("Unsqueeze", value, axis, hint) for value in stack]
        return self._to.op("Concat", wide[::-1] if backwards and backwards[place] else wide, hint, axis=axis)

    def _check_end(self, condition: str) -> None:
        """Note what holds behind the last step: the condition fails there, or the limit is reached."""
        if not self._is_loop:
            return
        limit = operand(self._node, 0)
        if limit:
            self._to.checks[self._compared("Less", limit)] = False
            if condition:
                over = self._compared("Greater", limit)
                self._to.checks[self._to.op("And", [over, condition], f"{self._node.key}/goes_on")] = False
            else:
                self._to.checks[self._compared("Greater", limit)] = False
        elif condition:
            self._to.checks[condition] = False

    def _compared(self, operator: str, limit: str) -> str:
        hint = f"{self._node.key}/limit"
        wide = self._to.op("Cast", [limit], hint, to=TensorProto.FLOAT)
        return self._to.op(operator, [wide, self._to.number(self._count, hint, np.float32)], hint)

    def _check_limit(self, value: str, axis: int) -> None:
        """Note how long what a Scan goes along is."""
        hint = f"{self._node.key}/limit"
        sizes = self._to.op("Shape", [value], hint)
        size = self._to.op("Gather", [sizes, self._to.number(axis, hint)], hint, axis=0)
        for operator in ("Less", "Greater"):
            self._to.checks[self._compared(operator, size)] = False

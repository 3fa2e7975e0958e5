"""What a gradient asks of the graph that is differentiated: types, sizes, and numbers that are known before a run."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxviz.errors import UnsupportedError
from onnxviz.graph.arithmetic import MOST_NUMBERS, Numbers, calculate
from onnxviz.graph.cut import needed_nodes
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import STANDARD_DOMAINS, Node
from onnxviz.layout import Dimension, TensorSpec
from onnxviz.words import quoted

FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})
Probe = Callable[[Graph, Sequence[str]], Mapping[str, TensorSpec]]
"""Runs a graph and returns dtype and sizes of some of its values."""

CODES = frozenset({"int8", "uint8", "int16", "uint16", "int32"})
"""The dtypes of quantised values, through which a gradient goes as if nothing were rounded."""

_QUANTISING = frozenset(
    "QuantizeLinear DynamicQuantizeLinear MatMulInteger ConvInteger QLinearConv QLinearMatMul QLinearAdd QLinearMul "
    "QLinearConcat QLinearAveragePool QLinearGlobalAveragePool QLinearSigmoid QLinearLeakyRelu QLinearSoftmax "
    "QGemm".split()
)
_DEEPEST_NUMBERS = 64


class NeedsRunError(UnsupportedError):
    """A rank, the branch of an If, or the number of steps of a Loop is not known before a run; a probe finds it."""


class Forward:
    """The graph that is differentiated, as the rules of its operators see it."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        """Take a graph, and the type and shape of each value as far as they are known."""
        self.graph = graph
        self.types = types
        self._numbers: dict[str, npt.NDArray[Any] | None] = {}

    @property
    def opset(self) -> int:
        """The version of ONNX's operators that the graph uses."""
        return self.graph.opset

    def dtype(self, value: str) -> str | None:
        """Return a value's dtype as numpy calls it; None where it is not known."""
        spec = self.types.get(value)
        return None if spec is None else spec.dtype

    def shape(self, value: str) -> tuple[Dimension, ...] | None:
        """Return a value's sizes, each a number, a symbol or None; None where not even their count is known."""
        spec = self.types.get(value)
        return spec.shape if spec is not None and spec.shape is not None else self.graph.dims(value)

    def ranked(self, value: str) -> tuple[Dimension, ...]:
        """Return a value's sizes, whose count is needed.

        Raises:
            NeedsRunError: It is not known.
        """
        shape = self.shape(value)
        if shape is None:
            raise NeedsRunError(f"how many axes {quoted(value)} has is not known before a run")
        return shape

    def sizes(self, value: str) -> tuple[int, ...] | None:
        """Return a value's sizes if all of them are numbers."""
        shape = self.shape(value) or (None,)
        if self.shape(value) == ():
            return ()
        return tuple(size for size in shape if isinstance(size, int)) if _all_known(shape) else None

    def is_constant(self, value: str) -> bool:
        """Return whether a value is the same in every run."""
        return self.graph.is_constant(value)

    def numbers(self, value: str) -> npt.NDArray[Any] | None:
        """Return a small array that is known before a run; None where it is not, or is large and lies in the file."""
        if value not in self._numbers:
            self._numbers[value] = self._found(value, _DEEPEST_NUMBERS)
        return self._numbers[value]

    def active(self, wrt: Sequence[str]) -> frozenset[str]:
        """Return the values that depend on others through numbers that have a gradient."""
        active = set(wrt)
        for node in self.graph.nodes:
            if not active.isdisjoint(node.reads):
                active.update(output for output in node.outputs if output and self._has_gradient(node, output, active))
        return frozenset(active)

    def _has_gradient(self, node: Node, output: str, active: set[str]) -> bool:
        dtype = self.dtype(output)
        return dtype is None or dtype in FLOATS or (dtype in CODES and self.is_codes(node, active))

    def is_codes(self, node: Node, active: Collection[str]) -> bool:
        """Return whether whole numbers that a node makes stand for numbers through which a gradient goes."""
        if node.op in _QUANTISING:
            return True
        return node.op != "Cast" and any(value in active and self.dtype(value) in CODES for value in node.inputs)

    def unknown(self, target: str, active: Collection[str]) -> list[str]:
        """Return the values on the way to a target of which the dtype or the number of axes is not known."""
        nodes = [node for node in needed_nodes(self.graph, [target]) if any(value in active for value in node.reads)]
        values = dict.fromkeys(value for node in nodes for value in (*node.inputs, *node.outputs) if value)
        return [
            value
            for value in values
            if value in self.graph.producers and (self.dtype(value) is None or self.shape(value) is None)
        ]

    def _found(self, value: str, depth: int) -> npt.NDArray[Any] | None:
        spec, stored = self.types.get(value), self.graph.constant(value)
        if stored is not None:
            return stored
        if spec is not None and spec.numbers is not None and all(isinstance(n, int | float) for n in spec.numbers):
            sizes = self.sizes(value)
            if sizes is not None:
                return np.asarray(spec.numbers, _plain(spec.dtype)).reshape(sizes)
        node = self.graph.producers.get(value)
        if node is None or not depth or node.is_call or node.domain not in STANDARD_DOMAINS:
            return None
        if node.op == "Shape":
            sizes = self.sizes(node.inputs[0])
            part = slice(node.integer("start", 0), node.attribute("end"))
            return None if sizes is None else np.asarray(sizes, np.int64)[part]
        return self._calculated(node, value, depth)

    def _calculated(self, node: Node, value: str, depth: int) -> npt.NDArray[Any] | None:
        operands: list[Numbers | None] = []
        for source in node.inputs:
            found = self._found(source, depth - 1) if source else None
            if source and (found is None or found.size > MOST_NUMBERS):
                return None
            operands.append(None if found is None else found.astype(object))
        made = calculate(node, operands, self.dtype(value))
        if len(made) <= node.outputs.index(value):
            return None
        array = made[node.outputs.index(value)]
        if not all(isinstance(number, int | float) for number in array.reshape(-1)):
            return None
        return array.astype(_plain(self.dtype(value)))


def _all_known(shape: Sequence[Dimension]) -> bool:
    return all(isinstance(size, int) for size in shape)


def _plain(dtype: str | None) -> npt.DTypeLike:
    """Return a dtype that numpy has by itself."""
    return np.int64 if dtype is None else np.float32 if dtype == "bfloat16" else np.dtype(dtype)

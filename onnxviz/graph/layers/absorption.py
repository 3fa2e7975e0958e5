"""The act value of a layer: after the norm and the nonlinearity that alone consume its output.

From a layer's output, as long as a single node reads the value, the walk takes: one norm, one nonlinearity (of several
nodes too, such as x * Sigmoid(x)), and before the nonlinearity any constant biases and scales of a conv, dense or norm
layer (see affine.py). A norm or nonlinearity of several values, such as SkipLayerNormalization, is not the layer's own.
At any step it takes a QuantizeLinear with the DequantizeLinear behind it: in a quantised model
that is the value its integer kernels compute, shown dequantised, and exposing it stops no fusion. A product of whole
numbers (ConvInteger, MatMulInteger) begins with the Cast and the Mul that make it what it stands for, a layer between
two Reshapes behind the second (see regrouping.py). Where something follows an Identity or Dropout, these are passed.

An output of the model along the way does not end the walk. The result would otherwise depend on what has been exposed
already: after `--tap op` had made a convolution's own value an output, `conv` would mean something else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx import TensorProto

from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.families import Families
from onnxviz.graph.layers.patterns import computed
from onnxviz.graph.node import Node
from onnxviz.graph.operators.table import hands_on

_NOTHING: frozenset[str] = frozenset()
_FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16)
_MAY_FOLLOW_ANY = frozenset({"affine", "norm", "act"})
MAY_FOLLOW: Mapping[str, frozenset[str]] = {
    "other": frozenset({"affine", "act"}),  # what a norm makes of rows of a table is the norm's
    "norm": frozenset({"affine", "act"}),
    "act": _NOTHING,
    "recurrent": _NOTHING,  # its own nonlinearity is inside
    "attention": _NOTHING,
}
"""What a layer may take behind a node of a kind; of other kinds anything."""


def may_follow(node: Node, kind: str) -> frozenset[str]:
    """Return what the layer of a node may take, of `affine`, `norm` and `act`; nothing behind a fused nonlinearity."""
    return _NOTHING if _has_activation(node) else MAY_FOLLOW.get(kind, _MAY_FOLLOW_ANY)


def _has_activation(node: Node) -> bool:
    return node.attribute("activation", "") not in ("", "Identity")


class Absorber:
    """Finds the act values of one graph's layers."""

    def __init__(self, graph: Graph, families: Families) -> None:
        self._graph = graph
        self._families = families
        self._gates = {gate.root: gate for gate in families.gates.values()}
        self._norms = {norm.root: norm for norm in families.norms.values()}

    def act(self, node: Node, output: str) -> str:
        """Return the value after what a node's layer absorbs, its own output where nothing follows."""
        return self.chain(node, output)[-1]

    def chain(self, node: Node, output: str) -> Sequence[str]:
        """Return the values from a node's output to its act value, both included."""
        matrix = self._families.attention.get(node.index)
        value = output if matrix is None else matrix.value
        may = may_follow(node, self._families.kinds[node.index])
        seen: list[str] = []
        if node.index in self._families.ends:
            seen, value = [value], self._families.ends[node.index].outputs[0]
        while value and value not in seen:
            seen.append(value)
            value, may = self._step(value, self._graph.consumers.get(value, ()), may)
        return seen or [value]

    def _step(self, value: str, readers: Sequence[Node], may: frozenset[str]) -> tuple[str, frozenset[str]]:
        """Return the value one step on, the same where nothing may be taken."""
        for patterns, role in ((self._gates, "act"), (self._norms, "norm")):
            pattern = patterns.get(value)
            if pattern is not None and role in may and all(reader.index in pattern.members for reader in readers):
                return pattern.final.outputs[0], MAY_FOLLOW[role]
        if len(readers) != 1:
            return value, may
        reader = readers[0]
        if hands_on(reader) and reader.outputs:
            passed = reader.outputs[0]
            found = self._step(passed, self._graph.consumers.get(passed, ()), may)
            return (value, may) if found[0] == passed else found
        if reader.inputs[:1] == (value,) and reader.operator in ("QuantizeLinear", "DequantizeLinear"):
            return self._dequantised(value, reader, may)
        if "affine" in may and (scaled := self._scaled(reader)):
            return scaled, may
        role = self._families.kinds[reader.index]
        if role in may and reader.inputs[0] == value and computed(self._graph, reader) == {value}:
            return reader.outputs[0], MAY_FOLLOW[role]
        return value, may

    def _scaled(self, reader: Node) -> str:
        """Return what a node makes that shifts or scales by a constant, at once or behind a Cast between floats."""
        if reader.operator == "Cast" and reader.attribute("to") in _FLOATS:
            behind = self._graph.consumers.get(reader.outputs[0], ())
            reader = behind[0] if len(behind) == 1 else reader
        return reader.outputs[0] if reader.index in self._families.affine else ""

    def _dequantised(self, value: str, reader: Node, may: frozenset[str]) -> tuple[str, frozenset[str]]:
        if reader.operator == "DequantizeLinear":
            # Only what an operator on quantised values made (QLinearConv, QGemm), not a QuantizeLinear node's own.
            maker = self._graph.producers.get(value)
            follows = maker is not None and maker.operator.startswith("Q") and maker.operator != "QuantizeLinear"
            return (reader.outputs[0], may) if follows else (value, may)
        readers = self._graph.consumers.get(reader.outputs[0], ())
        if not readers or any(node.operator != "DequantizeLinear" for node in readers):
            return value, may
        if len(readers) == 1:
            return readers[0].outputs[0], may
        gate = self._gates.get(reader.outputs[0])
        if gate is not None and "act" in may and all(node.index in gate.members for node in readers):
            return gate.final.outputs[0], _NOTHING
        # Some quantisers write one DequantizeLinear a reader: all hold the same values.
        return readers[0].outputs[0], _NOTHING

"""`Emitter`: writes the backward graph, node by node, with formulas that read as on paper.

`g * y * (1 - y)` writes a Sub and two Muls: each `Signal` is a value of the graph that is written. Numbers become
constants; values of the forward graph come in by `value`, `shape` and `dim`, and only those that are used are saved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import NodeProto, TensorProto, numpy_helper
from onnx.helper import make_graph, make_node, make_tensor, make_tensor_value_info

from onnxviz.gradient.forward import FLOATS, Forward
from onnxviz.graph.constants import constant_of
from onnxviz.graph.node import Node

PREFIX = "gradient/"
OPSET = 18
"""The opset of what is written: reductions take their axes, and scatters add, from here on."""

# Copied into the backward graph where they make one of weights: they mean the same in all opsets.
_COPIED = frozenset({"Transpose", "Identity"})
_SPELLED = frozenset({"int8", "uint8", "int16", "uint16", "int32"})
_TO_THE_END = 2**62


class Signal:
    """A value of the backward graph; arithmetic on it writes nodes."""

    __slots__ = ("emit", "name")

    def __init__(self, emit: Emitter, name: str) -> None:
        """Take the graph that is written and the value's name in it."""
        self.emit = emit
        self.name = name

    def __add__(self, other: Operandum) -> Signal:
        return self.emit.op("Add", self, other)

    def __radd__(self, other: Operandum) -> Signal:
        return self.emit.op("Add", other, self)

    def __sub__(self, other: Operandum) -> Signal:
        return self.emit.op("Sub", self, other)

    def __rsub__(self, other: Operandum) -> Signal:
        return self.emit.op("Sub", other, self)

    def __mul__(self, other: Operandum) -> Signal:
        return self.emit.op("Mul", self, other)

    def __rmul__(self, other: Operandum) -> Signal:
        return self.emit.op("Mul", other, self)

    def __truediv__(self, other: Operandum) -> Signal:
        return self.emit.op("Div", self, other)

    def __rtruediv__(self, other: Operandum) -> Signal:
        return self.emit.op("Div", other, self)

    def __neg__(self) -> Signal:
        return self.emit.op("Neg", self)

    def __gt__(self, other: Operandum) -> Signal:
        return self.emit.op("Greater", self, other)

    def __lt__(self, other: Operandum) -> Signal:
        return self.emit.op("Less", self, other)

    def __and__(self, other: Signal) -> Signal:
        return self.emit.op("And", self, other)

    def equals(self, other: Operandum) -> Signal:
        """Return where both are the same."""
        return self.emit.op("Equal", self, other)

    def where(self, condition: Signal) -> Signal:
        """Return this where the condition holds, else 0. onnxruntime's Where with a scalar takes ten times as long."""
        return self * condition.number()

    def number(self) -> Signal:
        """Return this in the dtype of the gradients: 1 and 0 of a condition."""
        return self.emit.op("Cast", self, to=self.emit.element_type)

    def index(self) -> Signal:
        """Return this as int64."""
        return self.emit.op("Cast", self, to=TensorProto.INT64)

    def map(self, operator: str, **attributes: Any) -> Signal:
        """Return what an operator of one input makes of this."""
        return self.emit.op(operator, self, **attributes)

    def reshape(self, sizes: Signal | Sequence[int]) -> Signal:
        """Return this with other sizes; 0 stands for a size that stays."""
        return self.emit.op("Reshape", self, self.emit.ints(sizes))

    def transpose(self, order: Sequence[int]) -> Signal:
        """Return this with its axes in another order; itself where that is theirs."""
        if list(order) == list(range(len(order))):
            return self
        return self.emit.op("Transpose", self, perm=[int(axis) for axis in order])

    def reduce(self, operator: str, axes: Sequence[int] | Signal, *, keep: bool = True) -> Signal:
        """Return this reduced over axes by `Sum`, `Mean`, `Max` or another; over no axes it is itself."""
        if not isinstance(axes, Signal) and not len(axes):
            return self
        return self.emit.op(f"Reduce{operator}", self, self.emit.ints(axes), keepdims=int(keep))

    def total(self, axes: Sequence[int], *, keep: bool = True) -> Signal:
        """Return the sum over axes."""
        return self.reduce("Sum", axes, keep=keep)

    def unsqueeze(self, axes: Sequence[int]) -> Signal:
        """Return this with axes of size 1 at these places."""
        return self.emit.op("Unsqueeze", self, self.emit.ints(axes)) if len(axes) else self

    def squeeze(self, axes: Sequence[int]) -> Signal:
        """Return this without these axes of size 1."""
        return self.emit.op("Squeeze", self, self.emit.ints(axes)) if len(axes) else self

    def slice(self, start: int | Signal, end: int | Signal | None, axis: int = 0) -> Signal:
        """Return a part along an axis; None as end is all the rest."""
        ends = _TO_THE_END if end is None else end
        one = [self.emit.ints(place if isinstance(place, Signal) else [place]) for place in (start, ends, axis)]
        return self.emit.op("Slice", self, *one)

    def sizes(self) -> Signal:
        """Return the sizes as int64."""
        return self.emit.op("Shape", self)

    def pad(self, before_and_after: Sequence[int] | Signal) -> Signal:
        """Return this with zeros around it; negative numbers cut away."""
        return self.emit.op("Pad", self, self.emit.ints(before_and_after), 0.0)


Operandum: TypeAlias = Signal | int | float | npt.NDArray[Any] | None
"""What an operator takes: a value, a number in the dtype of the gradients, an array as it is, or nothing."""


StepWriter: TypeAlias = "Callable[[list[Signal], list[Signal]], tuple[list[Signal], list[Signal]]]"
"""Writes a step of a Scan: from states and parts the next states, and what is to be stacked."""


class Emitter:
    """The backward graph while it is written.

    Attributes:
        forward: the graph that is differentiated.
        nodes: what was written, in the order in which it can be computed.
        initializers: its constants, and references to weights of the forward graph.
        saved: the values of the forward graph that it reads, by the names of the inputs that bring them.
        shapes: the values of the forward graph whose sizes it reads, likewise.
    """

    def __init__(self, forward: Forward, dtype: str) -> None:
        """Start a graph whose gradients have a dtype: float32, or float64 where the model computes in it."""
        self.forward = forward
        self.dtype = np.dtype(dtype)
        self.element_type = onnx.helper.np_dtype_to_tensor_dtype(self.dtype)
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.saved: dict[str, str] = {}
        self.shapes: dict[str, str] = {}
        self._count = 0
        self._prefix = _free_prefix(forward)
        self._constants: dict[tuple[str, tuple[int, ...], bytes], Signal] = {}
        self._values: dict[str, Signal] = {}

    def name(self, hint: str) -> str:
        """Return a name that neither graph has."""
        self._count += 1
        return f"{self._prefix}{hint}_{self._count}"

    def named(self, what: str, value: str) -> str:
        """Return the name of what belongs to a value of the forward graph, such as its gradient."""
        return f"{self._prefix}{what}/{value}"

    def ops(self, operator: str, *inputs: Operandum, outputs: int, **attributes: Any) -> list[Signal]:
        """Write a node; attributes that are None are left out."""
        names = [self._operand(given) for given in inputs]
        while names and not names[-1]:
            names.pop()
        made = [self.name(operator) for _ in range(outputs)]
        given = {name: value for name, value in attributes.items() if value is not None}
        self.nodes.append(make_node(operator, names, made, name=made[0], **given))
        return [Signal(self, name) for name in made]

    def op(self, operator: str, *inputs: Operandum, **attributes: Any) -> Signal:
        """Write a node of one output."""
        return self.ops(operator, *inputs, outputs=1, **attributes)[0]

    def constant(self, numbers: npt.ArrayLike, dtype: npt.DTypeLike | None = None) -> Signal:
        """Return a constant, in the dtype of the gradients unless another is named."""
        array = np.ascontiguousarray(numbers, self.dtype if dtype is None else dtype).reshape(np.shape(numbers))
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = self.name("constant")
            self.initializers.append(numpy_helper.from_array(array, name))
            self._constants[key] = Signal(self, name)
        return self._constants[key]

    def ints(self, numbers: Signal | int | Iterable[int]) -> Signal:
        """Return whole numbers as int64; what is a value already stays it."""
        if isinstance(numbers, Signal):
            return numbers
        listed = numbers if isinstance(numbers, int | np.integer) else [int(number) for number in numbers]
        return self.constant(np.asarray(listed, np.int64), np.int64)

    def concat(self, parts: Iterable[Signal | Sequence[int]], axis: int = 0) -> Signal:
        """Return sizes, known ones and others, behind each other."""
        joined = [self.ints(part) for part in parts]
        return joined[0] if len(joined) == 1 else self.op("Concat", *joined, axis=axis)

    def zeros(self, sizes: Signal | Sequence[int]) -> Signal:
        """Return zeros of these sizes."""
        return self.filled(sizes, 0)

    def filled(self, sizes: Signal | Sequence[int], number: float) -> Signal:
        """Return an array of one number."""
        value = numpy_helper.from_array(np.full(1, number, self.dtype))
        return self.op("ConstantOfShape", self.ints(sizes), value=value)

    def value(self, name: str) -> Signal:
        """Return a value of the forward graph: a weight by reference, another one saved; floats in one dtype."""
        if name not in self._values:
            weight = self.weight(name) if self.forward.is_constant(name) else None
            self._values[name] = weight or self._in_one_dtype(self._save(name), self.forward.dtype(name))
        return self._values[name]

    def weight(self, name: str) -> Signal | None:
        """Return a constant of the forward graph without reading it; None for one that is better saved."""
        graph, dtype = self.forward.graph, self.forward.dtype(name)
        if name in graph.initializers:
            return self._in_one_dtype(self._linked(graph.initializers[name], name), dtype)
        node = graph.producers.get(name)
        if node is not None and node.operator == "Constant":
            return self._of_node(node, name)
        if node is not None and node.operator == "DequantizeLinear":
            return self._spelled(node)
        if node is not None and node.operator in _COPIED:
            source = self.weight(node.inputs[0])
            return None if source is None else self.op(node.op, source, perm=node.integers("perm"))
        small = self.forward.numbers(name)
        return None if small is None else self.constant(small, self.dtype if small.dtype.kind == "f" else small.dtype)

    def shape(self, name: str) -> Signal:
        """Return the sizes of a value of the forward graph: int64, a constant where all are known."""
        sizes = self.forward.sizes(name)
        if sizes is not None:
            return self.ints(sizes)
        bringing = self.named("shape", name)
        self.shapes[bringing] = name
        return Signal(self, bringing)

    def like(self, signal: Signal, name: str) -> Signal:
        """Return a signal with the sizes of a value of the forward graph; one of them need not be known."""
        shape = self.forward.shape(name)
        numbers = [size if isinstance(size, int) else -1 for size in shape or (None, None)]
        one_open = numbers.count(-1) == 1 and 0 not in numbers
        return signal.reshape(self.ints(numbers) if one_open else self.shape(name))

    def dim(self, name: str, axis: int) -> Signal:
        """Return one size of a value of the forward graph, `(1,)`."""
        shape = self.forward.ranked(name)
        size = shape[axis]
        if isinstance(size, int):
            return self.ints([size])
        return self.op("Gather", self.shape(name), self.ints([axis % len(shape)]), axis=0)

    def count(self, name: str, axes: Sequence[int]) -> Signal | float:
        """Return how many positions axes of a value have together."""
        shape = self.forward.ranked(name)
        sizes = [shape[axis] for axis in axes]
        known = [size for size in sizes if isinstance(size, int)]
        if len(known) == len(sizes):
            return float(np.prod(known, dtype=np.float64))
        picked = self.op("Gather", self.shape(name), self.ints(axes), axis=0)
        return picked.reduce("Prod", [0], keep=False).number()

    def scatter(self, gradient: Signal, index: Signal, axis: int, sizes: tuple[int, Signal]) -> Signal:
        """Return the adjoint of taking rows: each row of a gradient is added to where it was taken from.

        Args:
            gradient: with as many positions along the axis as the index has.
            index: int64, `(K,)`, none below 0.
            axis: of the gradient.
            sizes: how many axes there are, and how many positions, `(1,)`, the axis had.
        """
        rank, size = sizes
        order = [axis, *(other for other in range(rank) if other != axis)]
        turned = gradient.transpose(order)
        rest = [turned.sizes().slice(1, None)] if rank > 1 else []
        zeros = self.zeros(self.concat([size, *rest]))
        added = self.op("ScatterND", zeros, index.unsqueeze([-1]), turned, reduction="add")
        return added.transpose(np.argsort(order).tolist())

    def scan(
        self, states: Sequence[Signal], elements: Sequence[Signal], step: StepWriter, *, from_the_end: bool
    ) -> tuple[list[Signal], list[Signal]]:
        """Write a Scan along the first axis; return the states after the last step and what the steps make, stacked.

        What a step reads and makes are matrices: onnxruntime asks for the number of axes.

        Args:
            states: what the first step is given.
            elements: arrays of which each step gets its part.
            step: writes a step: from states and parts the next states, and what is to be stacked.
            from_the_end: the last part comes first; what the steps make lies in the order of the elements all the same.
        """
        outer, self.nodes = self.nodes, []
        carried = [Signal(self, self.name("state")) for _ in states]
        parts = [Signal(self, self.name("part")) for _ in elements]
        following, stacked = step(carried, parts)
        kept = [signal.map("Identity") for signal in (*following, *stacked)]
        nodes, self.nodes = self.nodes, outer
        given = [self._matrix(each) for each in (*carried, *parts)]
        made = [self._matrix(each) for each in kept]
        body = make_graph(nodes, "step", given, made)
        turned = [int(from_the_end)]
        found = self.ops(
            "Scan",
            *states,
            *elements,
            outputs=len(kept),
            body=body,
            num_scan_inputs=len(elements),
            scan_input_directions=turned * len(elements),
            scan_output_directions=turned * len(stacked) or None,
        )
        return found[: len(following)], found[len(following) :]

    def unbroadcast(self, gradient: Signal, result: str, operand: str) -> Signal:
        """Return a gradient of a broadcast result summed down to an operand's sizes."""
        wide, narrow = self.forward.shape(result), self.forward.shape(operand)
        if wide is None or narrow is None or len(wide) < len(narrow):
            return self.summed_to(gradient, self.shape(result), self.shape(operand))
        lead = len(wide) - len(narrow)
        pairs = list(zip(wide[lead:], narrow, strict=True))
        if any(not _is_decided(size, own) for size, own in pairs):
            return self.summed_to(gradient, self.shape(result), self.shape(operand))
        axes = [lead + axis for axis, (size, own) in enumerate(pairs) if own == 1 and size != 1]
        return gradient.total([*range(lead), *axes]).squeeze(list(range(lead)))

    def summed_to(self, gradient: Signal, wide: Signal, narrow: Signal) -> Signal:
        """Return a gradient summed down from some sizes to others, which only a run tells."""
        missing = wide.sizes() - narrow.sizes()
        one = make_tensor("one", TensorProto.INT64, [1], [1])
        padded = self.concat([self.op("ConstantOfShape", missing, value=one), narrow])
        axes = padded.equals(self.ints([1])).map("NonZero").reshape([-1])
        return self.op("ReduceSum", gradient, axes, keepdims=1, noop_with_empty_axes=1).reshape(narrow)

    def _matrix(self, signal: Signal) -> onnx.ValueInfoProto:
        return make_tensor_value_info(signal.name, self.element_type, [None, None])

    def _operand(self, given: Operandum) -> str:
        if given is None:
            return ""
        if isinstance(given, Signal):
            return given.name
        return self.constant(given, given.dtype if isinstance(given, np.ndarray) else None).name

    def _save(self, name: str) -> Signal:
        dtype = self.forward.dtype(name)
        # numpy has no bfloat16; a float16 output would change what is computed from it (see graph/readout.py).
        bringing = self.named("float32", name) if dtype in FLOATS and dtype not in ("float32", "float64") else name
        self.saved[bringing] = name
        return Signal(self, bringing)

    def _in_one_dtype(self, signal: Signal, dtype: str | None) -> Signal:
        given = "float32" if signal.name in self.saved and signal.name != self.saved[signal.name] else dtype
        return signal.number() if given in FLOATS and given != self.dtype.name else signal

    def _linked(self, tensor: TensorProto, name: str) -> Signal:
        linked = TensorProto()
        linked.CopyFrom(tensor)
        linked.name = name
        self.initializers.append(linked)
        return Signal(self, name)

    def _of_node(self, node: Node, name: str) -> Signal | None:
        stored = constant_of(node.proto)
        if isinstance(stored, TensorProto):
            return self._in_one_dtype(self._linked(stored, name), self.forward.dtype(name))
        if isinstance(stored, np.ndarray) and stored.dtype.kind in "fi":
            return self.constant(stored, self.dtype if stored.dtype.kind == "f" else stored.dtype)
        return None

    def _spelled(self, node: Node) -> Signal | None:
        """Write `(codes - zero point) * scale`: DequantizeLinear would be computed in every run."""
        found = self.scaled_codes(node.outputs[0])
        if found is None:
            return None
        rank = len(self.forward.ranked(node.inputs[0]))
        sizes = [] if found.axis is None else _along(rank, found.axis)
        return found.codes * found.scale.reshape(sizes)

    def scaled_codes(self, name: str) -> ScaledCodes | None:
        """Return the codes and the scale of a constant that a DequantizeLinear makes; None for any other value."""
        node = self.forward.graph.producers.get(name)
        if node is None or node.operator != "DequantizeLinear" or not self.forward.is_constant(name):
            return None
        values = dict(enumerate(node.inputs))
        codes, scale, zero = values[0], values[1], values.get(2, "")
        shape, own = self.forward.shape(codes), self.forward.shape(scale)
        if self.forward.dtype(codes) not in _SPELLED or shape is None or own is None or len(own) > 1:
            return None
        parts = [self.weight(part) for part in (codes, scale, zero) if part]
        if any(part is None for part in parts):
            return None
        axis = None if own in ((), (1,)) else node.integer("axis", 1) % len(shape)
        found, factor, *offset = [part for part in parts if part is not None]
        sizes = [] if axis is None else _along(len(shape), axis)
        numbers = found.number()
        return ScaledCodes(numbers - offset[0].number().reshape(sizes) if offset else numbers, factor, axis)


@dataclass(frozen=True, slots=True)
class ScaledCodes:
    """Weights as codes less their zero point, and the scale, one number or one for each position of an axis."""

    codes: Signal
    scale: Signal
    axis: int | None


def _along(rank: int, axis: int) -> list[int]:
    """Return the sizes by which a vector lies along an axis.

    >>> _along(4, 1)
    [1, -1, 1, 1]
    """
    return [-1 if place == axis % rank else 1 for place in range(rank)]


def _is_decided(size: int | str | None, own: int | str | None) -> bool:
    """Return whether it is known before a run if an operand's axis was broadcast."""
    return own == 1 or isinstance(own, int) or (own is not None and own == size)


def _free_prefix(forward: Forward) -> str:
    graph = forward.graph
    taken: Mapping[str, Any] = {**graph.producers, **graph.weights, **dict.fromkeys(s.name for s in graph.inputs)}
    prefix = PREFIX
    while any(name.startswith(prefix) for name in taken):
        prefix = f"{prefix[:-1]}'/"
    return prefix

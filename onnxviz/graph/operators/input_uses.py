"""What a graph does first with its inputs: scales pixels, looks up rows of a table, or takes them for weights.

Each input x is followed through operators that only move, shift or scale. For x = -1, 0, 1 and 255 the least and
greatest number over all channels is kept: behind `(x - 123.7) / 58.4`, 0 has become -2.1 and 255 has become 2.2.
The first operator that does more, such as a convolution, is where the input is used.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import onnx

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.axis_seeds import recurrent
from onnxviz.graph.operators.caches import appended_axis, is_overwritten
from onnxviz.graph.operators.demanded_sizes import demanded_sizes
from onnxviz.graph.operators.number_ranges import (
    COMPUTED,
    NumberRange,
    bounded,
    bracketed,
    computed,
    constant_range,
    input_range,
    joined,
    unwrapped,
)
from onnxviz.graph.operators.reads import elementwise, moving
from onnxviz.graph.operators.table import MOVING, operator_of
from onnxviz.layout import PROBES, InputUse, Scaling, TensorSpec

_MOVES = MOVING | {elementwise.cast_like, elementwise.quantisation}
"""Rules of operators whose numbers are those of their first operand; of a Concat, of all."""
_KEEPS = frozenset({"Cast", "Identity", "Dropout", "Clip"})
"""Operators that work number by number and change none, or none that pixels have."""
_DEEPEST_CONSTANT = 16
_LARGEST_IMAGE = 1 << 24
_KINDS = {
    "sequence_type": "sequence",
    "optional_type": "optional",
    "map_type": "map",
    "sparse_tensor_type": "sparse tensor",
}


def input_uses(graph: Graph, types: Mapping[str, TensorSpec], folder: Path | None = None) -> Mapping[str, InputUse]:
    """Return what the graph does first with each of its inputs.

    Args:
        graph: of which the inputs are.
        types: tell the sizes of the tables that it looks into.
        folder: to which the locations of constants are relative that are not in the graph, such as a mean image's; None
            leaves these unread.
    """
    trail, demanded = _InputTrail(graph, types, folder), demanded_sizes(graph, types)
    kinds = {info.name: info.type.WhichOneof("value") for info in graph.proto.graph.input}
    found = {
        spec.name: InputUse(_KINDS.get(kinds.get(spec.name) or "", "tensor"), sizes=demanded.get(spec.name, ()))
        for spec in graph.inputs
    }
    for node, place, numbers in trail.readers():
        found[numbers.root] = _with_reader(trail, found[numbers.root], node, place, numbers)
    for spec in graph.outputs:
        numbers_made = trail.followed.get(spec.name)
        if numbers_made is not None:
            found[numbers_made.root] = _with_scaling(found[numbers_made.root], numbers_made)
    return {name: replace(use, covered=trail.covered.get(name)) for name, use in found.items()}


class _InputTrail:
    """The values that are an input of the graph moved, shifted or scaled."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec], folder: Path | None) -> None:
        self.graph = graph
        self.types = types
        self._folder = folder
        self.followed = {spec.name: input_range(spec.name) for spec in graph.inputs}
        self.covered: dict[str, tuple[float, float] | None] = {}
        self._sources: dict[str, tuple[str, ...]] = {spec.name: (spec.name,) for spec in graph.inputs}
        self._constants: dict[str, NumberRange | None] = {}

    def readers(self) -> Sequence[tuple[Node, int, NumberRange]]:
        """Follow the inputs and return each node that does more than move, shift or scale one, with the place of it."""
        found: list[tuple[Node, int, NumberRange]] = []
        for node in self.graph.nodes:
            sources = tuple(dict.fromkeys(name for value in node.inputs for name in self._sources.get(value, ())))[:2]
            self._sources.update((output, sources) for output in node.outputs if output)
            read = [(place, self.followed[value]) for place, value in enumerate(node.inputs) if value in self.followed]
            made = self._made(node, 0) if read else None
            if made is not None and made.formula == "x" and node.operator == "QuantizeLinear":
                self.covered.setdefault(made.root, _covered(self.graph, node))
            if made is not None and made.root:
                self.followed.update((output, made) for output in node.outputs if output)
            else:
                found.extend((node, place, numbers) for place, numbers in read)
        return found

    def meets_others(self, node: Node, root: str) -> bool:
        """Return whether an operand of a node is computed from other inputs than this, and not only moved or scaled."""
        values = [value for value in node.inputs if value not in self.followed]
        return any(source != root for value in values for source in self._sources.get(value, ()))

    def _numbers(self, value: str, depth: int) -> NumberRange | None:
        """Return the numbers of a value that is followed, or that is constant and small."""
        if value in self.followed:
            return self.followed[value]
        if value not in self._constants:
            self._constants[value] = self._constant(value, depth) if self.graph.is_constant(value) else None
        return self._constants[value]

    def _constant(self, value: str, depth: int) -> NumberRange | None:
        array = self.graph.constant(value)
        array = self._read(value) if array is None else array
        if array is not None:
            return constant_range(array)
        maker = self.graph.producers.get(value)
        return None if maker is None or depth > _DEEPEST_CONSTANT else self._made(maker, depth + 1)

    def _read(self, value: str) -> numpy.ndarray[Any, Any] | None:
        """Return a constant whose data lie outside, of up to a picture's size."""
        stored, dims = self.graph.initializers.get(value), self.graph.dims(value)
        if self._folder is None or stored is None or dims is None or math.prod(dims) > _LARGEST_IMAGE:
            return None
        try:
            return onnx.numpy_helper.to_array(stored, str(self._folder))
        except (OSError, ValueError, TypeError, onnx.checker.ValidationError):
            return None  # what is wrong with its file a run says best

    def _made(self, node: Node, depth: int) -> NumberRange | None:
        """Return the numbers that a node makes, None where it does more than move, shift and scale."""
        rule, inputs = operator_of(node).reads, [value for value in node.inputs if value]
        if rule is moving.concat:
            parts = [self._numbers(value, depth) for value in inputs]
            return joined([part for part in parts if part is not None]) if None not in parts else None
        if inputs and (rule in _MOVES or node.operator in _KEEPS):
            return self._numbers(inputs[0], depth)
        if node.operator == "Where" and len(inputs) == 3:
            return unwrapped([self._numbers(value, depth) for value in inputs[1:]])
        if rule is elementwise.batch_norm:
            return self._batch_normed(node)
        if node.operator in COMPUTED:
            return computed(node.operator, [self._numbers(value, depth) for value in inputs])
        return None

    def _batch_normed(self, node: Node) -> NumberRange | None:
        numbers = self.followed.get(node.inputs[0])
        stored = [self.graph.constant(value) for value in node.inputs[1:5]]
        arrays = [array.astype(numpy.float64) for array in stored if array is not None and array.dtype.kind == "f"]
        epsilon = node.attribute("epsilon", 1e-5)
        if numbers is None or len(arrays) < 4 or not isinstance(epsilon, float):
            return None
        scale, bias, mean, variance = arrays
        with numpy.errstate(all="ignore"):
            try:
                each = (numbers.ends[..., None] - mean) * (scale / numpy.sqrt(variance + epsilon)) + bias
            except ValueError:  # they are not of one size
                return None
        formula = f"{bracketed(numbers.formula)} normalised by {node.op}"
        return bounded(each.reshape(len(PROBES), -1), formula, numbers.root) if each.size else None


def _with_reader(trail: _InputTrail, use: InputUse, node: Node, place: int, numbers: NumberRange) -> InputUse:
    """Return a use with what one more node that reads the input says of it."""
    operator = operator_of(node)
    if operator.reads is moving.gather and place == 1:
        rows = _rows(trail, node, numbers)
        return use if rows is None else replace(use, rows=min(rows, use.rows or rows))
    if operator.fixes is recurrent or (operator.kind in ("conv", "dense") and _is_weight(trail.graph, node, place)):
        return replace(use, is_weight=True)
    if trail.meets_others(node, numbers.root):
        if is_overwritten(node, place):
            return replace(use, is_weight=True)
        use = replace(use, appended=_appended(trail, node, place) if use.appended is None else use.appended)
    return _with_scaling(use, numbers)


def _appended(trail: _InputTrail, node: Node, place: int) -> int | None:
    shapes = {value: spec.shape for value in node.inputs if (spec := trail.types.get(value)) is not None}
    shapes |= {spec.name: spec.shape for spec in trail.graph.inputs}
    try:
        return appended_axis(trail.graph, node, place, {name: len(shape) for name, shape in shapes.items() if shape})
    except MALFORMED:
        return None


def _with_scaling(use: InputUse, numbers: NumberRange) -> InputUse:
    if use.scaling is not None or numbers.formula == "x":
        return use
    ends = tuple((float(low), float(high)) for low, high in numbers.ends)
    return replace(use, scaling=Scaling(numbers.formula, ends))


def _covered(graph: Graph, node: Node) -> tuple[float, float] | None:
    """Return the least and greatest number that a QuantizeLinear keeps: scale * (integer - zero point).

    Signed integers without a zero point are said to be spread alike on both sides of 0, whatever their numbers are.
    """
    scale, zero = (graph.constant(value) for value in (*node.inputs[1:], "", "")[:2])
    zero = numpy.zeros((), numpy.uint8) if zero is None and not "".join(node.inputs[2:]) else zero
    if scale is None or zero is None or scale.size != 1 or zero.size != 1 or zero.dtype.kind not in "iu":
        return None
    integers, step, shift = numpy.iinfo(zero.dtype), float(scale.item()), int(zero.item())
    if integers.min < 0 and not shift:
        return None
    return step * (integers.min - shift), step * (integers.max - shift)


def _is_weight(graph: Graph, node: Node, place: int) -> bool:
    """Return whether an operand of a convolution or product is a weight: what it is multiplied by is not constant."""
    others = [value for other, value in enumerate(node.inputs[:2]) if other != place]
    return place in operator_of(node).weights and not all(map(graph.is_constant, others))


def _rows(trail: _InputTrail, node: Node, numbers: NumberRange) -> int | None:
    """Return how many whole numbers from 0 on an input may be that indexes a constant table, by the table's sizes."""
    table = node.inputs[0]
    if not trail.graph.is_constant(table):
        return None
    spec = trail.types.get(table)
    sizes = spec.shape if spec is not None and spec.shape is not None else trail.graph.dims(table)
    try:
        rows = None if sizes is None else sizes[node.integer("axis", 0)]
    except MALFORMED:
        return None
    shift = int(numbers.ends[PROBES.index(0.0), 1])
    return rows - shift if isinstance(rows, int) and rows > shift >= 0 else None

"""What a graph does first with its inputs: scales pixels, looks up rows of a table, or takes them for weights.

Each input x is followed through operators that only move, shift or scale. For x = -1, 0, 1 and 255 the least and
greatest number over all channels is kept: behind `(x - 123.7) / 58.4`, 0 has become -2.1 and 255 has become 2.2.
The first operator that does more, such as a convolution, is where the input is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy
import numpy.typing as npt

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.reads import elementwise, moving, reshaping, resizing
from onnxviz.graph.operators.table import operator_of
from onnxviz.layout import PROBES, InputUse, Scaling, TensorSpec

_Ends = npt.NDArray[numpy.float64]

_MOVES = frozenset(
    {moving.transpose, moving.squeeze, moving.unsqueeze, moving.slice_, moving.pad, moving.split, moving.gather}
    | {moving.tile, moving.centred, reshaping.reshape, reshaping.flatten, resizing.resize}
    | {elementwise.expand, elementwise.cast_like, elementwise.quantisation}
)
"""Rules of operators whose numbers are those of their first operand."""
_KEEPS = frozenset({"Cast", "Identity", "Dropout", "Clip"})
"""Operators that work number by number and change none, or none that pixels have."""
_COMPUTES: Mapping[str, tuple[Callable[..., Any], str]] = {
    "Add": (numpy.add, "{} + {}"),
    "Sub": (numpy.subtract, "{} - {}"),
    "Mul": (numpy.multiply, "{} * {}"),
    "Div": (numpy.divide, "{} / {}"),
    "Max": (numpy.maximum, "max({}, {})"),
    "Min": (numpy.minimum, "min({}, {})"),
    "Neg": (numpy.negative, "-{}"),
    "Sqrt": (numpy.sqrt, "sqrt({})"),
    "Reciprocal": (numpy.reciprocal, "1 / {}"),
}
"""Operators that rise or fall with each operand, so that the ends of the result come from those of the operands."""
_RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
_DEEPEST_CONSTANT = 16
_KINDS = {
    "sequence_type": "sequence",
    "optional_type": "optional",
    "map_type": "map",
    "sparse_tensor_type": "sparse tensor",
}


def input_uses(graph: Graph, types: Mapping[str, TensorSpec]) -> Mapping[str, InputUse]:
    """Return what the graph does first with each of its inputs; `types` tell the sizes of the tables it looks into."""
    trail = _InputTrail(graph, types)
    kinds = {info.name: info.type.WhichOneof("value") for info in graph.proto.graph.input}
    found = {spec.name: InputUse(kind=_KINDS.get(kinds.get(spec.name) or "", "tensor")) for spec in graph.inputs}
    for node, place, numbers in trail.readers():
        found[numbers.root] = _with_reader(trail, found[numbers.root], node, place, numbers)
    for spec in graph.outputs:
        numbers_made = trail.followed.get(spec.name)
        if numbers_made is not None:
            found[numbers_made.root] = _with_scaling(found[numbers_made.root], numbers_made)
    return found


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What a value is for each x of PROBES, its least and greatest `(4, 2)`, and its formula.

    `root` is the input that is called x, empty for constants.
    """

    ends: _Ends
    formula: str
    root: str = ""


class _InputTrail:
    """The values that are an input of the graph moved, shifted or scaled."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        self.graph = graph
        self.types = types
        start = numpy.array(PROBES)[:, None].repeat(2, axis=1)
        self.followed = {spec.name: _Numbers(start, "x", spec.name) for spec in graph.inputs}
        self._constants: dict[str, _Numbers | None] = {}

    def readers(self) -> Sequence[tuple[Node, int, _Numbers]]:
        """Follow the inputs and return each node that does more than move, shift or scale one, with the place of it."""
        found: list[tuple[Node, int, _Numbers]] = []
        for node in self.graph.nodes:
            read = [(place, self.followed[value]) for place, value in enumerate(node.inputs) if value in self.followed]
            made = self._made(node, 0) if read else None
            if made is not None and made.root:
                self.followed.update((output, made) for output in node.outputs if output)
            else:
                found.extend((node, place, numbers) for place, numbers in read)
        return found

    def _numbers(self, value: str, depth: int) -> _Numbers | None:
        """Return the numbers of a value that is followed, or that is constant and small."""
        if value in self.followed:
            return self.followed[value]
        if value not in self._constants:
            self._constants[value] = self._constant(value, depth) if self.graph.is_constant(value) else None
        return self._constants[value]

    def _constant(self, value: str, depth: int) -> _Numbers | None:
        array = self.graph.constant(value)
        if array is not None:
            return _stored(array)
        maker = self.graph.producers.get(value)
        return None if maker is None or depth > _DEEPEST_CONSTANT else self._made(maker, depth + 1)

    def _made(self, node: Node, depth: int) -> _Numbers | None:
        """Return the numbers that a node makes, None where it does more than move, shift and scale."""
        rule, inputs = operator_of(node).reads, [value for value in node.inputs if value]
        if rule is moving.concat:
            parts = [self._numbers(value, depth) for value in inputs]
            return _joined([part for part in parts if part is not None]) if None not in parts else None
        if inputs and (rule in _MOVES or node.operator in _KEEPS):
            return self._numbers(inputs[0], depth)
        if node.operator == "Where" and len(inputs) == 3:
            return _unwrapped([self._numbers(value, depth) for value in inputs[1:]])
        if rule is elementwise.batch_norm:
            return self._batch_normed(node)
        if node.operator in _COMPUTES:
            return _computed(node.operator, [self._numbers(value, depth) for value in inputs])
        return None

    def _batch_normed(self, node: Node) -> _Numbers | None:
        numbers = self.followed.get(node.inputs[0])
        arrays = [self.graph.constant(value) for value in node.inputs[1:5]]
        if numbers is None or len(arrays) < 4 or any(array is None or not array.size for array in arrays):
            return None
        scale, bias, mean, variance = (numpy.asarray(array, numpy.float64) for array in arrays)
        with numpy.errstate(all="ignore"):
            try:
                factor = scale / numpy.sqrt(variance + float(node.attribute("epsilon", 1e-5)))
                each = (numbers.ends[..., None] - mean) * factor + bias
            except MALFORMED:
                return None
        return _bounded(
            each.reshape(len(PROBES), -1), f"{_bracketed(numbers.formula)} normalised by {node.op}", numbers.root
        )


def _stored(array: npt.NDArray[Any]) -> _Numbers | None:
    if array.dtype.kind not in "iuf" or not array.size:
        return None
    numbers = array.astype(numpy.float64)
    ends = numpy.array([[numbers.min(), numbers.max()]]).repeat(len(PROBES), axis=0)
    return _Numbers(ends, _number_text(numbers)) if numpy.isfinite(ends).all() else None


def _number_text(numbers: npt.NDArray[numpy.float64]) -> str:
    each = [f"{number:.4g}" for number in dict.fromkeys(numbers.reshape(-1).tolist())]
    return each[0] if len(each) == 1 else f"({', '.join(each[:4])}{', ...' if len(each) > 4 else ''})"


def _joined(parts: Sequence[_Numbers]) -> _Numbers | None:
    """Return what lies side by side, such as channels that were split and scaled one by one."""
    if not parts or len({part.root for part in parts}) > 1:
        return None
    ends = numpy.stack(
        [numpy.min([part.ends[:, 0] for part in parts], 0), numpy.max([part.ends[:, 1] for part in parts], 0)], 1
    )
    return replace(parts[0], ends=ends)


def _unwrapped(branches: Sequence[_Numbers | None]) -> _Numbers | None:
    """Return an index of which the negative ones count from the end: `Where(x < 0, x + rows, x)` is x for others."""
    known = [branch for branch in branches if branch is not None and branch.root]
    if len(known) < len(branches) or len({branch.root for branch in known}) > 1:
        return None
    return next((branch for branch in known if branch.formula == "x"), None)


def _computed(operator: str, operands: Sequence[_Numbers | None]) -> _Numbers | None:
    """Return the result of an operator on numbers between given ends; one operand at most may be followed."""
    known = [operand for operand in operands if operand is not None]
    roots = [operand.root for operand in known if operand.root]
    function, text = _COMPUTES[operator]
    if len(known) < len(operands) or len(known) != text.count("{}") or len(roots) > 1:
        return None
    with numpy.errstate(all="ignore"):
        corners = [function(*ends) for ends in product(*(operand.ends.T for operand in known))]
    divisor = known[-1].ends if operator in ("Div", "Reciprocal") else None
    if divisor is not None and (divisor.min() <= 0 <= divisor.max()):
        return None
    return _bounded(numpy.stack(corners, 1), _formula(operator, known), "".join(roots))


def _formula(operator: str, operands: Sequence[_Numbers]) -> str:
    """Return the text of a result: a product by 1/255 is written as a division by 255, a sum with -1 as `- 1`.

    Only the numbers that a reader meets are tidied: what is computed does not depend on it.
    """
    first, *others = operands
    other = others[0] if others else first
    if operator in ("Add", "Mul") and not first.root and other.root:
        first, other = other, first
    lone = other.ends[0, 0] if not other.root and other.ends[0, 0] == other.ends[0, 1] else None
    left = _bracketed(first.formula) if operator in ("Mul", "Div", "Neg") else first.formula
    if operator == "Add" and lone is not None and lone < 0:
        return f"{left} - {-lone:.4g}"
    if operator == "Mul" and lone is not None and 0 < lone < 1 and abs(2 / lone - round(2 / lone)) < 1e-4:
        return f"{left} / {round(2 / lone) / 2:.4g}"
    return _COMPUTES[operator][1].format(left, _bracketed(other.formula))


def _bracketed(formula: str) -> str:
    is_sum = " + " in formula or " - " in formula
    return f"({formula})" if is_sum and not formula.startswith("(") else formula


def _bounded(corners: _Ends, formula: str, root: str) -> _Numbers | None:
    if not numpy.isfinite(corners).all():
        return None
    return _Numbers(numpy.stack([corners.min(axis=1), corners.max(axis=1)], axis=1), formula, root)


def _with_reader(trail: _InputTrail, use: InputUse, node: Node, place: int, numbers: _Numbers) -> InputUse:
    """Return a use with what one more node that reads the input says of it."""
    operator = operator_of(node)
    if operator.reads is moving.gather and place == 1:
        rows = _rows(trail, node, numbers)
        return use if rows is None else replace(use, rows=min(rows, use.rows or rows))
    if node.operator in _RECURRENT or (operator.kind in ("conv", "dense") and _is_weight(trail.graph, node, place)):
        return replace(use, is_weight=True)
    return _with_scaling(use, numbers)


def _with_scaling(use: InputUse, numbers: _Numbers) -> InputUse:
    if use.scaling is not None or numbers.formula == "x":
        return use
    ends = tuple((float(low), float(high)) for low, high in numbers.ends)
    return replace(use, scaling=Scaling(numbers.formula, ends))


def _is_weight(graph: Graph, node: Node, place: int) -> bool:
    """Return whether an operand of a convolution or product is a weight: what it is multiplied by is not constant."""
    others = [value for other, value in enumerate(node.inputs[:2]) if other != place]
    return place in operator_of(node).weights and not all(map(graph.is_constant, others))


def _rows(trail: _InputTrail, node: Node, numbers: _Numbers) -> int | None:
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

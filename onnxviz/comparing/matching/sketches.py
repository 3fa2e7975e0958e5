"""A sketch of a layer's weights: a few numbers a row, which say whether the weights of two layers are the same.

A row holds what one output channel multiplies by, brought to length 1: scales, folded norms and quantisation cancel.
It is projected on 24 random directions, always the same ones for rows of one length. Two rows that are alike have
sketches whose cosine is near 1, others one near 0. A second sketch is of the row's numbers in order of size: it is the
same whatever the order of a layer's inputs, as of a dense layer behind maps that were flattened channels last.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from onnxviz.comparing.matching.operation import Operation
from onnxviz.graph.node import Node
from onnxviz.graph.operators.table import BLOCKED_DOMAIN, operator_of, plain_operator
from onnxviz.graph.stored_arrays import StoredArrays
from onnxviz.layout import Array

_DIRECTIONS = 24
_MOST_ROWS = 256
_FEWEST_WEIGHTS = 8
BLOCKS = (16, 8)
"""Into how many channels a block onnxruntime lays weights, by the kind of processor for which it optimised a model."""
_ZERO_POINTS: Mapping[str, int] = {
    "QLinearConv": 5, "QLinearMatMul": 5, "QGemm": 5, "ConvInteger": 3, "MatMulInteger": 3, "DynamicQuantizeMatMul": 3,
    "MatMulIntegerToFloat": 5,
}  # fmt: skip
"""Where the zero point of the weights stands, in operators that take them as codes."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is kept of a layer's weights.

    Attributes:
        shape: how many rows and columns they have.
        rows: the sketches of at most 256 rows, one behind the other, of length 1: `(rows * 24,) float32`.
        ordered: the same of each row's numbers in order of size.
    """

    shape: tuple[int, int]
    rows: Array
    ordered: Array


class Sketcher:
    """Makes sketches; weights are read a layer at a time and let go."""

    def __init__(self, block: int = BLOCKS[0]) -> None:
        """Begin without directions: those of a length are made when a row has it.

        `block` is how many channels are a block, in models that were optimised for a processor.
        """
        self._block = block
        self._directions: dict[int, Array] = {}

    def sketch(self, operation: Operation, arrays: StoredArrays) -> Sketch | None:
        """Return the sketch of an operation's weights; None where it has none, or too few to say anything."""
        rows = _weight_rows(operation, arrays, self._block)
        if rows is None or rows.size < _FEWEST_WEIGHTS:
            return None
        shape = rows.shape
        rows = rows[:: -(-len(rows) // _MOST_ROWS)].astype(np.float32)
        rows = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-20)
        columns = shape[1]
        places = np.linspace(0, columns - 1, min(columns, _DIRECTIONS)).astype(int)
        return Sketch((shape[0], columns), _unit(rows @ self._of(columns)), _unit(np.sort(rows, axis=1)[:, places]))

    def _of(self, length: int) -> Array:
        if length not in self._directions:
            self._directions[length] = np.random.default_rng(length).standard_normal((length, _DIRECTIONS), np.float32)
        return self._directions[length]


def likeness(one: Sketch | None, other: Sketch | None) -> float | None:
    """Return how alike two layers' weights are, from -1 to 1; None where that cannot be said.

    Those of another shape are not alike: 0.
    """
    if one is None or other is None:
        return None
    return float(one.rows @ other.rows) if one.shape == other.shape else 0.0


def _unit(array: Array) -> Array:
    flat = array.ravel()
    unit: Array = flat / (np.linalg.norm(flat) + 1e-20)
    return unit


def _weight_rows(operation: Operation, arrays: StoredArrays, block: int) -> Array | None:
    """Return the weights as `(output channels, what each multiplies by)`."""
    node = operation.node
    place = None if operation.kind not in ("conv", "dense") else _weight_place(node, arrays)
    if place is None or node.op == "MatMulNBits":
        return None
    weights = arrays.array(node.inputs[place])
    if weights is None or weights.ndim < 2:
        return None
    if node.domain == BLOCKED_DOMAIN:
        weights = _unblocked(weights, block)
    weights = weights.astype(np.float32) - _zero_point(node, weights, arrays)
    if operation.kind == "dense":
        is_right = place > 0
        if is_right != bool(node.attribute("transB" if is_right else "transA", 0)):
            weights = weights.swapaxes(-1, -2)
        rows = weights.reshape(-1, weights.shape[-1])
    else:
        weights = weights.swapaxes(0, 1) if plain_operator(node) == "ConvTranspose" else weights
        rows = weights.reshape(len(weights), -1)
    signed: Array = rows * _signs(operation, len(rows), arrays)
    return signed


def _unblocked(weights: Array, block: int) -> Array:
    """Return the weights `(O, I, H, W)` of a blocked convolution in order, without the channels that fill blocks up.

    They lie as `(O / b, I / b, H, W, b of I, b of O)`, those of fewer input channels than a block as
    `(O / b, I, H, W, b of O)`: MlasReorderFilterOIHWBiBo and its kin, onnxruntime/core/mlas/lib/reorder.cpp.
    """
    out, into, *size = weights.shape
    inner = block if into >= block else 1
    if out % block or into % inner:
        return weights
    parts = weights.reshape(out // block, into // inner, *size, inner, block)
    order = (0, parts.ndim - 1, 1, parts.ndim - 2, *range(2, parts.ndim - 2))
    found = parts.transpose(order).reshape(out, into, *size)
    kept_out, kept_into = (np.flatnonzero(found.any(axis=axes)) for axes in ((1, 2, 3), (0, 2, 3)))
    if found.ndim != 4 or not kept_out.size:
        return found
    # Input channels come in fours; a filter may well read nothing of the last of them.
    return found[: kept_out[-1] + 1, : min(-(-(kept_into[-1] + 1) // 4) * 4, into) if inner > 1 else into]


def _weight_place(node: Node, arrays: StoredArrays) -> int | None:
    operator = operator_of(node)
    places = operator.sides or operator.weights[:2]
    known = (place for place in reversed(places) if place < len(node.inputs))
    return next((place for place in known if (arrays.rank(node.inputs[place]) or 0) > 1), None)


def _zero_point(node: Node, weights: Array, arrays: StoredArrays) -> Array:
    """Return the zero point of weights that an operator takes as codes, laid out along their channels."""
    place = _ZERO_POINTS.get(node.op, len(node.inputs))
    found = arrays.array(node.inputs[place]) if place < len(node.inputs) and node.inputs[place] else None
    if found is None:
        return np.zeros(())
    found = found.astype(np.float32)
    is_conv = plain_operator(node) == "Conv" or node.attribute("transB", 0)
    return found.reshape(()) if found.size == 1 else found.reshape(-1, *[1] * (weights.ndim - 1)) if is_conv else found


def _signs(operation: Operation, count: int, arrays: StoredArrays) -> Array:
    """Return the signs of what follows to scale each row, as a column: a folded norm turns a row round with it."""
    signs: Array = np.ones((count, 1), np.float32)
    for node in operation.scaling:
        if node.operator in ("BatchNormalization", "Mul", "Div"):
            factors = (arrays.array(value) for value in node.inputs[:2])
            factor = next((found for found in factors if found is not None), None)
            if factor is not None and factor.size in (1, count):
                signs = signs * np.where(factor < 0, -1, 1).reshape(-1, 1)
    return signs

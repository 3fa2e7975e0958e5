"""Weights of a model, read from its file one at a time, with what the graph computes from each alone.

A weight may lie behind nodes that only say it in another way: `codes -> DequantizeLinear -> Transpose -> MatMul`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy
import onnx
from onnx import TensorProto, numpy_helper

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node

_Array = numpy.ndarray[Any, Any]
_DEEPEST = 16


class StoredArrays:
    """Reads the constants of one graph; nothing of them is kept."""

    def __init__(self, graph: Graph, folder: Path) -> None:
        """Take the graph and the folder to which the places of its weights are relative."""
        self._graph = graph
        self._folder = folder

    def array(self, value: str) -> _Array | None:
        """Return a constant; None where it is computed in a way that is not followed, or its data cannot be read."""
        with suppress(*MALFORMED, OSError):
            return self._array(value, _DEEPEST)
        return None

    def rank(self, value: str) -> int | None:
        """Return how many axes a constant has, whatever is computed from it; None where it is computed otherwise."""
        for _ in range(_DEEPEST):
            dims = self._graph.dims(value)
            node = self._graph.producers.get(value)
            if dims is not None or node is None or not node.inputs or not self._graph.is_constant(value):
                return None if dims is None else len(dims)
            value = node.inputs[0]
        return None

    def _array(self, value: str, deepest: int) -> _Array | None:
        tensor = self._graph.initializers.get(value)
        if tensor is not None:
            return self._stored(tensor)
        node = self._graph.producers.get(value)
        if node is None or not self._graph.is_constant(value) or deepest < 0:
            return None
        if node.operator == "Constant":
            held = node.attribute("value")
            return self._stored(held) if isinstance(held, TensorProto) else self._graph.constant(value)
        follow = _FOLLOWED.get(node.operator)
        given = [self._array(name, deepest - 1) if name else None for name in node.inputs]
        return None if follow is None or given[0] is None else follow(node, *given)

    def _stored(self, tensor: TensorProto) -> _Array:
        if tensor.data_location != TensorProto.EXTERNAL:
            return numpy_helper.to_array(tensor)
        entries = {entry.key: entry.value for entry in tensor.external_data}
        with (self._folder / entries["location"]).open("rb") as file:
            file.seek(int(entries.get("offset") or 0))
            data = file.read(int(entries.get("length") or -1))
        inside = onnx.TensorProto(data_type=tensor.data_type, dims=tensor.dims, raw_data=data)
        return numpy_helper.to_array(inside)


def _same(node: Node, array: _Array, *_: _Array | None) -> _Array:
    return array


def _dequantised(node: Node, codes: _Array, scale: _Array, zero: _Array | None = None) -> _Array:
    axis, numbers = node.integer("axis", 1), codes.astype(numpy.float32)
    scale, zero = (_along(part, codes, axis) for part in (scale, numpy.zeros(1) if zero is None else zero))
    return (numbers - zero) * scale


def _along(part: _Array, codes: _Array, axis: int) -> _Array:
    """Lay out scales or zero points: one number, one a place along an axis, or one a block of places."""
    part = part.astype(numpy.float32)
    if part.size == 1:
        return part.reshape(())
    if part.ndim == 1:
        return part.reshape([-1 if place == axis % codes.ndim else 1 for place in range(codes.ndim)])
    return numpy.repeat(part, codes.shape[axis] // part.shape[axis], axis)


def _transposed(node: Node, array: _Array) -> _Array:
    return numpy.transpose(array, node.integers("perm"))


def _reshaped(node: Node, array: _Array, shape: _Array) -> _Array:
    sizes = [int(size) or array.shape[place] for place, size in enumerate(shape)]
    return array.reshape(sizes)


def _flattened(node: Node, array: _Array) -> _Array:
    axis = node.integer("axis", 1)
    return array.reshape(int(numpy.prod(array.shape[:axis])), -1)


def _squeezed(node: Node, array: _Array, axes: _Array | None = None) -> _Array:
    places = node.integers("axes") if axes is None else axes
    return numpy.squeeze(array, None if places is None else tuple(map(int, places)))


def _unsqueezed(node: Node, array: _Array, axes: _Array | None = None) -> _Array:
    places = node.integers("axes") if axes is None else axes
    return numpy.expand_dims(array, tuple(map(int, places if places is not None else ())))


_FOLLOWED: Mapping[str, Callable[..., _Array]] = {
    "Identity": _same, "Cast": _same, "CastLike": _same, "QuantizeLinear": _same,  # what its codes stand for
    "DequantizeLinear": _dequantised, "Transpose": _transposed, "Reshape": _reshaped, "Flatten": _flattened,
    "Squeeze": _squeezed, "Unsqueeze": _unsqueezed,
}  # fmt: skip

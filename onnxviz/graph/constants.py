"""Arrays that a model holds: tensors, sparse tensors and all forms of the Constant operator."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy
import onnx
from onnx import TensorProto, numpy_helper

from onnxviz.errors import ModelError
from onnxviz.graph.attributes import attribute_value
from onnxviz.words import quoted

Stored = TensorProto | onnx.SparseTensorProto | numpy.ndarray[Any, Any]
"""What holds a constant: a tensor of the file, or the array of a Constant node's numbers."""

_LARGEST_DENSE = 1 << 20


def constant_of(node: onnx.NodeProto) -> Stored | None:
    """Return what a Constant node holds, whichever of its attributes holds it."""
    for attribute in node.attribute:
        value = attribute_value(attribute, None)
        if attribute.name in {"value", "sparse_value"}:
            return value if isinstance(value, TensorProto | onnx.SparseTensorProto) else None
        if attribute.name in _CONSTANT_DTYPES and value is not None:
            try:
                return numpy.asarray(value, dtype=_CONSTANT_DTYPES[attribute.name])
            except (TypeError, ValueError, OverflowError) as error:
                name = quoted(next(iter(node.output), node.name))
                raise ModelError(f"the Constant {name} is damaged: its {attribute.name} {error}") from None
    return None


def dims_of(stored: Stored) -> tuple[int, ...]:
    """Return the shape of a constant, wherever its data lie."""
    return stored.shape if isinstance(stored, numpy.ndarray) else tuple(stored.dims)


def array_of(stored: Stored) -> numpy.ndarray[Any, Any] | None:
    """Return a constant as an array, or None where its data lie outside.

    Raises:
        ValueError, TypeError, KeyError, IndexError: The data do not fill the shape that they claim.
    """
    if isinstance(stored, onnx.SparseTensorProto):
        return _dense(stored)
    return _array(stored) if isinstance(stored, TensorProto) else stored


def _array(tensor: TensorProto) -> numpy.ndarray[Any, Any] | None:
    if tensor.data_location == TensorProto.EXTERNAL:
        return None
    return numpy_helper.to_array(tensor)


def _dense(sparse: onnx.SparseTensorProto) -> numpy.ndarray[Any, Any] | None:
    """Return a sparse tensor as an array, unless its shape asks for more than a small one."""
    values, indices = _array(sparse.values), _array(sparse.indices)
    if values is None or indices is None or math.prod(sparse.dims) > _LARGEST_DENSE:
        return None
    dense = numpy.zeros(tuple(sparse.dims), dtype=values.dtype)
    if indices.ndim == 1:
        dense.reshape(-1)[indices] = values
    else:
        dense[tuple(indices.T)] = values
    return dense


_CONSTANT_DTYPES: Mapping[str, Any] = {
    "value_float": numpy.float32,
    "value_floats": numpy.float32,
    "value_int": numpy.int64,
    "value_ints": numpy.int64,
    "value_string": object,
    "value_strings": object,
}

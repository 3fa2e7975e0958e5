"""A batch norm that Keras 3 writes as a product and a sum becomes the one operator that it is.

Before: `x -> Mul(constant, one number a channel) -> Add(constant, one number a channel) -> t`
After:  `x -> BatchNormalization(scale, bias, mean 0, variance 1, epsilon 0) -> t`, with the same two constants

1. Only where `t` is what a BatchNormalization layer makes, and the product has no other reader.
2. Only where channels are the second axis, as in a convolution's NCHW.

The numbers are the same: with variance 1 and epsilon 0 the operator computes x * scale + bias. Onnxruntime then folds
it into the convolution where nothing else reads that, and a reader sees a norm instead of a product and a sum.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy
import numpy.typing as npt
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from .onnx_nodes import makers


def join_batch_norms(proto: ModelProto, values: set[str]) -> int:
    """Join the pairs that make the given values, in place, and return how many there were."""
    graph = proto.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    places = makers(graph)
    reads = Counter(name for node in graph.node for name in node.input)
    outputs = {info.name for info in graph.output}
    gone = []
    for value in values:
        if value not in places:
            continue
        add = graph.node[places[value]]
        inner, bias = _constant_side(add, "Add", weights)
        source = places.get(inner)
        if source is None or reads[inner] != 1 or inner in outputs or inner in values:
            continue
        data, scale = _constant_side(graph.node[source], "Mul", weights)
        arrays = [numpy_helper.to_array(weights[name]) for name in (scale, bias) if name]
        if len(arrays) != 2 or not all(_is_by_channel(array) for array in arrays) or arrays[0].size != arrays[1].size:
            continue
        _rewrite(graph, add, data, arrays[0].ravel(), arrays[1].ravel())
        gone.append(source)
    for place in sorted(gone, reverse=True):
        del graph.node[place]
    return len(gone)


def _constant_side(node: NodeProto, op: str, weights: dict[str, TensorProto]) -> tuple[str, str]:
    """Return the computed and the constant input of a node, both empty where it is another operator or has no such."""
    if node.op_type != op or len(node.input) != 2:
        return "", ""
    constant = [name for name in node.input if name in weights]
    other = [name for name in node.input if name not in weights]
    return (other[0], constant[0]) if len(constant) == 1 and len(other) == 1 else ("", "")


def _is_by_channel(array: npt.NDArray[Any]) -> bool:
    """Return whether an array has a shape such as (1, C, 1, 1) or (C, 1, 1)."""
    shape = list(array.shape)
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    return str(array.dtype) == "float32" and len(shape) >= 2 and shape[0] > 0 and all(size == 1 for size in shape[1:])


def _rewrite(graph: GraphProto, node: NodeProto, data: str, scale: npt.NDArray[Any], bias: npt.NDArray[Any]) -> None:
    name = node.output[0]
    arrays = {
        "scale": scale,
        "bias": bias,
        "mean": numpy.zeros_like(scale),
        "variance": numpy.ones_like(scale),
    }
    for part, array in arrays.items():
        graph.initializer.append(numpy_helper.from_array(numpy.ascontiguousarray(array), f"{name}__{part}"))
    node.op_type = "BatchNormalization"
    del node.input[:]
    node.input.extend([data, *(f"{name}__{part}" for part in arrays)])
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("epsilon", 0.0))

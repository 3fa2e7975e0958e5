"""The kernel of a layer, as the numbers that the layer multiplies by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onnxviz.graph.cut import cut
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.layer import Layer
from onnxviz.graph.node import Node
from onnxviz.graph.operators.table import operator_of
from onnxviz.graph.shuffled_kernels import kernel_place
from onnxviz.inference.inference import Inference
from onnxviz.inference.run_plan import skeleton_of
from onnxviz.layout import Array
from onnxviz.runtime.session import RunOptions


def kernel_of(inference: Inference, layer: Layer, options: RunOptions | None = None) -> Array | None:
    """Return the kernel of a layer, `(filters, channels, ...)` or the matrix of a product; None where it has none.

    onnxruntime reads it from the model's file, and computes it where the model does so, as where it is kept in int8.
    Codes whose scale the node is given are what they stand for.

    Raises:
        RunError: onnxruntime is missing or fails.
    """
    node = None if layer.inside else inference.graph.producers.get(layer.output)
    place = None if node is None else kernel_place(inference.graph, node)
    if node is None or place is None:
        return None
    values = [node.inputs[place], *_code_values(inference.graph, node, place)]
    part = cut(inference.graph, values, inference.types)
    kernel, *scales = inference.executor(options).open(skeleton_of(part)).run({}, values)
    if scales:
        kernel = _numbers(kernel, scales, _scaled_axis(node, kernel.ndim))
    # The filters of a transposed convolution lie along its second axis.
    filters: Array = kernel.swapaxes(0, 1) if node.operator == "ConvTranspose" else kernel
    return filters


def _code_values(graph: Graph, node: Node, place: int) -> Sequence[str]:
    """Return the scale and the zero point of a kernel of codes, which stand behind it in `QLinearConv` and its kin."""
    values = () if operator_of(node).output_scale is None else node.inputs[place + 1 : place + 3]
    return [value for value in values if value] if all(map(graph.is_constant, filter(None, values))) else ()


def _numbers(codes: Array, scales: Sequence[Array], axis: int) -> Array:
    """Return what codes stand for; scale and zero point are one number each, or one for each place along an axis."""
    along = [-1 if place == axis else 1 for place in range(codes.ndim)]
    scale, zero = (each.astype(np.float32).reshape(along) for each in (*scales, np.zeros(1))[:2])
    numbers: Array = (codes.astype(np.float32) - zero) * scale
    return numbers


def _scaled_axis(node: Node, rank: int) -> int:
    """Return the axis of a kernel along which its scales differ: that of the filters."""
    filters_first = rank > 2 or (node.operator == "QGemm" and node.integer("transB", 0))
    return 0 if filters_first else rank - 1

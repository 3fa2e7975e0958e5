"""The kernel of a layer, as the numbers that the layer multiplies by."""

from __future__ import annotations

from onnxviz.graph.cut import cut
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.layer import Layer
from onnxviz.graph.node import Node
from onnxviz.graph.operators.table import operator_of
from onnxviz.inference.inference import Inference
from onnxviz.inference.run_plan import skeleton_of
from onnxviz.layout import Array
from onnxviz.runtime.session import RunOptions


def kernel_of(inference: Inference, layer: Layer, options: RunOptions | None = None) -> Array | None:
    """Return the kernel of a layer, `(filters, channels, ...)` or the matrix of a product; None where it has none.

    onnxruntime reads it from the model's file, and computes it where the model does so, as where it is kept in int8.

    Raises:
        RunError: onnxruntime is missing or fails.
    """
    node = inference.graph.nodes[layer.index]
    value = None if layer.inside else _kernel_value(inference.graph, node)
    if value is None:
        return None
    part = cut(inference.graph, [value], inference.types)
    (array,) = inference.executor(options).open(skeleton_of(part)).run({}, [value])
    # The filters of a transposed convolution lie along its second axis.
    kernel: Array = array.swapaxes(0, 1) if node.operator == "ConvTranspose" else array
    return kernel


def _kernel_value(graph: Graph, node: Node) -> str | None:
    """Return the first weight of a node that has at least two axes and is the same whatever is fed."""
    values = [node.inputs[place] for place in operator_of(node).weights if place < len(node.inputs)]
    dims = ((value, graph.dims(value)) for value in values if value and graph.is_constant(value))
    return next((value for value, sizes in dims if sizes is None or len(sizes) > 1), None)

"""Nodes that contradict themselves are unknown operators: listing goes on, at no cost and without a traceback."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from onnxviz.errors import OnnxvizError
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import catalogue
from onnxviz.graph.operators.region import region
from onnxviz.graph.shapes import infer_types
from tests.cost import counted

HUGE = 1 << 40
X, W = "x", "w"

MALFORMED: list[tuple[str, list[str], dict[str, Any]]] = [
    ("Conv", [], {}),
    ("Conv", [X, W], {"strides": [0, 0]}),
    ("Conv", [X, W], {"strides": [1]}),
    ("Conv", [X, W], {"strides": 1}),
    ("Conv", [X, W], {"kernel_shape": "ab"}),
    ("Conv", [X, W], {"auto_pad": 3}),
    ("Conv", [X, W], {"group": 0}),
    ("Conv", [X, W], {"group": -1}),
    ("Conv", [X, W], {"dilations": [HUGE, HUGE]}),
    ("Conv", [X, W], {"auto_pad": "SAME_UPPER", "strides": [HUGE, HUGE]}),
    ("Conv", [X, W], {"kernel_shape": [HUGE, HUGE]}),
    ("ConvTranspose", [X, W], {"strides": [0, 0]}),
    ("ConvTranspose", [X, W], {"strides": [HUGE, HUGE]}),
    ("ConvTranspose", [X, W], {"kernel_shape": [HUGE, HUGE]}),
    ("ConvTranspose", [X, W], {"pads": [1]}),
    ("ConvTranspose", [X, W], {"output_shape": [1]}),
    ("DepthToSpace", [X], {"blocksize": HUGE}),
    ("DepthToSpace", [X], {}),
    ("SpaceToDepth", [X], {}),
    ("SpaceToDepth", [X], {"blocksize": HUGE}),
    ("Add", ["", W], {}),
    ("QuantizeLinear", [], {}),
    ("Mul", ["", X], {}),
    ("ReduceMean", [], {}),
    ("ReduceMean", [X], {"axes": 2}),
    ("Concat", [], {"axis": 1}),
    ("Transpose", [X], {"perm": [0, 0, 0, 0]}),
    ("Transpose", [X], {"perm": [0, 1]}),
    ("Softmax", [X], {"axis": 99}),
    ("Softmax", [X], {"axis": 1.5}),
    ("Squeeze", [X, W], {}),
    ("Unsqueeze", [X, W], {}),
    ("Gather", [X], {}),
    ("Gather", [X, W], {"axis": 77}),
    ("Resize", [X, "", W], {}),
    ("Upsample", [X], {"scales": [float("nan")] * 4}),
    ("Upsample", [X], {"scales": [1.0]}),
    ("Slice", [X, W, W, W, W], {}),
    ("Pad", [X, W], {}),
    ("Pad", [X], {"pads": [1]}),
    ("Tile", [X, W], {}),
    ("Split", [X], {"axis": 9}),
    ("MatMul", [X], {}),
    ("QLinearConv", [X], {}),
    ("LRN", [], {}),
    ("Gemm", [], {}),
    ("MeanVarianceNormalization", [X], {"axes": 3}),
    ("Relu", [], {}),
    ("Attention", [X], {}),
    ("LayerNormalization", [], {}),
    ("CumSum", [X, W], {}),
    ("ArgMax", [X], {"axis": "z"}),
    ("Reshape", [X, W], {}),
    ("Flatten", [X], {"axis": -9}),
]


@pytest.mark.parametrize(("op", "inputs", "attributes"), MALFORMED)
def test_a_node_that_contradicts_itself(op: str, inputs: list[str], attributes: dict[str, Any]) -> None:
    values = helper.make_tensor_value_info
    proto = helper.make_graph(
        [
            helper.make_node(op, inputs, ["a"], name="bad", **attributes),
            helper.make_node("Conv", ["a", W], ["b"], name="after"),
            helper.make_node("Conv", [X, W], ["y"], name="good"),
        ],
        "malformed",
        [values(X, onnx.TensorProto.FLOAT, [1, 3, 8, 8])],
        [values("y", onnx.TensorProto.FLOAT, None), values("b", onnx.TensorProto.FLOAT, [1, 3, 8, 8])],
        [numpy_helper.from_array(np.ones((3, 3, 1, 1), np.float32), W)],
    )
    graph = Graph.from_proto(helper.make_model(proto, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))
    # A sound node in its place takes 4,000 lines and 20 kB; a rule that counts to its absurd number takes more.
    with counted(lines=20_000, peak=1 << 18):
        types = {**infer_types(graph)}
        layers = {layer.name: layer for layer in catalogue(graph, types)}
        assert layers["good"].receptive_field is not None
        assert layers["good"].receptive_field.size == (1, 1)
        with suppress(OnnxvizError):
            region(graph, types, "b", (0, 0))

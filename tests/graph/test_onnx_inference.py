"""Shapes go through onnxruntime's own operators: what is inferred is held against what onnxruntime itself computes."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from onnxviz.graph.graph import Graph
from onnxviz.graph.shapes import infer_types

RANDOM = np.random.default_rng(0)


def floats(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return RANDOM.random(shape).astype(dtype)


TOKENS = {"x": floats(2, 5, 8), "in1": floats(2, 5, 8), "g": floats(8), "b": floats(8)}
CODES = {"s": np.float32(0.02), "z": np.uint8(3)}
WORDS = {"ids": RANDOM.integers(0, 9, (2, 5)).astype(np.int32)}
# The operator, its inputs, the names of its outputs, its attributes, and the arrays that it reads: `x` and what
# begins with `ids` or `in` are inputs of the model, the others constants.
NODES = {
    "FusedMatMul": ("x k", "y", {"transA": 1, "transB": 1}, {"x": floats(2, 3, 4, 5), "k": floats(6, 4)}),
    "FusedMatMul of vectors": ("x k", "y", {}, {"x": floats(2, 4), "k": floats(4)}),
    "MatMulNBits": (
        "x k s",
        "y",
        {"K": 32, "N": 6, "bits": 4, "block_size": 16},
        {"x": floats(2, 3, 32), "k": np.zeros((6, 2, 8), np.uint8), "s": floats(12)},
    ),
    "Attention": (
        "x k b",
        "y",
        {"num_heads": 2},
        {"x": floats(2, 5, 8), "k": floats(8, 24), "b": floats(24)},
    ),
    "Attention of other widths": (
        "x k b",
        "y",
        {"num_heads": 2, "qkv_hidden_sizes": [8, 8, 4]},
        {"x": floats(2, 5, 8), "k": floats(8, 20), "b": floats(20)},
    ),
    "QAttention": (
        "inq k b s s  z z",
        "y",
        {"num_heads": 2},
        {"inq": np.zeros((2, 5, 8), np.uint8), "k": np.zeros((8, 24), np.uint8), "b": floats(24), **CODES},
    ),
    "MultiHeadAttention": (
        "x in1 in2",
        "y",
        {"num_heads": 2},
        {"x": floats(2, 5, 8), "in1": floats(2, 7, 8), "in2": floats(2, 7, 4)},
    ),
    "MultiHeadAttention of heads": (
        "x in1 in2",
        "y",
        {"num_heads": 2},
        {"x": floats(2, 5, 8), "in1": floats(2, 2, 7, 4), "in2": floats(2, 2, 7, 4)},
    ),
    "EmbedLayerNormalization": (
        "ids  w p  g b ",
        "y m e",
        {},
        {**WORDS, "w": floats(9, 8), "p": floats(6, 8), "g": floats(8), "b": floats(8)},
    ),
    "SkipLayerNormalization": ("x in1 g b", "y   e", {}, TOKENS),
    "SkipSimplifiedLayerNormalization": ("x in1 g", "y   e", {}, TOKENS),
    "BiasGelu": ("x b", "y", {}, {"x": floats(2, 5, 8), "b": floats(8)}),
    "FastGelu": ("x", "y", {}, {"x": floats(2, 5, 8)}),
    "QuickGelu": ("x", "y", {}, {"x": floats(2, 5, 8)}),
    "RotaryEmbedding": (
        "x ids64 c c",
        "y",
        {},
        {"x": floats(2, 2, 5, 8), "ids64": np.arange(5)[None].repeat(2, 0), "c": floats(6, 4)},
    ),
    "DynamicQuantizeLSTM": (
        "x k r      s1 z1 s1 z1",
        "y",
        {"hidden_size": 4, "direction": "bidirectional"},
        {
            "x": floats(5, 2, 3),
            "k": np.zeros((2, 3, 16), np.uint8),
            "r": np.zeros((2, 4, 16), np.uint8),
            "s1": floats(2),
            "z1": np.zeros(2, np.uint8),
        },
    ),
    "QLinearWhere": (
        "c inq s z k s z s z",
        "y",
        {},
        {"c": np.ones(3, bool), "inq": np.zeros((2, 3), np.uint8), "k": np.zeros((4, 1, 1), np.uint8), **CODES},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NODES)
def test_shapes_go_through_operators_of_onnxruntime(case: str) -> None:
    inputs, outputs, attributes, arrays = NODES[case]
    op = case.split(" ")[0]
    node = helper.make_node(op, inputs.split(" "), outputs.split(" "), domain="com.microsoft", **attributes)
    fed = {name: array for name, array in arrays.items() if name == "x" or name.startswith(("in", "ids"))}
    specs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in fed.items()
    ]
    constants = [numpy_helper.from_array(array, name) for name, array in arrays.items() if name not in fed]
    made = [name for name in outputs.split(" ") if name and name != "m"]
    graph = helper.make_graph([node], "g", specs, [onnx.ValueInfoProto(name=name) for name in made], constants)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    types = infer_types(Graph.from_proto(model))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    for name, array in zip(made, session.run(made, fed), strict=True):
        assert (types[name].shape, types[name].dtype) == (array.shape, str(array.dtype))


def test_an_operator_that_breaks_its_definition_has_no_shape() -> None:
    text = """<ir_version: 8, opset_import: ["": 17, "com.microsoft": 1]> g (float[2,3] x) => (y, z)
        <float[3,4] k = {1,1,1,1,1,1,1,1,1,1,1,1}>
    {
        y = com.microsoft.MatMulNBits <K="three"> (x, k, k)
        z = com.microsoft.MultiHeadAttention (x)
    }"""
    types = infer_types(Graph.from_proto(onnx.parser.parse_model(text)))
    assert all(types[name].shape is None for name in "yz" if name in types)

"""The sizes that a graph demands: onnxruntime takes an input of these sizes, and refuses one that is larger by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from onnxviz.graph.graph import Graph
from onnxviz.graph.operators.demanded_sizes import demanded_sizes
from onnxviz.graph.shapes import infer_types


def model(nodes: str, rank: int, constants: dict[str, Sequence[int]]) -> onnx.ModelProto:
    axes = ", ".join("abcde"[:rank])
    text = f'<ir_version: 8, opset_import: ["" : 17]> g (float[{axes}] x) => (float y) {{ {nodes} }}'
    proto = onnx.parser.parse_model(text)
    del proto.graph.output[0].type.tensor_type.shape.dim[:]
    proto.graph.output[0].type.tensor_type.ClearField("shape")
    arrays = {name: np.ones(shape, np.float32) for name, shape in constants.items()}
    proto.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in arrays.items())
    return proto


@pytest.mark.parametrize(
    ("nodes", "constants", "sizes"),
    [
        ("y = MatMul (x, w)", {"w": (9, 4)}, (None, None, 9)),
        ("y = MatMul (x, w)", {"w": (9,)}, (None, 9)),
        ("y = MatMul (w, x)", {"w": (2, 9)}, (9, None)),
        ("y = Gemm (x, w)", {"w": (9, 4)}, (None, 9)),
        ("y = Gemm <transB = 1> (x, w)", {"w": (4, 9)}, (None, 9)),
        ("y = Gemm <transA = 1> (x, w)", {"w": (9, 4)}, (9, None)),
        ("r = Relu (x) y = MatMul (r, w)", {"w": (9, 4)}, (None, 9)),
        ("t = Transpose <perm = [0, 2, 1]> (x) y = MatMul (t, w)", {"w": (9, 4)}, (None, 9, None)),
        ("i = Identity (w) y = MatMul (x, i)", {"w": (9, 4)}, (None, 9)),
        ("y = Add (x, p)", {"p": (1, 7, 9)}, (None, 7, 9)),
        ("y = Mul (p, x)", {"p": (9,)}, (None, 9)),
        ("m = MatMul (x, w) y = Add (m, p)", {"w": (9, 4), "p": (7, 4)}, (None, 7, 9)),
        ("y = Conv (x, w)", {"w": (4, 9, 1, 1)}, (None, 9, None, None)),
        ("y = Conv <group = 3> (x, w)", {"w": (3, 2, 1, 1)}, (None, 6, None, None)),
        ("y = ConvTranspose (x, w)", {"w": (9, 4, 1)}, (None, 9, None)),
        ("y = BatchNormalization (x, s, s, s, s)", {"s": (9,)}, (None, 9, None, None)),
        ("y = LayerNormalization (x, s)", {"s": (9,)}, (None, None, 9)),
        ("y = LSTM <hidden_size = 2> (x, w, r)", {"w": (1, 8, 9), "r": (1, 8, 2)}, (None, None, 9)),
        ("y = Relu (x)", {}, (None, None)),
        ("p = MaxPool <kernel_shape = [2]> (x) y = MatMul (p, w)", {"w": (9, 4)}, (None, None, None)),
    ],
)
def test_sizes_that_constants_demand(
    nodes: str, constants: dict[str, Sequence[int]], sizes: tuple[int | None, ...]
) -> None:
    proto = model(nodes, len(sizes), constants)
    graph = Graph.from_proto(proto)
    assert demanded_sizes(graph, infer_types(graph)).get("x", (None,) * len(sizes)) == sizes
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    asked = [axis for axis, size in enumerate(sizes) if size is not None]
    fitting = [size or (2 if asked else 3) for size in sizes]
    if asked:
        session.run(None, {"x": np.ones(fitting, np.float32)})
    if "LSTM" in nodes and onnxruntime.__version__.startswith("1.24."):
        pytest.skip("onnxruntime 1.24 does not check the size")
    for axis in asked:
        other = [size + (place == axis) for place, size in enumerate(fitting)]
        with pytest.raises(Exception, match="ONNXRuntimeError"):
            session.run(None, {"x": np.ones(other, np.float32)})


def test_what_the_model_fixes_is_not_demanded() -> None:
    proto = model("y = MatMul (x, w)", 2, {"w": (9, 4)})
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 9
    graph = Graph.from_proto(proto)
    assert demanded_sizes(graph, infer_types(graph)) == {}

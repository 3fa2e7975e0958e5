"""A product and a sum that are a batch norm become one: judged by onnx.reference."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from onnxviz.conversion.child.batch_norms import join_batch_norms

SCALE, BIAS = np.array([2, -1, 0.5], np.float32), np.array([1, 0, -3], np.float32)
IMAGE = np.random.default_rng(1).standard_normal((2, 3, 4, 4)).astype(np.float32)


def model(
    shape: tuple[int, ...] = (1, 3, 1, 1), outputs: tuple[str, ...] = ("y",), swapped: bool = False
) -> onnx.ModelProto:
    arrays = [numpy_helper.from_array(array.reshape(shape), name) for array, name in ((SCALE, "s"), (BIAS, "b"))]
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["s", "x"] if swapped else ["x", "s"], ["m"]),
            helper.make_node("Add", ["b", "m"] if swapped else ["m", "b"], ["t"]),
            helper.make_node("Relu", ["t"], ["y"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 4, 4])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3, 4, 4]) for name in outputs],
        arrays,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def read_twice() -> onnx.ModelProto:
    proto = model(outputs=("y", "other"))
    proto.graph.node.append(helper.make_node("Tanh", ["m"], ["other"]))
    return proto


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (3, 1, 1)])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_pair_becomes_one_norm(shape: tuple[int, ...], swapped: bool) -> None:
    proto = model(shape, swapped=swapped)
    assert join_batch_norms(proto, {"t"}) == 1
    assert [node.op_type for node in proto.graph.node] == ["BatchNormalization", "Relu"]
    onnx.checker.check_model(proto, full_check=True)
    (found,) = ReferenceEvaluator(proto).run(None, {"x": IMAGE})
    by_hand = np.maximum(IMAGE * SCALE[:, None, None] + BIAS[:, None, None], 0)
    np.testing.assert_allclose(found, by_hand, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("proto", "values"),
    [
        (model(), {"y"}),
        (model(), set()),
        (model(), {"t", "m"}),  # the product is a layer of its own
        (model(outputs=("y", "m")), {"t"}),
        (read_twice(), {"t"}),
        (model(shape=(3,)), {"t"}),  # along the width
    ],
)
def test_what_is_no_norm_stays(proto: onnx.ModelProto, values: set[str]) -> None:
    if any(tensor.dims == [3] for tensor in proto.graph.initializer):
        proto.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 3
    before = proto.SerializeToString()
    assert join_batch_norms(proto, values) == 0
    assert proto.SerializeToString() == before

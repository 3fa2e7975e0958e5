"""Kept tensors become inner values again: small graphs as tf2onnx leaves them, judged by onnx.reference."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from onnxviz.conversion.child.exchange import Kept
from onnxviz.conversion.child.strip import strip

TO_LAST, TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
IMAGE = np.random.default_rng(1).standard_normal((2, 6, 6, 3)).astype(np.float32)


def transpose(source: str, result: str, order: list[int]) -> onnx.NodeProto:
    return helper.make_node("Transpose", [source], [result], perm=order)


def model(nodes: list[onnx.NodeProto], outputs: list[str]) -> onnx.ModelProto:
    weights = np.random.default_rng(2).standard_normal((4, 3, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [transpose("image", "i", TO_FIRST), helper.make_node("Conv", ["i", "w"], ["c"]), *nodes],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, 6, 6, 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(weights, "unread")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def values(proto: onnx.ModelProto, names: list[str]) -> list[np.ndarray]:
    probe = onnx.ModelProto()
    probe.CopyFrom(proto)
    del probe.graph.output[:]
    probe.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    return list(ReferenceEvaluator(probe).run(None, {"image": IMAGE}))


def stripped(
    nodes: list[onnx.NodeProto], public: list[str], kept: list[str]
) -> tuple[onnx.ModelProto, dict[str, Kept]]:
    """Strip, and check that public and kept tensors still have their values, in the order that `strip` returns."""
    proto = model(nodes, public + kept)
    expected = values(proto, public + kept)
    where = strip(proto, kept)
    assert [info.name for info in proto.graph.output] == public
    found = values(proto, public + [where[name]["value"] for name in kept])
    for name, before, after in zip(public + kept, expected, found, strict=True):
        order = where[name]["order"] if name in where else None
        np.testing.assert_array_equal(before, after if order is None else after.transpose(order), name)
    return proto, where


def operators(proto: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in proto.graph.node]


PAIR = [
    transpose("c", "kept:0", TO_LAST),
    transpose("kept:0", "d", TO_FIRST),
    helper.make_node("Relu", ["d"], ["r"]),
    transpose("r", "out", TO_LAST),
]


def test_a_pair_of_transposes_through_a_kept_tensor_goes() -> None:
    proto, where = stripped(PAIR, ["out"], ["kept:0"])
    assert where == {"kept:0": Kept(value="kept:0", order=TO_LAST)}
    assert operators(proto) == ["Transpose", "Conv", "Relu", "Transpose"]
    assert list(proto.graph.node[1].output) == ["kept:0"]
    assert [tensor.name for tensor in proto.graph.initializer] == ["w"]


def test_what_still_reads_the_transposed_value_does() -> None:
    flat = helper.make_node("Flatten", ["kept:0"], ["out"])
    proto, where = stripped([transpose("c", "kept:0", TO_LAST), flat], ["out"], ["kept:0"])
    assert where == {"kept:0": Kept(value="kept:0", order=TO_LAST)}
    assert operators(proto) == ["Transpose", "Conv", "Transpose", "Flatten"]
    assert list(proto.graph.node[3].input) == ["kept:0__channels_last"]


def test_two_kept_tensors_of_one_value_are_one() -> None:
    nodes = [*PAIR, helper.make_node("Identity", ["kept:0"], ["again:0"])]
    _, where = stripped(nodes, ["out"], ["kept:0", "again:0"])
    assert where["again:0"]["value"] in (where["kept:0"]["value"], "kept:0__channels_last")


def test_a_kept_tensor_that_is_a_public_output_has_its_name() -> None:
    nodes = [helper.make_node("Relu", ["c"], ["kept:0"]), helper.make_node("Identity", ["kept:0"], ["out"])]
    proto, where = stripped(nodes, ["out"], ["kept:0"])
    assert where == {"kept:0": Kept(value="out", order=None)}
    assert operators(proto) == ["Transpose", "Conv", "Relu"]


def test_what_nothing_reads_goes() -> None:
    proto, _ = stripped([*PAIR, helper.make_node("Tanh", ["c"], ["nobody"])], ["out"], ["kept:0"])
    assert "Tanh" not in operators(proto)


def test_values_that_a_body_captures_stay() -> None:
    body = helper.make_graph(
        [helper.make_node("Tanh", ["c"], ["inner"])],
        "body",
        [],
        [helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)],
    )
    nodes = [
        helper.make_node("Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True))),
        transpose("c", "kept:0", TO_LAST),
        helper.make_node("If", ["yes"], ["out"], then_branch=body, else_branch=body),
    ]
    proto, _ = stripped(nodes, ["out"], ["kept:0"])
    assert "Conv" in operators(proto)

"""Readers read what is supplied, and values are computed as before: small graphs worked out on paper."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from onnxviz.graph.graph import Graph
from onnxviz.graph.supply import random_values, supply

X = np.array([1, 2], np.float32)
OTHER = np.array([10, 20], np.float32)


def graph_of(nodes: list[onnx.NodeProto], outputs: list[str]) -> Graph:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in outputs],
    )
    return Graph.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))


def run(graph: Graph, feed: dict[str, np.ndarray]) -> list[list[float]]:
    onnx.checker.check_model(graph.proto)
    return [array.tolist() for array in ReferenceEvaluator(graph.proto).run(None, {"x": X, **feed})]


def test_readers_read_what_is_supplied_and_the_value_itself_is_computed() -> None:
    double, less = helper.make_node("Add", ["x", "x"], ["d"]), helper.make_node("Sub", ["d", "x"], ["y"])
    supplied, feed = supply(graph_of([double, less], ["d", "y"]), {"d": OTHER})
    assert run(supplied, feed) == [[2, 4], [9, 18]]


def test_an_input_can_be_supplied_as_well() -> None:
    supplied, feed = supply(graph_of([helper.make_node("Neg", ["x"], ["y"])], ["y"]), {"x": OTHER})
    assert run(supplied, feed) == [[-10, -20]]


def test_bodies_read_what_is_supplied() -> None:
    made = helper.make_tensor_value_info("b", TensorProto.FLOAT, [2])
    body = helper.make_graph([helper.make_node("Neg", ["d"], ["b"])], "then", [], [made])
    other = helper.make_graph(
        [helper.make_node("Identity", ["d"], ["c"])],
        "else",
        [],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, [2])],
    )
    nodes = [
        helper.make_node("Add", ["x", "x"], ["d"]),
        helper.make_node("Constant", [], ["yes"], value=helper.make_tensor("v", TensorProto.BOOL, [], [True])),
        helper.make_node("If", ["yes"], ["y"], then_branch=body, else_branch=other),
    ]
    supplied, feed = supply(graph_of(nodes, ["y"]), {"d": OTHER})
    assert run(supplied, feed) == [[-10, -20]]


def test_the_graph_given_is_not_changed() -> None:
    graph = graph_of([helper.make_node("Neg", ["x"], ["y"])], ["y"])
    before = graph.to_bytes()
    supply(graph, {"x": OTHER})
    assert graph.to_bytes() == before


def test_what_follows_random_numbers_is_random_until_it_is_supplied() -> None:
    nodes = [
        helper.make_node("RandomNormalLike", ["x"], ["r"]),
        helper.make_node("Add", ["x", "r"], ["z"]),
        helper.make_node("Neg", ["z"], ["y"]),
        helper.make_node("Neg", ["x"], ["w"]),
    ]
    graph = graph_of(nodes, ["y", "w"])
    assert random_values(graph) == {"r", "z", "y"}
    assert random_values(supply(graph, {"z": OTHER})[0]) == {"r", "z"}

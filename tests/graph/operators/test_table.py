"""The table of operators: a name counts in its own domain only, and a fault of a rule shows as one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from onnx import parser

from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import Layer, catalogue
from onnxviz.graph.operators import table
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.graph.operators.layouts import follow_axes
from onnxviz.graph.operators.receptive_field import receptive_fields
from onnxviz.graph.shapes import infer_types

HEAD = '<ir_version: 10, opset_import: ["": 17, "com.acme": 1, "com.microsoft": 1, "com.ms.internal.nhwc": 17]>\n'


def graph_of(nodes: str, more: str = "") -> Graph:
    return Graph.from_proto(
        parser.parse_model(f"{HEAD}g (float[1,3,8,8] x, float[4,3,1,1] w) => (float[] y) {{ {nodes} }}\n{more}")
    )


def layers_of(graph: Graph) -> dict[str, Layer]:
    return {layer.output: layer for layer in catalogue(graph, infer_types(graph), every=True)}


def test_a_transpose_of_another_domain_carries_no_layout() -> None:
    graph = graph_of("c = Conv (x, w) y = com.acme.Transpose <perm=[0,2,3,1]> (c)")
    assert "y" not in follow_axes(graph, infer_types(graph))


def test_a_sigmoid_of_another_domain_is_part_of_no_nonlinearity() -> None:
    found = layers_of(graph_of("c = Conv (x, w) q = com.acme.Sigmoid (c) y = Mul (c, q)"))
    assert (found["c"].act, found["y"].kind) == ("c", "other")
    found = layers_of(graph_of("c = Conv (x, w) q = Sigmoid (c) y = Mul (c, q)"))
    assert (found["c"].act, found["y"].kind) == ("y", "act")


def test_quantisers_of_another_domain_are_not_absorbed() -> None:
    found = layers_of(graph_of("c = Conv (x, w) q = com.acme.QuantizeLinear (c) y = com.acme.DequantizeLinear (q)"))
    assert found["c"].act == "c"


def test_a_function_of_the_model_is_not_the_operator_of_its_name() -> None:
    function = '<domain: "com.microsoft", opset_import: ["": 17]> Relu (a) => (b) { b = Neg (a) }'
    found = layers_of(graph_of("c = Conv (x, w) y = com.microsoft.Relu (c)", function))
    assert (found["c"].act, found["y"].kind) == ("c", "other")


def test_a_fusion_ends_with_no_operator_of_another_domain() -> None:
    ours, theirs = graph_of("c = Conv (x, w) y = Relu (c)"), graph_of("c = Conv (x, w) y = com.acme.Relu (c)")
    assert (ours.nodes[1].operator, theirs.nodes[1].operator) == ("Relu", "")


def test_onnxruntimes_graphs_with_channels_last_say_so() -> None:
    graph = graph_of("y = com.ms.internal.nhwc.Conv <kernel_shape=[1,1]> (x, w)")
    assert follow_axes(graph, infer_types(graph))["y"] == Axes("NHWC")
    assert layers_of(graph)["y"].kind == "conv"


@pytest.mark.parametrize("fault", [TypeError, AttributeError, ZeroDivisionError])
def test_a_fault_in_a_rule_is_not_taken_for_a_damaged_node(monkeypatch, fault: type[Exception]) -> None:
    def faulty(operand: object) -> None:
        raise fault("a fault of ours")

    known = table.OPERATORS["", "Relu"]
    monkeypatch.setitem(table.OPERATORS, ("", "Relu"), replace(known, reads=faulty))
    graph = graph_of("c = Conv (x, w) y = Relu (c)")
    types = infer_types(graph)
    for ask in (receptive_fields, follow_axes):
        with pytest.raises(fault, match="a fault of ours"):
            ask(graph, types)

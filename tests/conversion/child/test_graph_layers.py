"""Which nodes of a graph without other names are layers, with their tensors and layouts."""

from __future__ import annotations

import pytest

from onnxviz.conversion.child.graph_layers import layer_rows
from onnxviz.conversion.child.loaded import Row

from .fake_graph import graph_of, value

# As freezing leaves it: weights behind an Identity, nodes in any order.
NET = """
    net/scores = Softmax(net/flat)
    net/flat = Reshape(net/head/BiasAdd, net/sizes)
    net/sizes = ConcatV2(net/one, net/two)
    net/one = Const()
    net/two = Const()
    net/head/BiasAdd = BiasAdd(net/head/MatMul, net/head/bias/read)
    net/head/bias/read = Identity(net/one)
    net/head/MatMul = MatMul(net/pool, net/two)
    net/pool = MaxPool(net/stem/Relu)
    net/stem/Relu = Relu(net/stem/add)
    net/stem/add = AddV2(net/one, net/stem/conv)
    net/stem/conv = Conv2D(image, net/two)
    image = Placeholder()
"""


def test_layers_come_in_the_order_of_the_computation_each_with_its_bias() -> None:
    assert layer_rows(graph_of(NET)) == [
        Row("net/stem/conv", "Conv2D", "net/stem/add:0", "NHWC"),
        Row("net/stem/Relu", "Relu", "net/stem/Relu:0"),
        Row("net/pool", "MaxPool", "net/pool:0", "NHWC"),
        Row("net/head/MatMul", "MatMul", "net/head/BiasAdd:0"),
        Row("net/scores", "Softmax", "net/scores:0"),
    ]


def test_a_convolution_that_another_node_reads_too_keeps_its_own_value() -> None:
    rows = layer_rows(graph_of(f"{NET}\n net/other = Tanh(net/stem/conv)"))
    assert [(row.kind, row.tensor) for row in rows[:2]] == [
        ("Conv2D", "net/stem/conv:0"),
        ("AddV2", "net/stem/add:0"),
    ]


def test_a_sum_of_two_computed_values_is_not_a_bias() -> None:
    rows = layer_rows(graph_of("x = Placeholder()\n w = Const()\n c = Conv2D(x, w)\n s = Add(c, x)"))
    assert [(row.layer, row.tensor) for row in rows] == [("c", "c:0"), ("s", "s:0")]


@pytest.mark.parametrize(
    ("op", "written", "layout"),
    [
        ("Conv2D", b"NCHW", "NCHW"),
        ("Conv2D", b"", None),
        ("Conv2D", None, "NHWC"),
        ("ResizeBilinear", None, "NHWC"),
        ("Relu", b"NCHW", None),
    ],
)
def test_a_spatial_operator_says_its_layout(op: str, written: bytes | None, layout: str | None) -> None:
    graph = graph_of(f"x = Placeholder()\n a = {op}(x, y)")
    if written is not None:
        graph["a"].attr["data_format"] = value(s=written)
    assert [row.layout for row in layer_rows(graph)] == [layout]


def test_names_lose_what_tensorflow_put_around_them() -> None:
    graph = graph_of("x = Placeholder()\n StatefulPartitionedCall/net/act/Relu = Relu(x)")
    assert layer_rows(graph) == [Row("net/act/Relu", "Relu", "StatefulPartitionedCall/net/act/Relu:0")]

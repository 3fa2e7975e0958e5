"""Which tensors stay visible, of graphs that can be worked out by eye."""

from __future__ import annotations

from dataclasses import replace

import pytest

from onnxviz.conversion.child.exchange import Refusal
from onnxviz.conversion.child.loaded import Loaded, Row, chosen

from .fake_graph import graph_of

ROWS = [
    Row("block/conv", "Conv2D", "net_1/block/conv/Relu:0"),
    Row("block/norm", "BatchNormalization", "net_1/block/norm/add:0"),
    Row("head", "Dense", "net_1/head/out:0"),
    Row("flat", "Flatten", "image:0"),
]


def loaded() -> Loaded:
    graph = graph_of(
        """
        image = Placeholder()
        net_1/block/conv/w = Const()
        net_1/block/conv/Relu = Relu(image, net_1/block/conv/w)
        net_1/block/norm/add = Add(net_1/block/conv/Relu)
        net_1/head/out = MatMul(net_1/block/norm/add)
        """
    )
    return Loaded(graph, ["image:0"], ["net_1/head/out:0"], rows=ROWS)


def test_every_layer_stays_but_the_ends_of_the_graph() -> None:
    assert chosen(loaded(), [], fold=False) == ["net_1/block/conv/Relu:0", "net_1/block/norm/add:0"]
    assert chosen(loaded(), ["block/norm"], fold=False) == ["net_1/block/conv/Relu:0", "net_1/block/norm/add:0"]


def test_tensors_stand_in_the_order_of_the_graph_whatever_the_order_of_the_layers() -> None:
    turned = replace(loaded(), rows=ROWS[::-1])
    assert chosen(turned, [], fold=False) == ["net_1/block/conv/Relu:0", "net_1/block/norm/add:0"]


def test_layers_of_a_model_without_a_graph_keep_their_order() -> None:
    rows = [Row("b", "ADD", "net/b"), Row("a", "CONV_2D", "net/a"), Row("out", "SOFTMAX", "net/out")]
    lite = Loaded(None, ["x"], ["net/out"], rows=rows)
    assert chosen(lite, [], fold=False) == ["net/b", "net/a"]
    assert chosen(lite, ["a"], fold=True) == ["net/a"]


@pytest.mark.parametrize(
    ("keep", "found"),
    [
        ([], []),
        (["block/conv"], ["net_1/block/conv/Relu:0"]),
        (["norm"], ["net_1/block/norm/add:0"]),  # the end of a path is enough
        (["net_1/block/norm/add"], ["net_1/block/norm/add:0"]),
        (["net_1/block/norm/add:0", "block/conv"], ["net_1/block/conv/Relu:0", "net_1/block/norm/add:0"]),
        (["head", "net_1/block/conv/w"], []),  # an output, and a constant: both are there anyway
    ],
)
def test_folding_keeps_what_is_named(keep: list[str], found: list[str]) -> None:
    assert chosen(loaded(), keep, fold=True) == found


def test_a_wrong_name_offers_near_ones() -> None:
    with pytest.raises(Refusal, match=r"no layer 'block/cnv' to keep; did you mean .*block/conv") as caught:
        chosen(loaded(), ["block/cnv"], fold=True)
    assert caught.value.kind == "usage"

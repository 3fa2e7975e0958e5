"""Which tensors stay visible, of graphs that are only names."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from onnxviz.conversion.child.keep import chosen
from onnxviz.conversion.child.loaded import Loaded, Row
from onnxviz.conversion.child.report import Refusal

ROWS = [
    Row("block/conv", "Conv2D", "net_1/block/conv/Relu:0"),
    Row("block/norm", "BatchNormalization", "net_1/block/norm/add:0"),
    Row("head", "Dense", "net_1/head/out:0"),
    Row("flat", "Flatten", "image:0"),
]


def loaded() -> Loaded:
    names = "image net_1/block/conv/w net_1/block/conv/Relu net_1/block/norm/add net_1/head/out".split()
    nodes = [SimpleNamespace(name=name, op="Const" if name.endswith("/w") else "Op") for name in names]
    return Loaded(SimpleNamespace(node=nodes), ["image:0"], ["net_1/head/out:0"], rows=ROWS)


def test_every_layer_stays_but_the_ends_of_the_graph() -> None:
    assert chosen(loaded(), [], fold=False) == ["net_1/block/conv/Relu:0", "net_1/block/norm/add:0"]


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

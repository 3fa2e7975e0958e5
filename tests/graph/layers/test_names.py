"""Layers are called as the map of a conversion says, and their parts after them."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

import onnxviz
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import catalogue
from onnxviz.graph.shapes import infer_types


def mapped(path: Path, layers: dict[str, str], target: Path) -> onnxviz.Model:
    """Put a map from values to layers into a model's metadata."""
    proto = onnx.load(path)
    entries = [
        {"layer": name, "class": "Conv2D", "tensor": f"{name}:0", "value": value} for value, name in layers.items()
    ]
    proto.metadata_props.add(key="onnxviz.layers", value=json.dumps({"version": 1, "layers": entries}))
    onnx.save(proto, target)
    return onnxviz.open(target)


@pytest.mark.parametrize(
    ("layers", "names"),
    [
        ({}, ["conv", "relu", "pool"]),
        ({"c": "block/one"}, ["block/one", "relu", "pool"]),
        # Of a layer with its nonlinearity in it the convolution bears the name, and what makes its value is a part.
        ({"r": "block/one"}, ["block/one", "block/one/Relu", "pool"]),
        ({"c": "first", "r": "second"}, ["first", "second", "pool"]),
        # A name that is a value's of the model already is left to that.
        ({"r": "c"}, ["conv", "relu", "pool"]),
    ],
)
def test_names(layers: dict[str, str], names: list[str], doubling_model: Path, tmp_path: Path) -> None:
    model = mapped(doubling_model, layers, tmp_path / "mapped.onnx")
    assert list(model.layers) == names
    for name, value in zip(names, ("c", "r", "y"), strict=True):
        assert [layer.output for layer in model.select(f'"{name}"')] == [value]


@pytest.mark.parametrize(
    ("kind", "nodes", "expected"),
    [
        # A batch norm that follows no convolution, as tf2onnx writes it, and a norm to unit length.
        ("BatchNormalization", "s = Mul (x, w) y = Add (s, b)", "norm"),
        ("UnitNormalization", "q = ReduceSumSquare (x, last) r = Sqrt (q) y = Div (x, r)", "norm"),
        ("Add", "s = Mul (x, w) y = Add (s, b)", "add"),
        # Behind a convolution it is a part of that.
        ("BatchNormalization", "c = Conv (x, k) s = Mul (c, w) y = Add (s, b)", "other"),
    ],
)
def test_what_the_author_calls_a_norm_is_one(kind: str, nodes: str, expected: str) -> None:
    proto = onnx.parser.parse_model(
        f"""<ir_version: 8, opset_import: ["": 18]> g (float[1,2,4,4] x) => (float[1,2,4,4] y)
        <float[1,2,1,1] w = {{1,2}}, float[1,2,1,1] b = {{3,4}}, float[2,2,1,1] k = {{1,2,3,4}},
        int64[1] last = {{3}}> {{
            {nodes}
        }}"""
    )
    entries = [{"layer": "own", "class": kind, "tensor": "own:0", "value": "y"}]
    proto.metadata_props.add(key="onnxviz.layers", value=json.dumps({"version": 1, "layers": entries}))
    graph = Graph.from_proto(proto)
    assert catalogue(graph, infer_types(graph), every=True)[-1].kind == expected

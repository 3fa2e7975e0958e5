"""Layers are called as the map of a conversion says, and their parts after them."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest

import onnxviz


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

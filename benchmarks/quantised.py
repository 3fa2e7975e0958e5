"""Measures how true the layers of a quantised network are shown, for docs/benchmarks.md.

    python benchmarks/quantised.py [--work DIR]     about a minute

The bundled classifier, its weights made floats again, is quantised by onnxruntime in each of its forms, calibrated with
the bundled pictures. What is shown of a form's layers is compared with the float network's: the mean difference of a
layer over the standard deviation of the float layer.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.transformers.float16 import convert_float_to_float16

import onnxviz

MODELS = Path(__file__).resolve().parent.parent / "models"
PICTURES = sorted((MODELS / "pictures").glob("*.jpg"))
LAYERS = "conv,add,pool,dense"
STATIC = {
    "QDQ, uint8": (QuantFormat.QDQ, QuantType.QUInt8),
    "QDQ, int8": (QuantFormat.QDQ, QuantType.QInt8),
    "QDQ, uint16": (QuantFormat.QDQ, QuantType.QUInt16),
    "QOperator, uint8": (QuantFormat.QOperator, QuantType.QUInt8),
}


class Pictures(CalibrationDataReader):
    """Feeds the bundled pictures to the quantiser, as the model takes them."""

    def __init__(self, model: onnxviz.Model) -> None:
        self._feeds: Iterator[dict[str, np.ndarray]] = (dict(model.feed(path).arrays) for path in PICTURES)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._feeds, None)


def in_floats(path: Path) -> None:
    """Write the bundled classifier with its int8 weights as the floats that they stand for."""
    model = onnx.load(MODELS / "efficientnet_lite0_int8.onnx")
    stored = {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored:
            codes, scale = stored[node.input[0]], stored[node.input[1]]
            scale = scale.reshape(-1, *[1] * (codes.ndim - 1)) if scale.ndim else scale
            model.graph.initializer.append(numpy_helper.from_array(codes * scale.astype(np.float32), node.output[0]))
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    read = {value for node in nodes for value in node.input}
    kept = [weight for weight in model.graph.initializer if weight.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    onnx.save(model, path)


def forms(folder: Path) -> Iterator[tuple[str, Path]]:
    """Make each form of the network and give its name and file."""
    source = folder / "float.onnx"
    for name, (kind, dtype) in STATIC.items():
        path = folder / f"{name}.onnx"
        types = {"quant_format": kind, "activation_type": dtype, "weight_type": QuantType.QInt8}
        quantize_static(source, path, Pictures(onnxviz.open(source)), per_channel=True, **types)
        yield name, path
    quantize_dynamic(source, folder / "dynamic.onnx", weight_type=QuantType.QUInt8)
    yield "dynamic", folder / "dynamic.onnx"
    onnx.save(convert_float_to_float16(onnx.load(source), keep_io_types=True), folder / "float16.onnx")
    yield "float16", folder / "float16.onnx"


def layers_of(model: onnxviz.Model, picture: Path) -> dict[str, np.ndarray]:
    """Return what is shown of each layer, by its name in the float network."""
    shown = model.run(picture, layers=LAYERS, run=onnxviz.RunOptions(device="cpu"))
    return {name.removesuffix("_quant"): each.array.astype(np.float64) for name, each in shown.items()}


def moved(model: onnxviz.Model, picture: Path) -> float:
    """Return by how much the scores move where the layers are looked at."""
    name, options = model.outputs[0].name, onnxviz.RunOptions(device="cpu")
    alone = model.run(picture, layers=f'"{name}"', run=options)[name].array
    among = model.run(picture, layers=f'{LAYERS},"{name}"', run=options)[name].array
    return float(np.abs(alone - among).max())


def rows(folder: Path) -> None:
    in_floats(folder / "float.onnx")
    floats = onnxviz.open(folder / "float.onnx")
    wanted = {picture: layers_of(floats, picture) for picture in PICTURES}
    print(
        "| form | layers with a shape | median difference from the float layers | the worst layer's | scores move by |"
    )
    print("|---|---|---|---|---|")
    for name, path in forms(folder):
        model = onnxviz.open(path)
        ranked = sum(layer.shape is not None for layer in model.catalogue)
        apart = [
            np.abs(array - wanted[picture][layer]).mean() / wanted[picture][layer].std()
            for picture in PICTURES
            for layer, array in layers_of(model, picture).items()
            if layer in wanted[picture]  # a dynamic product is named anew
        ]
        differences = f"{np.median(apart):.2%} | {max(apart):.2%}"
        looking = max(moved(model, picture) for picture in PICTURES)
        print(f"| {name} | {ranked} of {len(model.catalogue)} | {differences} | {looking:.2g} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", type=Path)
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory(dir=parser.parse_args().work) as made:
        rows(Path(made))

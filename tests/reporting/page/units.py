"""Mine a small network, whose layers, classes and pictures have hostile names, and print the strongest of some units.

A report of the first picture, linked to them, is in `maps`.

python units.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from PIL import Image

import onnxviz

LAYERS = ('<img src=x onerror="alert(2)">', "small/conv", "deep/conv")
CLASSES = ("<svg onload=alert(3)>", "plain", "‮evil&b=c#l=")


def network(path: Path) -> None:
    """Three convolutions of 5, 4 and 6 channels; channel 0 of the second is never above 0."""
    numbers = np.random.default_rng(0)
    last = numbers.standard_normal((4, 5, 3, 3))
    last[0] = -np.abs(last[0])
    weights = {
        "w1": numbers.standard_normal((5, 3, 3, 3)),
        "w2": last,
        "w3": numbers.standard_normal((6, 4, 13, 13)),
    }
    nodes = [
        helper.make_node("Conv", ["image", "w1"], ["c1"], name=LAYERS[0], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c1"], ["r1"], name="relu1"),
        helper.make_node("Conv", ["r1", "w2"], ["c2"], name=LAYERS[1], pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c2"], ["r2"], name="relu2"),
        helper.make_node("Conv", ["r2", "w3"], ["y"], name=LAYERS[2], pads=[6, 6, 6, 6]),
    ]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("image", ["N", 3, 24, 24]), ("y", ["N", 6, 12, 12]))
    ]
    tensors = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "mined", ends[:1], ends[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def main(folder: Path) -> None:
    numbers = np.random.default_rng(1)
    for place, name in enumerate(CLASSES):
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(12):
            pixels = numbers.integers(0, 256 >> place, (24, 24, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"a b#{number}%.png")
    network(folder / "mined.onnx")
    options = onnxviz.MineOptions(layers="conv", feed=onnxviz.FeedOptions(preset="zero-one"))
    mined = onnxviz.mine(folder / "mined.onnx", str(folder / "photos"), folder / "units", options)
    first = sorted((folder / "photos" / CLASSES[1]).iterdir())[0]
    view = onnxviz.ViewOptions(layers="conv", feed=options.feed, pictures=False, units=folder / "units")
    onnxviz.view(folder / "mined.onnx", str(first), folder / "maps", view)
    truth = [
        [name, unit, [[patch.value, Path(patch.file).name, patch.class_name] for patch in units.top(unit)]]
        for name, units in mined.items()
        for unit in range(len(units))
    ]
    print(json.dumps({"classes": list(mined.classes), "truth": truth}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

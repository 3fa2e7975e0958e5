"""Runs the bundled model on two devices and compares every convolution and pooling layer.

compare_devices.py cpu openvino      fails where a layer differs by more than 1e-3 of its largest value
"""

from __future__ import annotations

import sys

import numpy as np

import onnxviz
from onnxviz.model import choices_of

TOLERANCE = 1e-3


def main(one: str, other: str) -> int:
    model = onnxviz.open(onnxviz.bundled.classifier())
    picture = onnxviz.bundled.picture("cat")
    choices, _ = choices_of(model, None)
    maps = {}
    for device in (one, other):
        executor = model.inference.executor(onnxviz.RunOptions(device=device))
        maps[device] = list(model.inference.stream(choices, model.feed(picture), executor))
        print(f"{device}: {executor.placement.nodes} of {executor.placement.total} nodes")
    worst = max(
        float(np.abs(a.array - b.array).max() / np.abs(a.array).max())
        for a, b in zip(maps[one], maps[other], strict=True)
    )
    print(f"{len(choices)} layers, largest difference {worst:.2g} of a layer's largest value")
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))

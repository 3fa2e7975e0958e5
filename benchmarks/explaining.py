"""Measures Grad-CAM of one and of five classes against pytorch-grad-cam, and the default `explain` of the bundled cat.

    python benchmarks/explaining.py [--rounds N] [NET ...]      needs torch and grad-cam; 5 minutes, 1 GB of disk

The nets are those of gradients.py. pytorch-grad-cam is used as its README has it: the object is made once, weights
require gradients as they do in a net that was loaded, and each call gives a map of the picture's size. Ours: both
models are opened once, and the map is stretched over the picture. One thread; in turn; medians of CPU time.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from gradients import Pooled, in_turn, made
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

import onnxviz
from onnxviz.draw.heat import stretched
from onnxviz.explaining.class_activation import gradcam
from onnxviz.runtime.session import RunOptions

NETS = ("MobileNetV2", "ResNet-50", "VGG-11")
MANY = 5


def last_maps(net: nn.Sequential) -> nn.Module:
    """Return the part whose output is pooled or flattened."""
    place = next(place for place, part in enumerate(net) if isinstance(part, Pooled | nn.Flatten))
    return net[place - 1]


def measure(name: str, folder: Path, rounds: int) -> str:
    net, path = made(name), folder / f"{name}.onnx"
    x = torch.randn(1, 3, 224, 224)
    torch.onnx.export(net, (x,), str(path), dynamo=False, opset_version=17, input_names=["x"], output_names=["y"])
    model = onnxviz.open(path)
    ends = ("ReduceMean", "GlobalAveragePool", "Flatten")
    layer = next(node.inputs[0] for node in reversed(model.graph.nodes) if node.op in ends)
    gradient = model.gradient("y", layer, run=RunOptions(threads=1))
    net.requires_grad_(True)
    theirs = GradCAM(model=net, target_layers=[last_maps(net)])

    def ours(classes: int) -> list[np.ndarray]:
        run, found = gradient.forward({"x": x.numpy()}), []
        for index in range(classes):
            seed = np.zeros_like(run.target)
            seed[:, index] = 1
            heat = gradcam(run.values[layer][0], run.backward(seed)[layer][0])
            found.append(stretched(heat, (224, 224)))
        return found

    def usual(classes: int) -> list[np.ndarray]:
        return [theirs(input_tensor=x, targets=[ClassifierOutputTarget(index)])[0] for index in range(classes)]

    programs: dict[str, Callable[[], object]] = {
        "one": lambda: ours(1),
        "usual one": lambda: usual(1),
        "many": lambda: ours(MANY),
        "usual many": lambda: usual(MANY),
    }
    found = in_turn(programs, rounds)
    cells = [name, *(f"{1000 * found[key]:.0f}" for key in programs)]
    cells += [f"{found['usual one'] / found['one']:.1f}x", f"{found['usual many'] / found['many']:.1f}x"]
    return f"| {' | '.join(cells)} |"


def default_explain(folder: Path, rounds: int) -> float:
    """Return the CPU time of the whole process."""
    command = [sys.executable, "-m", "onnxviz", "explain", str(onnxviz.bundled.classifier())]
    command += [str(onnxviz.bundled.picture("cat")), "-o", str(folder / "why"), "--force", "--quiet"]
    times = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("nets", nargs="*", default=list(NETS))
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        print(f"default explain of the cat: {default_explain(Path(folder), arguments.rounds):.2f} s CPU", flush=True)
        print("| net | 1 class, ms | pytorch-grad-cam | 5 classes | pytorch-grad-cam | 1 | 5 |")
        print("|---|---|---|---|---|---|---|")
        for name in arguments.nets:
            print(measure(name, Path(folder), arguments.rounds), flush=True)


if __name__ == "__main__":
    main()

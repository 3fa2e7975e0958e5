"""Measures gradients of four nets against PyTorch: forward with what is saved, backward, and both together.

    python benchmarks/gradients.py [--rounds N] [NET ...]      needs torch; 10 minutes, 1 GB of disk

One thread; each program in turn, medians of CPU time. The nets have random weights: MobileNetV2, ResNet-50, U-Net and
VGG-11 as published, at 224 x 224. Building both models is measured in the same process, after the imports.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

import onnxviz
from onnxviz.gradient.build import Backward, GradientOptions, backward
from onnxviz.runtime.session import RunOptions


def unit(
    channels: int, made: int, size: int = 3, stride: int = 1, groups: int = 1, act: type | None = nn.ReLU
) -> nn.Module:
    layers = [nn.Conv2d(channels, made, size, stride, size // 2, groups=groups, bias=False), nn.BatchNorm2d(made)]
    return nn.Sequential(*layers, *([act()] if act else []))


class Residual(nn.Module):
    def __init__(self, body: nn.Module, shortcut: nn.Module | None, act: nn.Module) -> None:
        super().__init__()
        self.body, self.shortcut, self.act = body, shortcut or nn.Identity(), act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.body(x) + self.shortcut(x))


class Pooled(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3))


def resnet50() -> nn.Module:
    layers: list[nn.Module] = [unit(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for width, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for number in range(count):
            step, made = stride if number == 0 else 1, 4 * width
            body = nn.Sequential(unit(channels, width, 1), unit(width, width, 3, step), unit(width, made, 1, act=None))
            shortcut = unit(channels, made, 1, step, act=None) if number == 0 else None
            layers.append(Residual(body, shortcut, nn.ReLU()))
            channels = made
    return nn.Sequential(*layers, Pooled(), nn.Linear(channels, 1000))


def mobilenetv2() -> nn.Module:
    layers, channels = [unit(3, 32, 3, 2, act=nn.ReLU6)], 32
    plan = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for wider, made, count, stride in plan:
        for number in range(count):
            step, width = stride if number == 0 else 1, channels * wider
            parts = [unit(channels, width, 1, act=nn.ReLU6)] if wider > 1 else []
            parts += [unit(width, width, 3, step, width, nn.ReLU6), unit(width, made, 1, act=None)]
            body = nn.Sequential(*parts)
            layers.append(Residual(body, None, nn.Identity()) if step == 1 and channels == made else body)
            channels = made
    return nn.Sequential(*layers, unit(channels, 1280, 1, act=nn.ReLU6), Pooled(), nn.Linear(1280, 1000))


def vgg11() -> nn.Module:
    layers: list[nn.Module] = []
    channels = 3
    for made in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0):
        layers += [nn.Conv2d(channels, made, 3, padding=1), nn.ReLU()] if made else [nn.MaxPool2d(2)]
        channels = made or channels
    head = [nn.Linear(25088, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
    return nn.Sequential(*layers, nn.Flatten(), *head)


class UNet(nn.Module):
    def __init__(self, width: int = 32) -> None:
        super().__init__()
        sizes = [3, width, 2 * width, 4 * width, 8 * width]
        self.down = nn.ModuleList(nn.Sequential(unit(a, b), unit(b, b)) for a, b in itertools.pairwise(sizes))
        ups = list(zip(sizes[:1:-1], sizes[-2:0:-1], strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, 2) for a, b in ups)
        self.join = nn.ModuleList(nn.Sequential(unit(a, b), unit(b, b)) for a, b in ups)
        self.pool, self.end = nn.MaxPool2d(2), nn.Conv2d(width, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept: list[torch.Tensor] = []
        for number, part in enumerate(self.down):
            x = part(self.pool(x) if number else x)
            kept.append(x)
        for up, join, other in zip(self.up, self.join, kept[-2::-1], strict=True):
            x = join(torch.cat([other, up(x)], 1))
        return self.end(x)


NETS: dict[str, Callable[[], nn.Module]] = {
    "MobileNetV2": mobilenetv2,
    "ResNet-50": resnet50,
    "U-Net": UNet,
    "VGG-11": vgg11,
}


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    net = NETS[name]().eval()
    for part in net.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.8, 1.6)
    return net.requires_grad_(False)


def opened(model: bytes, folder: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def measure(name: str, folder: Path, rounds: int) -> str:
    net, path = made(name), folder / f"{name}.onnx"
    x = torch.randn(1, 3, 224, 224)
    torch.onnx.export(
        net, (x,), str(path), dynamo=False, opset_version=17, input_names=["x"], output_names=["y"],
        dynamic_axes={"x": {0: "N"}, "y": {0: "N"}},
    )  # fmt: skip
    model = onnxviz.open(path)
    start = time.process_time()
    both = backward(model.graph, "y", ["x"], GradientOptions(types=model.types))
    build = time.process_time() - start
    feed = {"x": x.numpy()}
    plain, forward, back = (opened(each, folder) for each in (model.graph.to_bytes(), *models(both)))
    names = [value.name for value in forward.get_outputs()]
    values = dict(zip(names, forward.run(names, feed), strict=True)) | feed
    values[both.seed] = np.zeros_like(values["y"])
    values[both.seed][:, 2] = 1
    given = {each.name: values[each.name] for each in back.get_inputs()}

    def torchs() -> torch.Tensor:
        moved = x.clone().requires_grad_()
        net(moved)[:, 2].sum().backward()
        assert moved.grad is not None
        return moved.grad

    ours = back.run(None, given)[0]
    theirs = exact(net, x)
    middle = float(np.median(np.abs(ours - theirs)) / np.abs(theirs).max())
    programs: dict[str, Callable[[], object]] = {
        "plain": lambda: plain.run(["y"], feed),
        "saved": lambda: forward.run(names, feed),
        "back": lambda: back.run(None, given),
        "torch": torchs,
    }
    found = in_turn(programs, rounds)
    total = found["saved"] + found["back"]
    cells = [name, *(f"{1000 * found[key]:.1f}" for key in programs), f"{total / found['plain']:.2f}"]
    cells += [f"{total / found['torch']:.2f}", f"{build:.3f} s", f"{middle:.1e}"]
    return f"| {' | '.join(cells)} |"


def models(both: Backward) -> tuple[bytes, bytes]:
    return both.forward.to_bytes(), both.backward.to_bytes()


def exact(net: nn.Module, x: torch.Tensor) -> np.ndarray:
    """Return PyTorch's gradient in float64."""
    moved = x.double().clone().requires_grad_()
    net.double()(moved)[:, 2].sum().backward()
    net.float()
    assert moved.grad is not None
    return moved.grad.numpy()


def in_turn(programs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(rounds + 1):
        for name, program in programs.items():
            start = time.process_time()
            program()
            times[name].append(time.process_time() - start)
    return {name: statistics.median(found[1:]) for name, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("nets", nargs="*", default=list(NETS))
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    RunOptions()  # the runtime's modules are loaded before anything is measured
    print("| net | forward, ms | with what is saved | backward | PyTorch, both", end=" | ")
    print("ours / forward | ours / PyTorch | build | off |\n|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.nets:
            print(measure(name, Path(folder), arguments.rounds), flush=True)
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()

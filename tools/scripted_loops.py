"""Writes networks that PyTorch scripts, with loops that stay Loops, and the gradients that PyTorch itself has of them.

    python tools/scripted_loops.py      needs torch 2.13 or later

tests/gradient/scripted: each network as a model, and arrays of what it is fed, what it puts out, and its gradient in
float64, for several numbers of steps.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

SCRIPTED = Path(__file__).resolve().parent.parent / "tests" / "gradient" / "scripted"


class Range(nn.Module):
    """As many steps as an input says, every other one another branch."""

    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(6, 6)

    def forward(self, x, n: torch.Tensor):
        for step in range(int(n)):
            x = x * torch.sigmoid(x) if step % 2 == 0 else x + torch.tanh(self.dense(x))
        return x


class While(nn.Module):
    """As many steps as it takes until the numbers are large."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x, n: torch.Tensor):
        count = 0
        while float(x.abs().mean()) < float(n) and count < 20:
            x = x * 1.5 + torch.relu(self.conv(x))
            count += 1
        return x


def write(name: str, net: nn.Module, sizes: tuple[int, ...], limits: torch.Tensor) -> None:
    x = torch.randn(sizes)
    scripted = torch.jit.script(net)
    path = SCRIPTED / f"{name}.onnx"
    names = {"input_names": ["x", "n"], "output_names": ["y"]}
    torch.onnx.export(scripted, (x, limits[0]), str(path), dynamo=False, opset_version=17, **names)
    outputs, gradients = [], []
    net.double()
    for limit in limits:
        wide = x.double().requires_grad_()
        made = net(wide, limit)
        made.sum().backward()
        outputs.append(made.detach().numpy())
        gradients.append(wide.grad.numpy())
    arrays = {"x": x.numpy(), "n": limits.numpy(), "y": np.array(outputs), "gradient": np.array(gradients)}
    np.savez_compressed(SCRIPTED / f"{name}.npz", **arrays)


def main() -> None:
    SCRIPTED.mkdir(exist_ok=True)
    torch.manual_seed(0)
    write("range", Range().eval(), (2, 6), torch.tensor([2, 0, 1, 5]))
    write("while", While().eval(), (1, 3, 5, 5), torch.tensor([1.0, 4.0, 2.0]))


if __name__ == "__main__":
    main()

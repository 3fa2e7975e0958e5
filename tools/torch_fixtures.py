"""Writes tests/fixtures: one small network by both of PyTorch's exporters.

python tools/torch_fixtures.py      needs torch 2.9 or later and onnxscript
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from torch import nn

FIXTURES = Path(__file__).resolve().parent.parent / "tests" / "fixtures"


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.act = nn.SiLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.act(self.bn1(self.conv1(x)))


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.relu = nn.ReLU()
        self.layer1 = nn.Sequential(Block(8), Block(8))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.pool(self.layer1(self.relu(self.stem(x)))).flatten(1))


def main() -> None:
    torch.manual_seed(0)
    net, image = Net().eval(), torch.randn(1, 3, 16, 16)
    for name, newer in (("dynamo", True), ("script", False)):
        path = FIXTURES / f"torch_{name}.onnx"
        more = {"external_data": False} if newer else {}
        torch.onnx.export(net, (image,), path, dynamo=newer, input_names=["image"], output_names=["scores"], **more)
        model = onnx.load(path)
        for node in model.graph.node:  # stack traces hold the author's paths
            kept = [entry for entry in node.metadata_props if "stack_trace" not in entry.key]
            del node.metadata_props[:]
            node.metadata_props.extend(kept)
            node.doc_string = ""
        onnx.save(model, path)


if __name__ == "__main__":
    main()

"""Small PyTorch networks of many kinds, written by both of PyTorch's exporters: pairs for benchmarks/matching.py.

    python benchmarks/matching_nets.py FOLDER [NAME...]     needs torch and onnxscript

Weights are random, and so are the statistics of batch norms, so that no two layers are alike.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional


def conv(
    into: int, out: int, size: int = 3, stride: int = 1, act: Callable[[], nn.Module] = nn.ReLU, groups: int = 1
) -> nn.Sequential:
    """Return a convolution with a batch norm and a nonlinearity."""
    layer = nn.Conv2d(into, out, size, stride, size // 2, bias=False, groups=groups)
    return nn.Sequential(layer, nn.BatchNorm2d(out), act())


class Residual(nn.Module):
    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.a, self.b = conv(into, out, 3, stride), conv(out, out, act=nn.Identity)
        self.skip = conv(into, out, 1, stride, act=nn.Identity) if stride > 1 or into != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.b(self.a(x)) + self.skip(x))


class Squeeze(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(channels, channels // 4, 1), nn.Conv2d(channels // 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * functional.hardsigmoid(self.b(functional.relu(self.a(x.mean((2, 3), keepdim=True)))))


class Inverted(nn.Module):
    def __init__(self, into: int, out: int, stride: int, act: Callable[[], nn.Module]) -> None:
        super().__init__()
        wide = into * 4
        self.layers = nn.Sequential(
            conv(into, wide, 1, act=act),
            conv(wide, wide, 3, stride, act, wide),
            Squeeze(wide),
            conv(wide, out, 1, act=nn.Identity),
        )
        self.adds = stride == 1 and into == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.adds else self.layers(x)


class Attending(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        q, k, v = (
            self.qkv(x).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        )
        weights = (q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(batch, tokens, width))


class Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.n1, self.n2, self.a = nn.LayerNorm(width), nn.LayerNorm(width), Attending(width, heads)
        self.m = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.a(self.n1(x))
        return x + self.m(self.n2(x))


class Transformer(nn.Module):
    def __init__(self, width: int = 96, depth: int = 6) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, 16, 16)
        self.places = nn.Parameter(torch.randn(1, 16, width) * 0.02)
        self.blocks, self.norm, self.head = (
            nn.Sequential(*[Block(width, 3) for _ in range(depth)]),
            nn.LayerNorm(width),
            nn.Linear(width, 50),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.blocks(self.patches(x).flatten(2).transpose(1, 2) + self.places)).mean(1))


class DenselyJoined(nn.Module):
    def __init__(self, growth: int = 12, depth: int = 8) -> None:
        super().__init__()
        self.stem = conv(3, 24, 3, 2)
        self.layers = nn.ModuleList([conv(24 + place * growth, growth) for place in range(depth)])
        self.head = nn.Linear(24 + depth * growth, 20)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for layer in self.layers:
            x = torch.cat([x, layer(x)], 1)
        return self.head(x.mean((2, 3)))


class Branches(nn.Module):
    def __init__(self, into: int) -> None:
        super().__init__()
        self.a = conv(into, 16, 1)
        self.b = nn.Sequential(conv(into, 16, 1), conv(16, 24))
        self.c = nn.Sequential(conv(into, 8, 1), conv(8, 12), conv(12, 12))
        self.d = nn.Sequential(nn.AvgPool2d(3, 1, 1), conv(into, 12, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.a(x), self.b(x), self.c(x), self.d(x)], 1)


class Mixture(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.branches = (
            conv(3, 32, 3, 2, nn.Hardswish),
            nn.Sequential(*[Branches(64 if n else 32) for n in range(4)]),
        )
        self.squeeze, self.up = Squeeze(64), nn.Upsample(scale_factor=2, mode="bilinear")
        self.norm, self.head = nn.GroupNorm(8, 64), nn.Conv2d(64, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.up(functional.silu(self.squeeze(self.branches(self.stem(x)))))))


class Shared(nn.Module):
    """One convolution called three times, and two branches whose weights are equal."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.shared = conv(3, 16), nn.Conv2d(16, 16, 3, padding=1)
        self.a, self.b, self.head = nn.Conv2d(16, 8, 3, padding=1), nn.Conv2d(16, 8, 3, padding=1), nn.Conv2d(16, 4, 1)
        self.b.load_state_dict(self.a.state_dict())

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for _ in range(3):
            x = functional.relu(self.shared(x))
        return self.head(torch.cat([functional.relu(self.a(x)), functional.relu(self.b(x))], 1))


class Hourglass(nn.Module):
    def __init__(self, width: int = 16, depth: int = 3) -> None:
        super().__init__()
        sizes = [width * 2**n for n in range(depth + 1)]
        self.stem = conv(3, width)
        self.down = nn.ModuleList([nn.Sequential(nn.MaxPool2d(2), conv(a, b), conv(b, b)) for a, b in pairwise(sizes)])
        self.up = nn.ModuleList([nn.ConvTranspose2d(b, a, 2, 2) for a, b in pairwise(sizes)])
        self.join = nn.ModuleList([conv(2 * a, a) for a in sizes[:-1]])
        self.head = nn.Conv2d(width, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = [self.stem(x)]
        for layer in self.down:
            kept.append(layer(kept[-1]))
        x = kept.pop()
        for up, join in zip(reversed(self.up), reversed(self.join), strict=True):
            x = join(torch.cat([kept.pop(), up(x)], 1))
        return self.head(x)


def residual() -> nn.Module:
    """Return a network of residual blocks."""
    sizes = [(16, 16, 1), (16, 16, 1), (16, 32, 2), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 64, 1)]
    return nn.Sequential(
        conv(3, 16, 7, 2),
        nn.MaxPool2d(3, 2, 1),
        *[Residual(*size) for size in sizes],
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def inverted() -> nn.Module:
    """Return a network of inverted residual blocks with squeezing gates."""
    sizes = [(16, 16, 1), (16, 24, 2), (24, 24, 1), (24, 32, 2), (32, 32, 1)]
    acts = [nn.ReLU, nn.ReLU6, nn.Hardswish, nn.Hardswish, nn.SiLU]
    blocks = [Inverted(*size, act) for size, act in zip(sizes, acts, strict=True)]
    return nn.Sequential(
        conv(3, 16, 3, 2, nn.Hardswish),
        *blocks,
        conv(32, 64, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


class Mixed(nn.Module):
    """ConvNeXt's block: the channels go last for the norm and the dense layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spread, self.norm = nn.Conv2d(width, width, 5, padding=2, groups=width), nn.LayerNorm(width)
        self.up, self.down, self.scale = (
            nn.Linear(width, 3 * width),
            nn.Linear(3 * width, width),
            nn.Parameter(torch.rand(width)),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.spread(x).permute(0, 2, 3, 1))
        y = self.scale * self.down(functional.gelu(self.up(y)))
        return x + y.permute(0, 3, 1, 2)


class Pyramid(nn.Module):
    """Maps of three sizes, joined from the smallest up, with a head on each."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [(12, 20, 2), (20, 28, 2), (28, 36, 2)]
        self.stem, self.down = conv(3, 12, 3, 2, nn.SiLU), nn.ModuleList([Residual(*size) for size in sizes])
        self.side = nn.ModuleList([nn.Conv2d(size[1], 16, 1) for size in sizes])
        self.heads = nn.ModuleList([nn.Conv2d(16, 7, 3, padding=1) for _ in sizes])

    def forward(self, x: Tensor) -> Tensor:
        maps = [self.stem(x)]
        for layer in self.down:
            maps.append(layer(maps[-1]))
        sides = [side(part) for side, part in zip(self.side, maps[1:], strict=True)]
        for place in (1, 0):
            sides[place] = sides[place] + functional.interpolate(sides[place + 1], scale_factor=2.0, mode="nearest")
        return torch.cat([head(part).flatten(2) for head, part in zip(self.heads, sides, strict=True)], 2).sigmoid()


class Shuffled(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.side = nn.Sequential(
            conv(half, half, 1), conv(half, half, 3, act=nn.Identity, groups=half), conv(half, half, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, 1)
        y = torch.cat([a, self.side(b)], 1)
        n, c, h, w = y.shape
        return y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Twofold(nn.Module):
    """One tower over a picture and its mirror image, and a recurrent layer over the rows."""

    def __init__(self) -> None:
        super().__init__()
        self.tower = nn.Sequential(
            nn.Conv2d(3, 14, 3, 2, 1), nn.PReLU(14), nn.Conv2d(14, 18, 3, 2, 1), nn.ELU(), nn.MaxPool2d(2)
        )
        self.steps, self.head = nn.GRU(18 * 8, 20, batch_first=True), nn.Linear(20, 9)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.tower(x), self.tower(x.flip(3))
        rows = (a - b).abs().permute(0, 2, 1, 3).flatten(2)
        return self.head(self.steps(rows)[0][:, -1]).log_softmax(1)


class Gates(nn.Module):
    """Two dilated convolutions, one of which gates the other, five times."""

    def __init__(self, width: int = 18) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, 2, 1)
        self.pairs = nn.ModuleList(
            [
                nn.ModuleList([nn.Conv2d(width, width, 3, padding=d, dilation=d) for _ in range(2)])
                for d in (1, 2, 4, 2, 1)
            ]
        )
        self.mix, self.head = nn.ModuleList([nn.Conv2d(width, width, 1) for _ in range(5)]), nn.Conv2d(width, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        total = 0
        for (a, b), mix in zip(self.pairs, self.mix, strict=True):
            y = mix(torch.tanh(a(x)) * torch.sigmoid(b(x)))
            x, total = x + y, total + y
        return self.head(functional.leaky_relu(total, 0.1)).amax((2, 3))


NETS: dict[str, Callable[[], nn.Module]] = {
    "residual": residual, "inverted": inverted, "transformer": Transformer, "dense": DenselyJoined, "mixture": Mixture,
    "shared": Shared, "hourglass": Hourglass,
}  # fmt: skip
"""The networks on which matching was worked out."""

HELD_OUT: dict[str, Callable[[], nn.Module]] = {
    "mixed": lambda: nn.Sequential(nn.Conv2d(3, 24, 4, 4), *[Mixed(24) for _ in range(4)], nn.Conv2d(24, 3, 1)),
    "pyramid": Pyramid, "twofold": Twofold, "gates": Gates,
    "shuffled": lambda: nn.Sequential(conv(3, 20, 3, 2), *[Shuffled(20) for _ in range(5)], nn.Conv2d(20, 5, 1)),
}  # fmt: skip
"""Networks that were made after it, to score it once."""


def make(name: str, seed: int = 0) -> nn.Module:
    """Return a network with random weights and statistics."""
    torch.manual_seed(seed)
    net = (NETS | HELD_OUT)[name]()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.8, 1.6)
            module.weight.data.uniform_(0.6, 1.0)
    return net.eval().requires_grad_(False)


def export(name: str, folder: Path, seed: int = 0) -> list[Path]:
    """Write a network by both exporters, by each with and without its optimiser."""
    net, picture = make(name, seed), (torch.randn(1, 3, 64, 64),)
    named = {"input_names": ["x"], "output_names": ["y"]}
    old = {"dynamo": False, "opset_version": 17}
    raw = {"training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False}
    new = {"dynamo": True, "external_data": False, "verbose": False}
    ways = {"old": old, "oldraw": old | raw, "new": new, "newraw": new | {"optimize": False}}
    for way, options in ways.items():
        torch.onnx.export(net, picture, folder / f"{name}_{way}.onnx", **named, **options)
    return [folder / f"{name}_{way}.onnx" for way in ways]


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    for one in sys.argv[2:] or (*NETS, *HELD_OUT):
        print(*export(one, Path(sys.argv[1])), sep="\n")

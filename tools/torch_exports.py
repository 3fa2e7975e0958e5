"""Writes small networks by both of PyTorch's exporters.

And tests/graph/layers/exports: one network whose modules are functions, nested, and the same without functions.

    python tools/torch_exports.py      needs torch 2.13 or later, onnxscript and transformers

tests/graph/operators/exports: of fixed and of free sizes, which are computed in the graph, each in a way of its own:
halves of the channels, crops, padding, windows. tests/graph/operators/token_exports: networks with tokens, each with
the maps that PyTorch itself makes of them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional

GRAPH_TESTS = Path(__file__).resolve().parent.parent / "tests" / "graph"
EXPORTS, TOKENS = GRAPH_TESTS / "operators" / "exports", GRAPH_TESTS / "operators" / "token_exports"
MODULES = GRAPH_TESTS / "layers" / "exports"


class ConvBlock(nn.Module):
    def __init__(self, taken, made, kernel=3, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(taken, made, kernel, stride, kernel // 2)
        self.bn = nn.BatchNorm2d(made)
        self.act = nn.SiLU()

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.cv1, self.cv2 = ConvBlock(channels, channels), ConvBlock(channels, channels)

    def forward(self, x):
        return x + self.cv2(self.cv1(x))


class C2f(nn.Module):
    def __init__(self, taken, made, count: int = 1):
        super().__init__()
        self.cv1 = ConvBlock(taken, made, 1)
        self.cv2 = ConvBlock(made // 2 * (2 + count), made, 1)
        self.m = nn.ModuleList(Bottleneck(made // 2) for _ in range(count))

    def forward(self, x):
        parts = list(self.cv1(x).chunk(2, 1))
        parts.extend(m(parts[-1]) for m in self.m)
        return self.cv2(torch.cat(parts, 1))


class SPPF(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.cv1, self.cv2 = ConvBlock(channels, channels // 2, 1), ConvBlock(channels * 2, channels, 1)
        self.m = nn.MaxPool2d(3, 1, 1)

    def forward(self, x):
        parts = [self.cv1(x)]
        parts.extend(self.m(parts[-1]) for _ in range(3))
        return self.cv2(torch.cat(parts, 1))


class Yolo(nn.Module):
    def __init__(self):
        super().__init__()
        self.b0 = ConvBlock(3, 4, 3, 2)
        self.b1 = ConvBlock(4, 8, 3, 2)
        self.b2 = C2f(8, 8)
        self.b3 = ConvBlock(8, 8, 3, 2)
        self.b4 = SPPF(8)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.b5 = C2f(16, 8)
        self.down = ConvBlock(8, 8, 3, 2)
        self.b6 = C2f(16, 8)
        self.head = nn.Conv2d(8, 6, 1)

    def forward(self, x):
        p2 = self.b2(self.b1(self.b0(x)))
        p3 = self.b4(self.b3(p2))
        p2 = self.b5(torch.cat([self.up(p3), p2], 1))
        p3 = self.b6(torch.cat([self.down(p2), p3], 1))
        outputs = [self.head(p) for p in (p2, p3)]
        flat = torch.cat([o.view(o.shape[0], 6, -1) for o in outputs], 2)
        boxes, scores = flat.split((4, 2), 1)
        return torch.cat([boxes, scores.sigmoid()], 1)


class Unet(nn.Module):
    """Valid convolutions: what is skipped is cropped to the size of what comes up, by sizes that are computed."""

    def __init__(self):
        super().__init__()
        self.d1 = nn.Conv2d(3, 4, 3)
        self.d2 = nn.Conv2d(4, 6, 3)
        self.bottom = nn.Conv2d(6, 6, 3)
        self.up2 = nn.ConvTranspose2d(6, 6, 2, 2)
        self.u2 = nn.Conv2d(12, 4, 3)
        self.u1 = nn.Conv2d(8, 4, 3)
        self.out = nn.Conv2d(4, 2, 1)

    @staticmethod
    def crop(skip, like):
        dy, dx = (skip.shape[2] - like.shape[2]) // 2, (skip.shape[3] - like.shape[3]) // 2
        return skip[:, :, dy : dy + like.shape[2], dx : dx + like.shape[3]]

    def forward(self, x):
        one = functional.silu(self.d1(x))
        two = functional.silu(self.d2(functional.max_pool2d(one, 2)))
        y = functional.silu(self.bottom(functional.max_pool2d(two, 2)))
        y = self.up2(y)
        y = functional.silu(self.u2(torch.cat([self.crop(two, y), y], 1)))
        y = functional.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)
        rest_y, rest_x = one.shape[2] - y.shape[2], one.shape[3] - y.shape[3]
        y = functional.pad(y, [rest_x // 2, rest_x - rest_x // 2, rest_y // 2, rest_y - rest_y // 2])
        y = functional.silu(self.u1(torch.cat([one, y], 1)))
        return functional.interpolate(self.out(y), size=x.shape[2:], mode="nearest")


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.proj = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x, mask=None):
        n, t, c = x.shape
        q, k, v = self.qkv(x).reshape(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5
        if mask is not None:
            scores = (scores.view(n // mask.shape[0], mask.shape[0], self.heads, t, t) + mask[None, :, None]).view(
                -1, self.heads, t, t
            )
        return self.proj((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, c))


class TransformerBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.attn, self.norm2 = nn.LayerNorm(width), Attention(width, 2), nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Vit(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 16, 8, 8)
        self.cls = nn.Parameter(torch.randn(1, 1, 16))
        self.pos = nn.Parameter(torch.randn(1, 17, 16))
        self.norm0 = nn.LayerNorm(16)
        self.blocks = nn.Sequential(TransformerBlock(16), TransformerBlock(16))
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = self.norm0(self.patch(x).flatten(2).transpose(1, 2))
        x = torch.cat([self.cls.expand(x.shape[0], -1, -1), x], 1) + self.pos
        return self.head(self.norm(self.blocks(x))[:, 0])


def windows(x, size):
    n, h, w, c = x.shape
    return x.view(n, h // size, size, w // size, size, c).permute(0, 1, 3, 2, 4, 5).reshape(-1, size * size, c)


def put_back(x, size, h, w):
    n = x.shape[0] // (h // size * (w // size))
    return x.view(n, h // size, w // size, size, size, -1).permute(0, 1, 3, 2, 4, 5).reshape(n, h, w, -1)


class SwinBlock(nn.Module):
    def __init__(self, width, shift):
        super().__init__()
        self.shift, self.norm1, self.attn, self.norm2 = (
            shift,
            nn.LayerNorm(width),
            Attention(width, 2),
            nn.LayerNorm(width),
        )
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        h, w = x.shape[1:3]
        y = self.norm1(x)
        if self.shift:
            y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
        y = put_back(self.attn(windows(y, 4)), 4, h, w)
        if self.shift:
            y = torch.roll(y, (self.shift, self.shift), (1, 2))
        x = x + y
        return x + self.mlp(self.norm2(x))


class Swin(nn.Module):
    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, 4)
        self.blocks = nn.Sequential(SwinBlock(8, 0), SwinBlock(8, 2))
        self.norm = nn.LayerNorm(32)
        self.reduction = nn.Linear(32, 16)
        self.last = SwinBlock(16, 0)

    def forward(self, x):
        x = self.blocks(self.patch(x).permute(0, 2, 3, 1))
        x = torch.cat([x[:, 0::2, 0::2], x[:, 1::2, 0::2], x[:, 0::2, 1::2], x[:, 1::2, 1::2]], -1)
        return self.last(self.reduction(self.norm(x)))


class Gated(nn.Module):
    def __init__(self, taken, made, stride=1):
        super().__init__()
        self.conv, self.act = nn.Conv2d(taken, made, 3, stride, 1), nn.SiLU()

    def forward(self, x):
        return self.act(self.conv(x))


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first, self.second = Gated(channels, channels), Gated(channels, channels)

    def forward(self, x):
        return x + self.second(self.first(x))


class Stages(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = Gated(3, 4, 2)
        self.stage1 = nn.Sequential(Residual(4), Residual(4))
        self.down = Gated(4, 8, 2)
        self.stage2 = nn.Sequential(Residual(8), nn.MaxPool2d(2), Residual(8))
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.stage2(self.down(self.stage1(self.stem(x))))
        return self.head(x.mean((2, 3)))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int, tuple[str, ...]]] = {
    "yolo": (Yolo, 64, ("batch", "height", "width")),
    "unet": (Unet, 40, ("batch", "height", "width")),
    "vit": (Vit, 32, ("batch",)),
    "swin": (Swin, 64, ("batch", "height", "width")),
}


class Tokens(nn.Module):
    """Tokens over a picture of 32 x 48; `maps` keeps what they are as maps (C, H, W), put there by their author."""

    def __init__(self, grid=(4, 6)):
        super().__init__()
        self.maps, self.grid = [], grid
        self.block = TransformerBlock(8)

    def keep(self, tokens, skip=0):
        """Keep tokens as a map, without those that come first and stand for no place."""
        self.maps.append(tokens[0, skip:].T.reshape(-1, *self.grid).detach())
        return tokens


class Registers(Tokens):
    """A wide grid, a class token and two registers."""

    def __init__(self):
        super().__init__()
        self.patch, self.extra = nn.Conv2d(3, 8, 8, 8), nn.Parameter(torch.randn(1, 3, 8))
        self.pos = nn.Parameter(torch.randn(1, 27, 8))

    def forward(self, x):
        x = self.keep(self.patch(x).flatten(2).transpose(1, 2))
        x = torch.cat([self.extra.expand(x.shape[0], -1, -1), x], 1) + self.pos
        return self.keep(self.block(x), 3)


class Cut(Tokens):
    """Patches that are cut by Reshape and Transpose, as einops does, and multiplied by a matrix."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Linear(192, 8)

    def forward(self, x):
        x = x.reshape(-1, 3, 4, 8, 6, 8).permute(0, 2, 4, 3, 5, 1).reshape(-1, 24, 192)
        return self.keep(self.block(self.keep(self.patch(x))))


class Unfolded(Tokens):
    """Patches by im2col, which becomes a Gather."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Linear(192, 8)

    def forward(self, x):
        x = functional.unfold(x, 8, stride=8).transpose(1, 2)
        return self.keep(self.block(self.keep(self.patch(x))))


class Hybrid(Tokens):
    """A convolutional stem, overlapping patches, keys of a smaller map, and tokens that become a map again."""

    def __init__(self):
        super().__init__((8, 12))
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 8, 3, 2, 1))
        self.q, self.kv, self.fewer, self.head = (
            nn.Linear(8, 8),
            nn.Linear(8, 16),
            nn.Conv2d(8, 8, 2, 2),
            nn.Conv2d(8, 4, 3, 1, 1),
        )

    def forward(self, x):
        x = self.stem(x)
        tokens = self.keep(x.flatten(2).transpose(1, 2))
        k, v = self.kv(self.fewer(x).flatten(2).transpose(1, 2)).chunk(2, -1)
        tokens = self.keep(tokens + (self.q(tokens) @ k.transpose(1, 2)).softmax(-1) @ v)
        x = self.block(tokens).transpose(1, 2).reshape(x.shape[0], 8, 8, 12)
        return self.head(functional.interpolate(x, scale_factor=2.0, mode="nearest"))


class Mobile(Tokens):
    """MobileViT: pixels that lie alike in patches of 2 x 2 attend to each other."""

    def __init__(self):
        super().__init__((8, 12))
        self.stem, self.head = nn.Conv2d(3, 8, 4, 4), nn.Conv2d(8, 4, 3, 1, 1)

    def forward(self, x):
        x = self.stem(x)
        self.maps.append(x[0].detach())
        y = x.reshape(-1, 8, 4, 2, 6, 2).permute(0, 3, 5, 2, 4, 1).reshape(-1, 24, 8)
        y = self.block(y).reshape(-1, 2, 2, 4, 6, 8).permute(0, 5, 3, 1, 4, 2).reshape(-1, 8, 8, 12)
        self.maps.append(y[0].detach())
        return self.head(y)


class Shifted(Tokens):
    """Windows of 4 over a map that they do not divide: padded, rolled, put back, cut."""

    def __init__(self):
        super().__init__((6, 10))
        self.stem, self.last, self.norm = nn.Conv2d(3, 8, 4, 4), SwinBlock(8, 2), nn.LayerNorm(8)

    def forward(self, x):
        x = functional.pad(self.stem(x)[:, :, :6, :10].permute(0, 2, 3, 1), (0, 0, 0, 2, 0, 2))
        return self.keep(self.norm(self.last(x)[:, :6, :10].reshape(-1, 60, 8)))


class Sliced(Tokens):
    """Patches that are cut by a Slice each and joined, as PyTorch's older exporter writes `unfold` of a tensor."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Linear(192, 8)

    def forward(self, x):
        x = x.unfold(2, 8, 8).unfold(3, 8, 8).permute(0, 2, 3, 1, 4, 5).reshape(-1, 24, 192)
        return self.keep(self.block(self.keep(self.patch(x))))


class Focused(Tokens):
    """Every other row and column of the pixels beside each other in the channels, windows cut and joined one by one."""

    def __init__(self):
        super().__init__((8, 12))
        self.patch, self.norm = nn.Conv2d(12, 8, 2, 2), nn.LayerNorm(8)

    def forward(self, x):
        x = torch.cat([x[..., row::2, column::2] for row in (0, 1) for column in (0, 1)], 1)
        self.keep(self.norm(self.patch(x).flatten(2).transpose(1, 2)))
        upper, lower = self.patch(x).chunk(2, 2)
        windows = torch.cat([*upper.chunk(3, 3), *lower.chunk(3, 3)], 0).flatten(2).transpose(1, 2)
        windows = self.norm(windows)
        tokens = windows.reshape(-1, 2, 3, 4, 4, 8).transpose(2, 3).reshape(-1, 96, 8)
        return self.keep(tokens)


class SegFormer(Tokens):
    """That of transformers: overlapping patches, keys of a smaller map, convolutions between dense layers."""

    def __init__(self):
        from transformers import SegformerConfig, SegformerForSemanticSegmentation

        super().__init__()
        options = {"depths": [1, 1, 1, 1], "hidden_sizes": [4, 8, 8, 8], "num_attention_heads": [1, 2, 2, 2]}
        config = SegformerConfig(**options, decoder_hidden_size=4, num_labels=3, attn_implementation="eager")
        self.network = SegformerForSemanticSegmentation(config)
        norms = [module for name, module in self.network.named_modules() if name.endswith("layernorm_after")]
        for norm, grid in zip(norms[:3], ((8, 12), (4, 6), (2, 3)), strict=True):
            norm.register_forward_hook(lambda _, __, tokens, grid=grid: self.keep_on(tokens, grid))

    def keep_on(self, tokens, grid):
        self.grid = grid
        self.keep(tokens)

    def forward(self, x):
        return self.network(x).logits


TOKEN_NETWORKS = {
    "registers": Registers,
    "cut": Cut,
    "unfolded": Unfolded,
    "hybrid": Hybrid,
    "mobile": Mobile,
    "shifted": Shifted,
    "sliced": Sliced,
    "focused": Focused,
    "segformer": SegFormer,
}


def export_tokens(name: str, *, newer: bool) -> None:
    torch.manual_seed(0)
    network, image = TOKEN_NETWORKS[name]().eval(), torch.randn(1, 3, 32, 48)
    network(image)
    np.savez_compressed(TOKENS / f"{name}.npz", image, *network.maps)
    path = TOKENS / f"{name}_{'dynamo' if newer else 'script'}.onnx"
    more = {"external_data": False} if newer else {"opset_version": 17}
    torch.onnx.export(
        network, (image,), path, dynamo=newer, input_names=["image"], output_names=["result"], verbose=False, **more
    )
    strip(path)


def export(name: str, *, newer: bool, free: bool) -> None:
    make, size, symbols = NETWORKS[name]
    axes = dict(zip((0, 2, 3), symbols, strict=False))
    torch.manual_seed(0)
    network, image = make().eval(), torch.randn(2 if free else 1, 3, size, size)
    path = EXPORTS / f"{name}_{'dynamo' if newer else 'script'}_{'free' if free else 'fixed'}.onnx"
    more = {"external_data": False} if newer else {}
    if free:
        dynamic = dict.fromkeys(axes, torch.export.Dim.DYNAMIC)
        more |= {"dynamic_shapes": (dynamic,)} if newer else {"dynamic_axes": {"image": axes}}
    torch.onnx.export(
        network, (image,), path, dynamo=newer, input_names=["image"], output_names=["result"], verbose=False, **more
    )
    strip(path)


def strip(path: Path) -> None:
    """Take out what the exporter notes: stack traces with the author's paths."""
    model = onnx.load(path)
    nodes = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    for part in (*nodes, *model.graph.value_info, *model.graph.input, *model.graph.output, model.graph):
        del part.metadata_props[:]
        part.doc_string = ""
    onnx.save(model, path)


def export_modules() -> None:
    MODULES.mkdir(exist_ok=True)
    torch.manual_seed(0)
    network, image = Stages().eval(), torch.randn(1, 3, 32, 32)
    for name, modules in (("plain", False), ("functions", {Gated, Residual, nn.Sequential})):
        path = MODULES / f"modules_{name}.onnx"
        more = {"export_modules_as_functions": modules, "input_names": ["image"], "output_names": ["result"]}
        torch.onnx.export(network, (image,), path, dynamo=False, opset_version=17, verbose=False, **more)
        strip(path)


def main() -> None:
    EXPORTS.mkdir(exist_ok=True)
    export_modules()
    for name in NETWORKS:
        for newer in (False, True):
            for free in (False, True):
                export(name, newer=newer, free=free)
    TOKENS.mkdir(exist_ok=True)
    for name in TOKEN_NETWORKS:
        for newer in (False, True):
            export_tokens(name, newer=newer)


if __name__ == "__main__":
    main()

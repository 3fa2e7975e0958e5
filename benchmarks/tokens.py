"""Counts over many models how often tokens lie where they are said to lie: where pixels are moved, a map moves most.

    python benchmarks/tokens.py MODEL.onnx ...     about 2 minutes for those of --make
    python benchmarks/tokens.py --make FOLDER      writes models by PyTorch's exporters; torch, timm, onnxscript

A square of pixels is moved eight times in each model. Of each layer whose tokens were followed, the greatest change has
to lie in the tokens of these pixels or beside them. Others are counted by why: an attention's result, up to the next
sum with what came before, moves all tokens alike where its weights are at random, and convolutions smear the square.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

import onnxviz
from onnxviz.draw.arrange import token_maps
from onnxviz.graph.operators.tokens import token_grids
from onnxviz.runtime.session import RunOptions

SQUARES, SIDE = 8, 8

# timm's names, with what makes them small; (height, width) where it is not the model's own.
TIMM: dict[str, tuple[str, tuple[int, int] | None, dict[str, Any]]] = {
    "vit": ("vit_tiny_patch16_224", None, {"depth": 2}),
    "vit_wide": ("vit_tiny_patch16_224", (144, 256), {"depth": 2, "img_size": (144, 256)}),
    "deit": ("deit_tiny_distilled_patch16_224", None, {"depth": 2}),
    "registers": (
        "vit_small_patch14_reg4_dinov2",
        (224, 224),
        {"depth": 2, "img_size": 224, "embed_dim": 96, "num_heads": 3},
    ),
    "beit": ("beit_base_patch16_224", None, {"depth": 2, "embed_dim": 96, "num_heads": 3}),
    "eva": ("eva02_tiny_patch14_224", None, {"depth": 2}),
    "swin": (
        "swin_tiny_patch4_window7_224",
        None,
        {"embed_dim": 24, "depths": (2, 2, 2, 2), "num_heads": (1, 2, 2, 2)},
    ),
    "swin_odd": (
        "swin_tiny_patch4_window7_224",
        (200, 240),
        {"img_size": (200, 240), "embed_dim": 24, "depths": (2, 2), "num_heads": (1, 2)},
    ),
    "swin_v2": ("swinv2_tiny_window8_256", None, {"embed_dim": 24, "depths": (2, 2), "num_heads": (1, 2)}),
    "maxvit": ("maxvit_rmlp_pico_rw_256", None, {}),
    "mobilevit": ("mobilevit_xxs", (128, 128), {}),
    "hybrid": ("vit_tiny_r_s16_p8_224", None, {"depth": 2}),
    "levit": ("levit_128s", None, {}),
    "pvt": ("pvt_v2_b0", (128, 128), {}),
    "cait": ("cait_xxs24_224", None, {"depth": 2}),
    "twins": (
        "twins_svt_small",
        (128, 128),
        {"img_size": 128, "depths": (1, 1, 1, 1), "embed_dims": (16, 32, 48, 64)},
    ),
    "efficientformer": ("efficientformer_l1", None, {}),
    "coat": ("coat_lite_tiny", (128, 128), {"img_size": 128}),
    "crossvit": ("crossvit_tiny_240", None, {}),
    "visformer": ("visformer_tiny", None, {}),
    "sam": (
        "samvit_base_patch16_224",
        None,
        {"depth": 2, "embed_dim": 96, "num_heads": 3, "global_attn_indexes": (1,)},
    ),
    "xcit": ("xcit_nano_12_p16_224", None, {"depth": 2}),
    "hiera": ("hiera_tiny_224", None, {}),
    "gcvit": ("gcvit_xxtiny", None, {}),
    "davit": (
        "davit_tiny",
        None,
        {"depths": (1, 1, 1, 1), "embed_dims": (24, 48, 48, 96), "num_heads": (1, 2, 2, 4)},
    ),
}


def make(folder: Path) -> None:
    """Write the models, with weights at random."""
    import timm
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    timm.layers.set_fused_attn(False)
    for key, (name, size, options) in TIMM.items():
        torch.manual_seed(0)
        model = timm.create_model(name, num_classes=10, exportable=True, **options).eval()
        height, width = size or model.default_cfg["input_size"][1:]
        image = torch.randn(1, 3, height, width)
        torch.onnx.export(model, (image,), folder / f"{key}.onnx", dynamo=False, opset_version=17)


class Count:
    """What was counted of one model."""

    def __init__(self) -> None:
        self.right = 0
        self.beside: Counter[str] = Counter()


def count(path: Path) -> tuple[Count, int, int, float]:
    """Return what was counted, how many layers have tokens and how many were followed, and the seconds it took."""
    model = onnxviz.open(path)
    shape = [1 if not isinstance(size, int) else size for size in model.inputs[0].shape or ()]
    is_last = shape[-1] == 3
    image = np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)
    layers = {layer.act: layer for layer in model.catalogue if "T" in (layer.layout or "") or layer.layout_assumed}
    names = [layer.name for layer in layers.values()]
    types = model.measured(image).types
    start = process_time()
    followed = token_grids(model.graph, types)
    seconds = process_time() - start
    found = Count()
    if not names:  # its layers are maps as they are, as ConvNeXt's
        return found, 0, 0, seconds
    with model.session(names, run=RunOptions(exact=True)) as session:
        before = {each.value: each for each in session.run(image).values()}
        for moved, row, column in squares(image, is_last):
            after = {each.value: each for each in session.run(moved).values()}
            for value, one in before.items():
                grid = one.tokens
                if grid is None or grid.keys is not None:
                    continue
                change = np.abs(token_maps(after[value].array, grid)[0] - token_maps(one.array, grid)[0]).sum(axis=0)
                space = shape[1:3] if is_last else shape[2:4]
                wanted = [
                    (place + SIDE / 2) / pixels * size
                    for place, pixels, size in zip((row, column), space, grid.grid, strict=True)
                ]
                there = np.unravel_index(int(change.argmax()), change.shape)
                near = [max(1.0, SIDE * size / pixels) for size, pixels in zip(grid.grid, space, strict=True)]
                is_right = all(abs(a + 0.5 - b) <= most for a, b, most in zip(there, wanted, near, strict=True))
                if is_right:
                    found.right += 1
                else:
                    found.beside[reason(one.name, change, wanted)] += 1
    return found, len(layers), sum(value in followed for value in layers), seconds


def squares(image: np.ndarray[Any, Any], is_last: bool) -> Iterator[tuple[np.ndarray[Any, Any], int, int]]:
    """Yield pictures in each of which a square of pixels is moved, and its place."""
    random = np.random.default_rng(2)
    height, width = image.shape[1:3] if is_last else image.shape[2:4]
    for _ in range(SQUARES):
        row, column = (int(random.integers(0, size // 32)) * 32 + 12 for size in (height, width))
        moved = image.copy()
        rows, columns = slice(row, row + SIDE), slice(column, column + SIDE)
        part = moved[:, rows, columns] if is_last else moved[:, :, rows, columns]
        part += random.standard_normal(part.shape).astype(np.float32) * 4
        yield moved, row, column


def reason(name: str, change: np.ndarray[Any, Any], wanted: Sequence[float]) -> str:
    """Return why the greatest change may lie elsewhere, or the layer's name."""
    greatest, there = change.max(), change[tuple(map(int, wanted))]
    if not change.any():
        return "nothing moves"
    if np.median(change) > greatest / 2:
        return "an attention moves all tokens alike"
    if there > greatest / 2:
        return "moves half as much or more at the place"
    return name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--make", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    if given.make:
        make(given.make)
        return
    right, beside = 0, Counter[str]()
    for path in given.models:
        found, layers, followed, seconds = count(path)
        words = f"{followed:4} of {layers:4} layers followed in {seconds * 1000:5.1f} ms"
        print(f"{path.stem:24} {words}; right {found.right:5}, else {dict(found.beside)}", flush=True)
        right, beside = right + found.right, beside + found.beside
    print(f"placed right: {right} of {right + beside.total()}; {dict(beside)}")


if __name__ == "__main__":
    main()

"""Print what the package's own pictures would show of some maps, for the page to be compared with.

python drawn.py
"""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path

import numpy as np

from onnxviz.draw.arrange import arrange_axes
from onnxviz.draw.palette import default_colormap
from onnxviz.draw.scale import MODES, limits
from onnxviz.draw.statistics import channel_statistics
from onnxviz.draw.style import Style
from onnxviz.reporting.appearance import appearance
from onnxviz.reporting.block_store import BlockStore
from onnxviz.reporting.blocks import store_block
from onnxviz.words import number_text

RANDOM = np.random.default_rng(0)


def main() -> None:
    numbers = [0.0, 2.0, 99.96, 999.6, 99951.0, 1e-4, 9.9949e-5, float("nan"), float("inf"), float("-inf")]
    numbers += [float(sign * 10**power) for power in RANDOM.uniform(-12, 12, 300) for sign in (1, -1)]
    layers = {name: layer(maps.astype(np.float32)) for name, maps in some_maps().items()}
    written = [[repr(value), number_text(value)] for value in numbers]
    print(json.dumps({"appearance": appearance(), "numbers": written, "layers": layers}))


def some_maps() -> dict[str, np.ndarray]:
    """Return maps (C, H, W) of all the kinds that scales tell apart."""
    signed = RANDOM.standard_normal((5, 12, 10)) * np.array([1, 0.01, 300, 1, 1])[:, None, None]
    signed[3] = 7 + 1e-7 * signed[3]
    signed[4, 0, :3] = np.nan, np.inf, -np.inf
    border = np.abs(signed[:3]).repeat(4, axis=1).repeat(4, axis=2)
    border[:, 20] *= 50
    rare = np.zeros((4, 60, 60))
    rare[:, 30, :20] = RANDOM.standard_normal((4, 20)) * np.array([1, 30, 1, 0])[:, None]
    rare[2, 20:23] = RANDOM.standard_normal((3, 60))
    return {
        "signed": signed,
        "a bright border": border,
        "little but a peak": np.where(np.arange(400) < 5, 0.9, 0.001 * np.abs(signed[:1, :1, :1])).reshape(1, 20, 20)
        + np.linspace(0, 1e-4, 400).reshape(1, 20, 20),
        "zero but for a few": rare,
        "zero but for a few, one sign": np.abs(rare),
        "cut": np.maximum(signed[:3], 0),
        "a dip below zero": np.maximum(signed[:1], -0.09 * signed[0].max()),
        "more than a dip": np.maximum(signed[:1], -0.11 * signed[0].max()),
        "one value, both signs": signed[:4, :1, :1],
        "one value": np.abs(signed[:4, :1, :1]),
        "nothing finite": np.full((2, 3, 3), np.nan),
    }


def layer(maps: np.ndarray) -> dict[str, object]:
    """Return maps as a report stores them, and the scales on which a picture shows them."""
    found = channel_statistics(maps)
    # The layout keeps maps of one value maps.
    with BlockStore(Path(tempfile.gettempdir())) as store:
        part = store_block(store, maps[None].shape, arrange_axes(maps[None], "NCHW"))
        block = store.read(part.block)
    columns = {
        "low": found.minimum,
        "high": found.maximum,
        "mean": found.mean,
        "std": found.deviation,
        "held": part.held,
    }
    scales = {}
    for mode in MODES:
        scale = limits(maps, found, Style(scale=mode))
        scales[mode] = {
            "mode": scale.mode,
            "ends": np.stack([scale.low, scale.high], axis=1).tolist(),
            "own": scale.own,
            "colormaps": {theme: default_colormap(scale.diverging, theme) for theme in ("dark", "light")},
        }
    return {
        "shape": maps.shape,
        "block": base64.b64encode(block).decode(),
        "entry": {
            "stats": {name: base64.b64encode(each.astype("<f4").tobytes()).decode() for name, each in columns.items()},
            "nan": found.nan.tolist(),
            "inf": found.inf.tolist(),
            "extra": part.extra,
            "exact": part.exact,
        },
        "constant": found.constant.tolist(),
        "scales": scales,
    }


if __name__ == "__main__":
    main()

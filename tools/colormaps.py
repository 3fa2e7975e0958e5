"""Print the table of colormaps that onnxviz/draw/palette.py carries, made from the package `cmap`.

    python tools/colormaps.py

Each colormap is 256 RGB values, kept as differences from one entry to the next, one channel after the other:
smooth curves become runs of small numbers, and zlib makes 1.6 kB of 10 kB.
"""

from __future__ import annotations

import base64
import zlib

import cmap
import numpy as np

SOURCES = {
    "viridis": "bids:viridis",
    "magma": "bids:magma",
    "inferno": "bids:inferno",
    "plasma": "bids:plasma",
    "cividis": "cividis:cividis",
    "turbo": "google:turbo",
    "gray": "matlab:gray",
    "coolwarm": "matplotlib:coolwarm",
    "RdBu_r": "colorbrewer:RdBu_r",
    "vik": "crameri:vik",
    "berlin": "crameri:berlin",
    "batlow": "crameri:batlow",
    "twilight": "matplotlib:twilight",
}


def packed() -> str:
    """Return all colormaps as one base85 string."""
    tables = [np.rint(cmap.Colormap(name).lut(256)[:, :3] * 255).astype(np.uint8) for name in SOURCES.values()]
    curves = np.stack(tables).transpose(0, 2, 1)
    differences = np.diff(curves, axis=2, prepend=np.uint8(0)).astype(np.uint8)
    return base64.b85encode(zlib.compress(differences.tobytes(), 9)).decode()


if __name__ == "__main__":
    print(f"NAMES = {tuple(SOURCES)}")
    print("PACKED = (")
    text = packed()
    for start in range(0, len(text), 110):
        print(f'    "{text[start : start + 110]}"')
    print(")")

"""Draws docs/inception_v4: the input as it is fed, and the maps of three layers, small and on one page.

    python pictures.py MODEL.onnx

MODEL.onnx is the converted Inception-v4. `onnxviz view` draws the same at full size.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import onnxviz
from onnxviz.draw.encode import save
from onnxviz.draw.kinds import draw_maps
from onnxviz.draw.style import Caption, Style
from onnxviz.feed.feed import Feed
from onnxviz.feed.feed_options import FeedOptions

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs" / "inception_v4"
PICTURES = {
    "conv[0]": ("first_conv", Style(columns=8, tile=75, small=True)),
    "join & depth=4": ("mixed_3a", Style(columns=16, tile=37, small=True)),
    "join & depth=21": ("mixed_5e", Style(columns=24, tile=35, small=True)),
}
DATA = 232  # the first indices of the palette


def main(model_file: str) -> None:
    """Draw all of them from the converted model."""
    DOCS.mkdir(exist_ok=True)
    model = onnxviz.open(model_file)
    feeding = FeedOptions(preset="inception", resize="squash", transform="log")
    feed = model.feed(ROOT / "models" / "connectome_aal2_80.csv", feeding)
    assert feed.main.picture is not None
    Image.fromarray(coarse(feed.main.picture[..., 0])).save(DOCS / "input.png", optimize=True)
    for selection, (name, style) in PICTURES.items():
        (maps,) = model.run(feed, layers=selection).values()
        caption = Caption(maps.name, maps.caption_line)
        drawing = draw_maps(maps.array, maps.layout, caption, style)[0]
        image = Image.fromarray(coarse(np.asarray(drawing.image)), "P")
        image.putpalette(drawing.image.getpalette() or ())
        save(image, DOCS / f"{name}.png", enlarged=drawing.enlarged, small=True, text=drawing.text)
    page(model, feed)


def page(model: onnxviz.Model, feed: Feed) -> None:
    """Draw all three layers as one figure at the size of a screen."""
    figure = onnxviz.figure(
        model,
        feed,
        layers=list(PICTURES),
        columns=32,
        width_cm=17.4,
        pictures=True,
        title="A connectome through Inception-v4",
        row_labels=["Conv2d_1a_3x3", "Mixed_3a", "Mixed_5e"],
    )
    figure.save(DOCS / "page.png", dpi=110, force=True)


def coarse(indices: np.ndarray) -> np.ndarray:
    """Leave 26 shades of 232, which no eye tells apart in maps this small, for half the bytes."""
    return np.where(indices < DATA, indices // 9 * 9 + 4, indices).astype(np.uint8)


if __name__ == "__main__":
    main(*sys.argv[1:])

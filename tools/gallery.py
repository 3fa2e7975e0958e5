"""Draws docs/gallery: one picture a kind and theme, on the bundled model and picture, and a page to explore.

python tools/gallery.py
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

import onnxviz
from onnxviz.draw.encode import save
from onnxviz.draw.kinds import draw_maps
from onnxviz.draw.style import Caption, Style
from onnxviz.viewing.options import ViewOptions

GALLERY = Path(__file__).resolve().parent.parent / "docs" / "gallery"
THEMES = ("dark", "light")
OVERVIEW = [
    "stem/conv",
    "stage1/block1/project",
    "stage2/block1/depthwise",
    "stage3/block1/expand",
    "stage5/block1/depthwise",
    "stage5/block3/project",
    "head/conv",
]


def main() -> None:
    GALLERY.mkdir(exist_ok=True)
    model = onnxviz.open(onnxviz.bundled.classifier())
    labels = onnxviz.bundled.labels()
    chosen = {
        "stem/conv": "montage",
        "stage1/block1/project": "signed",
        "head/conv": "folded",
        "head/pool": "vector",
        "probabilities": "classes",
    }
    maps = model.run(str(onnxviz.bundled.picture("cat")), layers=list(chosen))
    for theme in THEMES:
        for name, kind in chosen.items():
            item = maps[name]
            caption = Caption(item.name, item.caption_line, labels if kind == "classes" else None)
            draw(kind, theme, item.array, item.layout, caption)
        draw("bands", theme, chirp_bands(), "NCL", Caption("filters on a chirp", "64 band passes, rectified"))
        draw("filmstrip", theme, volume(), "NCDHW", Caption("blurred balls", "4 channels of a 9 x 48 x 48 volume"))
        draw("broken", theme, broken(maps["stem/conv"].array), "NCHW", Caption("NaN, infinities, dead channels"))
        overview(model, theme)
    figure(model)
    page(model)


def figure(model: onnxviz.Model) -> None:
    """Draw the example of a figure for print, at the size of a screen."""
    pictures = [onnxviz.bundled.picture(name) for name in ("cat", "coffee")]
    layers = {"stem/conv": "first convolution", "stage4/block1/expand": "stage 4"}
    made = onnxviz.figure(
        model,
        pictures,
        layers=list(layers),
        row_labels=list(layers.values()),
        order="deviation",
        top=8,
        percentile=1,
        width_cm=12.0,
    )
    made.save(GALLERY / "figure.png", dpi=200, force=True)


def page(model: onnxviz.Model) -> None:
    """Write an example of a report: seven layers, the pooled vector and the classes, on two pictures."""
    feeds = {name: model.feed(onnxviz.bundled.picture(name)) for name in ("cat", "coffee")}
    runs = {name: model.run(feed, layers=[*OVERVIEW, "head/pool", "probabilities"]) for name, feed in feeds.items()}
    options = onnxviz.ReportOptions(size=3_000_000, labels=onnxviz.bundled.labels(), force=True)
    onnxviz.report(runs, GALLERY / "report.html", model=model, source=feeds, options=options)


def draw(kind: str, theme: str, array: np.ndarray, layout: str | None, caption: Caption) -> None:
    drawing = draw_maps(array, layout, caption, Style(theme=theme, small=True))[0]
    save(drawing.image, GALLERY / f"{kind}-{theme}.png", enlarged=drawing.enlarged, small=True, text=drawing.text)


def overview(model: onnxviz.Model, theme: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        options = ViewOptions(layers=OVERVIEW, style=Style(theme=theme, small=True))
        onnxviz.view(model, str(onnxviz.bundled.picture("cat")), Path(folder) / "maps", options)
        shutil.copy(Path(folder) / "maps" / "overview.png", GALLERY / f"overview-{theme}.png")


def chirp_bands() -> np.ndarray:
    """(1, 64, 4000): a rising tone with noise through 64 band passes, rectified."""
    time = np.arange(4000) / 4000
    noise = np.random.default_rng(1).normal(0, 0.05, 4000)
    sound = np.sin(2 * np.pi * (20 * time + 180 * time**2)) * np.exp(-(((time - 0.5) / 0.3) ** 2)) + noise
    filters = [np.sin(2 * np.pi * np.arange(81) * rate) * np.hanning(81) for rate in np.linspace(0.004, 0.11, 64)]
    return np.stack([np.maximum(np.convolve(sound, taps, "same"), 0) for taps in filters])[None].astype(np.float32)


def volume() -> np.ndarray:
    """(1, 4, 9, 48, 48): four balls of different size, seen in slices."""
    depth, row, column = np.mgrid[-1:1:9j, -1:1:48j, -1:1:48j]
    distance = np.sqrt(depth**2 + (row - 0.2) ** 2 + (column + 0.1) ** 2)
    return np.stack([np.exp(-((distance / size) ** 4)) for size in (0.3, 0.5, 0.7, 0.9)])[None].astype(np.float32)


def broken(array: np.ndarray) -> np.ndarray:
    maps = array.copy()
    maps[0, 3, 20:40, 30:60] = np.nan
    maps[0, 7] = np.nan
    maps[0, 11, 0, 0] = np.inf
    maps[0, [16, 20, 28]] = 0
    return maps


if __name__ == "__main__":
    main()

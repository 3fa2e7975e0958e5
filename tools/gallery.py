"""Draws docs/gallery: one picture a kind and theme, on the bundled model and picture, and a page to explore.

python tools/gallery.py
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

import onnxviz
from onnxviz.draw.encode import save
from onnxviz.draw.kinds import draw_maps
from onnxviz.draw.style import Caption, Style
from onnxviz.layout import AttentionLayout, Layout, TokenGrid
from onnxviz.maximising.made_sheet import draw_made
from onnxviz.viewing.options import ViewOptions

GALLERY = Path(__file__).resolve().parent.parent / "docs" / "gallery"
THEMES = ("dark", "light")
GRID = (12, 16)
OVERVIEW = [
    "stem/conv",
    "stage1/block1/project",
    "stage2/block1/depthwise",
    "stage3/block1/expand",
    "stage5/block1/depthwise",
    "stage5/block3/project",
    "head/conv",
]


MAXIMISED = (("stage3/block2/expand", 20), ("stage4/block3/expand", 383), ("stage5/block3/expand", 134))


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
        attention(theme)
        overview(model, theme)
    figure(model)
    comparison()
    explanations(model)
    made(model)
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


def comparison() -> None:
    """Draw the sheets of docs/compare.md: the bundled model against what onnxruntime's quantiser makes of it."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static

    class Pictures(CalibrationDataReader):
        def __init__(self) -> None:
            self.feeds = iter([dict(model.feed(str(path)).arrays) for path in pictures])

        def get_next(self) -> dict[str, np.ndarray] | None:
            return next(self.feeds, None)

    model = onnxviz.open(onnxviz.bundled.classifier())
    pictures = [onnxviz.bundled.picture(name) for name in ("cat", "coffee")]
    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder) / name for name in ("model.onnx", "int8.onnx")]
        shutil.copy(onnxviz.bundled.classifier(), names[0])
        quantize_static(str(names[0]), str(names[1]), Pictures(), quant_format=QuantFormat.QDQ)
        found = onnxviz.compare(names[0], names[1], pictures)
        short = replace(found, a=names[0].name, b=names[1].name)
        for theme in THEMES:
            sheet = short.sheet(theme).quantize(160, dither=Image.Dither.NONE)
            sheet.save(GALLERY / f"compare-{theme}.png", optimize=True)


def explanations(model: onnxviz.Model) -> None:
    """Draw the sheets of docs/explain.md."""
    checked = onnxviz.ExplainOptions(target="top1", methods=("gradcam", "guided", "eigencam"), check=True)
    for name, options in (("explain", onnxviz.ExplainOptions(target="top2")), ("explain-check", checked)):
        for theme in THEMES:
            with tempfile.TemporaryDirectory() as folder:
                cat = str(onnxviz.bundled.picture("cat"))
                onnxviz.explain(model, cat, Path(folder) / "why", replace(options, theme=theme))
                with Image.open(Path(folder) / "why" / "sheet.png") as sheet:
                    sheet.quantize(160).save(GALLERY / f"{name}-{theme}.png", optimize=True)


def made(model: onnxviz.Model) -> None:
    """Draw the sheets of docs/maximise.md."""
    units = [f"{layer}#{channel}" for layer, channel in MAXIMISED]
    found = onnxviz.maximise(model, units, classes="espresso")
    for theme in THEMES:
        sheet = draw_made(found, "efficientnet_lite0_int8", theme).image
        sheet.quantize(224).save(GALLERY / f"maximise-{theme}.png", optimize=True)


def page(model: onnxviz.Model) -> None:
    """Write an example of a report: seven layers, the pooled vector and the classes, on two pictures."""
    feeds = {name: model.feed(onnxviz.bundled.picture(name)) for name in ("cat", "coffee")}
    runs = {name: model.run(feed, layers=[*OVERVIEW, "head/pool", "probabilities"]) for name, feed in feeds.items()}
    options = onnxviz.ReportOptions(size=3_000_000, labels=onnxviz.bundled.labels(), force=True)
    onnxviz.report(runs, GALLERY / "report.html", model=model, source=feeds, options=options)


def attention(theme: str) -> None:
    """Draw what a patch on the cat's cheek looks at: three heads by colour, three by place."""
    rows, columns = GRID
    keys = TokenGrid(GRID, 1, split=(6, 193, 193), tokens=(2,), cells=tuple(range(-1, 192)))
    layout = AttentionLayout("NCTT", replace(keys, tokens=(1,), keys=keys), "9,8")
    cat = Image.open(onnxviz.bundled.picture("cat")).convert("RGB").resize((columns, rows), Image.Resampling.BOX)
    colours = np.asarray(cat, np.float64).reshape(-1, 3) / 255
    places = np.stack(np.divmod(np.arange(192), columns), axis=1).astype(np.float64)
    by_colour = [-np.square(colours[:, None, :] - colours[None, :, :]).sum(axis=2) * sharp for sharp in (20, 60, 200)]
    steps = places[None, :, :] - places[:, None, :]
    by_place = [-np.square(steps - shift).sum(axis=2) / 6 for shift in ([0, 0], [-3, 0], [0, 5])]
    scores = np.pad(np.stack(by_colour + by_place), ((0, 0), (1, 0), (1, 0)), constant_values=-3)
    weights = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
    caption = Caption("attention of one patch", "6 heads on 12 x 16 patches and a class token")
    draw("attention", theme, weights[None].astype(np.float32), layout, caption)


def draw(kind: str, theme: str, array: np.ndarray, layout: Layout, caption: Caption) -> None:
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

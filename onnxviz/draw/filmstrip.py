"""Volumes: a row of slices for each channel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxviz.draw.montage import choose_channels, plan_montage
from onnxviz.draw.scale import channel_statistics, limits
from onnxviz.draw.style import Caption, Drawing, Style

if TYPE_CHECKING:
    import numpy.typing as npt

SLICES = 9
"""How many slices of a volume are drawn at most."""

FOLDED = 0.2
"""The share of constant channels above which they are left out, as in a montage."""


def draw_filmstrip(maps: npt.NDArray[Any], caption: Caption, style: Style) -> list[Drawing]:
    """Draw volumes `(C, D, H, W)`: rows are channels, columns are slices, evenly chosen where there are many.

    All slices of a channel are on one scale, that of the whole channel, even if only some are drawn; the bar under
    each shows its own range within the layer's.
    """
    statistics = channel_statistics(maps)
    channels = choose_channels(statistics, style, mean_magnitudes(maps) if style.order == "mean" else None)
    notes = []
    live = channels[~statistics.constant[channels]]
    if style.channels is None and 0 < len(live) < (1 - FOLDED) * len(channels):
        notes.append(f"constant channels {len(channels) - len(live)} of {len(channels)}, not drawn")
        channels = live
    slices = choose_slices(maps.shape[1], style.columns or SLICES)
    tiles = maps[channels][:, slices].reshape(-1, *maps.shape[2:])
    names = [f"{channel} · {place}" for channel in channels for place in slices]
    notes.insert(0, "rows are channels, columns are slices" + _which(slices, maps.shape[1]))
    caption = replace(caption, line=" · ".join(part for part in (caption.line, *notes) if part))
    # Naming the channels keeps the montage from leaving out constant slices, which would break the rows.
    order = replace(style, columns=len(slices), order="index", top=None, channels=tuple(range(len(tiles))))
    repeated = np.repeat(channels, len(slices))
    own = replace(channel_statistics(tiles), constant=statistics.constant[repeated])
    scale = limits(maps, statistics, style).take(repeated)
    montage = replace(plan_montage(tiles, order, names, own), limits=scale)
    text = {"Title": caption.title, "Description": caption.line, "Colormap": montage.colormap, **montage.facts}
    return [
        Drawing(page.image(montage.colormap, style.theme), montage.grid.tile.enlarged, text)
        for page in montage.pages(caption)
    ]


def choose_slices(depth: int, most: int = SLICES) -> list[int]:
    """Return at most so many slices, evenly spread, the first and the last among them.

    >>> choose_slices(4), choose_slices(17, 5)
    ([0, 1, 2, 3], [0, 4, 8, 12, 16])
    """
    if most == 1:
        return [depth // 2]
    places: list[int] = np.linspace(0, depth - 1, min(most, depth)).round().astype(int).tolist()
    return places


def mean_magnitudes(maps: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the mean of the absolute values of each channel of maps `(C, ...)`."""
    with np.errstate(all="ignore"):
        means: npt.NDArray[np.float64] = np.abs(maps.reshape(len(maps), -1)).mean(axis=1, dtype=np.float64)
        return means


def _which(slices: list[int], depth: int) -> str:
    if len(slices) == depth:
        return ""
    return f" {', '.join(map(str, slices))} of {depth}"

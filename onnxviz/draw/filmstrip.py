"""Volumes: a row of slices for each channel."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxviz.draw.montage import live_channels, plan_montage
from onnxviz.draw.scale import channel_statistics, limits
from onnxviz.draw.style import Caption, Drawing, Style

if TYPE_CHECKING:
    import numpy.typing as npt

SLICES = 9
"""How many slices of a volume are drawn at most."""


def draw_filmstrip(maps: npt.NDArray[Any], caption: Caption, style: Style) -> list[Drawing]:
    """Draw volumes `(C, D, H, W)`: rows are channels, columns are slices, evenly chosen where there are many.

    All slices of a channel are on one scale, that of the whole channel, even if only some are drawn; the bar under
    each shows its own range within the layer's.
    """
    statistics = channel_statistics(maps)
    channels, folded = live_channels(maps, statistics, style)
    notes = [f"live {int(statistics.live.sum())} of {len(maps)}, constant ones not drawn"] if folded else []
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


def _which(slices: list[int], depth: int) -> str:
    if len(slices) == depth:
        return ""
    return f" {', '.join(map(str, slices))} of {depth}"

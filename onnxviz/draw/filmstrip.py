"""Volumes and maps in steps: a row of slices or steps for each channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onnxviz.draw.montage import draw_montage
from onnxviz.draw.prepare import Prepared
from onnxviz.draw.statistics import channel_extremes
from onnxviz.draw.style import Caption, Drawing

SLICES, STEPS = 9, 16
"""How many slices of a volume, or steps, are drawn at most."""


def draw_filmstrip(volumes: Prepared) -> list[Drawing]:
    """Draw volumes `(C, D, H, W)`: rows are channels, columns are slices, evenly chosen where there are many.

    All slices of a channel are on one scale, that of the whole channel, even if only some are drawn; the bar under
    each shows its own range within the layer's.
    """
    return _draw(volumes, "slices", SLICES)


def draw_steps(steps: Prepared) -> list[Drawing]:
    """Draw maps in steps `(C, S, H, W)` as `draw_filmstrip` draws volumes; the caption says which step is the first."""
    return _draw(steps, "steps", STEPS)


def _draw(volumes: Prepared, columns: str, most: int) -> list[Drawing]:
    volumes = volumes.without_constant()
    maps, channels, statistics = volumes.maps, volumes.channels, volumes.statistics
    slices = choose_slices(maps.shape[1], volumes.style.columns or most)
    tiles = maps[channels][:, slices].reshape(-1, *maps.shape[2:])
    repeated = np.repeat(channels, len(slices))
    numbers = [place + volumes.caption.first_step for place in slices]
    labels = [f"{channel} · {number}" for channel in channels for number in numbers]
    return draw_montage(
        Prepared(
            maps=tiles,
            caption=Caption(volumes.caption.title, _line(volumes, columns, numbers), labels),
            # With `top` the montage leaves no constant slice out, which would break the rows.
            style=replace(volumes.style, columns=len(slices), order="index", top=len(tiles)),
            statistics=replace(channel_extremes(tiles), constant=statistics.constant[repeated]),
            limits=volumes.limits.take(repeated),
            channels=np.arange(len(tiles)),
        )
    )


def choose_slices(depth: int, most: int = SLICES) -> list[int]:
    """Return at most so many slices, evenly spread, the first and the last among them.

    >>> choose_slices(4), choose_slices(17, 5)
    ([0, 1, 2, 3], [0, 4, 8, 12, 16])
    """
    if most == 1:
        return [depth // 2]
    places: list[int] = np.linspace(0, depth - 1, min(most, depth)).round().astype(int).tolist()
    return places


def _line(volumes: Prepared, columns: str, numbers: list[int]) -> str:
    """Return the caption's line with what rows and columns are, and how many channels are left out."""
    depth, live = volumes.maps.shape[1], int(volumes.statistics.live.sum())
    which = "" if len(numbers) == depth else f" {', '.join(map(str, numbers))} of {depth}"
    parts = [volumes.caption.line, f"rows are channels, columns are {columns}{which}"]
    parts += [*volumes.order_words, *volumes.count_words]
    if volumes.folded:
        parts.append(f"live {live} of {len(volumes.maps)}, constant ones not drawn")
    return " · ".join(part for part in parts if part)

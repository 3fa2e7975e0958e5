"""A row of a figure: a layer for each input, with the same channels on the same scale in all of its cells.

conv, 96 channels, of 2 inputs, in the order of their deviation, the first 4:
  chosen   the 4 channels that vary most over both inputs
  limits   of these 4, over both inputs
  cells    2 x 4 tiles
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from onnxviz.draw.arrange import NOTHING, Arranged
from onnxviz.draw.bars import vertical_limits
from onnxviz.draw.figure.cells import Cell, MapPixels, TileCell, WordCell
from onnxviz.draw.figure.common_scale import RowStyle, common_limits, percentile_ends
from onnxviz.draw.figure.map_painter import MapPainter
from onnxviz.draw.figure.plot_cell import PlotCell
from onnxviz.draw.figure.scale_bar import BarScale
from onnxviz.draw.kinds import picture_kind
from onnxviz.draw.palette import palette
from onnxviz.draw.prepare import chosen_channels, group_starts
from onnxviz.draw.scale import own_scale
from onnxviz.draw.statistics import channel_extremes, not_finite
from onnxviz.draw.style import RANKED, Style
from onnxviz.errors import UsageError
from onnxviz.layout import Array

PICTURE = 2.2
"""The most centimetres that an input's picture is wide or high."""

SIGNED = "gray"
"""The colormap that `auto` means for maps with both signs: zero is its middle, and it can be printed without colour."""


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A row of cells.

    Attributes:
        head: what stands at its left.
        cells: one an input.
        channels: those that are drawn; empty for the pictures of inputs.
        count: how many the layer has.
        scale: of its colour bar; None for none.
        signs: which of `constant`, `NaN`, `inf` and `-inf` are drawn.
    """

    head: str
    cells: tuple[Cell, ...]
    channels: tuple[int, ...] = ()
    count: int = 0
    scale: BarScale | None = None
    signs: tuple[str, ...] = ()


def picture_row(head: str, pictures: Sequence[MapPixels | None]) -> FigureRow:
    """Return the row of the inputs themselves; one that is not a picture leaves its cell empty."""
    cells = (WordCell("") if one is None else TileCell((one,), None, 1, largest=PICTURE) for one in pictures)
    return FigureRow(head, tuple(cells))


def layer_row(head: str, arranged: Sequence[Arranged], how: RowStyle) -> FigureRow:
    """Return the row of a layer, of which each input gave one array.

    Raises:
        UsageError: The inputs gave different numbers of channels or kinds of maps, or the style names a channel or a
            scale that does not exist.
    """
    first, count = arranged[0], len(arranged[0].values)
    if first.kind == NOTHING:
        return FigureRow(head, tuple(WordCell(", ".join(one.notes)) for one in arranged))
    if len({(one.kind, len(one.values)) for one in arranged}) > 1:
        raise UsageError(f"the inputs give {head!r} different kinds of maps: draw one figure for each")
    kind = picture_kind(first)
    how = replace(how, style=kind.style(how.style))
    chosen = _chosen([one.values for one in arranged], how.style)
    arranged = [_only(one, chosen) for one in arranged]
    drawn = [one.values for one in arranged]
    names = tuple(map(str, chosen.tolist())) if how.numbers else ()
    is_plot = first.values.ndim == 1 or (first.values.ndim == 2 and count == 1)
    if is_plot:
        row = _plots(drawn, names, how)
    else:
        starts = group_starts(chosen, count // first.groups) if how.style.order == "index" else []
        row = _maps(arranged, names, how, kind.gamma, starts)
    return replace(row, head=head, channels=tuple(chosen.tolist()), count=count)


def _chosen(values: Sequence[Array], style: Style) -> npt.NDArray[np.intp]:
    """Return the channels that are drawn, the same for all inputs."""
    if style.order not in RANKED:
        return chosen_channels(values[0], style)
    if values[0].ndim == 1:
        # A vector has no deviation in space: its values go by their magnitude.
        style = replace(style, order="mean")
    return chosen_channels(np.concatenate([one.reshape(len(one), -1) for one in values], axis=1), style)


def _only(arranged: Arranged, chosen: npt.NDArray[np.intp]) -> Arranged:
    """Return the channels of a layer that are drawn."""
    prefix = None if arranged.prefix is None else arranged.prefix[chosen]
    return replace(arranged, values=arranged.values[chosen], prefix=prefix)


def _flat(drawn: Sequence[Array]) -> Array:
    """Return channels of all inputs as one array (C, n), so that what is found in it holds for each input."""
    return np.concatenate([values.reshape(len(values), -1) for values in drawn], axis=1)


def _maps(
    arranged: Sequence[Arranged], names: tuple[str, ...], how: RowStyle, gamma: float, starts: Sequence[int]
) -> FigureRow:
    """Return maps `(C, ...)` of each input as tiles or bands, of which a further group begins at each of `starts`."""
    drawn = [one.values for one in arranged]
    besides = [one.prefix for one in arranged if one.prefix is not None]
    flat, style = _flat(drawn), how.style
    scale = common_limits(flat, how)
    # On a scale that channels share, a constant has its colour.
    constant = channel_extremes(flat).constant if scale.own else np.zeros(len(flat), np.bool_)
    colormap = (SIGNED if scale.diverging else "viridis") if style.colormap == "auto" else style.colormap
    painter = MapPainter(drawn, scale, constant, colormap, gamma, style, besides, starts)
    return FigureRow("", painter.cells(names), scale=painter.bar, signs=painter.signs)


def _plots(drawn: Sequence[Array], names: tuple[str, ...], how: RowStyle) -> FigureRow:
    """Return vectors, or a single sequence an input, as bars on one axis."""
    flat = _flat(drawn)
    found = own_scale(flat, how.style).ends if how.percentile is None else percentile_ends(flat, how.percentile)
    colormap = "viridis" if how.style.colormap == "auto" else how.style.colormap
    colours, named = palette(colormap, how.style.theme), names if drawn[0].ndim == 1 else ()
    cells = (
        PlotCell(values.reshape(-1).astype(np.float64), vertical_limits(*found), colours, place == 0, named)
        for place, values in enumerate(drawn)
    )
    return FigureRow("", tuple(cells), signs=tuple(not_finite(flat)))

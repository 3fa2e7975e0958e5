"""Maps of several inputs as the cells of a row: tiles or bands, in colours that mean the same in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from onnxviz.draw.bands import WIDTH, strongest
from onnxviz.draw.figure.cells import BandCell, Cell, MapPixels, TileCell, tile_columns
from onnxviz.draw.figure.scale_bar import BarScale
from onnxviz.draw.filmstrip import choose_slices
from onnxviz.draw.header import ENDS
from onnxviz.draw.page import hatch
from onnxviz.draw.palette import HATCH_LINE, Palette, melts_into_page, palette
from onnxviz.draw.quantise import quantise, quantise_beside
from onnxviz.draw.scale import Limits
from onnxviz.draw.statistics import channel_extremes, not_finite
from onnxviz.draw.style import Style
from onnxviz.layout import Array

LARGEST = 9.0
"""The most centimetres that a map is wide or high."""

# Pixels of the longer side of a tile that is hatched.
_HATCHED = 48


@dataclass(frozen=True, slots=True)
class MapPainter:
    """Maps of each input, with what their colours mean.

    Attributes:
        drawn: the maps of each input `(C, ...)`.
        scale: the ends of each channel's colours.
        constant: the channels that are hatched.
        colormap, gamma, style: how they are coloured and laid out.
        besides: of each input the values that lie nowhere on its maps `(C, n)`; empty for none.
        starts: the channels at which a further group of bands begins.
    """

    drawn: Sequence[Array]
    scale: Limits
    constant: npt.NDArray[np.bool_]
    colormap: str
    gamma: float
    style: Style
    besides: Sequence[Array] = ()
    starts: Sequence[int] = ()

    @property
    def bar(self) -> BarScale:
        """What the colour bar of the row shows."""
        if self.scale.own:
            return BarScale(self.colormap, 0.0, 1.0, ENDS[self.scale.mode])
        return BarScale(self.colormap, float(self.scale.low[0]), float(self.scale.high[0]), None, self.gamma)

    @property
    def signs(self) -> tuple[str, ...]:
        """Which of `constant`, `NaN`, `inf` and `-inf` are drawn."""
        found = [sign for values in self.drawn for sign in not_finite(values)]
        return tuple(dict.fromkeys([*(["constant"] if self.constant.any() else []), *found]))

    def cells(self, names: tuple[str, ...]) -> tuple[Cell, ...]:
        """Return a cell for each input; `names` are those of the channels, empty for none."""
        if self.drawn[0].ndim == 2:
            bands = map(self._bands, self.drawn)
            return tuple(BandCell(each, self._colours, self._framed, self.starts) for each in bands)
        cells = [self._tiles(values, names) for values in self.drawn]
        return tuple(map(self._with_besides, cells, self.drawn, self.besides)) if self.besides else tuple(cells)

    @property
    def _colours(self) -> Palette:
        return palette(self.colormap, self.style.theme)

    @property
    def _framed(self) -> bool:
        return melts_into_page(self.colormap, self.style.theme, self.scale.diverging)

    def _tiles(self, values: Array, names: tuple[str, ...]) -> TileCell:
        columns = self.style.columns
        constant, scale, shown = self.constant, self.scale, values
        if values.ndim == 4:
            slices = choose_slices(values.shape[1], columns or 9)
            columns, repeated = len(slices), np.repeat(np.arange(len(values)), len(slices))
            shown, scale, constant = values[:, slices], scale.take(repeated), constant[repeated]
            names = tuple(f"{name} · {place}" for name in names for place in slices)
        maps = shown.reshape(-1, *shown.shape[-2:])
        indices = quantise(maps, scale, channel_extremes(maps), gamma=self.gamma)
        tiles = [_hatching(tile) if flat else tile for tile, flat in zip(indices, constant, strict=True)]
        # As many as suit the first input, so that all have a tile at the same place.
        columns = min(len(tiles), columns or tile_columns(len(tiles), *self.drawn[0].shape[-2:]))
        return TileCell(tiles, self._colours, columns, names, self._framed, LARGEST)

    def _with_besides(self, cell: TileCell, maps: Array, values: Array) -> TileCell:
        """Return tiles with their values of no place in columns of one length, none longer than a tile is high."""
        (height, width), count = maps.shape[1:], values.shape[1]
        rows = max(rows for rows in range(1, min(height, count) + 1) if count % rows == 0)
        indices = quantise_beside(values, self.scale, self.gamma)
        besides = indices.reshape(len(values), -1, rows).transpose(0, 2, 1)
        return replace(cell, besides=tuple(besides), map_size=(height, width))

    def _bands(self, values: Array) -> MapPixels:
        shrink = -(-values.shape[1] // WIDTH)
        if shrink > 1:
            values = strongest(values, np.arange(0, values.shape[1], shrink))
        bands = quantise(values[:, None], self.scale, channel_extremes(values), gamma=self.gamma)[:, 0]
        bands[self.constant] = HATCH_LINE
        return bands


def _hatching(tile: MapPixels) -> MapPixels:
    """Return diagonal lines in the shape of a tile, the sign of a channel that is constant."""
    scale = _HATCHED / max(tile.shape)
    lines = np.empty([max(1, round(size * scale)) for size in tile.shape], np.uint8)
    hatch(lines, 10)
    return lines

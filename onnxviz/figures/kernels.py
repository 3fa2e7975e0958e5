"""The kernels of layers as rows of a figure: what a convolution looks for.

(32, 3, 3, 3)    32 pictures of 3 x 3: the input's three channels are red, green and blue
(32, 1, 5, 5)    32 maps of 5 x 5
(64, 32, 3, 3)   a row a filter: maps of 3 x 3 for its first input channels
(64, 32, 1, 1)   one map: a row a filter, a column an input channel
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from onnxviz.draw.arrange import MAPS, Arranged
from onnxviz.draw.figure.cells import TileCell, tile_columns
from onnxviz.draw.figure.common_scale import RowStyle, percentile_ends
from onnxviz.draw.figure.figure_rows import FigureRow, layer_row
from onnxviz.draw.figure.map_painter import LARGEST
from onnxviz.draw.figure.scale_bar import BarScale
from onnxviz.draw.prepare import chosen_channels
from onnxviz.errors import NoMatchError
from onnxviz.figures.figure_options import MOST, FigureOptions
from onnxviz.inference.kernel_values import kernel_of
from onnxviz.layout import Array
from onnxviz.model import Model, choices_of, layers_of
from onnxviz.words import listed, quoted


def kernel_rows(model: Model, options: FigureOptions) -> Iterator[FigureRow]:
    """Yield a row for each selected layer that has a kernel, all on a scale about zero.

    Raises:
        NoMatchError: None of the layers has a kernel.
        UsageError: A filter that the style names does not exist.
    """
    choices, _ = choices_of(model, options.weights, options.exclude, "op")
    layers = layers_of(model, choices)
    found = False
    for layer in layers:
        kernel = kernel_of(model.inference, layer, options.run)
        if kernel is not None:
            found = True
            yield kernel_row(layer.name, kernel, options.row_style)
    if not found:
        names = listed(quoted(layer.name) for layer in layers)
        raise NoMatchError(f"{names}: no kernel, which convolutions and dense layers have")


def kernel_row(name: str, kernel: Array, how: RowStyle) -> FigureRow:
    """Return the row of one kernel `(filters, channels, ...)`."""
    style = how.style
    if kernel.ndim < 3 or all(size == 1 for size in kernel.shape[2:]):
        return _maps(name, kernel.reshape(1, *kernel.shape[:2]), how)
    # Of more axes of space the last two make the maps.
    maps = kernel.reshape(len(kernel), -1, *kernel.shape[-2:]) if kernel.ndim > 3 else kernel[:, None]
    if kernel.ndim == 4 and maps.shape[1] == 3:
        return _coloured(name, maps, how)
    if maps.shape[1] == 1:
        return _maps(name, maps[:, 0], how)
    many = style.channels is None and style.top is None
    filters = chosen_channels(maps, replace(style, top=MOST) if many else style)
    columns = min(style.columns or MOST, maps.shape[1])
    plain = replace(style, channels=None, order="index", top=None, columns=columns)
    tiles = maps[filters][:, :columns].reshape(-1, *maps.shape[2:])
    row = _maps(name, tiles, replace(how, style=plain, numbers=False))
    return replace(row, channels=tuple(filters.tolist()), count=len(maps))


def _maps(name: str, maps: Array, how: RowStyle) -> FigureRow:
    """Return maps (n, H, W) as tiles on one scale about zero, unless another one is asked for."""
    scale = "symmetric" if how.style.scale == "auto" else how.style.scale
    return layer_row(name, [Arranged(MAPS, maps)], replace(how, style=replace(how.style, scale=scale)))


def _coloured(name: str, maps: Array, how: RowStyle) -> FigureRow:
    """Return filters of three channels (n, 3, H, W) as pictures, grey where they are zero."""
    filters = chosen_channels(maps, how.style)
    drawn = maps[filters].astype(np.float64)
    reach = max(map(abs, percentile_ends(drawn, how.percentile or 0.0)))
    levels = np.clip(127.5 + 127.5 * drawn / (reach or 1.0), 0, 255)
    tiles = np.rint(np.nan_to_num(levels, nan=127.5)).astype(np.uint8).transpose(0, 2, 3, 1)
    columns = how.style.columns or tile_columns(len(tiles), *tiles.shape[1:3])
    names = tuple(map(str, filters.tolist())) if how.numbers else ()
    cell = TileCell(tuple(tiles), None, min(columns, len(tiles)), names, largest=LARGEST)
    return FigureRow(name, (cell,), tuple(filters.tolist()), len(maps), BarScale("gray", -reach, reach))

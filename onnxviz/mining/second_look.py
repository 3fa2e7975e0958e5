"""A second look at the pictures that won: each is opened again, and where units see more than a patch, run again.

The run hands out the same numbers as the first, and the maps of those layers beside them: that the numbers of every
winner come again to the bit is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from onnxviz.draw.patches import PatchPixels, lights_of
from onnxviz.errors import InputError
from onnxviz.feed.geometry import Geometry
from onnxviz.feed.make import FeedMaker
from onnxviz.feed.pictures import as_rgb, open_picture
from onnxviz.inference.reduction import ReducedLayer
from onnxviz.layout import Array
from onnxviz.mining.mined import Mined
from onnxviz.mining.mining_job import MinedLayer, fill
from onnxviz.mining.state import Rows, State
from onnxviz.sweeping.dataset import file_of
from onnxviz.sweeping.model_run import Arrays, item_of


def lit_layers(mined: Mined, fed: Sequence[int]) -> list[int]:
    """Return the places of the layers whose units see more than half of what is fed, `(H, W)`, by its longer side."""
    found = []
    for place, layer in enumerate(mined.document["layers"]):
        field = layer["field"]
        known = field is not None and field["size"] is not None and field["stride"] is not None
        if not known or len(field["size"]) != 2 or len(layer["places"]) != 2 or 2 * max(field["size"]) > max(fed):
            found.append(place)
    return found


class LitLayer:
    """A layer whose winners are run again, for their maps."""

    def __init__(self, layer: ReducedLayer, mined: MinedLayer, state: State) -> None:
        """Take the layer as it is run and as it was mined, and what was found."""
        self._layer = layer
        self._mined = replace(mined, first=0)
        self._value = state.value[:, mined.part]
        self.checked = 0
        self.different = 0

    def lights(self, arrays: Arrays, ranks: Array, units: Array) -> npt.NDArray[np.uint8]:
        """Return how brightly a picture is lit for each of the units that it won, and check their numbers."""
        row = Rows.of_size(1, self._mined.channels)
        fill(row, slice(0, 1), self._mined, arrays)
        again, before = row.greatest[0, units], self._value[ranks, units]
        self.checked += len(units)
        self.different += int(np.count_nonzero(again.view(np.int32) != before.view(np.int32)))
        return lights_of(_maps(arrays[self._layer.outputs.map], self._layer, units))


def winners(picture: Array) -> Iterator[tuple[int, Array, Array]]:
    """Yield each picture in `(k, C)` with the ranks and units that it won."""
    ranks, units = np.nonzero(picture >= 0)
    who = picture[ranks, units]
    order = np.argsort(who, kind="stable")
    ranks, units, who = ranks[order], units[order], who[order]
    ends = np.flatnonzero(np.diff(who, append=-1))
    start = 0
    for end in ends + 1:
        yield int(who[start]), ranks[start:end], units[start:end]
        start = int(end)


def grid_of_places(layer: ReducedLayer) -> tuple[int, int] | None:
    """Return the rows and columns of a layer's map; None where its places are not those of a picture."""
    places, tokens = layer.shape.places, layer.tokens
    if tokens is not None:
        return tokens.grid if len(places) == 1 and places[0] == len(tokens.cells) else None
    if len(places) == 2 and None not in places and "T" not in layer.shape.layout:
        return int(places[0] or 1), int(places[1] or 1)
    return None


def _maps(array: Array, layer: ReducedLayer, units: Array) -> npt.NDArray[np.float32]:
    """Return the maps of some units, `(n, rows, columns)`."""
    grid = grid_of_places(layer) or (1, 1)
    flat: npt.NDArray[np.float32] = array[0, units].reshape(len(units), -1)
    if layer.tokens is None:
        return flat.reshape(len(units), *grid)
    cells = np.array(layer.tokens.cells)
    maps = np.zeros((len(units), grid[0] * grid[1]), np.float32)
    maps[:, cells[cells >= 0]] = flat[:, cells >= 0]
    return maps.reshape(len(units), *grid)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A picture as it lies in its file, upright, as it was fed, and the arrays that it was fed as."""

    original: PatchPixels
    shown: PatchPixels
    geometry: Geometry | None
    arrays: Arrays

    def in_original(self, box: tuple[int, int, int, int]) -> tuple[float, float, float, float]:
        """Return a box of what was fed, `(top, left, bottom, right)`, in pixels of the file."""
        if self.geometry is None:
            return box
        (down, across), (top, left) = self.geometry.scale, self.geometry.offset
        return box[0] * down + top, box[1] * across + left, box[2] * down + top, box[3] * across + left


def see(maker: FeedMaker, source: str) -> Seen | None:
    """Return a picture of the data set; None where it is not one, or can no longer be read."""
    path, item = file_of(source)
    try:
        picture = open_picture(Path(path), path) if item is None else None
        feed = maker.feed(item_of(source) if picture is None or maker.drafts else picture)
    except InputError:
        return None
    main = feed.main
    if main.picture is None:
        return None
    original = main.picture if picture is None else as_rgb(picture.pixels)
    return Seen(original, main.picture, main.geometry, feed.arrays)

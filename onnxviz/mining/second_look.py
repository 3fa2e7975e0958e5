"""A second look at the pictures that won: each is opened again, and where units see more than a patch, run again.

The run hands out the same numbers as the first, and the maps of those layers beside them: that the numbers come again
to the bit is checked for every winner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxviz.draw.patches import MOST_LIGHTS, PatchPixels, lights_of
from onnxviz.errors import OnnxvizError
from onnxviz.feed.feed import Fed
from onnxviz.feed.make import FeedMaker
from onnxviz.feed.pictures import as_rgb, open_picture
from onnxviz.inference.reduction import ReducedLayer, ReducedRun
from onnxviz.layout import Array
from onnxviz.mining.mined import Mined
from onnxviz.mining.mining_job import MinedLayer, MiningJob, fill
from onnxviz.mining.state import Rows, State
from onnxviz.sweeping.dataset import file_of
from onnxviz.sweeping.model_run import item_of


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What the second look found.

    Attributes:
        lights: for each layer that is lit, by its place: how brightly each winner's map lights its picture,
            `(k, C, h, w) uint8`.
        checked: how many numbers were compared with those of the first pass.
        different: how many were not the same to the bit.
    """

    lights: Mapping[int, npt.NDArray[np.uint8]]
    checked: int
    different: int


def lit_layers(mined: Mined, fed: Sequence[int]) -> list[int]:
    """Return the places of the layers whose units see more than half of what is fed, `(H, W)`, by its longer side."""
    found = []
    for place, layer in enumerate(mined.document["layers"]):
        field = layer["field"]
        known = field is not None and field["size"] is not None and field["stride"] is not None
        if not known or len(field["size"]) != 2 or len(layer["places"]) != 2 or 2 * max(field["size"]) > max(fed):
            found.append(place)
    return found


def look_again(
    reduced: ReducedRun, job: MiningJob, mined: Mined, lit: Sequence[int], ticked: Callable[[], None]
) -> SecondLook:
    """Run every picture that won in one of these layers again."""
    lit = [place for place in lit if _grid(reduced.layers[place]) is not None]
    if not lit:
        return SecondLook({}, 0, 0)
    mapped = reduced.with_maps(lit)
    layers = [_LitLayer(mapped.layers[place], job.layers[place], mined.state) for place in lit]
    run = replace(job.run, piece=mapped.piece, batch=1).open()
    wins = _wins(mined.state.picture, [layer.mined for layer in layers])
    different = 0
    for number in sorted(wins):
        ticked()
        try:
            arrays = run.again(mined.pictures.sources[number])
        except OnnxvizError:
            different += sum(len(ranks) for ranks, _ in wins[number].values())
            continue
        for place, (ranks, units) in wins[number].items():
            different += layers[place].take(arrays, ranks, units)
    checked = sum(int((mined.state.picture[:, layer.mined.part] >= 0).sum()) for layer in layers)
    return SecondLook({place: layer.lights for place, layer in zip(lit, layers, strict=True)}, checked, different)


class _LitLayer:
    """A layer whose winners are run again."""

    def __init__(self, layer: ReducedLayer, mined: MinedLayer, state: State) -> None:
        self.mined = mined
        self._layer = layer
        self._value = state.value[:, mined.part]
        rows, columns = _reduced_sizes(_grid(layer) or (1, 1))
        self.lights = np.zeros((len(self._value), mined.channels, rows, columns), np.uint8)

    def take(self, arrays: Mapping[str, Array], ranks: Array, units: Array) -> int:
        """Keep the lights of a picture's winners, and return how many of their numbers differ from before."""
        row = Rows.of_size(1, self.mined.channels)
        fill(row, slice(0, 1), replace(self.mined, first=0), arrays)
        self.lights[ranks, units] = lights_of(_maps(arrays[self._layer.outputs.map], self._layer, units))
        again, before = row.greatest[0, units], self._value[ranks, units]
        return int(np.count_nonzero(again.view(np.int32) != before.view(np.int32)))


def _wins(picture: Array, layers: Sequence[MinedLayer]) -> dict[int, dict[int, tuple[Array, Array]]]:
    """Return for each picture, and each of these layers in which it won, ranks and units."""
    found: dict[int, dict[int, tuple[Array, Array]]] = {}
    for place, layer in enumerate(layers):
        for number, ranks, units in winners(picture[:, layer.part]):
            found.setdefault(number, {})[place] = ranks, units
    return found


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


def _grid(layer: ReducedLayer) -> tuple[int, int] | None:
    """Return the rows and columns of a layer's map; None where its places are not those of a picture."""
    places, tokens = layer.shape.places, layer.tokens
    if tokens is not None:
        return tokens.grid if len(places) == 1 and places[0] == len(tokens.cells) else None
    if len(places) == 2 and None not in places and "T" not in layer.shape.layout:
        return int(places[0] or 1), int(places[1] or 1)
    return None


def _reduced_sizes(grid: tuple[int, int]) -> tuple[int, int]:
    steps = [-(-size // MOST_LIGHTS) for size in grid]
    return -(-grid[0] // steps[0]), -(-grid[1] // steps[1])


def _maps(array: Array, layer: ReducedLayer, units: Array) -> npt.NDArray[np.float32]:
    """Return the maps of some units, `(n, rows, columns)`."""
    grid = _grid(layer) or (1, 1)
    flat: npt.NDArray[np.float32] = array[0, units].reshape(len(units), -1)
    if layer.tokens is None:
        return flat.reshape(len(units), *grid)
    cells = np.array(layer.tokens.cells)
    maps = np.zeros((len(units), grid[0] * grid[1]), np.float32)
    maps[:, cells[cells >= 0]] = flat[:, cells >= 0]
    return maps.reshape(len(units), *grid)


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A picture as it lies in its file, upright, and as it was fed; None where it is not a picture."""

    original: PatchPixels
    fed: Fed

    def in_original(self, box: tuple[int, int, int, int]) -> tuple[float, float, float, float]:
        """Return a box of what was fed, `(top, left, bottom, right)`, in pixels of the file."""
        geometry = self.fed.geometry
        if geometry is None:
            return box
        (down, across), (top, left) = geometry.scale, geometry.offset
        return box[0] * down + top, box[1] * across + left, box[2] * down + top, box[3] * across + left


def see(maker: FeedMaker, source: str) -> Seen | None:
    """Return a picture of the data set; None where it is not one, or can no longer be read."""
    path, item = file_of(source)
    try:
        if item is None:
            picture: Any = open_picture(item_of(source), path)
            fed = maker.feed(picture).main
            return Seen(as_rgb(picture.pixels), fed) if fed.picture is not None else None
        fed = maker.feed(item_of(source)).main
    except OnnxvizError:
        return None
    return Seen(fed.picture, fed) if fed.picture is not None else None

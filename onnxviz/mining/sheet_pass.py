"""The pass behind the contact sheets: winners are opened again one by one, their patches cut, the sheets written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from onnxviz.draw.palette import Theme, find_theme
from onnxviz.draw.patches import cut_out, lit, thumbnail
from onnxviz.errors import ExecutionError
from onnxviz.feed.make import FeedMaker
from onnxviz.layout import Array
from onnxviz.mining.contact_sheets import FOLDER, SheetPlan, draw_plan, plan_sheets
from onnxviz.mining.mine_options import MineOptions
from onnxviz.mining.mined import Mined, MinedUnits, box_of
from onnxviz.mining.patch_file import PatchFile
from onnxviz.mining.second_look import LitLayer, Seen, grid_of_places, lit_layers, see, winners
from onnxviz.mining.survey import Survey
from onnxviz.model import Model
from onnxviz.results.observer import Observer
from onnxviz.sweeping.model_run import OpenRun


def draw_sheets(
    model: Model, found: Survey, mined: Mined, folder: Path, options: MineOptions, observer: Observer
) -> tuple[Mined, Sequence[str]]:
    """Write the sheets of all layers, and return what was mined with what is said of them, and their files."""
    if found.fed_size is None and options.sheets:
        observer.noted("what is fed is not a picture: there are no sheets")
    if found.fed_size is None or not options.sheets:
        return mined.with_sheets([[] for _ in mined], options.theme, {}), ()
    theme = find_theme(options.theme)
    whole = lit_layers(mined, found.fed_size)
    plans = plan_sheets(mined, whole, options.order)
    maker = FeedMaker(found.job.run.inputs, options.feed, model.metadata)
    with PatchFile(folder, plans, found.job.count, theme.panel) as patches:
        cutter = _cutter(found, mined, plans, whole, theme)
        numbers = sorted(cutter.wins)
        observer.planned(len(numbers), 0, 1)
        for number in numbers:
            seen = see(maker, mined.pictures.sources[number])
            if seen is not None:
                cutter.cut(number, seen, patches.put)
            observer.swept(1)
        _say(cutter, patches.missing, observer)
        (folder / FOLDER).mkdir(exist_ok=True)
        for place, sheets in enumerate(plans):
            for number, plan in enumerate(sheets):
                (folder / plan.file).write_bytes(draw_plan(plan, mined, patches.of(place, number), theme))
    said = [[plan.as_json() for plan in sheets] for sheets in plans]
    checks = {"checked": cutter.checked, "different": cutter.different}
    return mined.with_sheets(said, options.theme, checks), [plan.file for sheets in plans for plan in sheets]


def _say(cutter: _Cutter, missing: int, observer: Observer) -> None:
    if cutter.different:
        observer.noted(
            f"ATTENTION: of {cutter.checked:,} numbers {cutter.different:,} did not come again to the bit when their "
            "pictures were run a second time"
        )
    if missing:
        observer.noted(
            f"{missing:,} patches are grey: there were fewer pictures than patches, or one can no longer be read"
        )


Put = Callable[[int, Array, Array, npt.NDArray[np.uint8]], None]
_Wins = Mapping[int, Sequence[tuple[int, Array, Array]]]


@dataclass(frozen=True, slots=True)
class _Cutter:
    """Cuts the patches of one picture after the other.

    Attributes:
        wins: for each picture that won: the layers, and in each the ranks and units.
        units: the layers' units.
        places: the place of each unit of a layer among those that are shown, -1 for one that is not.
        sizes: pixels of a layer's patches.
        whole: the layers whose patches are whole pictures.
        lit: those of them that have maps to light them.
        run: what computes the maps; None where there are none to compute.
    """

    wins: _Wins
    units: Sequence[MinedUnits]
    places: Sequence[Array]
    sizes: Sequence[int]
    whole: Sequence[int]
    lit: Mapping[int, LitLayer]
    run: OpenRun | None
    outside: tuple[int, int, int]

    @property
    def checked(self) -> int:
        """How many numbers were compared with those of the first pass."""
        return sum(layer.checked for layer in self.lit.values())

    @property
    def different(self) -> int:
        """How many of them were not the same to the bit."""
        return sum(layer.different for layer in self.lit.values())

    def cut(self, number: int, seen: Seen, put: Put) -> None:
        """Cut all patches of a picture."""
        won = self.wins[number]
        arrays = None
        if self.run is not None and any(layer in self.lit for layer, _, _ in won):
            try:
                arrays = self.run.of(seen.arrays)
            except ExecutionError:
                return
        whole = {self.sizes[layer] for layer, _, _ in won if layer in self.whole}
        thumbnails = {size: thumbnail(seen.shown, size) for size in whole}
        for layer, ranks, units in won:
            if layer not in self.whole:
                tiles = self._fields(seen, layer, ranks, units)
            else:
                thumb = thumbnails[self.sizes[layer]]
                lights = self.lit[layer].lights(arrays, ranks, units) if arrays and layer in self.lit else None
                tiles = np.repeat(thumb[None], len(units), axis=0) if lights is None else lit(thumb, lights)
            put(layer, self.places[layer][units], ranks, tiles)

    def _fields(self, seen: Seen, layer: int, ranks: Array, units: Array) -> npt.NDArray[np.uint8]:
        found, size = self.units[layer], self.sizes[layer]
        boxes = [box_of(found.facts, int(flat)) for flat in found.state.place[ranks, units]]
        patches = [cut_out(seen.original, seen.in_original(box), size, self.outside) for box in boxes if box]
        return np.stack(patches)


def _cutter(
    found: Survey, mined: Mined, plans: Sequence[Sequence[SheetPlan]], whole: Sequence[int], theme: Theme
) -> _Cutter:
    units = list(mined.values())
    places = [np.full(len(each), -1) for each in units]
    wins: dict[int, list[tuple[int, Array, Array]]] = {}
    for layer, sheets in enumerate(plans):
        shown = [unit for plan in sheets for unit in plan.units]
        places[layer][shown] = np.arange(len(shown))
        picture = np.where(places[layer] >= 0, units[layer].state.picture, -1)
        for number, ranks, won in winners(picture):
            wins.setdefault(number, []).append((layer, ranks, won))
    light = [place for place in whole if plans[place] and grid_of_places(found.reduced.layers[place]) is not None]
    lit_by, run = {}, None
    if light:
        mapped = found.reduced.with_maps(light)
        run = replace(found.job.run, piece=mapped.piece, batch=1).open()
        lit_by = {place: LitLayer(mapped.layers[place], found.job.layers[place], mined.state) for place in light}
    sizes = [sheets[0].size.patch if sheets else 1 for sheets in plans]
    return _Cutter(wins, units, places, sizes, whole, lit_by, run, theme.hatch_line)

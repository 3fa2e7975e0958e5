"""Contact sheets: the strongest patches of each unit of a layer, with its histogram and its class.

A layer has as many sheets as it needs, of at most 240 units. Where each unit's cell lies on which sheet stands in
`mine.json`, so that single ones can be cut out again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxviz.draw.contact_sheet import CellSize, SheetCell, contact_sheet, read_sheet
from onnxviz.draw.palette import Theme
from onnxviz.draw.patches import PatchPixels, cut_out, lit, thumbnail
from onnxviz.feed.make import FeedMaker
from onnxviz.files import safe_name
from onnxviz.layout import Array
from onnxviz.mining.histogram import BINS, bins_of
from onnxviz.mining.mined import Mined, MinedUnits, box_of
from onnxviz.mining.second_look import Seen, see, winners
from onnxviz.words import number_text, printable

FOLDER = "sheets"
MOST = 240
"""Units of one sheet: it then takes 0.3 to 1.4 MB."""
_PATCH, _LIT_PATCH = 36, 50


@dataclass(frozen=True, slots=True)
class SheetPlan:
    """One sheet: its file, its layer's name, and its units in their order."""

    file: str
    layer: str
    units: tuple[int, ...]
    size: CellSize
    title: tuple[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return what `mine.json` says of it: where in its pixels each cell begins, and how large they are."""
        return {
            "file": self.file,
            "units": list(self.units),
            "cell": [self.size.height, self.size.width],
            "corners": [list(self.size.corner(place)) for place in range(len(self.units))],
            "patch": self.size.patch,
        }


def plan_sheets(mined: Mined, lit_places: Sequence[int], order: str) -> list[list[SheetPlan]]:
    """Return the sheets of each layer; units that are dead, or of which nothing is known, are on none."""
    plans = []
    for place, (name, units) in enumerate(mined.items()):
        shown = ordered(units, order)
        is_lit = place in lit_places
        size = CellSize.of(len(units.state.value), _LIT_PATCH if is_lit else _PATCH)
        parts = [shown[start : start + MOST] for start in range(0, len(shown), MOST)]
        stem = f"{FOLDER}/{place:03}-{safe_name(name)}"
        title = _title(units, mined, len(shown), order, is_lit=is_lit)
        plans.append(
            [
                SheetPlan(f"{stem}-{number}.jpg" if len(parts) > 1 else f"{stem}.jpg", name, tuple(part), size, title)
                for number, part in enumerate(parts)
            ]
        )
    return plans


def ordered(units: MinedUnits, order: str) -> list[int]:
    """Return the units that are alive, in an order: `unit`, `strength`, `selectivity` or `class`."""
    statistics = units.statistics
    shown = np.flatnonzero(~statistics.dead & (units.state.picture[0] >= 0))
    kinds, most = units.purity()
    keys = {
        "unit": (shown,),
        "strength": (shown, -statistics.high[shown]),
        "selectivity": (shown, -np.nan_to_num(statistics.selectivity[shown], nan=-np.inf)),
        "class": (shown, -most[shown], kinds[shown]),
    }
    return [int(unit) for unit in shown[np.lexsort(keys[order])]]


def _title(units: MinedUnits, mined: Mined, shown: int, order: str, *, is_lit: bool) -> tuple[str, str]:
    facts = units.facts
    used = mined.document["pictures"] - len(mined.failures)
    parts = [f"{shown} of {len(units)} units", f"the {len(units.state.value)} strongest of {used:,} pictures"]
    if facts["before"] is not None:
        ceiling = f" at {facts['ceiling']:g}" if facts["before"]["op"] == "Clip" else ""
        parts[-1] += f", before the {facts['before']['op']}{ceiling}"
    field = facts["field"]
    if field is not None and field["size"] is not None and len(field["size"]) == 2:
        parts.append("field " + " x ".join(map(str, dict.fromkeys(field["size"]))) + " px")
    whole, cut = "the whole picture, dim where the unit is low", "patch = field, grey outside the picture"
    parts.append(whole if is_lit else cut)
    if order != "unit":
        parts.append(f"by {order}")
    dead = np.flatnonzero(units.statistics.dead).tolist()
    if dead:
        listed = ", ".join(map(str, dead[:8])) + (", ..." if len(dead) > 8 else "")
        parts.append(f"{len(dead)} never above 0: {listed}")
    return printable(units.name), "  ·  ".join(parts)


@dataclass(frozen=True, slots=True)
class SheetMaker:
    """Draws sheets of one data set in a theme; `lights` are those of the second look."""

    mined: Mined
    maker: FeedMaker
    lights: Mapping[int, npt.NDArray[np.uint8]]
    lit_places: Sequence[int]
    theme: Theme

    def write(self, plans: Sequence[Sequence[SheetPlan]], folder: Path, memory: int, ticked: Callable[[], None]) -> int:
        """Write all sheets, as many layers at a time as fit into the memory; return how many patches are missing."""
        (folder / FOLDER).mkdir(exist_ok=True)
        missing = 0
        for group in _groups(plans, memory):
            canvases = {place: self._tiles(place, plans[place]) for place in group}
            missing += self._cut(canvases, ticked)
            for place in group:
                for plan, units in _units_of(plans[place]):
                    (folder / plan.file).write_bytes(self._draw(plan, canvases[place][units]))
        return missing

    def _tiles(self, place: int, plans: Sequence[SheetPlan]) -> npt.NDArray[np.uint8]:
        """Return the tiles of all units of a layer that are shown, `(units, k, size, size, 3)`."""
        size = plans[0].size.patch if plans else 1
        tiles = np.empty((sum(len(plan.units) for plan in plans), len(self.mined.state.value), size, size, 3), np.uint8)
        tiles[:] = self.theme.panel
        return tiles

    def _cut(self, canvases: Mapping[int, npt.NDArray[np.uint8]], ticked: Callable[[], None]) -> int:
        """Fill tiles, opening each picture once; return how many patches cannot be shown."""
        layers = {place: self._shown(place) for place in canvases}
        wanted: dict[int, list[tuple[int, Array, Array]]] = {}
        for place, (units, _) in layers.items():
            for number, ranks, found in winners(units.state.picture):
                wanted.setdefault(number, []).append((place, ranks, found))
        missing = 0
        for number in sorted(wanted):
            ticked()
            seen = see(self.maker, self.mined.pictures.sources[number])
            for place, ranks, found in wanted[number]:
                units, where = layers[place]
                shown = where[found] >= 0
                if seen is None:
                    missing += int(shown.sum())
                    continue
                self._fill(canvases[place], seen, (place, units), (ranks[shown], found[shown], where[found][shown]))
        return missing

    def _shown(self, place: int) -> tuple[MinedUnits, Array]:
        """Return the units of a layer, and the place of each among those that are shown, -1 for those that are not."""
        name = list(self.mined)[place]
        units = self.mined[name]
        where = np.full(len(units), -1)
        listed = [unit for plan in self.mined.document["layers"][place].get("sheets", ()) for unit in plan["units"]]
        where[listed] = np.arange(len(listed))
        return units, where

    def _fill(
        self, tiles: npt.NDArray[np.uint8], seen: Seen, layer: tuple[int, MinedUnits], won: tuple[Array, Array, Array]
    ) -> None:
        (place, units), (ranks, found, where) = layer, won
        size = tiles.shape[2]
        if place in self.lit_places:
            assert seen.fed.picture is not None
            thumb = thumbnail(seen.fed.picture, size)
            lights = self.lights.get(place)
            tiles[where, ranks] = thumb if lights is None else lit(thumb, lights[ranks, found])
            return
        for rank, unit, target in zip(ranks, found, where, strict=True):
            box = box_of(units.facts, int(units.state.place[rank, unit]))
            if box is not None:
                tiles[target, rank] = cut_out(seen.original, seen.in_original(box), size, self.theme.hatch_line)

    def _draw(self, plan: SheetPlan, tiles: npt.NDArray[np.uint8]) -> bytes:
        """Return a sheet of the tiles of its units, `(units, k, size, size, 3)`."""
        units = self.mined[plan.layer]
        bars, kinds = UnitBars(units, plan.size.bars), units.purity()
        cells = [self._cell(units, unit, tiles[place], bars, kinds) for place, unit in enumerate(plan.units)]
        return contact_sheet(plan.title, cells, plan.size, self.theme)

    def _cell(
        self, units: MinedUnits, unit: int, tiles: npt.NDArray[np.uint8], bars: UnitBars, purity: tuple[Array, Array]
    ) -> SheetCell:
        kind, most, count = int(purity[0][unit]), int(purity[1][unit]), len(units.state.value)
        is_mixed = 9 * most < 4 * count
        name = printable(self.mined.classes[kind]) if kind >= 0 and self.mined.classes else ""
        return SheetCell(
            tiles,
            *bars.of(unit),
            str(unit),
            number_text(float(units.state.value[0, unit]), 3),
            "mixed" if name and is_mixed else name,
            "" if not name or is_mixed else f" {most}",
            is_pure=bool(name) and 9 * most >= 7 * count,
        )


class UnitBars:
    """The histograms of a layer's units on one axis: octaves in even steps, from the least to the greatest bin."""

    def __init__(self, units: MinedUnits, count: int) -> None:
        """Take the units, and how many bars there are."""
        self._state, self._count = units.state, count
        used = np.flatnonzero(units.state.histogram.sum(axis=0)[1:])
        first, last = (int(used[0]) + 1, int(used[-1]) + 1) if len(used) else (1, BINS - 1)
        bins = np.arange(1, BINS)
        self._bar_of = np.clip((bins - first) * count // max(last - first + 1, 1), 0, count - 1)

    def of(self, unit: int) -> tuple[npt.NDArray[np.float64], tuple[int, int]]:
        """Return the square roots of counts, the highest being 1, and between which bars the strongest lie."""
        state = self._state
        counts = np.bincount(self._bar_of, weights=state.histogram[unit, 1:], minlength=self._count)
        values = state.value[:, unit][state.picture[:, unit] >= 0]
        low, high = np.maximum(bins_of(np.array([values.min(), values.max()], np.float32)), 1) - 1
        return np.sqrt(counts / max(counts.max(), 1)), (int(self._bar_of[low]), int(self._bar_of[high]))


def _units_of(plans: Sequence[SheetPlan]) -> Iterator[tuple[SheetPlan, slice]]:
    start = 0
    for plan in plans:
        yield plan, slice(start, start + len(plan.units))
        start += len(plan.units)


def _groups(plans: Sequence[Sequence[SheetPlan]], memory: int) -> Iterator[list[int]]:
    """Yield places of layers whose tiles fit into the memory together; one that alone does not is alone."""
    group: list[int] = []
    taken = 0
    for place, sheets in enumerate(plans):
        size = sum(len(plan.units) * (plan.size.patch * plan.size.side) ** 2 * 3 for plan in sheets)
        if group and taken + size > memory:
            yield group
            group, taken = [], 0
        if sheets:
            group.append(place)
            taken += size
    if group:
        yield group


def cut_cells(mined: Mined, name: str, units: Sequence[int] | None) -> list[PatchPixels]:
    """Return the cells of some units of a layer, None for all that are on its sheets, cut out of these."""
    sheets = next(layer for layer in mined.document["layers"] if layer["name"] == name).get("sheets", [])
    found: dict[int, PatchPixels] = {}
    for sheet in sheets:
        places = {unit: place for place, unit in enumerate(sheet["units"]) if units is None or unit in units}
        pixels = read_sheet(mined.folder / sheet["file"]) if places else None
        for unit, place in places.items():
            (top, left), (height, width) = sheet["corners"][place], sheet["cell"]
            if pixels is not None:
                found[unit] = pixels[top : top + height, left : left + width]
    return [found[unit] for unit in (found if units is None else units) if unit in found]

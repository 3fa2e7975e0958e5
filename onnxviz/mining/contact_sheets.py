"""Contact sheets: the strongest patches of each unit of a layer, with its histogram and its class.

A layer has as many sheets as it needs, of at most 240 units. Where each unit's cell lies on which sheet stands in
`mine.json`, so that single ones can be cut out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxviz.draw.contact_sheet import CellSize, SheetCell, contact_sheet, read_sheet
from onnxviz.draw.palette import Theme
from onnxviz.draw.patches import PatchPixels
from onnxviz.files import safe_name
from onnxviz.mining.histogram import BINS, bins_of, edges
from onnxviz.mining.mined import Mined, MinedUnits
from onnxviz.words import number_text, printable

FOLDER = "sheets"
MOST = 240
"""Units of one sheet: it then takes 0.3 to 1.4 MB."""
_PATCH, _LIT_PATCH = 36, 48


@dataclass(frozen=True, slots=True)
class SheetPlan:
    """One sheet: its file, its layer's name, its units in their order; whether a patch is the whole picture."""

    file: str
    layer: str
    units: tuple[int, ...]
    size: CellSize
    title: tuple[str, str]
    is_whole: bool

    def as_json(self) -> dict[str, Any]:
        """Return what `mine.json` says of it: where in its pixels each cell begins, and how large they are."""
        return {
            "file": self.file,
            "pixels": list(self.size.pixels(len(self.units))),
            "units": list(self.units),
            "cell": [self.size.height, self.size.width],
            "corners": [list(self.size.corner(place)) for place in range(len(self.units))],
            "patch": self.size.patch,
            "whole": self.is_whole,
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
                SheetPlan(
                    f"{stem}-{number}.jpg" if len(parts) > 1 else f"{stem}.jpg", name, tuple(part), size, title, is_lit
                )
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
    parts = [f"{shown} of {len(units)} units", *facts_of(units, mined, is_lit=is_lit)]
    if order != "unit":
        parts.append(f"by {order}")
    dead = np.flatnonzero(units.statistics.dead).tolist()
    if dead:
        listed = ", ".join(map(str, dead[:8])) + (", ..." if len(dead) > 8 else "")
        parts.append(f"{len(dead)} never above 0: {listed}")
    return printable(units.name), "  ·  ".join(parts)


def facts_of(units: MinedUnits, mined: Mined, *, is_lit: bool) -> list[str]:
    """Return what is said of all patches of a layer: of how many pictures, before which ceiling, of which field."""
    facts = units.facts
    parts = [f"the {len(units.state.value)} strongest of {mined.used:,} pictures"]
    if facts["before"] is not None:
        ceiling = f" at {facts['ceiling']:g}" if facts["before"]["op"] == "Clip" else ""
        parts[-1] += f", before the {facts['before']['op']}{ceiling}"
    field = facts["field"]
    if field is not None and field["size"] is not None and len(field["size"]) == 2:
        parts.append("field " + " x ".join(map(str, dict.fromkeys(field["size"]))) + " px")
    whole, cut = "the whole picture, dim where the unit is low", "patch = field, grey outside the picture"
    parts.append(whole if is_lit else cut)
    return parts


def draw_plan(plan: SheetPlan, mined: Mined, tiles: npt.NDArray[np.uint8], theme: Theme) -> bytes:
    """Return a sheet as a JPEG, of the tiles of its units, `(units, k, size, size, 3)`."""
    units = mined[plan.layer]
    bars, (kinds, most), count = UnitBars(units, plan.size.bars), units.purity(), len(units.state.value)
    cells = []
    for place, unit in enumerate(plan.units):
        is_mixed = 9 * most[unit] < 4 * count
        name = printable(mined.classes[kinds[unit]]) if kinds[unit] >= 0 and mined.classes else ""
        cells.append(
            SheetCell(
                tiles[place],
                *bars.of(unit),
                str(unit),
                number_text(float(units.state.value[0, unit]), 3),
                "mixed" if name and is_mixed else name,
                "" if not name or is_mixed else f" {most[unit]}",
                is_pure=bool(name and 9 * most[unit] >= 7 * count),
            )
        )
    return contact_sheet(plan.title, cells, plan.size, theme)


class UnitBars:
    """The histograms of a layer's units on one axis: octaves in even steps, from the least to the greatest bin."""

    def __init__(self, units: MinedUnits, count: int) -> None:
        """Take the units, and how many bars there are."""
        self._state, self._count = units.state, count
        used = np.flatnonzero(units.state.histogram.sum(axis=0)[1:])
        first, last = (int(used[0]) + 1, int(used[-1]) + 1) if len(used) else (1, BINS - 1)
        bins = np.arange(1, BINS)
        self._bar_of = np.clip((bins - first) * count // max(last - first + 1, 1), 0, count - 1)
        self.ends = float(edges()[first - 1]), float(edges()[last])
        """The numbers at which the first bar begins and the last ends."""

    def of(self, unit: int) -> tuple[npt.NDArray[np.float64], tuple[int, int]]:
        """Return the square roots of counts, the highest being 1, and between which bars the strongest lie."""
        state = self._state
        counts = np.bincount(self._bar_of, weights=state.histogram[unit, 1:], minlength=self._count)
        values = state.value[:, unit][state.picture[:, unit] >= 0]
        low, high = np.maximum(bins_of(np.array([values.min(), values.max()], np.float32)), 1) - 1
        return np.sqrt(counts / max(counts.max(), 1)), (int(self._bar_of[low]), int(self._bar_of[high]))


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

"""The page beside the contact sheets, `index.html`: their units to search, filter and look at closely.

The pictures stay in the sheets, out of which the browser cuts them. What is known of a layer's units is a block of
deflated JSON within the page, which a browser reads when the layer is shown.
"""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onnxviz.layout import Array
from onnxviz.mining.contact_sheets import UnitBars, facts_of
from onnxviz.mining.mined import Mined, MinedUnits
from onnxviz.mining.sprites import sheets_of, spots_of
from onnxviz.reporting.bundle import BESIDE, load_page
from onnxviz.reporting.html_file import BLOCK, END, INDEX, page_head
from onnxviz.reporting.index import text_between_tags
from onnxviz.strict_json import numbers

PAGE = "index.html"
_SCHEMA = "onnxviz.mine-page/1"
_BARS = 40
_CLASSES = 6
"""How many classes are shown of a unit, those with the highest means."""


def write_units_page(mined: Mined, folder: Path) -> None:
    """Write the page into the folder that holds, or will hold, the sheets that `mined` names."""
    page = load_page("units")
    winners = np.unique(mined.state.picture[mined.state.picture >= 0])
    index = {
        "schema": _SCHEMA,
        "model": Path(mined.document["model"]).name,
        "used": mined.used,
        "k": mined.document["k"],
        "classes": list(mined.classes),
        "pictures": len(mined),
        "layers": [_layer(units, mined, place) for place, units in enumerate(mined.values())],
    }
    with (folder / PAGE).open("wb") as file:
        head = page_head(page, page.policy_with(f"data: {BESIDE}"), "onnxviz mine")
        file.write(head.encode())
        file.write(INDEX % text_between_tags(index).encode())
        for place, units in enumerate(mined.values()):
            file.write(_block(place, _units(units, mined, winners)))
        file.write(_block(len(mined), _pictures(mined, winners)))
        file.write(f"<script>{page.script}</script>\n".encode())
        file.write(END)


def _block(number: int, document: Any) -> bytes:
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    return BLOCK % (number, base64.b64encode(zlib.compress(text.encode(), 6)))


def _layer(units: MinedUnits, mined: Mined, block: int) -> Mapping[str, Any]:
    facts, sheets = units.facts, units.facts["sheets"]
    whole = bool(sheets and sheets[0]["whole"])
    return {
        "name": units.name,
        "output": facts["value"],
        "op": facts["op"],
        "facts": "  ·  ".join(facts_of(units, mined, is_lit=whole)),
        "channels": len(units),
        "dead": facts["dead"],
        "places": facts["places"],
        "ends": UnitBars(units, _BARS).ends,
        "whole": whole,
        **sheets_of(units),
        "block": block,
    }


def _units(units: MinedUnits, mined: Mined, winners: Array) -> Mapping[str, Any]:
    statistics, (kinds, most) = units.statistics, units.purity()
    columns = ("high", "mean", "std", "alive", "full", "selectivity")
    rounded = {name: _rounded(getattr(statistics, name)) for name in columns}
    return rounded | {
        "dead": statistics.dead.tolist(),
        "strongest_class": kinds.tolist() if mined.classes else [-1] * len(units),
        "of_that_class": most.tolist(),
        "spots": spots_of(units),
        "strongest": _strongest(units, winners),
        "bars": _bars(units),
        "classes": _class_means(units),
    }


def _strongest(units: MinedUnits, winners: Array) -> Sequence[Any]:
    state = units.state
    numbers_of = np.searchsorted(winners, state.picture).T.tolist()
    values, places = _rounded_rows(state.value.T), state.place.T.tolist()
    known = (state.picture >= 0).T.tolist()
    return [
        [list(each) for each, is_known in zip(zip(*columns, strict=True), has, strict=True) if is_known]
        for *columns, has in zip(numbers_of, values, places, known, strict=True)
    ]


def _bars(units: MinedUnits) -> Sequence[Any]:
    bars, has = UnitBars(units, _BARS), (units.state.picture[0] >= 0).tolist()
    found = []
    for unit in range(len(units)):
        if not has[unit]:
            found.append([[], 0, 0])
            continue
        heights, strong = bars.of(unit)
        found.append([np.rint(100 * heights).astype(int).tolist(), *strong])
    return found


def _class_means(units: MinedUnits) -> Sequence[Any]:
    state = units.state
    if not len(state.class_sums):
        return [[]] * len(units)
    means = np.where(state.class_pictures > 0, state.class_sums / np.maximum(state.class_pictures, 1), -np.inf)
    best = np.argsort(-means, axis=0, kind="stable")[:_CLASSES]
    values = np.take_along_axis(means, best, axis=0)
    known = np.isfinite(values).T.tolist()
    return [
        [[kind, value] for kind, value, is_known in zip(*columns, strict=True) if is_known]
        for columns in zip(best.T.tolist(), _rounded_rows(values.T), known, strict=True)
    ]


def _pictures(mined: Mined, winners: Array) -> Sequence[Sequence[Any]]:
    """Return the pictures that are among the strongest, by their paths from the folder on."""
    sources, kinds = mined.pictures.sources, mined.pictures.class_of
    found = []
    for number in winners.tolist():
        path, leads = _path(sources[number], mined.folder)
        found.append([path, int(kinds[number]), leads])
    return found


def _path(source: str, folder: Path) -> tuple[str, bool]:
    """Return a picture's path, and whether it leads to a file, which an item of an array does not."""
    path = Path(source).absolute()
    try:
        if path.is_file():
            return Path(os.path.relpath(path, folder.absolute())).as_posix(), True
    except ValueError:  # on another drive, or with a NUL
        pass
    return source, False


def _rounded(values: Array) -> list[float | None]:
    return numbers(_shortened(values))


def _rounded_rows(values: Array) -> list[list[float | None]]:
    return [numbers(row) for row in _shortened(values)]


def _shortened(values: Array) -> Array:
    """Return numbers with five significant digits: more are not shown, and they would double the page."""
    wide = values.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = 4 - np.floor(np.log10(np.abs(wide)))
    scale = 10.0 ** np.where(np.isfinite(digits), np.clip(digits, -30, 30), 0)
    return np.where(np.isfinite(wide), np.rint(wide * scale) / scale, wide)

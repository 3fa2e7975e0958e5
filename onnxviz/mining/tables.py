"""Writes what was mined: `units.npz`, `units.csv`, `pictures.csv` and `mine.json`."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from onnxviz.inference.reduction import ReducedLayer
from onnxviz.mining.mined import LISTING, SCHEMA, UNITS, Mined
from onnxviz.mining.state import State
from onnxviz.mining.survey import Survey
from onnxviz.model import Model
from onnxviz.strict_json import number
from onnxviz.sweeping.dataset import Dataset
from onnxviz.sweeping.npz_file import write_npz
from onnxviz.sweeping.pictures_table import PICTURES, Pictures, write_pictures
from onnxviz.sweeping.shard_job import ShardResult
from onnxviz.version import __version__

UNITS_TABLE = "units.csv"
_QUANTILES = (0.5, 0.95, 0.99)


def mined_of(model: Model, dataset: Dataset, found: Survey, result: ShardResult, path: Path) -> Mined:
    """Return what a sweep found, as it will lie in a folder."""
    document = {
        "schema": SCHEMA,
        "onnxviz": __version__,
        "model": str(model.file.origin),
        "device": found.placement.device,
        "level": found.job.run.run.level,
        "remark": found.remark,
        "pictures": len(dataset),
        "k": found.job.count,
        "classes": list(dataset.classes),
        "failures": [{"source": dataset.sources[number], "reason": reason} for number, reason in result.failed],
        "not_mined": [{"layer": name, "reason": reason} for name, reason in found.left_out],
        "layers": _layers(found, State.of(result.arrays)),
        "command": found.facts,
    }
    pictures = Pictures(dataset.sources, dataset.class_of)
    return Mined(path, document, State.of(result.arrays), pictures)


def _layers(found: Survey, state: State) -> list[dict[str, Any]]:
    layers = []
    for layer, mined in zip(found.reduced.layers, found.job.layers, strict=True):
        dead = int((state.alive[mined.part] == 0).sum())
        layers.append(
            {
                **_facts(layer),
                "first": mined.first,
                "channels": mined.channels,
                "places": list(mined.places),
                "ceiling": number(mined.ceiling),
                "dead": dead,
                "irregular": int((state.irregular[mined.part] > 0).sum()),
            }
        )
    return layers


def _facts(layer: ReducedLayer) -> dict[str, Any]:
    choice, known = layer.choice, layer.choice.layer
    field = None if known is None else known.receptive_field
    return {
        "name": choice.name,
        "value": choice.value,
        "tap": choice.tap,
        "op": "" if known is None else known.op,
        "layout": layer.shape.layout,
        "shape": list(layer.shape.sizes),
        "dtype": layer.dtype,
        "before": None if layer.bound is None else {"op": layer.bound.op, "value": layer.bound.before},
        "field": None if field is None else field.as_json(),
        "tokens": None if layer.tokens is None else layer.tokens.as_json(),
    }


def write_tables(mined: Mined, folder: Path, failed: Mapping[int, str]) -> None:
    """Write the numbers of all units, and the list of pictures."""
    write_npz(folder / UNITS, mined.state.as_arrays())
    with (folder / UNITS_TABLE).open("w", encoding="utf-8", newline="") as file:
        _write_units(mined, csv.writer(file))
    write_pictures(folder, mined.pictures, mined.classes, failed)


def _write_units(mined: Mined, table: Any) -> None:
    begun = False
    for name, units in mined.items():
        statistics = units.statistics
        columns = {**statistics.columns()} | {f"q{share:g}": statistics.quantile(share) for share in _QUANTILES}
        kinds, most = units.purity()
        best = columns.pop("best_class")
        if not begun:
            table.writerow(("layer", "unit", *columns, "best_class", "class_of_strongest", "of_that_class"))
            begun = True
        for unit in range(len(units)):
            numbers = [_cell(column[unit]) for column in columns.values()]
            words = _class(mined.classes, best[unit]), _class(mined.classes, kinds[unit])
            table.writerow((name, unit, *numbers, *words, int(most[unit])))


def _class(classes: Sequence[str], kind: int) -> str:
    return classes[kind] if 0 <= kind < len(classes) else ""


def _cell(value: Any) -> str:
    if isinstance(value, np.bool_):
        return "1" if value else "0"
    return f"{value:.6g}" if isinstance(value, np.floating) else str(value)


def write_document(mined: Mined, folder: Path, files: Sequence[str]) -> None:
    """Write `mine.json`, which lists all files of the folder."""
    listed = sorted({UNITS, UNITS_TABLE, PICTURES, *files})
    text = json.dumps({**mined.document, "files": listed}, ensure_ascii=False, allow_nan=False, indent=1)
    (folder / LISTING).write_bytes(text.encode("utf-8", "backslashreplace"))

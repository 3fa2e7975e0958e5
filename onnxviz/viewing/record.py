"""What `view` did, as values, and as the JSON document `view.json` (schema `onnxviz.view/1`)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxviz
from onnxviz.draw.scale import ChannelStatistics
from onnxviz.feed.feeds import Fed
from onnxviz.graph.layers import Layer
from onnxviz.reporting.classes import ClassScore
from onnxviz.strict_json import number, numbers

SCHEMA = "onnxviz.view/1"


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """One layer of one run: what was shown of it, its range, its pictures and its channels' statistics."""

    name: str
    output: str
    tap: str
    shape: tuple[int, ...]
    layout: str | None
    dtype: str
    statistics: ChannelStatistics
    layer: Layer | None
    pictures: tuple[str, ...]

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest finite value; NaN where there is none."""
        return self.statistics.range

    def as_json(self) -> dict[str, Any]:
        """Return what `view.json` says of it."""
        low, high = self.range
        found = self.statistics
        columns = [numbers(each) for each in (found.minimum, found.maximum, found.mean, found.deviation)]
        counts = found.nan.tolist(), found.inf.tolist()
        return {
            "name": self.name,
            "output": self.output,
            "tap": self.tap,
            "kind": self.layer.kind if self.layer else None,
            "op": self.layer.op if self.layer else None,
            "shape": list(self.shape),
            "layout": self.layout,
            "dtype": self.dtype,
            "receptive_field": self.layer.receptive_field.as_json()
            if self.layer and self.layer.receptive_field
            else None,
            "min": number(low),
            "max": number(high),
            "pictures": list(self.pictures),
            "channels": [
                {"index": index, "min": least, "max": most, "mean": mean, "std": deviation, "nan": nan, "inf": inf}
                for index, (least, most, mean, deviation, nan, inf) in enumerate(zip(*columns, *counts, strict=True))
            ],
        }


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run: what was fed, where its pictures lie, and its layers."""

    source: Mapping[str, str]
    fed: tuple[Fed, ...]
    directory: str
    overview: str
    top: tuple[ClassScore, ...]
    layers: tuple[LayerRecord, ...]

    def as_json(self) -> dict[str, Any]:
        """Return what `view.json` says of it."""
        return {
            "source": dict(self.source),
            "fed": [fed.as_json() for fed in self.fed],
            "directory": self.directory,
            "overview": self.overview,
            "top": [{"class": found.name, "score": number(found.value)} for found in self.top],
            "layers": [layer.as_json() for layer in self.layers],
        }


@dataclass(frozen=True, slots=True)
class ViewRecord:
    """All that one call of `view` did; `report` is the page's file, seen from the folder, `left_out` what it lacks."""

    model: str
    directory: Path
    device: str
    level: str
    remark: str
    runs: tuple[RunRecord, ...]
    failures: tuple[tuple[str, str], ...] = ()
    report: str = ""
    left_out: str = ""

    @property
    def report_path(self) -> Path | None:
        """The report's file, if there is one."""
        return self.directory / self.report if self.report else None

    def as_json(self) -> dict[str, Any]:
        """Return the document `view.json`: strict JSON, a number that is not finite as null."""
        return {
            "schema": SCHEMA,
            "onnxviz": onnxviz.__version__,
            "model": self.model,
            "device": self.device,
            "level": self.level,
            "remark": self.remark,
            "runs": [run.as_json() for run in self.runs],
            "report": self.report or None,
            "left_out": self.left_out,
            "failures": [{"source": source, "error": error} for source, error in self.failures],
        }


def is_ours(folder: Path) -> bool:
    """Tell whether a folder holds what `view` made, as its view.json lists it, and nothing else."""
    try:
        document = json.loads((folder / "view.json").read_text(encoding="utf-8"))
        if not document["schema"].startswith("onnxviz.view/"):
            return False
        made = {folder / "view.json", folder / (document.get("report") or "view.json")}
        for run in document["runs"]:
            place = folder / run["directory"]
            made |= {place, place / run["overview"]}
            made |= {place / picture for layer in run["layers"] for picture in layer["pictures"]}
        return all(path in made for path in folder.rglob("*"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False

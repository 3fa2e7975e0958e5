"""What `view` did, as values, and as the JSON document `view.json` (schema `onnxviz.view/1`)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import onnxviz
from onnxviz.draw.scale import ChannelStatistics
from onnxviz.feed.feeds import Fed
from onnxviz.graph.layers import Layer

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
    top: tuple[tuple[str, float], ...]
    layers: tuple[LayerRecord, ...]

    def as_json(self) -> dict[str, Any]:
        """Return what `view.json` says of it."""
        return {
            "source": dict(self.source),
            "fed": [
                {
                    "name": fed.name,
                    "shape": list(fed.shape),
                    "dtype": fed.dtype,
                    "min": number(fed.min),
                    "max": number(fed.max),
                    "mean": number(fed.mean),
                    "layout": fed.layout,
                    "preset": fed.preset,
                    "source": fed.source,
                    "notes": list(fed.notes),
                }
                for fed in self.fed
            ],
            "directory": self.directory,
            "overview": self.overview,
            "top": [{"class": name, "score": number(score)} for name, score in self.top],
            "layers": [layer.as_json() for layer in self.layers],
        }


@dataclass(frozen=True, slots=True)
class ViewRecord:
    """All that one call of `view` did."""

    model: str
    directory: Path
    device: str
    level: str
    remark: str
    runs: tuple[RunRecord, ...]
    failures: tuple[tuple[str, str], ...] = ()

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
            "failures": [{"source": source, "error": error} for source, error in self.failures],
        }


def is_ours(folder: Path) -> bool:
    """Tell whether a folder holds what `view` made, as its view.json lists it, and nothing else."""
    try:
        document = json.loads((folder / "view.json").read_text(encoding="utf-8"))
        if not document["schema"].startswith("onnxviz.view/"):
            return False
        made = {folder / "view.json"}
        for run in document["runs"]:
            place = folder / run["directory"]
            made |= {place, place / run["overview"]}
            made |= {place / picture for layer in run["layers"] for picture in layer["pictures"]}
        return all(path in made for path in folder.rglob("*"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def number(value: float) -> float | None:
    """Return a number for strict JSON: None where it is not finite."""
    value = float(value)
    return value if math.isfinite(value) else None


def numbers(values: np.ndarray[Any, Any]) -> list[float | None]:
    """Return numbers for strict JSON: None for each that is not finite."""
    listed: list[float] = values.tolist()
    return list(listed) if np.isfinite(values).all() else [number(value) for value in listed]

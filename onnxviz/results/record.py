"""The record of a command: its layers and its runs as values.

A layer is in memory while its run lasts, and of a run only little stays, so that there may be thousands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxviz.classes.scores import ClassScore
from onnxviz.graph.layers.layer import Layer
from onnxviz.health import Health
from onnxviz.layout import Steps, TokenGrid
from onnxviz.quantised import Quantised
from onnxviz.results.pooled_health import PooledLayer
from onnxviz.words import common_path

LISTING = "view.json"
"""The name of the file that lists everything that was made."""


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """One layer of one run.

    Attributes:
        shape, layout: of what was shown.
        dtype: the value's own in the model; `dequantised` where what its codes stand for was shown.
        range: the smallest and the largest finite value.
        quantised: how its codes are quantised, and how many lie at an end, where its numbers come from codes.
        irregular: how many channels are not finite in words, such as `NaN in 1, inf in 1 of 16`; else empty.
        overview: the channels that the overview shows of it, none of a vector; None where it is not in the overview.
        pictures: their files; none where no pictures are drawn.
        steps: which steps of a Loop or Scan, or elements of a sequence, were shown.
        tokens: where tokens lie in the picture.
        query: whose attention its picture shows: `7,3`, `5`, `class`, `mean` or `matrix`; empty of other layers.
        health: the counts of its channels, over all items of a batch.
    """

    name: str
    output: str
    tap: str
    shape: tuple[int, ...]
    layout: str | None
    layout_assumed: bool
    dtype: str
    range: tuple[float, float]
    layer: Layer | None
    pictures: tuple[str, ...]
    health: Health
    dequantised: bool = False
    irregular: str = ""
    quantised: Quantised | None = None
    steps: Steps | None = None
    overview: tuple[int, ...] | None = None
    tokens: TokenGrid | None = None
    query: str = ""


def path_inside(layers: Sequence[LayerRecord]) -> str:
    """Return the common path of several layers that all lie in functions or bodies, else an empty text."""
    inside = all(layer.layer is not None and layer.layer.inside for layer in layers)
    return common_path([layer.name for layer in layers]) if inside and len(layers) > 1 else ""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is kept in memory of one run, of which there may be thousands; its layers are in `view.json`.

    Attributes:
        name: the input's, without its folder and ending.
        source: where each input came from, by its name.
        directory: where the pictures lie, seen from the folder of the whole; `.` where it is the only run.
        overview: the overview's file in it; empty where no pictures are drawn.
        preview: the file to look at first: the picture of a layer that is alone, else the overview.
        top: the classes with the highest scores, if the model has classes.
        film: the file of the layers one after the other, empty if there is none.
        explanations: what `view.json` keeps of the heat maps that the page has of it.
    """

    name: str
    source: Mapping[str, str]
    directory: str
    overview: str
    preview: str
    top: tuple[ClassScore, ...]
    film: str = ""
    explanations: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class ViewRecord:
    """All that one call of `view` did.

    Attributes:
        model: the model's file.
        directory: the folder that was made.
        device, level: where it ran, and onnxruntime's level of optimisation.
        remark: what is to be said of the selection, often nothing.
        runs: one an input that could be used.
        failures: the inputs that could not, each with the reason.
        not_shown: the names of chosen values that could not be shown, each with the reason.
        report: the page's file, seen from the folder; empty if there is none.
        left_out: what the page lacks to keep to its size.
        health: of each layer over all runs, those that were done by an earlier start included.
    """

    model: str
    directory: Path
    device: str
    level: str
    remark: str
    runs: tuple[RunRecord, ...]
    failures: tuple[tuple[str, str], ...] = ()
    not_shown: tuple[tuple[str, str], ...] = ()
    report: str = ""
    left_out: str = ""
    health: tuple[PooledLayer, ...] = ()

    def document(self) -> dict[str, Any]:
        """Read `view.json`: every layer of every run, with the numbers of its channels."""
        found: dict[str, Any] = json.loads((self.directory / LISTING).read_text(encoding="utf-8"))
        return found

    @property
    def report_path(self) -> Path | None:
        """The report's file, if there is one."""
        return self.directory / self.report if self.report else None

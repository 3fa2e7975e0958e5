"""What `view` did, as values: a layer's while its run lasts, and of each run little enough to keep thousands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from onnxviz.graph.layers.catalogue import Layer
from onnxviz.reporting.classes import ClassScore

LISTING = "view.json"
"""The name of the file that lists all that was made."""

LEFT_BY_SYSTEMS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What macOS and Windows leave in a folder that somebody looked into; it makes no folder anybody else's."""


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """One layer of one run: what was shown of it, its smallest and largest finite value, and its pictures."""

    name: str
    output: str
    tap: str
    shape: tuple[int, ...]
    layout: str | None
    dtype: str
    range: tuple[float, float]
    layer: Layer | None
    pictures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is kept in memory of one run, of which there may be thousands; its layers are in `view.json`.

    Attributes:
        name: the input's, without its folder and ending.
        source: where each input came from, by its name.
        directory: where the pictures lie, seen from the folder of the whole; `.` where it is the only run.
        overview: the overview's file in it.
        preview: the file to look at first: the picture of a layer that is alone, else the overview.
        top: the classes with the highest scores, if the model has classes.
    """

    name: str
    source: Mapping[str, str]
    directory: str
    overview: str
    preview: str
    top: tuple[ClassScore, ...]


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
        report: the page's file, seen from the folder; empty if there is none.
        left_out: what the page lacks to keep to its size.
    """

    model: str
    directory: Path
    device: str
    level: str
    remark: str
    runs: tuple[RunRecord, ...]
    failures: tuple[tuple[str, str], ...] = ()
    report: str = ""
    left_out: str = ""

    def document(self) -> dict[str, Any]:
        """Read `view.json`: every layer of every run, with the numbers of its channels."""
        found: dict[str, Any] = json.loads((self.directory / LISTING).read_text(encoding="utf-8"))
        return found

    @property
    def report_path(self) -> Path | None:
        """The report's file, if there is one."""
        return self.directory / self.report if self.report else None


def is_ours(folder: Path) -> bool:
    """Tell whether a folder holds what `view` made, as its view.json lists it, and nothing else of anybody's."""
    listing = folder / LISTING
    try:
        found = listing.stat()
        made = _listed(listing, found.st_mtime_ns, found.st_size)
        return all(path in made or path.name in LEFT_BY_SYSTEMS for path in folder.rglob("*"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


@lru_cache(1)
def _listed(listing: Path, changed: int, size: int) -> frozenset[Path]:
    """Return what a view.json says was made. It is asked for before the work and after, and takes 0.05 s to read."""
    document, folder = json.loads(listing.read_text(encoding="utf-8")), listing.parent
    if not document["schema"].startswith("onnxviz.view/"):
        raise ValueError("another schema")
    made = {listing, folder / (document.get("report") or LISTING)}
    for run in document["runs"]:
        place = folder / run["directory"]
        made |= {place, place / run["overview"]}
        made |= {place / picture for layer in run["layers"] for picture in layer["pictures"]}
    return frozenset(made)

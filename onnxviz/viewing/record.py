"""What `view` did, as values; all channels' numbers are in `view.json` (see journal.py)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from onnxviz.feed.feeds import Fed
from onnxviz.graph.layers import Layer
from onnxviz.reporting.classes import ClassScore

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
    """One run: what was fed (without its picture), where its pictures lie, and its layers."""

    source: Mapping[str, str]
    fed: tuple[Fed, ...]
    directory: str
    overview: str
    top: tuple[ClassScore, ...]
    layers: tuple[LayerRecord, ...]


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


def is_ours(folder: Path) -> bool:
    """Tell whether a folder holds what `view` made, as its view.json lists it, and nothing else of anybody's."""
    listing = folder / "view.json"
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
    made = {listing, folder / (document.get("report") or "view.json")}
    for run in document["runs"]:
        place = folder / run["directory"]
        made |= {place, place / run["overview"]}
        made |= {place / picture for layer in run["layers"] for picture in layer["pictures"]}
    return frozenset(made)

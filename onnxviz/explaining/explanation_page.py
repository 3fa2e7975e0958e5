"""The page of explanations: each method is a layer of a report, its channels are what is explained.

The page of `view` so serves: the chosen explanation lies over the input, as strongly as is wanted. Each input has a
page of its own, since what is explained of it, such as its strongest classes, is its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from onnxviz.activations import Activation
from onnxviz.explaining.explanation import Explanation
from onnxviz.feed.feed import Feed
from onnxviz.layout import Array
from onnxviz.reporting.collect import Collector
from onnxviz.reporting.contents import LayerWords, ReportModel, ReportRun
from onnxviz.reporting.html_file import write_report
from onnxviz.reporting.report import SIZE

_LEAD = (
    "Each row is a method that says where in the picture an answer comes from; its maps are what is explained.",
    "Choose a row, then a map: it lies over the input, as strongly as you like.",
    "What a method can and cannot say stands above its maps.",
)


def write_page(path: Path, model: str, feed: Feed, found: Sequence[Explanation]) -> None:
    """Write the page of one input.

    Raises:
        OSError: It cannot be written.
    """
    with Collector(path.parent) as collected, path.open("xb") as file:
        add_explanations(collected, found)
        fed = {each.name: each.source for each in feed.fed}
        collected.end_run(ReportRun(feed.stem, fed, feed.fed))
        write_report(file, ReportModel(f"Why? {model}", lead=_LEAD), collected, SIZE)


def add_explanations(collected: Collector, found: Sequence[Explanation]) -> None:
    """Add explanations of the current run's input to a report: a layer for each kind, method and layer of theirs."""
    groups: dict[tuple[str, str, str, tuple[int, ...]], list[Explanation]] = {}
    for one in found:
        groups.setdefault((one.target.kind, one.method, one.layer, one.array.shape[:2]), []).append(one)
    for (kind, method, layer, _), group in groups.items():
        name = f"{method}/{layer}" if layer else method
        add_explanation(collected, f"{name} of units" if kind == "unit" else name, group)


def add_explanation(collected: Collector, name: str, group: Sequence[Explanation]) -> None:
    """Add explanations of the current run's input, by one method and of one size, as one layer of a report."""
    maps = np.stack([_flat(one.array) for one in group])[None]
    words = LayerWords((group[0].says,), tuple(one.target.name for one in group), explains=group[0].target.kind)
    heat = Activation(name, name, "value", maps, "NCHW", group[0].method)
    collected.add_to(len(collected.runs), heat, None, words)


def _flat(array: Array) -> Array:
    """Return one number a place: of colours the one that is furthest from 0."""
    if array.ndim == 2:
        return array.astype(np.float32)
    furthest = np.abs(array).argmax(axis=-1)[..., None]
    return np.take_along_axis(array, furthest, axis=-1)[..., 0].astype(np.float32)

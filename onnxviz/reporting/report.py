"""`report`: activations as one HTML page that opens from the disk."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from onnxviz.activations import Activation, Activations
from onnxviz.classes.scores import ClassScore, top_classes
from onnxviz.errors import UsageError
from onnxviz.feed.feed import Feed
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.feed.make import shown_picture
from onnxviz.feed.preprocessing import model_labels
from onnxviz.files import writing
from onnxviz.graph.layers.layer import Layer
from onnxviz.model import Model
from onnxviz.reporting.collect import Collector
from onnxviz.reporting.contents import ReportModel, ReportRun
from onnxviz.reporting.html_file import write_report
from onnxviz.words import listed, quoted

SIZE = 40_000_000
"""Bytes that a report takes at most, unless another size is asked for."""

# A notebook stores what it shows, escaped twice: with larger reports it becomes too large to open.
_LARGEST_INLINE = 16_000_000


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """How `report` works.

    Attributes:
        size: the most bytes that the file may take; channels that vary little are left out, then maps are halved.
        feed: how the source was fed, as given to `Model.run`.
        labels: a class name for each unit of the model's output; None means the model's own names.
        force: whether to replace a file that exists.
    """

    size: int = SIZE
    feed: FeedOptions = field(default_factory=FeedOptions)
    labels: Sequence[str] | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written: its file, and its sentence about what was left out, often empty."""

    path: Path
    left_out: str

    def _repr_html_(self) -> str:
        size = self.path.stat().st_size
        if size > _LARGEST_INLINE:
            name = html.escape(str(self.path))
            return f"<p>{name} holds {size / 1e6:,.0f} MB, too much to show in a notebook: open the file.</p>"
        page = html.escape(self.path.read_text(encoding="utf-8"), quote=True)
        # Scripts run in an origin of their own: the page can reach neither the notebook nor its cookies.
        return (
            '<iframe title="onnxviz report" sandbox="allow-scripts allow-downloads" width="100%" height="720" '
            f'style="border:0" srcdoc="{page}"></iframe>'
        )


def report(
    maps: Activations | Mapping[str, Activations],
    path: str | os.PathLike[str] = "report.html",
    *,
    model: Model | None = None,
    source: Any = None,
    options: ReportOptions | None = None,
) -> Report:
    """Write activations as one HTML page to explore: no server, no network, opens from the disk.

    Args:
        maps: the activations of a run, or of several runs by their names.
        path: the file.
        model: the model that made them; the page then knows each layer's kind and receptive field.
        source: what was fed, as in `Model.run`, or a Feed; for several runs a mapping by the same names. Without a
            model it is a picture.
        options: the size, how the source was fed, class names.

    Raises:
        OutputError: the file exists and `options.force` is not set, or it cannot be written.
        InputError: the source cannot be fed.
        UsageError: there is nothing to show, or the sources do not match the runs.
    """
    options = options or ReportOptions()
    runs = {"": maps} if isinstance(maps, Activations) else dict(maps)
    sources = {"": source} if isinstance(maps, Activations) else _sources(source, runs)
    if not all(isinstance(activations, Activations) for activations in runs.values()):
        raise UsageError("a report takes Activations, or a mapping of several by the names of their runs")
    if not any(runs.values()):
        raise UsageError("a report needs at least one activation")
    target = Path(path)
    if model is not None:
        model.file.check_apart(target)
    facts = ModelFacts(model, options.labels)
    with writing(target, force=options.force) as file, Collector(target.parent) as collected:
        for name, activations in runs.items():
            feed = _feed(model, sources.get(name), [each.value for each in activations.values()], options.feed)
            for activation in activations.values():
                collected.add(activation, facts.layer(activation), labels=facts.labels(activation))
            collected.end_run(_run(name, feed, facts.classes(activations.values())))
        about = ReportModel(model.path.name if model is not None else "")
        left_out = write_report(file, about, collected, options.size)
    return Report(target, left_out)


class ModelFacts:
    """What a model says of its activations: their layers, the names of their units, the strongest classes."""

    def __init__(self, model: Model | None, labels: Sequence[str] | None) -> None:
        """Take the model that made the activations, or None; `labels` of None means the model's own class names."""
        self._model = model
        self._labels = labels if labels is not None or model is None else model_labels(model.metadata)
        self._layers = {} if model is None else _by_name_and_value(model.every_layer)

    def layer(self, activation: Activation) -> Layer | None:
        """Return an activation's entry in the catalogue."""
        found = self._layers.get((activation.name, activation.value))
        return found or self._layers.get(("", activation.value))

    def labels(self, activation: Activation) -> Sequence[str] | None:
        """Return the class names for an output of the model, or for any activation if the model is unknown."""
        return self._labels if self._is_output(activation) else None

    def classes(self, activations: Iterable[Activation]) -> tuple[ClassScore, ...]:
        """Return the strongest classes of the first activation that holds scores."""
        tried = (
            top_classes(activation, self._labels)
            for activation in activations
            if self._is_output(activation) and (self._labels is not None or self._model is not None)
        )
        return next((found for found in tried if found), ())

    def _is_output(self, activation: Activation) -> bool:
        return self._model is None or any(spec.name == activation.value for spec in self._model.outputs)


def _by_name_and_value(layers: Iterable[Layer]) -> dict[tuple[str, str], Layer]:
    """Return layers by (name, value); ("", value) finds the first layer with that value, whatever its name."""
    found: dict[tuple[str, str], Layer] = {}
    for layer, tap in product(layers, ("op", "act")):
        for name in (layer.name, ""):
            found.setdefault((name, layer.value(tap)), layer)
    return found


def _feed(model: Model | None, source: Any, values: Sequence[str], options: FeedOptions) -> Feed | None:
    if source is None or isinstance(source, Feed):
        return source
    return shown_picture(source) if model is None else model.inference.feed(source, options, values)


def _sources(source: Any, runs: Mapping[str, Activations]) -> Mapping[str, Any]:
    if source is not None and not (isinstance(source, Mapping) and runs.keys() >= source.keys()):
        raise UsageError(f"the source of several runs is a mapping by their names: {listed(map(quoted, runs))}")
    return source or {}


def _run(name: str, feed: Feed | None, classes: Sequence[ClassScore]) -> ReportRun:
    if feed is None:
        return ReportRun(name, classes=classes)
    return ReportRun(name or feed.stem, {fed.name: fed.source for fed in feed.fed}, feed.fed, classes)

"""`view`: a model on its inputs, run, drawn and let go piece by piece."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from onnxviz.activations import Activation, RawWriter
from onnxviz.draw.encode import save
from onnxviz.draw.kinds import check_style, draw_maps
from onnxviz.draw.overview import draw_overview
from onnxviz.draw.overview_row import OverviewRow, summarise
from onnxviz.draw.scale import both_signs, channel_statistics
from onnxviz.draw.style import Caption, Style
from onnxviz.errors import InputError, OutputError, UsageError
from onnxviz.feed.feeds import MAIN, RANDOM_WAY, Feed, sources
from onnxviz.feed.items import STANDARD_INPUT
from onnxviz.feed.preprocessing import model_labels
from onnxviz.files import making_folder, safe_name, writing
from onnxviz.graph.selection import Choice
from onnxviz.model import Model, open_model
from onnxviz.reporting.classes import ClassScore, top_classes
from onnxviz.reporting.collect import Collector
from onnxviz.reporting.parts import ReportModel, ReportRun
from onnxviz.reporting.write import write_report
from onnxviz.run.devices import check_name
from onnxviz.run.session import Placement, Session
from onnxviz.viewing.classes import check_labels, check_scores, class_outputs, read_labels
from onnxviz.viewing.journal import Journal
from onnxviz.viewing.options import ViewOptions
from onnxviz.viewing.overview import fed_lines, fed_picture, shown_words, telling_layers, title
from onnxviz.viewing.record import LayerRecord, RunRecord, ViewRecord, is_ours

REPORT = "report.html"
"""The report's name among the pictures."""


@dataclass
class Watcher:
    """What `view` tells as it goes; override what you want to hear. All of it is silent by default."""

    def chosen(self, choices: Sequence[Choice], remark: str) -> None:
        """What a selection came to."""

    def started(self, feed: Feed, layers: int, map_bytes: int) -> None:
        """One run begins: what is fed, how many layers come and how large their maps are."""

    def placed(self, placement: Placement) -> None:
        """A session was opened on a device."""

    def drawn(self, layer: LayerRecord) -> None:
        """A layer was drawn."""

    def failed(self, source: str, error: InputError) -> None:
        """An input could not be used; the others go on."""


def view(
    model: Model | str | os.PathLike[str],
    inputs: Any = (),
    directory: str | os.PathLike[str] | None = None,
    options: ViewOptions | None = None,
    watcher: Watcher | None = None,
) -> ViewRecord:
    """Run a model on its inputs and draw the chosen layers: pictures, `overview.png` and `view.json` in a folder.

    `inputs` are files, folders and globs (see `feed.sources`), or one array, Pillow image or mapping.

    Raises:
        InputError: No input can be used.
        OutputError: The folder exists and onnxviz did not make it.
        RunError: onnxruntime is missing or fails.
    """
    model = model if isinstance(model, Model) else open_model(model)
    options = options or ViewOptions()
    choices, remark = model.choose(options.layers, exclude=options.exclude, tap=options.tap)
    check_style(options.style)
    check_name(options.run.device)
    watcher = watcher or Watcher()
    watcher.chosen(choices, remark)
    target = Path(directory) if directory is not None else default_directory(model, inputs)
    labels = [options.labels] if isinstance(options.labels, Path) else []
    font = [Path(options.style.font)] if options.style.font is not None else []
    needed = [*model.file.needed, *_paths(inputs), *labels, *font]
    model.file.check_apart(target)
    _refuse_to_replace(target, needed)
    page = _own_place(options.html, target)
    for option, path in (("--raw", options.raw), ("--html", page)):
        if path is not None:
            model.file.check_apart(path)
            _refuse_to_replace(path, needed)
            if target.resolve() in path.resolve().parents:
                raise OutputError(f"{path} lies in {target}, which is replaced whole: give {option} another place")
    names = read_labels(options.labels) if isinstance(options.labels, Path) else options.labels
    if names is not None:
        check_labels(model, names)
    with ExitStack() as stack:
        folder = stack.enter_context(making_folder(target, force=options.force, ours=is_ours))
        raw = stack.enter_context(RawWriter(options.raw, force=options.force)) if options.raw else None
        place = page or folder / REPORT
        # Opened before all work, so that a page that may not be written is told at once.
        file = stack.enter_context(writing(place, force=options.force)) if options.html else None
        collected = stack.enter_context(Collector(place.parent)) if options.html else None
        journal = stack.enter_context(Journal(folder / "view.json", str(model.file.origin)))
        work = _View(model, choices, replace(options, labels=names), watcher, journal, raw, collected)
        runs = work.run_all(folder, inputs)
        record = ViewRecord(
            str(model.file.origin), target, work.device, options.run.level, remark, tuple(runs), tuple(work.failures)
        )
        if file is not None and collected is not None:
            about = ReportModel(model.file.origin.name, work.device, options.run.level)
            left_out = write_report(file, about, collected, options.html_size)
            record = replace(record, report=str(page.resolve()) if page else REPORT, left_out=left_out)
        journal.end(record)
    return record


def default_directory(model: Model, inputs: Any) -> Path:
    """Return where pictures go when nothing is said: `MODEL-INPUT-maps` in the current folder."""
    listed = inputs if isinstance(inputs, list | tuple) else [inputs]
    texts = [os.fspath(text) for text in listed if isinstance(text, str | os.PathLike)]
    stem = Path(texts[0].partition("=")[2] or texts[0]).stem if texts else "array" if len(listed) else "random"
    more = f"-and-{len(texts) - 1}-more" if len(texts) > 1 else ""
    return Path(f"{safe_name(model.path.stem)}-{safe_name(stem)}{more}-maps")


@dataclass
class _View:
    """The state of one call: what was found on the way and what is kept between runs."""

    model: Model
    choices: Sequence[Choice]
    options: ViewOptions
    watcher: Watcher
    journal: Journal
    raw: RawWriter | None
    collected: Collector | None
    device: str = ""
    failures: list[tuple[str, str]] = field(default_factory=list)
    sessions: dict[bytes, Session] = field(default_factory=dict)
    piped: dict[str, Feed | InputError] = field(default_factory=dict)

    def __post_init__(self) -> None:
        labels = self.options.labels
        self.labels = labels if isinstance(labels, tuple) else model_labels(self.model.metadata)
        shown = {choice.value for choice in self.choices}
        self.asked = isinstance(labels, tuple)
        classes = class_outputs(self.model, self.choices, self.labels, asked=self.asked)
        self.classes = frozenset(choice.value for choice in classes)
        self.wanted = [*self.choices, *(choice for choice in classes if choice.value not in shown)]
        self.shown = shown

    def run_all(self, folder: Path, inputs: Any) -> list[RunRecord]:
        several = len(list(islice(self._sources(inputs), 2))) > 1
        self.keep = several
        limits = self._common_limits(inputs) if several and self.options.same_scale else {}
        records: list[RunRecord] = []
        for place, feed in enumerate(self._feeds(inputs)):
            name = f"{place:03}-{safe_name(feed.stem)}" if several else ""
            records.append(self._run(folder / name, name, feed, limits))
        if not records:
            raise InputError(self.failures[0][1] if self.failures else "there is no input to run on")
        return records

    def _sources(self, inputs: Any) -> Iterator[Any]:
        if isinstance(inputs, str | Path):
            inputs = [inputs]
        if isinstance(inputs, list | tuple) and all(isinstance(text, str | Path) for text in inputs):
            if not inputs:
                if self.options.feed.seed is None and self.options.feed.constant is None:
                    raise UsageError(f"give a picture or another input, or ask for noise: {RANDOM_WAY}")
                return iter([None])
            return iter(sources([str(text) for text in inputs], self.model.inputs))
        return iter([inputs])

    def _feeds(self, inputs: Any) -> Iterator[Feed]:
        for source in self._sources(inputs):
            fed = self._feed(source)
            if isinstance(fed, Feed):
                yield fed
                continue
            if self.options.fail_fast:
                raise fed
            self.failures.append((_source_text(source), str(fed)))
            self.watcher.failed(_source_text(source), fed)

    def _feed(self, source: Any) -> Feed | InputError:
        """Return what a source feeds, or why it cannot; what is piped in is kept, as it can be read only once."""
        text = _source_text(source)
        if text in self.piped:
            return self.piped[text]
        fed: Feed | InputError
        try:
            fed = self.model.feed(source, self.options.feed)
        except InputError as error:
            fed = error
        parts = source.values() if isinstance(source, Mapping) else [source]
        if any(isinstance(part, str) and part == STANDARD_INPUT for part in parts):
            self.piped[text] = fed
        return fed

    def _stream(self, feed: Feed, watch: Callable[[Placement], None]) -> Iterator[Activation]:
        kept = self.sessions if self.keep else None
        return self.model.stream_choices(self.wanted, feed, self.options.run, watch, kept)

    def _common_limits(self, inputs: Any) -> dict[str, tuple[float, float]]:
        """Return each value's range over all inputs."""
        ranges: dict[str, tuple[float, float]] = {}
        failed = list(self.failures)
        for feed in self._feeds(inputs):
            for activation in self._stream(feed, lambda placement: None):
                low, high = channel_statistics(activation.maps()).range
                before = ranges.get(activation.value, (low, high))
                ranges[activation.value] = float(np.fmin(low, before[0])), float(np.fmax(high, before[1]))
        self.failures = failed  # the second pass meets them again
        return {value: self._common_scale(*ends) for value, ends in ranges.items() if not np.isnan(ends[0])}

    def _common_scale(self, low: float, high: float) -> tuple[float, float]:
        """Return the scale for a range: about zero where `auto` would have it so."""
        if self.options.style.scale not in ("auto", "signed", "symmetric"):
            return low, high
        reach = max(-low, high)
        return (-reach, reach) if self.options.style.scale != "auto" or both_signs(low, high) else (low, high)

    def _run(self, folder: Path, name: str, feed: Feed, limits: dict[str, tuple[float, float]]) -> RunRecord:
        folder.mkdir(exist_ok=True)
        self.watcher.started(feed, len(self.choices), self.model.map_bytes(self.choices, feed))
        rows: list[OverviewRow] = []
        layers: list[LayerRecord] = []
        top: tuple[ClassScore, ...] = ()
        by_value = {choice.value: choice for choice in self.choices}
        in_overview = telling_layers(self.choices)
        scores: dict[str, tuple[int, ...]] = {}
        for activation in self._stream(feed, self._placed):
            if activation.value in self.classes:
                scores[activation.name] = activation.array.shape
                top = top or top_classes(activation, self.labels)
            if activation.value not in self.shown:
                continue
            statistics = channel_statistics(activation.maps())
            record = LayerRecord(
                activation.name,
                activation.value,
                activation.tap,
                activation.array.shape,
                activation.layout,
                str(activation.array.dtype),
                statistics.range,
                by_value[activation.value].layer,
                self._draw(folder, len(layers), activation, limits),
            )
            layers.append(record)
            self.journal.add_layer(record, statistics)
            if self.collected is not None:
                labels = self.labels if activation.value in self.classes else None
                self.collected.add(activation, record.layer, statistics, labels)
            if len(layers) - 1 in in_overview:
                rows.append(summarise(activation.array, activation.layout, activation.name, activation.caption_line))
            self.watcher.drawn(record)
            if self.raw is not None:
                self.raw.add(replace(activation, name=f"{name}/{activation.name}" if name else activation.name))
        if self.asked and self.labels is not None:
            check_scores(self.labels, scores)
        overview = f"overview.{self.options.format}"
        self._overview(folder / overview, feed, top, rows)
        source = {fed.name: fed.source for fed in feed.fed}
        if self.collected is not None:
            self.collected.end_run(ReportRun(feed.stem, source, feed.fed, top))
        fed = tuple(replace(each, picture=None) for each in feed.fed)
        run = RunRecord(source, fed, name or ".", overview, top, tuple(layers))
        self.journal.end_run(run)
        return run

    def _placed(self, placement: Placement) -> None:
        self.device = placement.device
        self.watcher.placed(placement)

    def _draw(
        self,
        folder: Path,
        place: int,
        activation: Activation,
        limits: dict[str, tuple[float, float]],
    ) -> tuple[str, ...]:
        """Draw a layer and return its pictures' names."""
        style: Style = self.options.style
        if activation.value in limits:
            style = replace(style, limits=limits[activation.value])
        caption = Caption(activation.name, activation.caption_line)
        labels = self.labels if activation.value in self.classes else None
        drawings = draw_maps(activation.array, activation.layout, caption, style, labels)
        stem = f"{place:03}-{safe_name(activation.name)}"
        files = [
            f"{stem}{f'-{page + 1}' if len(drawings) > 1 else ''}.{self.options.format}"
            for page in range(len(drawings))
        ]
        for file, drawing in zip(files, drawings, strict=True):
            save(drawing.image, folder / file, enlarged=drawing.enlarged, small=style.small, text=drawing.text)
        return tuple(files)

    def _overview(self, file: Path, feed: Feed, top: Sequence[ClassScore], rows: Sequence[OverviewRow]) -> None:
        shown = shown_words(len(rows), len(self.choices))
        line = f"{len(self.model.graph.nodes)} nodes  ·  {shown}  ·  opset {self.model.graph.opset}"
        described = fed_lines(feed.main if feed.fed else None)
        classes = [(found.name, found.value) for found in top]
        name, shown_input = title(self.model.path), fed_picture(feed)
        drawing = draw_overview(name, line, shown_input, described, classes, rows, self.options.style)
        save(drawing.image, file, enlarged=drawing.enlarged, small=self.options.style.small, text=drawing.text)


def _own_place(html: bool | Path, target: Path) -> Path | None:
    """Return where the report goes if that is not its usual place among the pictures."""
    if isinstance(html, bool) or Path(html).resolve() == (target / REPORT).resolve():
        return None
    return Path(html)


def _paths(inputs: Any) -> list[Path]:
    """Return the files and folders among the inputs; of `NAME=FILE` the file."""
    if isinstance(inputs, Mapping):
        inputs = list(inputs.values())
    listed = inputs if isinstance(inputs, list | tuple) else [inputs]
    texts = [os.fspath(text) for text in listed if isinstance(text, str | os.PathLike)]
    return [Path(part) for text in texts for part in (text, text.partition("=")[2]) if part]


def _refuse_to_replace(target: Path, needed: Sequence[Path]) -> None:
    """Refuse to write what is, or holds, the model or an input: it is replaced whole, and they would go with it."""
    for path in needed:
        # Not only what exists: a glob such as pictures/*.jpg is no file, and means those in the folder.
        if path.resolve() == target.resolve() or target.resolve() in path.resolve().parents:
            raise OutputError(f"{target} is or holds {path}, which is needed: write to another place")


def _source_text(source: Any) -> str:
    if isinstance(source, Mapping):
        return ", ".join(str(value) if name == MAIN else f"{name}={value}" for name, value in source.items())
    return str(source) if isinstance(source, str | Path) else type(source).__name__

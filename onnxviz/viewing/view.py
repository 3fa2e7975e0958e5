"""`view`: a model on its inputs; its layers are run, drawn and let go piece by piece."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from onnxviz.classes import ScoredStream, find_classes
from onnxviz.draw.kinds import check_style
from onnxviz.draw.scale import parse_scale
from onnxviz.errors import UnsupportedError
from onnxviz.feed.feed import Feed
from onnxviz.files import making_folder, safe_name
from onnxviz.graph.selection.choices import Choice
from onnxviz.inputs import Inputs
from onnxviz.layout import shape_text
from onnxviz.model import Model, choices_of
from onnxviz.opening import open
from onnxviz.reporting.contents import ReportModel
from onnxviz.results.folder import REPORT, Folder, default_directory, is_ours, paths_of
from onnxviz.results.observer import Observer
from onnxviz.results.outlets import Outlets, open_outlets
from onnxviz.results.record import RunRecord, ViewRecord
from onnxviz.runtime.devices import check_name
from onnxviz.viewing.drawing import Album, SharedLimits, Shown, Stream, draw_run, shared_limits
from onnxviz.viewing.options import ViewOptions


def view(
    model: Model | str | os.PathLike[str],
    inputs: Any = (),
    directory: str | os.PathLike[str] | None = None,
    options: ViewOptions | None = None,
    observer: Observer | None = None,
) -> ViewRecord:
    """Run a model on its inputs and draw the chosen layers: pictures, `overview.png` and `view.json` in a folder.

    `inputs` is a file, folder or glob, an array, a Pillow image, or a mapping by input name. A list of them is several
    runs, each with a folder of its own; a batch is one array. Of several inputs those that cannot be fed, or that the
    model cannot run, are listed in the record, and the others drawn.

    Raises:
        InputError: No input can be used.
        OutputError: The folder exists and onnxviz did not make it.
        RunError: onnxruntime is missing or fails.
    """
    options, observer = options or ViewOptions(), observer or Observer()
    if not isinstance(model, Model):
        model = open(model, stage=observer.stage, converted=observer.converted)
    check_style(options.style)
    check_name(options.run.device)
    choices, remark = choices_of(model, options.layers, options.exclude, options.tap)
    observer.chosen(choices, remark)
    path = Path(directory) if directory is not None else default_directory(model, inputs)
    page = path / REPORT if options.html is True else Path(options.html) if options.html else None
    folder = Folder(path, options.raw, page)
    read = [Path(each) for each in (options.labels, options.style.font) if isinstance(each, str | Path)]
    folder.check(model, [*paths_of(inputs), *read])
    shown = Shown(model, choices, find_classes(model, choices, options.labels))
    if shown.classes.left_out:
        observer.noted(shown.classes.left_out)
    with ExitStack() as stack:
        made = stack.enter_context(making_folder(folder.path, force=options.force, ours=is_ours))
        source = str(model.file.origin)
        outlets = open_outlets(stack, made, folder, source, force=options.force, observer=observer)
        values = [choice.value for choice in (*choices, *shown.classes.outputs)]
        given = Inputs(model, inputs, options.feed, values=values, failed=observer.failed, fail_fast=options.fail_fast)
        executor = model.inference.executor(
            options.run, keep=given.several, placed=observer.placed, noted=observer.noted
        )
        not_shown: dict[str, str] = {}
        left_out = partial(_note, not_shown, choices)
        run = partial(model.inference.stream, executor=executor, left_out=left_out)
        stream = ScoredStream(run, choices, shown.classes, observer.noted)
        limits = _limits(stream, given, shown, options, observer)
        outlets.look(options.style, limits)
        runs = _draw_all(stream, given, shown, Album(made, ".", options, limits), outlets)
        device, level = executor.placement.device, options.run.level
        record = ViewRecord(
            model=source,
            directory=folder.path,
            device=device,
            level=level,
            remark=remark,
            runs=runs,
            failures=given.failures,
            not_shown=tuple(not_shown.items()),
            report=folder.report,
            left_out=outlets.write_report(ReportModel(model.file.origin.name, device, level), options.html_size),
        )
        outlets.journal.end(record)
    return record


def _note(not_shown: dict[str, str], choices: Sequence[Choice], choice: Choice, reason: str) -> None:
    """Keep why a choice is not shown; raise that if it is the last one, or of class scores that nobody chose."""
    if choice not in choices:
        raise UnsupportedError(reason)
    not_shown[choice.name] = reason
    if len(not_shown) == len(choices):
        raise UnsupportedError(f"{choice.name!r} cannot be shown: {reason}")


def _limits(stream: Stream, inputs: Inputs, shown: Shown, options: ViewOptions, observer: Observer) -> SharedLimits:
    """Return the scale that all inputs share for each value; of a fixed one the style tells it."""
    if not options.same_scale or parse_scale(options.style.scale)[0] == "fixed":
        return {}
    if not inputs.several:
        observer.noted("there is one input: it has its own scale, with --same-scale or without")
        return {}
    return shared_limits(stream, inputs, [choice.value for choice in shown.choices], options.style)


def _draw_all(stream: Stream, inputs: Inputs, shown: Shown, album: Album, outlets: Outlets) -> tuple[RunRecord, ...]:
    """Draw every input that can be used, where there are several each in a folder of its own."""
    runs: list[RunRecord] = []
    sizes = _Sizes(outlets.observer)

    def draw(feed: Feed) -> None:
        if album.options.same_scale:
            sizes.check(feed)
        own = replace(album, directory=f"{len(runs):03}-{safe_name(feed.stem)}") if inputs.several else album
        outlets.observer.started(feed, len(shown.choices), shown.model.inference.map_bytes(shown.choices, feed))
        with outlets.run(own.directory):
            runs.append(draw_run(feed, stream(feed), shown, own, outlets))

    inputs.each(draw)
    return tuple(runs)


class _Sizes:
    """Says once that inputs are fed in different sizes, whose maps cannot be compared place by place."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._first: str | None = None
        self._said = False

    def check(self, feed: Feed) -> None:
        size = shape_text(feed.main.shape) if feed.fed else ""
        self._first = self._first or size
        if size != self._first and not self._said:
            way = "; --size HxW feeds all pictures alike" if feed.main.picture is not None else ""
            self._observer.noted(
                f"ATTENTION: inputs are fed in different sizes ({self._first}, {size}): their maps share a scale, but "
                f"cannot be compared place by place{way}"
            )
            self._said = True

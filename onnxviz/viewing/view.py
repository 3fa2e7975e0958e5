"""`view`: a model on its inputs; its layers are run, drawn and let go piece by piece."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from onnxviz.classes.classes import find_classes
from onnxviz.classes.scores import ScoredStream
from onnxviz.draw.kinds import check_style
from onnxviz.draw.scale import parse_scale
from onnxviz.errors import UnsupportedError
from onnxviz.feed.feed import Feed
from onnxviz.files import safe_name
from onnxviz.graph.selection.choices import Choice
from onnxviz.inference.refusals import refusal
from onnxviz.inputs import Inputs
from onnxviz.layout import shape_text
from onnxviz.model import Model, choices_of
from onnxviz.opening import open
from onnxviz.reporting.contents import ReportModel
from onnxviz.results.command_facts import command_facts
from onnxviz.results.folder import REPORT, Folder, default_directory, paths_of
from onnxviz.results.observer import Observer
from onnxviz.results.outlets import Outlets, open_outlets
from onnxviz.results.record import RunRecord, ViewRecord
from onnxviz.results.unfinished import Unfinished, working_in
from onnxviz.runtime.devices import check_name
from onnxviz.viewing.drawing import Album, Shown, Stream, draw_run, shared_limits
from onnxviz.viewing.options import ViewOptions
from onnxviz.words import once


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
    needed = [choice.value for choice in (*choices, *shown.classes.outputs)]
    given = Inputs(model, inputs, options.feed, values=needed, failed=observer.failed, fail_fast=options.fail_fast)
    source, sources = str(model.file.origin), given.sources if given.several else ()
    values = [choice.value for choice in choices]
    facts = command_facts(model, values, options.results, sources)
    with ExitStack() as stack:
        work = working_in(folder.path, facts, source, resume=options.resume, force=options.force)
        workplace = stack.enter_context(work)
        outlets = open_outlets(stack, workplace, folder, force=options.force, observer=observer)
        executor = model.inference.executor(
            options.run, keep=given.several, placed=observer.placed, noted=observer.noted
        )
        not_shown: dict[str, str] = {}
        left_out = partial(_note, not_shown, choices)
        run = partial(model.inference.stream, executor=executor, left_out=left_out)
        stream = ScoredStream(run, choices, shown.classes, observer.noted)
        done = workplace.done
        if options.resume:
            observer.noted(_resumption_words(done, given))
        limits = done.limits
        scans = limits is None and _shares_scale(given, options, observer)
        observer.planned(len(given.sources), len(done.runs), 1 + scans)
        if limits is None:
            limits = shared_limits(stream, given, values, options.style, observer.scanned) if scans else {}
            workplace.journal.add_line({"limits": limits})
        outlets.look(options.style, limits)
        _recall(stream, given, shown, done, outlets)
        runs = _draw_all(stream, given, shown, Album(workplace.folder, ".", options, limits), outlets, done)
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
        raise refusal(choice, reason)


def _shares_scale(inputs: Inputs, options: ViewOptions, observer: Observer) -> bool:
    """Return whether a scale is to be found that all inputs share; a fixed one is the same for all as it is."""
    if options.same_scale and not inputs.several:
        observer.noted("there is one input: it has its own scale, with --same-scale or without")
    return options.same_scale and inputs.several and parse_scale(options.style.scale)[0] != "fixed"


def _recall(stream: Stream, inputs: Inputs, shown: Shown, done: Unfinished, outlets: Outlets) -> None:
    """Run inputs that are done once more, without drawing, for the page and the arrays."""
    chosen = {choice.value: choice.layer for choice in shown.choices}
    for number, (place, run) in enumerate(done.runs.items()):

        def again(feed: Feed, run: RunRecord = run) -> None:
            found = (one for one in stream(feed) if one.value in chosen)
            outlets.recall(run, feed, ((one, chosen[one.value], shown.classes.labels_of(one.value)) for one in found))

        if outlets.forgets(number):
            inputs.once(place, again)
        else:
            outlets.recall(run, None, ())


def _resumption_words(done: Unfinished, inputs: Inputs) -> str:
    if done.runs:
        return f"{len(done.runs)} of {len(inputs.sources)} inputs are done and kept"
    return "nothing is there to go on with: the command begins anew"


def _draw_all(
    stream: Stream, inputs: Inputs, shown: Shown, album: Album, outlets: Outlets, done: Unfinished
) -> tuple[RunRecord, ...]:
    """Draw every input that can be used, where there are several each in a folder of its own."""
    runs = list(done.runs.values())
    sizes = _Sizes(outlets.observer)

    def draw(feed: Feed) -> None:
        if album.options.same_scale:
            sizes.check(feed)
        directory = f"{len(runs):03}-{safe_name(feed.stem)}" if inputs.several else "."
        own = replace(album, directory=directory, place=inputs.place)
        outlets.observer.started(feed, len(shown.choices), shown.model.inference.map_bytes(shown.choices, feed))
        with outlets.run(own.directory):
            runs.append(draw_run(feed, stream(feed), shown, own, outlets))

    inputs.each(draw, done.runs)
    return tuple(runs)


class _Sizes:
    """Says once that inputs are fed in different sizes, whose maps cannot be compared place by place."""

    def __init__(self, observer: Observer) -> None:
        self._noted = once(observer.noted)
        self._first: str | None = None

    def check(self, feed: Feed) -> None:
        size = shape_text(feed.main.shape) if feed.fed else ""
        self._first = self._first or size
        if size != self._first:
            way = "; --size HxW feeds all pictures alike" if feed.main.picture is not None else ""
            self._noted(
                f"ATTENTION: inputs are fed in different sizes ({self._first}, {size}): their maps share a scale, but "
                f"cannot be compared place by place{way}"
            )

"""`view`: a model on its inputs; its layers are run, drawn and let go piece by piece."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Unpack

from onnxviz.changed import changed
from onnxviz.classes.classes import find_classes
from onnxviz.classes.scores import ScoredStream
from onnxviz.draw.kinds import check_style
from onnxviz.draw.style import Style
from onnxviz.graph.selection.choices import Choice
from onnxviz.inputs import Inputs, given_by_name
from onnxviz.model import Model, choices_of
from onnxviz.opening import open
from onnxviz.reporting.contents import LinkedUnits, ReportModel
from onnxviz.results.command_facts import command_facts
from onnxviz.results.folder import REPORT, Folder, default_directory, paths_of
from onnxviz.results.observer import Observer
from onnxviz.results.outlets import open_outlets
from onnxviz.results.record import ViewRecord
from onnxviz.results.unfinished import Unfinished, working_in
from onnxviz.runtime.devices import check_name
from onnxviz.viewing.all_runs import AllRuns
from onnxviz.viewing.drawing import Album, Shown
from onnxviz.viewing.likeness import find_likeness
from onnxviz.viewing.not_shown import NotShown
from onnxviz.viewing.options import ViewChanges, ViewOptions
from onnxviz.viewing.run_explanations import RunExplanations
from onnxviz.viewing.unit_links import link_units


def view(
    model: Model | str | os.PathLike[str],
    inputs: Any = (),
    directory: str | os.PathLike[str] | None = None,
    options: ViewOptions | None = None,
    observer: Observer | None = None,
    **changes: Unpack[ViewChanges],
) -> ViewRecord:
    """Run a model on its inputs and draw the chosen layers: pictures, `overview.png` and `view.json` in a folder.

    `inputs` is a file, folder or glob, an array, a Pillow image, or a mapping by input name. A list of them is several
    runs, each with a folder of its own; a batch is one array. Of several inputs those that cannot be fed, or that the
    model cannot run, are listed in the record, and the others drawn.

    Args:
        model: A model or its file.
        inputs: What is fed.
        directory: The folder to make; None is `MODEL-INPUT-maps` in the current one.
        options: All options; None is `ViewOptions()`.
        observer: Hears of the progress.
        changes: Fields of the options that are to be others, such as `layers="conv[0]"`.

    Raises:
        UsageError: There is no such option, or it does not fit.
        InputError: No input can be used.
        OutputError: The folder exists and onnxviz did not make it.
        RunError: onnxruntime is missing or fails.
    """
    options, observer = changed(options or ViewOptions(), changes, "view"), observer or Observer()
    if not isinstance(model, Model):
        model = open(model, stage=observer.stage, converted=observer.converted)
    check_style(options.style)
    check_name(options.run.device)
    choices, remark = choices_of(model, options.layers, options.exclude, options.tap)
    observer.chosen(choices, remark)
    if options.style.query != Style().query and not any(map(_is_attention, choices)):
        observer.noted("no attention is chosen: --query has nothing to ask")
    folder = _folder(model, inputs, directory, options)
    classes = find_classes(model, choices, options.labels, given_by_name(model, inputs))
    like = None if options.like is None else find_likeness(options.like, choices)
    linked = _units(options, folder, model, choices, observer)
    not_shown = NotShown(choices)
    why = RunExplanations(model, options, observer) if options.explain or options.unit else None
    shown = Shown(model, choices, classes, not_shown, like, why)
    if shown.classes.left_out:
        observer.noted(shown.classes.left_out)
    needed = [choice.value for choice in (*choices, *shown.classes.outputs)]
    given = Inputs(model, inputs, options.feed, values=needed, failed=observer.failed, fail_fast=options.fail_fast)
    source, sources = str(model.file.origin), given.sources if given.several else ()
    facts = command_facts(model, [choice.value for choice in choices], options.results, sources)
    with ExitStack() as stack:
        work = working_in(folder.path, facts, source, resume=options.resume, force=options.force)
        workplace = stack.enter_context(work)
        outlets = open_outlets(stack, workplace, folder, force=options.force, observer=observer)
        executor = model.inference.executor(
            options.run, keep=given.several, placed=observer.placed, noted=observer.noted
        )
        stream = ScoredStream(not_shown.noting(model, executor), choices, shown.classes, observer.noted)
        if options.resume:
            observer.noted(_resumption_words(workplace.done, given))
        all_runs = AllRuns(given, stream, shown, outlets, workplace.done)
        limits = all_runs.find_limits(options)
        all_runs.recall()
        runs = all_runs.draw(Album(workplace.folder, ".", options, limits))
        device, level = executor.placement.device, options.run.level
        about = ReportModel(model.file.origin.name, device, level, units=linked)
        record = ViewRecord(
            model=source,
            directory=folder.path,
            device=device,
            level=level,
            remark=remark,
            runs=runs,
            failures=given.failures,
            not_shown=not_shown.reasons(len(runs)),
            report=folder.report,
            health=tuple(outlets.journal.pool.values()),
            left_out=outlets.write_report(about, options.html_size),
        )
        outlets.journal.end(record)
    return record


def _folder(model: Model, inputs: Any, directory: str | os.PathLike[str] | None, options: ViewOptions) -> Folder:
    """Return the folder for the results, which holds nothing that the command needs."""
    path = Path(directory) if directory is not None else default_directory(model, inputs)
    page = path / REPORT if options.html is True else Path(options.html) if options.html else None
    folder = Folder(path, options.raw, page)
    given = (options.labels, options.style.font, options.like, options.units)
    folder.check(model, [*paths_of(inputs), *(Path(each) for each in given if isinstance(each, str | Path))])
    return folder


def _units(
    options: ViewOptions, folder: Folder, model: Model, choices: Sequence[Choice], observer: Observer
) -> Mapping[str, LinkedUnits]:
    """Return what `mine` found of these choices, where it is asked for."""
    if options.units is None or folder.page is None:
        return {}
    return link_units(options.units, folder.page, model, choices, observer.noted)


def _is_attention(choice: Choice) -> bool:
    layout = choice.layer.layout if choice.layer is not None else None
    return (layout or "").count("T") == 2


def _resumption_words(done: Unfinished, inputs: Inputs) -> str:
    if done.runs:
        return f"{len(done.runs)} of {len(inputs.sources)} inputs are done and kept"
    return "nothing is there to go on with: the command begins anew"

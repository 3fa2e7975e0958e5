"""`view`: a model on its inputs, run, drawn and let go piece by piece."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from onnxviz.draw.kinds import check_style
from onnxviz.errors import ExecutionError, InputError
from onnxviz.feed.feeds import Feed
from onnxviz.files import making_folder, safe_name
from onnxviz.model import Model, open_model
from onnxviz.reporting.contents import ReportModel
from onnxviz.runtime.devices import check_name
from onnxviz.viewing.call import Call
from onnxviz.viewing.classes import find_classes
from onnxviz.viewing.inputs import Inputs
from onnxviz.viewing.one_run import OneRun
from onnxviz.viewing.options import ViewOptions
from onnxviz.viewing.outlets import open_outlets
from onnxviz.viewing.places import REPORT, Places, find_places
from onnxviz.viewing.record import RunRecord, ViewRecord, is_ours
from onnxviz.viewing.same_scale import common_limits
from onnxviz.viewing.watcher import Watcher


def view(
    model: Model | str | os.PathLike[str],
    inputs: Any = (),
    directory: str | os.PathLike[str] | None = None,
    options: ViewOptions | None = None,
    watcher: Watcher | None = None,
) -> ViewRecord:
    """Run a model on its inputs and draw the chosen layers: pictures, `overview.png` and `view.json` in a folder.

    `inputs` are files, folders and globs (see `feed.sources`), or one array, Pillow image or mapping. Of several inputs
    those that cannot be used, or that the model cannot run, are listed in the record, and the others are drawn.

    Raises:
        InputError: No input can be used.
        OutputError: The folder exists and onnxviz did not make it.
        RunError: onnxruntime is missing or fails.
    """
    model = model if isinstance(model, Model) else open_model(model)
    options, watcher = options or ViewOptions(), watcher or Watcher()
    check_style(options.style)
    check_name(options.run.device)
    choices, remark = model.choose(options.layers, exclude=options.exclude, tap=options.tap)
    watcher.chosen(choices, remark)
    places = find_places(model, inputs, directory, options)
    classes = find_classes(model, choices, options.labels)
    with ExitStack() as stack:
        folder = stack.enter_context(making_folder(places.folder, force=options.force, ours=is_ours))
        outlets = open_outlets(stack, folder, places, options, str(model.file.origin))
        given = Inputs(model, inputs, options, watcher)
        runner = model.runner(options.run, keep=given.several, placed=watcher.placed)
        runs = _draw_all(Call(model, choices, classes, options, runner, watcher, places, outlets), given, folder)
        device, level = runner.placement.device, options.run.level
        record = ViewRecord(
            model=str(model.file.origin),
            directory=places.folder,
            device=device,
            level=level,
            remark=remark,
            runs=runs,
            failures=given.failures,
            report=_report(places, options),
            left_out=outlets.write_page(ReportModel(model.file.origin.name, device, level), options.html_size),
        )
        outlets.end(record)
    return record


def _draw_all(call: Call, inputs: Inputs, folder: Path) -> tuple[RunRecord, ...]:
    """Draw every input that can be used, where there are several each in a folder of its own."""
    limits = common_limits(call, inputs) if inputs.several and call.options.same_scale else {}
    runs: list[RunRecord] = []

    def draw(feed: Feed) -> None:
        directory = f"{len(runs):03}-{safe_name(feed.stem)}" if inputs.several else "."
        place = folder / directory
        place.mkdir(exist_ok=True)
        try:
            runs.append(OneRun(call, feed, place, directory, limits).draw())
        except (InputError, ExecutionError):
            call.outlets.drop_run()
            if inputs.several:
                shutil.rmtree(place)
            raise

    inputs.each(draw)
    return tuple(runs)


def _report(places: Places, options: ViewOptions) -> str:
    """Return where the page is, seen from the folder."""
    if not options.html:
        return ""
    return str(places.page.resolve()) if places.page is not None else REPORT

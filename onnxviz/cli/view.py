"""`onnxviz view`: the maps as pictures."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxviz.cli import groups, parameters
from onnxviz.cli.parameters import METHOD_NAMES, option
from onnxviz.cli.terminal import colours, print_document, print_table, say, say_failures
from onnxviz.words import listed

if TYPE_CHECKING:
    from onnxviz.cli.progress import ProgressObserver
    from onnxviz.results.record import ViewRecord


def view(
    model: parameters.ModelPath,
    *,
    inputs: parameters.InputFiles = None,
    selection: groups.SelectionGroup,
    folder: Annotated[Path | None, option("-o --output", "The folder to make; else MODEL-INPUT-maps.", "DIR")] = None,
    style: groups.StyleGroup,
    same_scale: parameters.SameScale = False,
    like: parameters.Like = None,
    units: parameters.Units = None,
    output: groups.OutputGroup,
    explain: Annotated[
        bool, option("--explain", "Explain the top 3 classes on the page, as heat maps over the input.")
    ] = False,
    method: Annotated[
        str | None, option("--method", "Methods of --explain; else gradcam,smoothgrad.", "LIST", METHOD_NAMES)
    ] = None,
    unit: Annotated[
        list[str] | None, option("--unit", "Show what in the input drives this unit; may be repeated.", "LAYER#C")
    ] = None,
    labels: parameters.Labels = None,
    feed: groups.FeedGroup,
    run: groups.RunGroup,
    show: Annotated[
        bool, option("--show", "Preview in the terminal: the overview, or the picture of a single layer.")
    ] = False,
    show_as: parameters.ShowAs = "auto",
    fail_on: parameters.FailingShares = None,
    fail_fast: parameters.FailFast = False,
    resume: parameters.Resume = False,
    json: parameters.Json = False,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    verbose: parameters.Verbose = False,
) -> None:
    """Run a model on its inputs and draw the chosen layers: one picture a layer, an overview and view.json.

    "conv" means after its norm and nonlinearity; --tap op takes the raw convolution.

    Example: onnxviz view model.onnx cat.jpg --layers 'conv[0]' -o maps
    """
    from onnxviz.cli.progress import ProgressObserver
    from onnxviz.cli.stages import open_model
    from onnxviz.errors import UsageError, VerificationError
    from onnxviz.results.fail_on import FailOn
    from onnxviz.viewing.options import ViewOptions
    from onnxviz.viewing.view import view as run_view

    if show and not output.pictures:
        raise UsageError("--no-pictures excludes --show")
    if method is not None and not explain:
        raise UsageError("--method says how --explain explains: give both")
    bounds = FailOn.parse(fail_on) if fail_on is not None else FailOn({})
    options = ViewOptions(
        layers=selection.layers,
        exclude=selection.exclude,
        tap=selection.tap,
        feed=feed,
        run=run,
        style=style,
        pictures=output.pictures,
        format=output.format,
        gif=output.gif,
        raw=output.raw,
        html=output.html,
        html_size=output.html_size,
        explain=parameters.comma_names(method or "gradcam,smoothgrad") if explain else (),
        unit=tuple(unit or ()),
        labels=labels,
        same_scale=same_scale,
        like=like,
        units=units,
        fail_fast=fail_fast,
        resume=resume,
        force=force,
    )
    with ProgressObserver(quiet=quiet, verbose=verbose, tables=not json) as observer:
        record = run_view(open_model(model, quiet=quiet), inputs or [], folder, options, observer)
    report(
        record, observer, json=json, quiet=quiet, show=parameters.preview_of(show, show_as), open_page=output.open_page
    )
    broken = bounds.broken(record.health)
    if broken:
        raise VerificationError(broken)
    if record.failures:
        raise typer.Exit(4)


def report(
    record: ViewRecord, observer: ProgressObserver, *, json: bool, quiet: bool, show: str, open_page: bool
) -> None:
    """Say what was done beside the tables of the runs; with `json` print view.json, then preview and open the page.

    `show` is how pictures are previewed, in the words of `--show-as`; an empty text previews none.
    """
    if not quiet and observer.placed_text:
        say(observer.placed_text)
    if json:
        print_document(record.directory / "view.json")
    elif len(record.runs) > 1:
        print_health(record)
    say_failures(record.failures)
    reasons = dict.fromkeys(reason for _, reason in record.not_shown)
    for reason in reasons:
        say(f"not shown: {listed(repr(name) for name, why in record.not_shown if why == reason)}: {reason}")
    if show:
        _preview(record, show)
    if not quiet:
        drawn = any(run.overview for run in record.runs)
        say(f"{'pictures are' if drawn else 'view.json is'} in {record.directory}")
        if record.report_path is not None:
            say(f"to explore: {record.report_path}{f' ({record.left_out})' if record.left_out else ''}")
    if open_page and record.report_path is not None:
        import webbrowser

        if not webbrowser.open(record.report_path.resolve().as_uri()):
            say(f"no browser could be started: open {record.report_path} yourself")


def print_health(record: ViewRecord) -> None:
    """Print the layers of several inputs that are not well, over all of them."""
    found = [(layer, layer.health.totals) for layer in record.health]
    rows = [(layer.name, layer.tap, each.live, each.words) for layer, each in found if each.dead or each.words]
    if rows:
        print()
        titles = (f"layer, over {len(record.runs)} inputs", "tap", "live", "health")
        print_table(titles, rows, left=(True,) * len(titles))


def _preview(record: ViewRecord, show_as: str) -> None:
    from onnxviz.draw.preview import preview
    from onnxviz.draw.terminal_graphics import graphics_of

    depth = colours(sys.stdout)
    if depth is None:
        say("--show needs a terminal with colours; nothing is previewed")
        return
    asked = {"auto": graphics_of(os.environ), "blocks": None}.get(show_as, show_as)
    for run in record.runs:
        print(preview(record.directory / run.directory / run.preview, asked or depth))

"""`onnxviz mine`: what each channel responds to in a data set."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxviz.cli import groups, parameters
from onnxviz.cli.parameters import option
from onnxviz.cli.terminal import duration_text, print_document, print_json, say, say_failures
from onnxviz.words import size_text

if TYPE_CHECKING:
    from onnxviz.mining.mine import MineEstimate
    from onnxviz.mining.mined import Mined


def mine(
    model: parameters.ModelPath,
    data: parameters.DataSet,
    *,
    selection: groups.SelectionGroup,
    folder: Annotated[Path | None, option("-o --output", "The folder to make; else MODEL-DATA-units.", "DIR")] = None,
    count: Annotated[int, option("-k", "How many strongest places to keep of a channel.", "K", min=1)] = 9,
    order: Annotated[
        str,
        option(
            "--order",
            "Units on the sheets: unit, strength, selectivity or class.",
            "HOW",
            "unit strength selectivity class",
        ),
    ] = "unit",
    theme: parameters.ThemeName = "dark",
    no_sheets: Annotated[bool, option("--no-sheets", "Draw no contact sheets: numbers and the page alone.")] = False,
    estimate: parameters.Estimate = False,
    sweep: groups.SweepGroup,
    feed: groups.FeedGroup,
    run: groups.RunGroup,
    json: parameters.Json = False,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    verbose: parameters.Verbose = False,
) -> None:
    """Find what each channel responds to in a data set: its strongest places, and statistics.

    Interrupted, the same command goes on. The result does not depend on --workers or --batch.

    Example: onnxviz mine model.onnx photos/ --layers conv -o units
    """
    from onnxviz.cli.progress import ProgressObserver
    from onnxviz.cli.stages import open_model
    from onnxviz.mining.mine import estimate as estimate_mining
    from onnxviz.mining.mine import mine as run_mining
    from onnxviz.mining.mine_options import MineOptions

    options = MineOptions(
        layers=selection.layers,
        exclude=selection.exclude,
        tap=selection.tap,
        feed=feed,
        run=run,
        count=count,
        order=order,
        theme=theme,
        sheets=not no_sheets,
        force=force,
        **sweep,
    )
    with ProgressObserver(quiet=quiet, verbose=verbose, tables=False) as observer:
        opened = open_model(model, quiet=quiet)
        if estimate:
            _print_estimate(estimate_mining(opened, data, options, observer), json=json)
            return
        mined = run_mining(opened, data, folder, options, observer)
    _report(mined, observer.placed_text, json=json, quiet=quiet)
    if mined.failures:
        raise typer.Exit(4)


def _report(mined: Mined, placed: str, *, json: bool, quiet: bool) -> None:
    document = mined.document
    if json:
        print_document(mined.folder / "mine.json")
    say_failures(mined.failures)
    for each in document["not_mined"]:
        say(f"not mined: {each['layer']}: {each['reason']}")
    if not quiet:
        if placed:
            say(placed)
        units = sum(layer["channels"] for layer in document["layers"])
        dead = sum(layer["dead"] for layer in document["layers"])
        used = mined.used
        layers = f"{len(mined)} layer{'s' * (len(mined) != 1)}"
        say(f"{units:,} units of {layers} over {used:,} picture{'s' * (used != 1)}; {dead:,} are never above 0")
        drawn = "contact sheets, " if any(layer["sheets"] for layer in document["layers"]) else ""
        say(f"open {mined.folder / 'index.html'}; {drawn}units.csv, units.npz and mine.json are beside it")


def _print_estimate(found: MineEstimate, *, json: bool) -> None:
    if json:
        print_json("onnxviz.mine-estimate/1", **asdict(found))
        return
    print(f"{found.pictures:,} pictures, {found.channels:,} channels of {found.layers} layers, {found.shards:,} shards")
    print(f"memory besides the sessions: {size_text(found.memory)}")
    print(f"disk: {size_text(found.disk)}")
    print(f"time: {duration_text(found.seconds)}")

"""`onnxviz mine`: what each channel responds to in a data set."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxviz.cli import groups, parameters
from onnxviz.cli.parameters import option
from onnxviz.cli.terminal import print_json, say, size_text, speak_utf8

if TYPE_CHECKING:
    from onnxviz.mining.mine import MineEstimate
    from onnxviz.mining.mined import Mined

DataSet = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...",
        help="Folders with all below them, globs, pictures, @list.txt, .npy batches.",
        show_default=False,
    ),
]


def mine(
    model: parameters.ModelPath,
    data: DataSet,
    *,
    selection: groups.SelectionGroup,
    folder: Annotated[Path | None, option("-o --output", "The folder to make; else MODEL-DATA-units.", "DIR")] = None,
    count: Annotated[int, option("-k", "How many strongest places to keep of a channel.", "K", min=1)] = 9,
    classes: Annotated[
        str,
        option("--classes", "auto, folder, none, or a table of path and class.", "HOW|FILE.csv", "auto folder none"),
    ] = "auto",
    every: Annotated[int, option("--every", "Only each M-th picture.", "M", min=1)] = 1,
    workers: Annotated[
        int, option("--workers", "Threads that run the model, each with a session; 0 means one a core.", "N", min=0)
    ] = 1,
    dask: Annotated[
        str | None,
        option("--dask", "A Dask scheduler whose workers run the model, or local.", "ADDRESS|local", "local"),
    ] = None,
    batch: Annotated[int, option("--batch", "Pictures of one run.", "N", min=1)] = 1,
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
    estimate: Annotated[bool, option("--estimate", "Say what it will take, and write nothing.")] = False,
    restart: Annotated[bool, option("--restart", "Begin anew where an earlier start left something.")] = False,
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
        classes=classes,
        every=every,
        workers=workers,
        dask=dask,
        batch=batch,
        order=order,
        theme=theme,
        restart=restart,
        force=force,
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
        speak_utf8()
        with (mined.folder / "mine.json").open(encoding="utf-8") as file:
            shutil.copyfileobj(file, sys.stdout)
        print()
    for source, reason in mined.failures:
        say(f"left out: {reason}" if source in reason else f"left out {source}: {reason}")
    for each in document["not_mined"]:
        say(f"not mined: {each['layer']}: {each['reason']}")
    if not quiet:
        if placed:
            say(placed)
        units = sum(layer["channels"] for layer in document["layers"])
        dead = sum(layer["dead"] for layer in document["layers"])
        used = document["pictures"] - len(mined.failures)
        layers = f"{len(mined)} layer{'s' * (len(mined) != 1)}"
        say(f"{units:,} units of {layers} over {used:,} picture{'s' * (used != 1)}; {dead:,} are never above 0")
        say(f"contact sheets, units.csv, units.npz and mine.json are in {mined.folder}")


def _print_estimate(found: MineEstimate, *, json: bool) -> None:
    if json:
        print_json("onnxviz.mine-estimate/1", **asdict(found))
        return
    print(f"{found.pictures:,} pictures, {found.channels:,} channels of {found.layers} layers, {found.shards:,} shards")
    print(f"memory besides the sessions: {size_text(found.memory)}")
    print(f"disk: {size_text(found.disk)}")
    print(f"time: {_duration(found.seconds)}")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown: none of the first pictures can be used"
    if seconds < 90:
        return f"about {seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 90 else f"about {minutes // 60} h {minutes % 60} min"

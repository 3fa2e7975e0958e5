"""`onnxviz view`: the maps as pictures."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxviz.cli import parameters
from onnxviz.cli.terminal import say
from onnxviz.errors import UsageError

if TYPE_CHECKING:
    from onnxviz.cli.progress import ProgressObserver
    from onnxviz.results.record import ViewRecord


def _colormaps(incomplete: str) -> list[str]:
    from onnxviz.draw.palette import COLORMAPS

    return parameters.one_of("auto", *COLORMAPS)(incomplete)


def view(
    model: parameters.ModelPath,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT...",
            help="Pictures, .npy, .npz, .csv, .wav, folders, globs, NAME=FILE, or -.",
            show_default=False,
        ),
    ] = None,
    layers: parameters.Layers = None,
    exclude: parameters.Exclude = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="The folder to make; else MODEL-INPUT-maps.")
    ] = None,
    tap: parameters.Tap = "act",
    scale: Annotated[
        str,
        parameters.named(
            "--scale",
            "MODE",
            "auto, channel, signed, layer, percentile, symmetric, std or fixed:LO,HI.",
            "auto",
            "channel",
            "signed",
            "layer",
            "percentile",
            "symmetric",
            "std",
            "fixed:",
        ),
    ] = "auto",
    colormap: Annotated[
        str,
        typer.Option("--colormap", metavar="NAME", help="viridis, magma, gray, vik ...", autocompletion=_colormaps),
    ] = "auto",
    theme: parameters.Theme = "dark",
    tile: Annotated[
        int | None, typer.Option("--tile", metavar="PX", min=1, help="Size of a map on the picture.")
    ] = None,
    columns: Annotated[int | None, typer.Option("--columns", metavar="N", min=1, help="Maps in a row.")] = None,
    rows: Annotated[int | None, typer.Option("--rows", metavar="N", min=1, help="Rows on a page.")] = None,
    order: Annotated[
        str,
        parameters.named("--order", "HOW", "index, deviation or mean.", "index", "deviation", "mean"),
    ] = "index",
    top: Annotated[
        int | None, typer.Option("--top", metavar="K", min=1, help="Only the first K of that order.")
    ] = None,
    channels: Annotated[
        str | None, typer.Option("--channels", metavar="LIST", help="Only these, such as 0-15,32; both ends in.")
    ] = None,
    format: Annotated[
        str,
        parameters.named("--format", "NAME", "png, jpg, webp or tiff.", "png", "jpg", "webp", "tiff"),
    ] = "png",
    small: Annotated[bool, typer.Option("--small", help="Smaller files in more time.")] = False,
    bare: Annotated[bool, typer.Option("--bare", help="The maps alone: no title, captions, bars or rulers.")] = False,
    font: Annotated[str | None, typer.Option("--font", metavar="FILE", help="A TrueType or OpenType font.")] = None,
    same_scale: Annotated[
        bool, typer.Option("--same-scale", help="One scale for a layer of all inputs; runs each twice.")
    ] = False,
    raw: Annotated[
        Path | None, typer.Option("--raw", metavar="FILE.npz", help="Store the arrays unscaled as well.")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="The page to explore; else report.html beside the pictures."),
    ] = None,
    no_html: Annotated[bool, typer.Option("--no-html", help="Make no page to explore.")] = False,
    html_size: Annotated[
        str, typer.Option("--html-size", metavar="SIZE", help="The page's largest size; it says what that takes.")
    ] = "40MB",
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="FILE", help="Class names, one a line; else the model's own.")
    ] = None,
    preset: parameters.Preset = None,
    range: parameters.Range = None,
    mean: parameters.Mean = None,
    std: parameters.Std = None,
    size: parameters.Size = None,
    resize: parameters.Resize = None,
    filter: parameters.Filter = None,
    channel_order: parameters.Order = None,
    transform: parameters.Transform = "none",
    dim: parameters.Dim = None,
    random: parameters.Random = False,
    seed: parameters.Seed = None,
    constant: parameters.Constant = None,
    device: parameters.DeviceName = "auto",
    exact: parameters.Exact = False,
    threads: parameters.Threads = 0,
    memory: parameters.Memory = "512MiB",
    show: Annotated[
        bool, typer.Option("--show", help="Preview in the terminal: the overview, or the picture of a single layer.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first input that cannot be used.")
    ] = False,
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
    from onnxviz.draw.style import Style
    from onnxviz.feed.feeds import FeedOptions
    from onnxviz.runtime.session import RunOptions
    from onnxviz.viewing.options import ViewOptions
    from onnxviz.viewing.view import view as run_view

    if raw is not None and raw.suffix.lower() != ".npz":
        raise UsageError(f"--raw writes a .npz file, not {raw.name}")
    if no_html and (html is not None or open_page):
        raise UsageError(f"--no-html excludes {'--html' if html is not None else '--open'}")
    options = ViewOptions(
        layers=layers,
        exclude=tuple(exclude or ()),
        tap=tap,
        feed=FeedOptions(
            preset=preset,
            range=parameters.pair(range, "--range"),
            mean=parameters.floats(mean, "--mean"),
            std=parameters.floats(std, "--std"),
            size=parameters.size(size),
            resize=resize,
            filter=filter,
            channel_order=channel_order,
            transform=transform,
            dims=parameters.dims(dim),
            random=(seed or 0) if random or seed is not None else None,
            constant=constant,
        ),
        run=RunOptions(device=device, exact=exact, threads=threads, memory=parameters.byte_count(memory)),
        style=Style(
            scale=scale,
            colormap=colormap,
            theme=theme,
            tile=tile,
            columns=columns,
            rows=rows,
            order=order,
            top=top,
            channels=channels,
            font=font,
            small=small,
            bare=bare,
        ),
        format=format,
        raw=raw,
        html=html if html is not None else not no_html,
        html_size=parameters.byte_count(html_size, "--html-size", 1000),
        labels=labels,
        same_scale=same_scale,
        fail_fast=fail_fast,
        force=force,
    )
    with ProgressObserver(quiet=quiet, verbose=verbose, tables=not json) as observer:
        record = run_view(open_model(model, quiet=quiet), inputs or [], output, options, observer)
    report(record, observer, json=json, quiet=quiet, show=show)
    if open_page:
        open_report(record)
    if record.failures:
        raise typer.Exit(4)


def report(record: ViewRecord, observer: ProgressObserver, *, json: bool, quiet: bool, show: bool) -> None:
    """Say what was done beside the tables of the runs; as JSON, print all of it."""
    if not quiet and observer.placed_text:
        say(observer.placed_text)
    if json:
        with (record.directory / "view.json").open(encoding="utf-8") as document:
            shutil.copyfileobj(document, sys.stdout)
        print()
    for source, error in record.failures:
        say(f"left out: {error}" if source in error else f"left out {source}: {error}")
    if show:
        _preview(record)
    if not quiet:
        say(f"pictures are in {record.directory}")
        if record.report_path is not None:
            say(f"to explore: {record.report_path}{f' ({record.left_out})' if record.left_out else ''}")


def open_report(record: ViewRecord) -> None:
    """Open the page in the browser; where there is none, say so."""
    import webbrowser

    if record.report_path is not None and not webbrowser.open(record.report_path.resolve().as_uri()):
        say(f"no browser could be started: open {record.report_path} yourself")


def _preview(record: ViewRecord) -> None:
    from onnxviz.draw.terminal import colours, preview

    depth = colours(sys.stdout)
    if depth is None:
        say("--show needs a terminal with colours; nothing is previewed")
        return
    for run in record.runs:
        print(preview(record.directory / run.directory / run.preview, truecolor=depth == "truecolor"))

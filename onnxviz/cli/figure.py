"""`onnxviz figure`: layers of several inputs as one figure for print."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from onnxviz.cli import figure_groups, groups, parameters
from onnxviz.cli.completion import complete_selection
from onnxviz.cli.parameters import option
from onnxviz.cli.terminal import print_json, say
from onnxviz.strict_json import number

if TYPE_CHECKING:
    from onnxviz.draw.figure.figure_parts import Figure, FigureBar, Panel, Rectangle


def figure(
    model: parameters.ModelPath,
    *,
    inputs: parameters.InputFiles = None,
    selection: groups.SelectionGroup,
    weights: Annotated[
        list[str] | None,
        option(
            "--weights",
            "Draw the kernels of these layers; nothing is fed.",
            "SEL",
            autocompletion=complete_selection,
        ),
    ] = None,
    output: Annotated[
        Path | None, option("-o --output", "A .pdf, .svg, .png or .tiff; else MODEL-figure.pdf.", "FILE")
    ] = None,
    paper: figure_groups.PaperGroup,
    maps: figure_groups.MapGroup,
    dpi: Annotated[int, option("--dpi", "Dots per inch of a PNG or TIFF.", "N", min=1)] = 300,
    feed: groups.FeedGroup,
    run: groups.RunGroup,
    json: parameters.Json = False,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    verbose: parameters.Verbose = False,
) -> None:
    """Draw one figure for print: a row a layer, a column an input; or the kernels of layers.

    Its size is in centimetres, its text in points. In PDF and SVG text stays text, and every map has its own pixels.

    Example: onnxviz figure model.onnx cat.jpg coffee.jpg --layers 'conv[0],pool' --width 8.9cm -o figure.pdf
    """
    from onnxviz.cli.progress import ProgressObserver
    from onnxviz.cli.stages import open_model
    from onnxviz.draw.figure.writers import check_writer
    from onnxviz.figures.figure_options import FigureOptions
    from onnxviz.figures.make_figure import figure as make_figure
    from onnxviz.files import writing
    from onnxviz.results.folder import paths_of

    options = FigureOptions(
        layers=selection.layers,
        exclude=selection.exclude,
        tap=selection.tap,
        weights=weights,
        feed=feed,
        run=run,
        **asdict(paper),
        **asdict(maps),
    )
    path = output or Path(f"{model.stem}-figure.pdf")
    check_writer(path.suffix)
    with ProgressObserver(quiet=quiet, verbose=verbose, tables=False) as observer:
        opened = open_model(model, quiet=quiet)
        opened.file.check_apart(path, *paths_of(inputs or []))
        with writing(path, force=force) as target:
            made = make_figure(opened, inputs or [], options, observer)
            target.write(made.encoded(path.suffix, dpi=dpi))
    if not quiet:
        for note in filter(None, (observer.placed_text, *made.notes)):
            say(note)
        say(f"a figure of {made.width_cm:.1f} x {made.height_cm:.1f} cm is in {path}")
    if json:
        print_json("onnxviz.figure/1", file=str(path), model=str(opened.file.origin), **_document(made))


def _document(figure: Figure) -> dict[str, Any]:
    return {
        "width_cm": round(figure.width_cm, 4),
        "height_cm": round(figure.height_cm, 4),
        "panels": [_panel(panel) for panel in figure.panels],
        "bars": [_bar(bar) for bar in figure.bars],
        "notes": list(figure.notes),
    }


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "layer": panel.layer,
        "input": panel.source,
        "channels": list(panel.channels),
        "place_cm": _sides(panel.place),
    }


def _bar(bar: FigureBar) -> dict[str, Any]:
    return {
        "layers": list(bar.layers),
        "low": number(bar.low),
        "high": number(bar.high),
        "place_cm": _sides(bar.place),
    }


def _sides(place: Rectangle) -> list[float]:
    return [round(side, 4) for side in (place.left, place.top, place.width, place.height)]

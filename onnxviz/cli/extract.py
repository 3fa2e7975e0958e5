"""`onnxviz extract`: what layers make of every picture of a data set, as arrays on disk."""

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
    from onnxviz.extraction.extract import ExtractEstimate
    from onnxviz.extraction.extracted import Extracted


def extract(
    model: parameters.ModelPath,
    data: parameters.DataSet,
    *,
    selection: groups.SelectionGroup,
    folder: Annotated[
        Path | None, option("-o --output", "The folder to make; else MODEL-DATA-features.", "DIR")
    ] = None,
    pool: Annotated[
        str, option("--pool", "none for whole maps; mean or max: one number a channel.", "HOW", "none mean max")
    ] = "none",
    dtype: Annotated[str, option("--dtype", "float32 or float16.", "NAME", "float32 float16")] = "float32",
    format: Annotated[
        str, option("--format", "npy, or zarr: compressed, needs onnxviz[zarr].", "NAME", "npy zarr")
    ] = "npy",
    estimate: parameters.Estimate = False,
    sweep: groups.SweepGroup,
    feed: groups.FeedGroup,
    run: groups.RunGroup,
    json: parameters.Json = False,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    verbose: parameters.Verbose = False,
) -> None:
    """Write what layers make of every picture of a data set: one array a layer, row i is picture i.

    Interrupted, the same command goes on. The result does not depend on --workers or --batch.

    Example: onnxviz extract model.onnx photos/ --layers pool --pool mean -o features
    """
    from onnxviz.cli.progress import ProgressObserver
    from onnxviz.cli.stages import open_model
    from onnxviz.extraction.extract import estimate as estimate_extraction
    from onnxviz.extraction.extract import extract as run_extraction
    from onnxviz.extraction.extract_options import ExtractOptions

    options = ExtractOptions(
        layers=selection.layers,
        exclude=selection.exclude,
        tap=selection.tap,
        feed=feed,
        run=run,
        pool=pool,
        dtype=dtype,
        format=format,
        force=force,
        **sweep,
    )
    with ProgressObserver(quiet=quiet, verbose=verbose, tables=False) as observer:
        opened = open_model(model, quiet=quiet)
        if estimate:
            _print_estimate(
                estimate_extraction(opened, data, options, observer), "at most " * (format == "zarr"), json=json
            )
            return
        extracted = run_extraction(opened, data, folder, options, observer)
    _report(extracted, observer.placed_text, json=json, quiet=quiet)
    if extracted.failures:
        raise typer.Exit(4)


def _report(extracted: Extracted, placed: str, *, json: bool, quiet: bool) -> None:
    if json:
        print_document(extracted.folder / "extract.json")
    say_failures(extracted.failures)
    for each in extracted.document["not_extracted"]:
        say(f"not extracted: {each['layer']}: {each['reason']}")
    if not quiet:
        if placed:
            say(placed)
        for layer in extracted.document["layers"]:
            sizes = " x ".join(map(str, layer["shape"]))
            say(f"{layer['name']}: {sizes} {extracted.document['dtype']} in {layer['file']}")
        say(f"the arrays, pictures.csv and extract.json are in {extracted.folder}")


def _print_estimate(found: ExtractEstimate, most: str, *, json: bool) -> None:
    if json:
        print_json("onnxviz.extract-estimate/1", **asdict(found))
        return
    print(f"{found.pictures:,} pictures, {found.layers:,} layer{'s' * (found.layers != 1)}")
    print(f"disk: {most}{size_text(found.disk)}")
    print(f"time: {duration_text(found.seconds)}")

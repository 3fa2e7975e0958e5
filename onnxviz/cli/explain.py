"""`onnxviz explain`: why the model answers so, as heat maps."""

from __future__ import annotations

import json as json_format
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from onnxviz.cli import groups, parameters
from onnxviz.cli.completion import complete_selection
from onnxviz.cli.parameters import METHOD_NAMES, option
from onnxviz.cli.terminal import say, say_failures, speak_utf8


def explain(
    model: parameters.ModelPath,
    *,
    inputs: parameters.InputFiles = None,
    method: Annotated[
        str, option("--method", "Methods with commas between them, such as gradcam,rise.", "LIST", METHOD_NAMES)
    ] = "gradcam,layercam,smoothgrad,occlusion",
    target: Annotated[
        str, option("--class", "A class by name or number; top3: the strongest.", "CLASS", "top3")
    ] = "top3",
    unit: Annotated[str | None, option("--unit", "A unit in its place: LAYER#CHANNEL[@Y,X].", "UNIT")] = None,
    at: Annotated[str | None, option("--at", "A number of an output in its place: NAME[I,J,...].", "PLACE")] = None,
    layers: Annotated[
        str | None,
        option("--layers", "The layers of the class activation maps.", "SEL", autocompletion=complete_selection),
    ] = None,
    samples: Annotated[int, option("--samples", "Pictures with noise of smoothgrad.", "N", min=1)] = 25,
    patch: Annotated[int | None, option("--patch", "The square of occlusion; else a third.", "PX", min=1)] = None,
    masks: Annotated[int, option("--masks", "Random masks of rise.", "N", min=1)] = 2000,
    noise_seed: Annotated[int, option("--noise-seed", "The seed of noise and masks.", "N", min=0)] = 0,
    check: Annotated[bool, option("--check", "Check how far each map can be trusted.")] = False,
    folder: Annotated[Path | None, option("-o --output", "The folder to make; else MODEL-INPUT-why.", "DIR")] = None,
    raw: Annotated[Path | None, option("--raw", "Store the arrays as well.", "FILE.npz")] = None,
    export: Annotated[
        Path | None, option("--export", "Write a model that puts out the heat of a class.", "FILE.onnx")
    ] = None,
    theme: parameters.ThemeName = "dark",
    labels: parameters.Labels = None,
    feed: groups.FeedGroup,
    run: groups.RunGroup,
    fail_fast: parameters.FailFast = False,
    json: parameters.Json = False,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    verbose: parameters.Verbose = False,
) -> None:
    """Explain a model's answer on pictures: where it comes from, by several methods side by side.

    For classifiers the three strongest classes are explained; of others name a unit or a place of an output.

    Example: onnxviz explain model.onnx cat.jpg --class 'Egyptian cat' -o why
    """
    from onnxviz.cli.progress import ProgressObserver
    from onnxviz.cli.stages import open_model
    from onnxviz.explaining.explain import explain as run_explain
    from onnxviz.explaining.explain_options import ExplainOptions

    options = ExplainOptions(
        methods=parameters.comma_names(method),
        target=target,
        unit=unit,
        at=at,
        layers=layers,
        labels=labels,
        samples=samples,
        patch=patch,
        masks=masks,
        seed=noise_seed,
        check=check,
        theme=theme,
        raw=raw,
        export=export,
        feed=feed,
        run=run,
        fail_fast=fail_fast,
        force=force,
    )
    with ProgressObserver(quiet=quiet, verbose=verbose, tables=False) as observer:
        record = run_explain(open_model(model, quiet=quiet), inputs or [], folder, options, observer)
    if json:
        speak_utf8()
        print(json_format.dumps(record.document, ensure_ascii=False, indent=1))
    say_failures(record.failures)
    if not quiet:
        _say_targets(record.document)
        say(f"pictures are in {record.directory}")
        if export is not None:
            say(_exported(record.document["export"]))
    if record.failures:
        raise typer.Exit(4)


def _say_targets(document: Mapping[str, Any]) -> None:
    for run in document["runs"]:
        names = dict.fromkeys((one["target"], one["value"]) for one in run["explanations"])
        for name, value in names:
            say(f"{run['name']}: {name}  {value:.4g}")


def _exported(made: Mapping[str, Any]) -> str:
    where = f" at {made['layer']}" if made["layer"] else ""
    return (
        f"{made['file']} puts out {made['heat_output']!r}, {made['method']}{where}; it takes {made['class_input']!r}, "
        "the number of a class (-1: the strongest)"
    )

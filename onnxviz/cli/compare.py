"""`onnxviz compare`: two models on the same inputs, layer by layer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onnxviz.cli import groups, parameters
from onnxviz.cli.parameters import model_path, option
from onnxviz.cli.terminal import print_json, print_table, say, say_failures
from onnxviz.errors import UsageError, VerificationError
from onnxviz.words import listed, number_text

if TYPE_CHECKING:
    from onnxviz.comparing.compare_options import Tolerance
    from onnxviz.comparing.compared_layers import ComparedLayer, ComparedOutput
    from onnxviz.comparing.comparison_result import Comparison
    from onnxviz.comparing.impact import Impact
    from onnxviz.comparing.measures import Measures

ROWS = 20


def compare(
    a: Annotated[
        Path,
        typer.Argument(metavar="A", help="The model taken to be right.", show_default=False, parser=model_path),
    ],
    b: Annotated[
        Path,
        typer.Argument(metavar="B", help="The other: quantised, converted ...", show_default=False, parser=model_path),
    ],
    *,
    inputs: parameters.InputFiles = None,
    layers: parameters.Layers = None,
    exclude: parameters.Exclude = None,
    own: Annotated[
        bool, option("--own/--no-own", "Run each layer of B on A's values as well: where an error begins.")
    ] = True,
    impact: Annotated[
        bool, option("--impact", "What each quantiser of B, else each layer, costs at the outputs.")
    ] = False,
    same: Annotated[
        list[str] | None, option("--map", "Which layer of B is which of A, where names say nothing.", "A=B")
    ] = None,
    tolerance: Annotated[
        str | None, option("--tolerance", "Exit code 7 where an output is further off.", "30dB|rel:1e-3")
    ] = None,
    tolerance_layers: Annotated[
        str | None, option("--tolerance-layers", "The same of each layer's own error.", "30dB|rel:1e-3")
    ] = None,
    output: Annotated[
        Path | None, option("-o --output", "A folder for compare.json, compare.png and the page.", "DIR")
    ] = None,
    theme: parameters.ThemeName = "dark",
    feed: groups.FeedGroup,
    run: groups.RunGroup,
    device_a: Annotated[str | None, option("--device-a", "A's device, if it is another.", "NAME")] = None,
    device_b: Annotated[str | None, option("--device-b", "B's device, if it is another.", "NAME")] = None,
    exact_a: Annotated[bool, option("--exact-a", "Turn off onnxruntime's optimisation for A.")] = False,
    exact_b: Annotated[bool, option("--exact-b", "Turn off onnxruntime's optimisation for B.")] = False,
    fail_fast: parameters.FailFast = False,
    json: parameters.Json = False,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
    verbose: parameters.Verbose = False,
) -> None:
    """Run two models on the same inputs and find the layer of B that goes wrong first, by itself.

    An error has two parts: what a layer inherits from those before it, and its own, measured by running the layer of B
    on A's values. Layers are paired by weights, names and structure, whatever they are called.

    Example: onnxviz compare float.onnx int8.onnx photos/ -o differences
    """
    from onnxviz.cli.progress import ProgressObserver
    from onnxviz.cli.stages import open_model
    from onnxviz.comparing.compare import compare as run_compare
    from onnxviz.comparing.compare_folder import document, save
    from onnxviz.comparing.compare_options import CompareOptions, Tolerance
    from onnxviz.results.folder import paths_of

    limits = {
        name: Tolerance.parse(text, f"--{name}")
        for name, text in {"tolerance": tolerance, "tolerance-layers": tolerance_layers}.items()
        if text is not None
    }
    if "tolerance-layers" in limits and not own:
        raise UsageError("--tolerance-layers is of each layer's own error, which --no-own leaves out: give one of them")
    options = CompareOptions(
        layers=layers,
        exclude=tuple(exclude or ()),
        own=own,
        same=_pairs(same or ()),
        feed=feed,
        run_a=replace(run, device=device_a or run.device, exact=run.exact or exact_a),
        run_b=replace(run, device=device_b or run.device, exact=run.exact or exact_b),
        fail_fast=fail_fast,
    )
    with ProgressObserver(quiet=quiet, verbose=verbose, tables=False) as observer:
        models = [open_model(path, quiet=quiet) for path in (a, b)]
        found = run_compare(models[0], models[1], inputs or [], options, observer)
        costs = found.impact() if impact else None
    broken = _broken(found, limits)
    more: dict[str, Any] = {"tolerances": {"outputs": tolerance, "layers": tolerance_layers}, "past_tolerance": broken}
    if costs is not None:
        more["impact"] = costs.as_json()
    if output is not None:
        needed = [file for model in models for file in model.file.needed]
        save(found, output, more, theme=theme, force=force, needed=[*needed, *paths_of(inputs or [])])
    if json:
        members = document(found, more)
        print_json(members.pop("schema"), **{name: value for name, value in members.items() if name != "onnxviz"})
    else:
        _print(found)
        if costs is not None:
            _print_costs(costs)
    if not quiet:
        _say(found, output)
    say_failures(found.failures)
    if broken:
        raise VerificationError(f"past the tolerance: {listed(broken)}")
    if found.failures:
        raise typer.Exit(4)


def _pairs(texts: list[str] | tuple[()]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        one, equals, other = text.partition("=")
        if not (one and equals and other):
            raise UsageError(f"--map takes A=B, a layer of A and the one of B that it is, not {text!r}")
        pairs[one] = other
    return pairs


def _broken(found: Comparison, limits: dict[str, Tolerance]) -> list[str]:
    """Return what is past its tolerance, in words."""
    words: list[str] = []
    if "tolerance" in limits:
        limit = limits["tolerance"]
        for output in found.outputs:
            if output.measures is None:
                words.append(f"the output {output.a} ({output.remark})")
            elif not limit.is_kept(output.measures):
                words.append(f"the output {output.a} ({_far(output.measures)}, tolerance {limit.words})")
    if "tolerance-layers" in limits:
        limit = limits["tolerance-layers"]
        for layer in found.layers.values():
            if layer.own is not None and not limit.is_kept(layer.own):
                words.append(f"the layer {layer.name} ({_far(layer.own)} by itself, tolerance {limit.words})")
    return words


def _far(measures: Measures) -> str:
    if measures.breaks:
        return f"{measures.not_finite[1]:,} values are not finite"
    return f"{_decibels(measures.sqnr)} dB, {number_text(measures.relative)} of A's length"


def _print(found: Comparison) -> None:
    """Print the worst layers, the outputs and the headline, which ends the text so that it is seen."""
    shown = [layer for layer in found.worst_first if layer.differs or layer.cka is not None]
    beside = "CKA" if found.trained_apart else "below kind"
    titles = ("layer", "op", "SQNR dB", "own dB", beside, "worst channel", "at ends", "pair", "cause")
    rows = [_row(layer, is_apart=found.trained_apart) for layer in shown[:ROWS]]
    if rows:
        print_table(titles, rows, left=(True, True, False, False, False, False, False, True, True))
        print()
    for output in found.outputs:
        print(_output_words(output))
    print(found.headline)


def _print_costs(costs: Impact) -> None:
    """Print the costliest quantisers and what is won without them, or the costliest layers."""
    print()
    if costs.layers:
        of_layers = [
            (each.layer, f"{100 * each.share:.1f} %", _decibels(each.sqnr))
            for each in costs.layers[:ROWS]
            if each.share
        ]
        print_table(("own error of", "of the cost", "outputs dB"), of_layers, left=(True, False, False))
    else:
        rows = [(each.layer, each.codes, f"{100 * each.share:.1f} %") for each in costs.quantisers[:ROWS]]
        print_table(("quantiser behind", "its codes", "of the cost"), rows, left=(True, True, False))
    print(costs.headline)


def _row(layer: ComparedLayer, *, is_apart: bool) -> tuple[str, ...]:
    overall, own, pair = layer.overall, layer.own, layer.pair
    if overall is None:
        return ()
    shown = own if own is not None else overall
    channel = "" if shown.channel is None else f"#{shown.channel} {100 * shown.channel_share:.0f} %"
    ends = "" if overall.at_ends is None else f"{100 * overall.at_ends[0]:.1f} {100 * overall.at_ends[1]:.1f} %"
    name = layer.name if pair.b.layer == layer.name else f"{layer.name} = {pair.b.layer}"
    beside = "" if layer.margin is None else f"{layer.margin:.0f}{'  <-' if layer.stands_out else ''}"
    if is_apart:
        beside = "" if layer.cka is None else f"{layer.cka:.2f}"
    return (
        name,
        "+".join((pair.a.operator, *pair.a.stage)),
        "not finite" if layer.breaks else _decibels(overall.sqnr),
        "" if own is None else _decibels(own.sqnr),
        beside,
        channel,
        ends,
        pair.status,
        layer.cause,
    )


def _decibels(value: float) -> str:
    return "equal" if value == float("inf") else f"{value:.1f}"


def _output_words(output: ComparedOutput) -> str:
    name = output.a if output.a == output.b else f"{output.a} = {output.b}"
    if output.measures is None:
        return f"output {name}: not compared: {output.remark or 'nothing came out'}"
    far = "equal" if output.measures.relative == 0 and not output.measures.breaks else _far(output.measures)
    top = "" if output.same_top is None else f"; the same first class for {output.same_top} of {output.items}"
    return f"output {name}: {far}{top}"


def _say(found: Comparison, output: Path | None) -> None:
    for remark in found.matches.remarks:
        say(remark)
    left = [layer for layer in found.layers.values() if layer.overall is None]
    reasons: dict[str, list[str]] = {}
    for layer in left:
        reasons.setdefault(layer.remark or "nothing came out", []).append(layer.name)
    for reason, names in reasons.items():
        say(f"not compared: {listed(names)}: {reason}")
    for side, only in (("A", found.matches.only_a), ("B", found.matches.only_b)):
        if only:
            say(f"only in {side}: {len(only)} layer{'s' * (len(only) > 1)}: {listed(only)}")
    differing = sum(layer.differs or layer.cka is not None for layer in found.layers.values())
    equal = len(found.layers) - len(left) - differing
    more = [f"{differing - ROWS} more layers differ less"] if differing > ROWS else []
    more += [f"{equal} layer{'s are' if equal > 1 else ' is'} equal to the last bit"] if equal and differing else []
    if more:
        where = "compare.json" if output is not None else "--json, or -o DIR,"
        say(f"{listed(more)}: {where} lists all")
    say(f"A ran on {found.levels[0]}, B on {found.levels[1]}")
    if output is not None:
        say(f"the sheet, the page and compare.json are in {output}")

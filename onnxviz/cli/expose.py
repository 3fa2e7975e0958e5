"""`onnxviz expose`: chosen values become outputs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from onnxviz.cli import groups, parameters
from onnxviz.cli.parameters import option
from onnxviz.cli.stages import open_model
from onnxviz.cli.terminal import print_json, print_table, say, say_choices
from onnxviz.errors import UsageError, VerificationError
from onnxviz.layout import Dimension, shape_text
from onnxviz.strict_json import number
from onnxviz.words import number_text

if TYPE_CHECKING:
    from onnxviz.differences import Difference
    from onnxviz.model import Model

TOLERANCE = 1e-3


def expose(
    model: parameters.ModelPath,
    *,
    selection: groups.SelectionGroup,
    output: Annotated[Path | None, option("-o --output", "The file to write; else MODEL.exposed.onnx.", "OUT")] = None,
    only: Annotated[bool, option("--only", "Drop the model's own outputs and what they alone need.")] = False,
    linked: Annotated[bool, option("--linked", "A file of some kB; weights stay in the original.")] = False,
    verify: Annotated[bool, option("--verify", "Run both models and compare their own outputs.")] = False,
    strip_metadata: Annotated[bool, option("--strip-metadata", "Drop the exporter's stack traces.")] = False,
    dry_run: Annotated[bool, option("--dry-run", "Show what would be exposed; write nothing.")] = False,
    json: parameters.Json = False,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
) -> None:
    """Rewrite a model so that chosen values become outputs; weights are copied byte for byte, or linked.

    "conv" means after its norm and nonlinearity; --tap op takes the raw convolution.

    Example: onnxviz expose model.onnx --layers 'conv[0],pool' -o exposed.onnx
    """
    from onnxviz.model import choices_of, expose_choices

    if only and verify:
        raise UsageError("--verify compares the model's own outputs, which --only drops: give one of them")
    opened = open_model(model, quiet=quiet)
    if linked and opened.path != model:
        raise UsageError(f"--linked needs an ONNX file for its weights: first onnxviz convert {model}")
    choices, remark = choices_of(opened, selection.layers, selection.exclude, selection.tap)
    exposed = expose_choices(opened, choices, only=only)
    choices = exposed.exposed
    if strip_metadata:
        exposed = exposed.without_metadata()
    beside = opened.file.path.resolve().parent if linked else Path()
    target = output or beside / f"{model.stem}.exposed.onnx"
    difference = None if dry_run else _written(exposed, opened, target, linked=linked, force=force, verify=verify)
    if not quiet:
        say_choices(choices, remark)
        for line in exposed.remarks:
            say(line)
        own = {spec.name for spec in opened.outputs}
        say(_done(sum(choice.value not in own for choice in choices), target, dry_run=dry_run))
    if json:
        print_json(
            "onnxviz.expose/1",
            file=None if dry_run else str(target),
            outputs=[{"name": choice.value, "layer": choice.name, "tap": choice.tap} for choice in choices],
            verify=difference and {"max_abs": number(difference.max_abs), "max_rel": number(difference.max_rel)},
        )
    else:
        declared = {spec.name: spec.shape for spec in exposed.outputs}
        rows = [
            (
                choice.name,
                choice.tap,
                choice.value,
                shape_text(_shape(declared[choice.value], spec.shape if spec else None)),
            )
            for choice in choices
            for spec in [(choice.layer or opened.types.get(choice.value))]
        ]
        print_table(("layer", "tap", "output", "shape"), rows, left=(True,) * 4)
        if difference is not None:
            print(
                f"largest difference of the model's own outputs: {number_text(difference.max_abs)}, "
                f"{number_text(difference.max_rel)} of the largest value"
            )
    if difference is not None and difference.max_rel > TOLERANCE:
        raise VerificationError(
            f"exposing moved the model's own outputs by {number_text(difference.max_abs)} "
            f"({number_text(difference.max_rel)} of the largest value, tolerance {TOLERANCE}): "
            "an exposed value stopped a fusion; the file was written"
        )


def _shape(declared: Sequence[Dimension] | None, known: Sequence[Dimension] | None) -> Sequence[Dimension] | None:
    """Return the shape of an output: as it is known, or with the axis of steps as it is declared."""
    return declared if declared is not None and len(declared) != len(known or ()) else known


def _done(count: int, target: Path, *, dry_run: bool) -> str:
    if not count:
        has = "would have" if dry_run else "has"
        return f"every value is an output already: {target} {has} the model's own outputs"
    return f"{'would expose' if dry_run else 'exposed'} {count} value{'s' * (count != 1)} in {target}"


def _written(
    exposed: Model, opened: Model, target: Path, *, linked: bool, force: bool, verify: bool
) -> Difference | None:
    from onnxviz.model import Model
    from onnxviz.runtime.devices import runtime

    if verify:
        runtime()  # if it is missing, this fails before the file is written
    exposed.save(target, linked=linked, force=force)
    return Model.open(target).verify(opened) if verify else None

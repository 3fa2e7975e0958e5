"""`onnxviz convert`: TensorFlow in, ONNX out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from onnxviz.cli import parameters
from onnxviz.cli.parameters import option
from onnxviz.cli.terminal import print_json, print_table, say
from onnxviz.opening import PYTHON
from onnxviz.words import number_text, size_text

if TYPE_CHECKING:
    from onnxviz.conversion.convert_options import Converted


def convert(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="SOURCE",
            help="A SavedModel folder, .keras, .h5, frozen .pb, checkpoint .meta or .tflite.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[Path | None, option("-o --output", "The file to write; else SOURCE.onnx.", "OUT")] = None,
    inputs: Annotated[
        list[str] | None, option("--inputs", "Input tensors of a graph or .tflite, not its own.", "A:0,B:0")
    ] = None,
    outputs: Annotated[
        list[str] | None, option("--outputs", "Output tensors of a graph or .tflite, not its own.", "A:0,B:0")
    ] = None,
    signature: Annotated[
        str | None, option("--signature", "Which signature of a SavedModel or .tflite.", "NAME")
    ] = None,
    keep: Annotated[list[str] | None, option("--keep", "With --fold: keep this layer; repeatable.", "LAYER")] = None,
    fold: Annotated[bool, option("--fold", "Fold batch norms and the like: a smaller graph, fewer layers.")] = False,
    opset: Annotated[int, option("--opset", "The ONNX opset to write, 9 to 18.", "N")] = 17,
    python: Annotated[
        Path | None, option("--python", "The Python that has TensorFlow; else this one.", "PATH", envvar=PYTHON)
    ] = None,
    trust: Annotated[bool, option("--trust", "Let code in the source run.")] = False,
    no_verify: Annotated[bool, option("--no-verify", "Do not compare with TensorFlow.")] = False,
    clear_cache: Annotated[
        bool, option("--clear-cache", "Remove what view, layers and expose converted, and stop.")
    ] = False,
    json: parameters.Json = False,
    force: parameters.Force = False,
    quiet: parameters.Quiet = False,
) -> None:
    """Convert a TensorFlow or Keras model to ONNX, every layer under the name its author gave it.

    TensorFlow runs in another process, of this Python or the one that --python names.

    Example: onnxviz convert model.keras -o model.onnx
    """
    from onnxviz.cli.stages import StageLine
    from onnxviz.conversion.convert import convert as run_convert
    from onnxviz.conversion.convert_options import ConvertOptions
    from onnxviz.errors import UsageError

    if clear_cache:
        from onnxviz.conversion.cache import cache_folder, clear

        count, freed = clear()
        print(f"removed {count} converted models, {size_text(freed)}, from {cache_folder()}")
        return
    if source is None:
        raise UsageError("name what to convert: onnxviz convert SOURCE -o OUT.onnx")
    options = ConvertOptions(
        inputs=_names(inputs),
        outputs=_names(outputs),
        signature=signature,
        keep=_names(keep),
        fold=fold,
        opset=opset,
        python=python,
        trust=trust,
        verify=not no_verify,
        force=force,
    )
    with StageLine(quiet=quiet) as line:
        converted = run_convert(source, output, options, stage=line.stage)
    if not quiet:
        for remark in converted.remarks:
            say(remark)
    if json:
        _print_document(converted)
    else:
        _print(converted)


def _names(texts: list[str] | None) -> tuple[str, ...]:
    return parameters.comma_names(",".join(texts or ()))


def _print(converted: Converted) -> None:
    agreement = converted.agreement
    verified = (
        "not compared with TensorFlow"
        if agreement is None
        else f"{agreement.compared} values agree with TensorFlow to {number_text(agreement.layer, 2)} of their "
        f"largest, {'each given those before it; ' if agreement.by_layer else ''}"
        f"the outputs to {number_text(agreement.output, 2)}"
    )
    rows = [
        ("file", str(converted.path)),
        ("inputs", ", ".join(converted.inputs)),
        ("outputs", ", ".join(converted.outputs)),
        ("layers", str(converted.layers)),
        ("verified", verified),
    ]
    print_table(("", ""), rows, left=(True, True), prose=True)


def _print_document(converted: Converted) -> None:
    agreement = converted.agreement
    verify = agreement and {
        "max_rel": agreement.output,
        "max_rel_layers": agreement.layer,
        "worst": agreement.worst,
        "compared": agreement.compared,
        "tolerance": agreement.tolerance,
        "random": agreement.random,
        "by_layer": agreement.by_layer,
        "tied": agreement.tied,
    }
    print_json(
        "onnxviz.convert/1",
        file=str(converted.path),
        source=converted.source,
        kind=converted.kind,
        inputs=converted.inputs,
        outputs=converted.outputs,
        layers=converted.layers,
        verify=verify,
        remarks=converted.remarks,
        versions=dict(converted.versions),
        cpu_seconds=converted.cpu_seconds,
        peak_bytes=converted.peak_bytes,
    )

"""`convert`: a TensorFlow or Keras model becomes an ONNX file, with every layer under the name its author gave it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from onnxviz import bundled
from onnxviz.conversion.child.exchange import Facts, Request
from onnxviz.conversion.child_process import ask_child
from onnxviz.conversion.convert_options import Agreement, Converted, ConvertOptions
from onnxviz.conversion.keras_preprocessing import known_preprocessing
from onnxviz.conversion.live_model import check_live, save_live
from onnxviz.conversion.source import KINDS, ConversionSource, find_source
from onnxviz.conversion.verify import verify
from onnxviz.errors import ConversionError, RunError, UsageError
from onnxviz.feed.pictures import open_picture
from onnxviz.files import check_apart, check_space, writing
from onnxviz.runtime.devices import runtime
from onnxviz.words import listed

_PICTURE = "picture.npy"
_WITH_OWN_ENDS = ("keras", "saved_model")


def convert(
    source: Any,
    output: str | os.PathLike[str] | None = None,
    options: ConvertOptions | None = None,
    *,
    stage: Callable[[str], None] = lambda name: None,
) -> Converted:
    """Convert a TensorFlow or Keras model to ONNX, in another process, and check that both compute the same.

    `source` is a path (a SavedModel folder, `.keras`, `.h5`, a frozen `.pb`, a checkpoint's `.meta`, a `.tflite`) or a
    Keras model in the caller's program. `output` is by default the source's name with `.onnx` in the current folder.
    `stage` is called with the name of each stage.

    Raises:
        ModelError: The source is missing or damaged, holds code, or cannot be converted; the text says which.
        ConversionError: TensorFlow or tf2onnx is missing or fails.
        OutputError: The output exists and `force` is not set, is the source or lies in it, or cannot be written.
        VerificationError: The converted model does not agree with TensorFlow; nothing is written.
    """
    options = options or ConvertOptions()
    if not 9 <= options.opset <= 18:
        raise UsageError(f"tf2onnx writes the opsets 9 to 18, not {options.opset}")
    if isinstance(source, str | os.PathLike):
        return _converted(find_source(Path(source)), output, options, stage)
    check_live(source)
    with tempfile.TemporaryDirectory(prefix="onnxviz-") as folder:
        stage("saving the model")
        # The model's code has run in this program already.
        return _converted(save_live(source, Path(folder)), output, replace(options, trust=True), stage)


def _converted(
    found: ConversionSource,
    output: str | os.PathLike[str] | None,
    options: ConvertOptions,
    stage: Callable[[str], None],
) -> Converted:
    target = Path(f"{default_stem(found.path)}.onnx" if output is None else output)
    if found.kind in _WITH_OWN_ENDS and (options.inputs or options.outputs):
        raise UsageError(
            f"{KINDS[found.kind]} has inputs and outputs of its own: --inputs and --outputs are for graphs of "
            "TensorFlow 1 and TensorFlow Lite files"
        )
    check_apart(target, (found.path, *found.files))
    if options.verify:
        _check_runtime()
    with writing(target, force=options.force) as file, tempfile.TemporaryDirectory(prefix="onnxviz-") as folder:
        place = Path(folder)
        facts = ask_child(request_for(found, options, place), options.python, place, stage)
        agreement = None
        if options.verify:
            stage("comparing with TensorFlow")
            agreement = verify(place / "model.onnx", facts, place / "reference.npz")
        stage("writing")
        check_space(target, (place / "model.onnx").stat().st_size)
        with (place / "model.onnx").open("rb") as made:
            shutil.copyfileobj(made, file, 1 << 20)
    return Converted(
        path=target,
        source=str(found.path),
        kind=found.kind,
        inputs=tuple(facts["inputs"]),
        outputs=tuple(facts["outputs"]),
        layers=facts["layers"],
        agreement=agreement,
        remarks=_remarks(found, facts, agreement),
        versions=facts["versions"],
        cpu_seconds=facts.get("cpu_seconds"),
        peak_bytes=facts.get("peak_bytes"),
    )


def default_stem(source: Path) -> str:
    """Return the name of a source without its ending.

    >>> default_stem(Path("models/net.keras")), default_stem(Path("saved_model/"))
    ('net', 'saved_model')
    """
    path = source if source.name else source.resolve()
    return path.name if path.is_dir() else path.stem


def _check_runtime() -> None:
    """Check for onnxruntime, which verifies, before minutes of conversion and not after them."""
    try:
        runtime()
    except RunError as error:
        raise ConversionError(f"{error}\nwithout comparing: onnxviz convert --no-verify") from None


def request_for(source: ConversionSource, options: ConvertOptions, folder: Path) -> Request:
    """Return what to ask of the other Python, which finds a picture in the folder and leaves its files there."""
    if options.verify:
        np.save(folder / _PICTURE, open_picture(bundled.picture("cat"), "cat").pixels)
    return {
        "source": str(source.path.resolve()),
        "kind": source.kind,
        "output": str(folder / "model.onnx"),
        "reference": str(folder / "reference.npz") if options.verify else None,
        "picture": str(folder / _PICTURE),
        "inputs": list(options.inputs),
        "outputs": list(options.outputs),
        "signature": options.signature,
        "keep": list(options.keep),
        "fold": options.fold,
        "opset": options.opset,
        "trust": options.trust,
        "preprocessing": known_preprocessing(),
        "report": str(folder / "report.json"),
        "parent": os.getpid(),
    }


def _remarks(source: ConversionSource, facts: Facts, agreement: Agreement | None) -> tuple[str, ...]:
    remarks = [f"the source is {KINDS[source.kind]}"]
    ends = {"inputs": facts["inputs"], "outputs": facts["outputs"]}
    for what, guessed in facts.get("guessed", {}).items():
        if guessed:
            remarks.append(f"{what} guessed: {listed(ends[what])} (--{what} names others)")
    if facts.get("preprocessing"):
        remarks.append(f"pixels are scaled as keras.applications does for {facts['preprocessing']}")
    if facts.get("signature"):
        remarks.append(f"signature {facts['signature']}")
    if facts["lost"]:
        remarks.append(f"not values of the converted model, so nothing shows them: {listed(facts['lost'])}")
    if agreement is not None and agreement.random:
        remarks.append(f"not compared, because TensorFlow gives other values in each run: {listed(agreement.random)}")
    if agreement is not None and agreement.tied:
        remarks.append(f"not compared, because they are chosen among equals: {listed(agreement.tied)}")
    if facts.get("unread"):
        remarks.append(f"inputs that no output needs are left out: {listed(facts['unread'])}")
    if facts.get("widened"):
        remarks.append(f"{facts['widened']} is float32 in the converted model")
    return tuple(remarks)

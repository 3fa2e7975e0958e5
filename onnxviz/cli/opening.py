"""Opens what a command is given: an ONNX model as it is, a TensorFlow source by way of the cache of conversions."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from onnxviz.cli.terminal import say, size_text

if TYPE_CHECKING:
    from onnxviz.model import Model

PYTHON = "ONNXVIZ_TF_PYTHON"


def opened(path: Path, *, quiet: bool = False) -> Model:
    """Open a model; what TensorFlow or Keras wrote is converted first, or taken from the cache, which is said.

    Raises:
        ModelError: It is no model, or cannot be converted.
        ConversionError: TensorFlow is missing or fails.
    """
    from onnxviz.conversion.source import is_tensorflow
    from onnxviz.files import is_folder
    from onnxviz.model import Model, open_model

    # A folder is never an ONNX model; if it is no source either, converting says best what it is.
    if not is_folder(path) and not is_tensorflow(path):
        return open_model(path)
    from onnxviz.cli.stages import StageLine
    from onnxviz.conversion.cache import cached
    from onnxviz.conversion.convert_options import ConvertOptions

    with StageLine(quiet=quiet) as line:
        found = cached(path, ConvertOptions(python=tensorflow_python()), stage=line.stage)
    if not quiet:
        size = size_text(found.path.stat().st_size)
        if found.converted is None:
            say(f"converted before: {found.path} ({size}); onnxviz convert --clear-cache removes it")
        else:
            say(f"converted into the cache: {found.path} ({size}); the next time it is taken from there")
    model = open_model(found.path)
    made_from = (path, *found.source.files)
    return Model(replace(model.file, made_from=made_from), model.graph)


def tensorflow_python() -> Path | None:
    """Return the interpreter with TensorFlow that the environment names, None where it names none."""
    named = os.environ.get(PYTHON)
    return Path(named) if named else None

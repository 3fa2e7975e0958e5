"""`open`: an ONNX file as it is, what TensorFlow or Keras wrote by way of the cache of conversions."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxviz.conversion.cache import Cached
    from onnxviz.model import Model

PYTHON = "ONNXVIZ_TF_PYTHON"
"""The environment variable that names an interpreter with TensorFlow; without it this one is taken."""


def open(
    path: str | os.PathLike[str],
    *,
    stage: Callable[[str], None] = lambda name: None,
    converted: Callable[[Cached], None] = lambda found: None,
) -> Model:
    """Open a model without reading its weights; a TensorFlow or Keras source is converted once, into a cache.

    A source is a SavedModel folder, `.keras`, `.h5`, a frozen `.pb`, a checkpoint's `.meta` or a `.tflite`. TensorFlow
    runs in another process, of this Python or of the one that the variable ONNXVIZ_TF_PYTHON names.

    Args:
        path: the file or folder.
        stage: called with the name of each stage of a conversion.
        converted: called with what the cache holds of a source, before that is opened.

    Raises:
        ModelError: The file is missing, is not a model or is broken, or cannot be converted; the text says which.
        ConversionError: TensorFlow is missing or fails.
    """
    from onnxviz.conversion.source import is_tensorflow
    from onnxviz.files import is_folder
    from onnxviz.model import Model

    path = Path(path)
    # A folder is never an ONNX model; if it is not a source either, converting says best what it is.
    if not is_folder(path) and not is_tensorflow(path):
        return Model.open(path)
    from onnxviz.conversion.cache import cached
    from onnxviz.conversion.convert_options import ConvertOptions

    python = os.environ.get(PYTHON)
    found = cached(path, ConvertOptions(python=Path(python) if python else None), stage=stage)
    converted(found)
    model = Model.open(found.path)
    return Model(replace(model.file, made_from=(path, *found.source.files)), model.graph)

"""A Keras model that lives in the caller's own program: saved for the child to load, by the model's own methods."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

from onnxviz.conversion.source import Source
from onnxviz.errors import ConversionError, UsageError
from onnxviz.files import safe_name

_FRAMEWORKS = ("keras", "tf_keras", "tensorflow")


def is_live(source: Any) -> bool:
    """Tell whether an object is a Keras model, without importing Keras."""
    classes = type(source).__mro__
    return any(_is_of_keras(entry) and entry.__name__ == "Model" for entry in classes)


def check_live(source: Any) -> None:
    """Refuse an object that is neither a path nor a Keras model.

    Raises:
        UsageError: It is one; the text says what it is.
    """
    if not is_live(source):
        raise UsageError(
            f"convert takes a path or a Keras model, not {type(source).__module__}.{type(source).__qualname__}"
        )


def save_live(model: Any, folder: Path) -> Source:
    """Save a model whole, or where it has layers of the caller's own, export the graph of its calls.

    Raises:
        ConversionError: Keras cannot save it.
    """
    name = safe_name(str(getattr(model, "name", "") or "model"))
    kind = "keras" if _is_plain(model) else "saved_model"
    path = folder / (f"{name}.keras" if kind == "keras" else name)
    try:
        # Both print where they saved to, and the model's whole signature.
        with contextlib.redirect_stdout(io.StringIO()):
            model.save(str(path)) if kind == "keras" else model.export(str(path))
    except Exception as error:  # whatever Keras raises is for the caller to read
        text = " ".join(str(error).split())[:300]
        raise ConversionError(f"Keras cannot save the model {name!r}: {type(error).__name__}: {text}") from error
    return Source(path, kind)


def _is_plain(model: Any) -> bool:
    """Tell a model that Keras can build from its file alone: Functional or Sequential, all layers Keras' own.

    A Lambda layer's code need not survive in a file; its graph does.
    """
    parts = [type(part) for part in (model, *_layers_below(model))]
    own = all(_is_of_keras(part) and part.__name__ != "Lambda" for part in parts)
    return own and type(model).__name__ in ("Functional", "Sequential")


def _layers_below(model: Any) -> list[Any]:
    layers = list(getattr(model, "layers", []))
    return layers + [inner for layer in layers for inner in _layers_below(layer)]


def _is_of_keras(entry: type) -> bool:
    return entry.__module__.partition(".")[0] in _FRAMEWORKS

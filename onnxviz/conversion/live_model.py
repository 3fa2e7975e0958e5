"""A Keras model in the caller's own program: saved by its own methods, for the child to load."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

from onnxviz.conversion.child.configuration import (
    check_configuration,
    check_supported,
    names_own,
    read_configuration,
)
from onnxviz.conversion.child.exchange import Refusal
from onnxviz.conversion.source import ConversionSource
from onnxviz.errors import ConversionError, UsageError
from onnxviz.files import safe_name

_FRAMEWORKS = ("keras", "tf_keras", "tensorflow")


def check_live(source: Any) -> None:
    """Refuse an object that is not a Keras model, without importing Keras.

    Raises:
        UsageError: It is something else; the text says what it is.
    """
    of_keras = [entry for entry in type(source).__mro__ if entry.__module__.partition(".")[0] in _FRAMEWORKS]
    if not any(entry.__name__ == "Model" for entry in of_keras):
        raise UsageError(
            f"convert takes a path or a Keras model, not {type(source).__module__}.{type(source).__qualname__}"
        )


def save_live(model: Any, folder: Path) -> ConversionSource:
    """Save a model as a file, or export the graph of its calls where the file alone cannot make the model again.

    Raises:
        ConversionError: Keras cannot save it.
    """
    name = safe_name(str(getattr(model, "name", "") or "model"))
    path = folder / f"{name}.keras"
    # Both print where they saved to, and the model's whole signature.
    with contextlib.redirect_stdout(io.StringIO()):
        with contextlib.suppress(Exception):  # a model that cannot be saved may still be exported
            model.save(str(path))
            if _is_plain(path):
                return ConversionSource(path, "keras")
        path.unlink(missing_ok=True)
        try:
            model.export(str(folder / name))
        except Exception as error:  # whatever Keras raises is for the caller to read
            text = " ".join(str(error).split())[:300]
            raise ConversionError(f"Keras cannot save the model {name!r}: {type(error).__name__}: {text}") from error
    return ConversionSource(folder / name, "saved_model")


def _is_plain(path: Path) -> bool:
    """Return whether Keras can build the model from the file in another process, which has no class of the caller's.

    A file does not always keep the code of a Lambda layer; an exported graph does.
    """
    with contextlib.suppress(Refusal):
        configuration = read_configuration(str(path))
        check_supported(configuration)
        check_configuration(configuration)
        return not names_own(configuration)
    return False

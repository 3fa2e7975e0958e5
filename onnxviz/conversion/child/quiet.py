"""The other Python made fit for the work: TensorFlow quiet and on the CPU, numpy's old names for an old tf2onnx."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import threading
import time
from types import ModuleType
from typing import Any

from .exchange import Refusal

SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # Its fused kernels round in another order than TensorFlow's own: what is compared should be the model.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "-1",
    # Any value at all keeps tf2onnx from copying the whole graph before each of its 24 passes.
    "TF2ONNX_CATCH_ERRORS": "0",
    "PYTHONWARNINGS": "ignore",
}


def check_installed() -> None:
    """Check that TensorFlow and tf2onnx are installed, without importing them.

    Raises:
        Refusal: Something is not installed.
    """
    for name in ("tensorflow", "tf2onnx"):
        if importlib.util.find_spec(name) is None:
            raise Refusal(f"no {name}", "missing")


def prepare() -> tuple[ModuleType, ModuleType]:
    """Return the modules tensorflow and tf2onnx, quiet.

    Raises:
        Refusal: One of them cannot be imported.
    """
    os.environ.update(SETTINGS)
    tensorflow = _imported("tensorflow")
    _restore_numpy_names()  # before tf2onnx asks for them
    tf2onnx = _imported("tf2onnx")
    tensorflow.get_logger().setLevel("ERROR")
    logging.getLogger("tf2onnx").setLevel(logging.WARNING)
    return tensorflow, tf2onnx


def end_with_parent(parent: int) -> None:
    """End this process within a second after its parent has ended, whatever ended it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(70)

    if hasattr(os, "getppid") and os.name == "posix":
        threading.Thread(target=watch, daemon=True).start()


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Refusal(f"{name} is installed and cannot be imported: {error}", "missing") from error


def _restore_numpy_names() -> None:
    """Give back what numpy dropped and tf2onnx still calls: `product` (1.17), `object` and `cast` (1.16)."""
    import numpy

    names = vars(numpy)
    if "product" not in names:
        numpy.product = numpy.prod  # type: ignore[attr-defined]
    if "object" not in names:
        numpy.object = object  # type: ignore[attr-defined]
    if "cast" not in names:
        numpy.cast = _Casts()  # type: ignore[attr-defined]


class _Casts(dict):  # type: ignore[type-arg]
    def __missing__(self, dtype: Any) -> Any:
        import numpy

        return lambda array: numpy.asarray(array).astype(dtype)

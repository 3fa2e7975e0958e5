"""One conversion from request to report: what is checked before TensorFlow starts, and what becomes of a failure.

The other Python is made fit for the work: TensorFlow quiet and on the CPU, numpy's old names for an old tf2onnx.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import logging
import os
import threading
import time
from types import ModuleType
from typing import Any

from .configuration import check_configuration, read_configuration
from .exchange import FactsFile, Refusal, Request

REFUSED, FAILED = 3, 4
SETTINGS = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # Its fused kernels round in another order than TensorFlow's own: what is compared should be the model.
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "-1",
    # Any value at all keeps tf2onnx from copying the whole graph before each of its 24 passes.
    "TF2ONNX_CATCH_ERRORS": "0",
    "PYTHONWARNINGS": "ignore",
}


def carry_out(path: str) -> int:
    """Carry out the request in a file and return the exit code; the result is in the report that the request names."""
    with open(path, encoding="utf-8") as file:
        request: Request = json.load(file)
    report = FactsFile(request["report"])
    end_with_parent(request["parent"])
    try:
        _convert(request, report)
    except Refusal as refusal:
        report.finish({"error": {"kind": refusal.kind, "text": str(refusal)}})
        return REFUSED
    except Exception as error:  # whatever TensorFlow, Keras or tf2onnx raise is for the parent to word
        kind = "memory" if isinstance(error, MemoryError) else "failed"
        report.finish({"error": {"kind": kind, "text": str(error), "type": type(error).__name__}})
        return FAILED
    return 0


def _convert(request: Request, report: FactsFile) -> None:
    for name in ("tensorflow", "tf2onnx"):
        if importlib.util.find_spec(name) is None:
            raise Refusal(f"no {name}", "missing")
    if request["kind"] == "keras" and not request["trust"]:
        check_configuration(read_configuration(request["source"]))  # in a moment, and before anything could load it
    report.stage("starting TensorFlow")
    tensorflow, tf2onnx = _quiet_libraries()
    report.facts["versions"] = {"tensorflow": tensorflow.__version__, "tf2onnx": tf2onnx.__version__}
    from .steps import convert  # it imports numpy and onnx, which only now are sure to be there

    convert(tensorflow, request, report)


def _quiet_libraries() -> tuple[ModuleType, ModuleType]:
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

    for name, dropped in (("product", numpy.prod), ("object", object), ("cast", _Casts())):
        vars(numpy).setdefault(name, dropped)


class _Casts(dict):  # type: ignore[type-arg]
    def __missing__(self, dtype: Any) -> Any:
        import numpy

        return lambda array: numpy.asarray(array).astype(dtype)

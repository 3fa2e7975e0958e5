"""One conversion from request to report: what is checked before TensorFlow starts, and what becomes of a failure."""

from __future__ import annotations

import json

from .configuration import check_configuration, read_configuration
from .exchange import FactsFile, Failure, Refusal, SentRequest
from .quiet import check_installed, end_with_parent, prepare

REFUSED, FAILED = 3, 4


def carry_out(path: str) -> int:
    """Carry out the request in a file and return the exit code; the result is in the report that the request names."""
    with open(path, encoding="utf-8") as file:
        request: SentRequest = json.load(file)
    report = FactsFile(request["report"])
    end_with_parent(request["parent"])
    try:
        _convert(request, report)
    except Refusal as refusal:
        return _failed(report, {"kind": refusal.kind, "text": str(refusal)}, REFUSED)
    except MemoryError:
        return _failed(report, {"kind": "memory", "text": "memory ran out"}, FAILED)
    except Exception as error:  # whatever TensorFlow, Keras or tf2onnx raise is for the parent to word
        return _failed(report, {"kind": "failed", "text": str(error), "type": type(error).__name__}, FAILED)
    return 0


def _convert(request: SentRequest, report: FactsFile) -> None:
    check_installed()
    if request["kind"] == "keras" and not request["trust"]:
        check_configuration(read_configuration(request["source"]))  # in a moment, and before anything could load it
    report.stage("starting TensorFlow")
    tensorflow, tf2onnx = prepare()
    report.facts["versions"] = {"tensorflow": tensorflow.__version__, "tf2onnx": tf2onnx.__version__}
    from .steps import convert  # it imports numpy and onnx, which only now are sure to be there

    convert(tensorflow, request, report)


def _failed(report: FactsFile, error: Failure, code: int) -> int:
    report.finish({"error": error})
    return code

"""The cause of a failure, found in an exception's text or in what the converter printed, in one or two lines."""

from __future__ import annotations

import re

from onnxviz.conversion.child.exchange import Failure

_LONGEST = 400

# Lines of TensorFlow and Python that explain nothing.
_NOISE = re.compile(
    r"^(WARNING|INFO|I\d{4}|W\d{4}|E\d{4}|\d{4}-\d\d-\d\d .*: [IW] )|cudart_stub|computation_placer|cpu_feature_guard|"
    r"TF-TRT|absl::InitializeLog|^\s*$|^Traceback|^\s+File |^\s+\^|^\s{2,}\w.*[(=]|oneDNN|rebuild TensorFlow"
)

_CLASS = (
    "the file needs the class '{0}', which only the program that made it has\n"
    "in that program: model.export('folder'), then: onnxviz convert folder"
)
_KNOWN: tuple[tuple[str, str], ...] = (
    (r"Could not locate class '([^']+)'", _CLASS),
    (r"Unknown (?:layer|object): '?([^'\s]+?)'?[.\s]", _CLASS),
    (r"Opset (\d+) is not supported", "tf2onnx does not write opset {0}; give --opset 18 or less"),
    (r"No space left on device", "no space left on device"),
    (r"Op type not registered '([^']+)'", "the source uses the operator {0}, which this TensorFlow does not have"),
)


def cause(error: Failure, noise: str) -> str:
    """Return why the converter failed, in one or two lines.

    >>> cause({"type": "TypeError", "text": "Could not locate class 'Sub'. Make sure ..."}, "").splitlines()[0]
    "the file needs the class 'Sub', which only the program that made it has"
    >>> cause({}, "WARNING: All log messages\\nImportError: libGL.so: cannot open")
    'ImportError: libGL.so: cannot open'
    """
    text = " ".join(error.get("text", "").split())
    for pattern, sentence in _KNOWN:
        found = re.search(pattern, text or noise)
        if found:
            return sentence.format(*found.groups())
    if text:
        kind = error.get("type")
        return _short(f"{kind}: {text}" if kind else text)
    lines = [line.strip() for line in noise.splitlines() if not _NOISE.search(line)]
    return _short(lines[-1]) if lines else "it said nothing"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."

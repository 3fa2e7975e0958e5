"""onnxruntime's exceptions as ours: the reason without C++ signatures, in numpy's names of types."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from onnxviz.errors import MissingOperatorError, OnnxvizError, RunError, UnsupportedError
from onnxviz.runtime.devices import PROVIDERS
from onnxviz.words import listed, number_text

_NUMPY_NAMES = {"float": "float32", "double": "float64"}
_LESS = "feed something smaller or choose fewer layers"
# Where in its source onnxruntime failed: a path with the signature of the function, or a file with the function's name.
_PATH = re.compile(r"/\S*onnxruntime\S*\.\w+:\d+ ")
_FILE = re.compile(r"(?:\b[A-Za-z]:\\\S*\\|\b)[\w.]+\.(?:h|hpp|cc|cpp|cu):\d+ [\w:~]+ ")
# What it had checked, where words follow for what that means.
_CONDITION = re.compile(r"^\S.*? was false\. (?=\S)")
_NO_KERNEL = re.compile(
    r"(?:Could not find an implementation|Failed to find kernel) for (\S+?)\((\d+)\)"
    r"(?: (?:node with name |\(node:)'(.*?)')?"
)
_MEMORY = re.compile(
    r"bad_alloc|bad allocation|Failed to allocate memory|Unable to allocate|out of memory|storage size overflowed", re.I
)


def explained(error: Exception, doing: str, kind: type[RunError] = RunError) -> OnnxvizError:
    """Return onnxruntime's exception as one of ours, of `kind` as a rule, its text cut to what a reader can use."""
    if isinstance(error, OnnxvizError):
        return error
    text = plain_text(str(error))
    if isinstance(error, MemoryError) or _MEMORY.search(text):
        return kind(f"memory ran out while onnxruntime tried to {doing}{_size_words(text)}: {_LESS}")
    if missing := _NO_KERNEL.search(text):
        return _missing_kernel(missing)
    for pattern, words in _ABSENT.items():
        if found := re.search(pattern, text):
            return MissingOperatorError(words.format(**found.groupdict()), found["op"])
    for pattern, words in _REFUSED.items():
        if found := re.search(pattern, text):
            return UnsupportedError(words.format(*(group or "" for group in (found[0], *found.groups()))))
    if "does not match the opset" in text or "invalid model" in text.lower() or "INVALID_GRAPH" in str(error):
        return UnsupportedError(f"onnxruntime refuses the model: {text[:300]}")
    return kind(f"onnxruntime could not {doing}: {text[:400] or type(error).__name__}")


def plain_text(text: str) -> str:
    """Return a text of onnxruntime on one line, without its codes, source files and C++ signatures.

    >>> plain_text("[ONNXRuntimeError] : 1 : FAIL : /onnxruntime_src/a/model.cc:256 void A::B(int, C<D>&) Too new")
    'Too new'
    >>> plain_text("Unexpected input data type. Actual: (tensor(double)) , expected: (tensor(float))")
    'Unexpected input data type. Actual: (float64) , expected: (float32)'
    """
    text = " ".join(text.split())
    text = re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"^Load model from .*? failed: ?", "", text)
    text = re.sub(r"^(?:Fatal error: |This is an invalid model\. |(?:Type )?Error: )+", "", text)
    while place := _PATH.search(text):
        text = text[: place.start()] + _CONDITION.sub("", _without_signature(text[place.end() :]))
    while file := _FILE.search(text):
        text = text[: file.start()] + _CONDITION.sub("", text[file.end() :])
    return re.sub(r"tensor\((\w+)\)", lambda kind: numpy_name(kind[1]), text).strip()


def numpy_name(kind: str) -> str:
    """Return numpy's name of a type of onnxruntime's tensors.

    >>> numpy_name("double"), numpy_name("float8e4m3fn")
    ('float64', 'float8_e4m3fn')
    """
    return _NUMPY_NAMES.get(kind, re.sub(r"^(float[48])e", r"\1_e", kind))


def _without_signature(text: str) -> str:
    """Return what follows the signature of a C++ function, which ends with a closing bracket that nothing follows."""
    text, depth = re.sub(r"<lambda\([^)]*\)>", "lambda()", text.replace("(anonymous namespace)", "")), 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == ")" and not depth and text[place + 1 : place + 2] in ("", " "):
            return re.sub(r"^ ?(?:const|noexcept)?(?: ?\[with [^]]*\])? ?", "", text[place + 1 :])
    return text


def _size_words(text: str) -> str:
    size = re.search(r"buffer of size (\d+)", text)
    return f" ({number_text(int(size[1]) / 2**30)} GiB for one value)" if size else ""


def _missing_kernel(found: re.Match[str]) -> OnnxvizError:
    """Say for which types, or from which version on, onnxruntime has an operator that it lacks for a node."""
    op, version, node = found[1], int(found[2]), found[3] or ""
    kernels = [kernel for kernel in _kernels() if kernel.op_name == op.split(":")[-1]]
    fitting = [kernel for kernel in kernels if kernel.version_range[0] <= version <= kernel.version_range[1]]
    if fitting:
        kinds = {plain_text(kind) for kernel in fitting for kind in next(iter(kernel.type_constraints.values()), ())}
        return MissingOperatorError(f"onnxruntime has {op} for {listed(sorted(kinds))}", op, node, tuple(kinds))
    lacking = f"onnxruntime has no implementation of {op} in version {version} of its operators"
    first = min((kernel.version_range[0] for kernel in kernels), default=0)
    way = f"; it has one from version {first} on"
    return MissingOperatorError(lacking + (way if first > version else ""), op, node)


def _kernels() -> Sequence[Any]:
    """Return the implementations that onnxruntime has for the CPU; none in a build without such a list."""
    try:
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        return [kernel for kernel in state.get_all_opkernel_def() if kernel.provider == PROVIDERS["cpu"]]
    except (ImportError, AttributeError):
        return []


_ABSENT: Mapping[str, str] = {
    r"(?P<op>\S+)\(-?\d+\) is not a registered function/op": "onnxruntime has no operator {op}, which the model uses",
    r"No Op registered for (?P<op>\S+) with domain_version of (?P<opset>\d+)": (
        "onnxruntime has no operator {op} in opset {opset}"
    ),
    r"In Node, \(\".*?\", (?P<op>\w+), .*No opset import for domain '(?P<domain>.*?)'": (
        "onnxruntime has no operator {domain}:{op}: the model does not say which opset of that domain it uses"
    ),
}
"""What onnxruntime says of operators that it does not have, and what is said instead."""

_REFUSED: Mapping[str, str] = {
    r"Opset (\d+) is under development.*support for domain (\S+) is till opset (\d+)": (
        "the model is of opset {1} of {2}; onnxruntime, as it is installed, knows up to opset {3}"
    ),
    r"Unsupported model IR version: (\d+), max supported IR version: (\d+)": (
        "the model is of IR version {1}; onnxruntime, as it is installed, knows up to {2}"
    ),
    r"Exception during initialization: (.* not supported)\b": "onnxruntime refuses the model: {1}",
    r"Optype \((\w+)\) bound to different types \((\w+) and (\w+) in node \((.*?)\)": (
        "the model is not sound: {1} ('{4}') is given {2} and {3}, and takes one type"
    ),
    r"Type '(\w+)' of input parameter \((.*?)\) of operator \((\w+)\) in node \((.*?)\) is invalid": (
        "the model is not sound: {3} ('{4}') does not take {1}, the type of its input '{2}'"
    ),
    r"Type \((\w+)\) of output arg \((.*?)\) of node \((.*?)\) does not match expected type \((\w+)\)": (
        "the model is not sound: it declares '{2}' as {1}, and '{3}' makes {4}"
    ),
}
"""What onnxruntime says of models that it refuses, in numpy's names of types, and what is said instead."""

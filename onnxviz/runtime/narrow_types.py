"""Types that numpy lacks, such as bfloat16: how values are fed, and what stands for those that Python cannot have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from onnxviz.runtime.devices import runtime
from onnxviz.runtime.translation import numpy_name

_READABLE = frozenset(
    "float double float16 int8 uint8 int16 uint16 int32 uint32 int64 uint64 bool string complex64 complex128".split()
)
_NARROW = {"bfloat16": 16, "float8_e4m3fn": 17, "float8_e4m3fnuz": 18, "float8_e5m2": 19, "float8_e5m2fnuz": 20}
"""The numbers of these types in ONNX."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a value of a `type`, such as `bfloat16`, that onnxruntime computes and does not hand to Python."""

    type: str


def unreadable(kind: str) -> Unreadable | None:
    """Return what stands for a value of a type as onnxruntime writes it, such as `seq(tensor(bfloat16))`."""
    inner = re.search(r"tensor\((\w+)\)", kind)
    return Unreadable(numpy_name(inner[1])) if inner and inner[1] not in _READABLE else None


def taken(array: Any) -> Any:
    """Return an array as onnxruntime takes it: of floats narrower than numpy's own it takes the bits."""
    number = _NARROW.get(getattr(getattr(array, "dtype", None), "name", ""))
    if number is None:
        return array
    return runtime().OrtValue.ortvalue_from_numpy_with_onnx_type(array.view(f"uint{8 * array.itemsize}"), number)

"""A TensorFlow Lite file cut at the tensors that are asked for as its inputs and outputs.

Before: `image -> CONV_2D -> c -> SOFTMAX -> scores`, asked for the output `c`. After: `image -> CONV_2D -> c`.

1. The tensors that are asked for become the ends of the first graph; where no inputs are asked for, its own stay, as
   far as the outputs need them.
2. Operators that the outputs do not need go.
3. Signatures go: they name ends that the graph has no more.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from typing import Any

from ..exchange import Refusal
from .lite_file import write

_CUT = "cut.tflite"


def cut(path: str, folder: str, inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """Return the path of the cut file in `folder`, or of the file itself where nothing is asked for.

    Raises:
        Refusal: A tensor of that name does not exist, or the outputs need an input that is not among these.
    """
    if not inputs and not outputs:
        return path
    from tensorflow.lite.python import schema_py_generated as schema

    with open(path, "rb") as file:
        model = schema.ModelT.InitFromPackedBuf(file.read(), 0)
    graph = model.subgraphs[0]
    names = [(tensor.name or b"").decode() for tensor in graph.tensors]
    given = [_place(names, name) for name in inputs] or list(graph.inputs)
    graph.outputs = [_place(names, name) for name in outputs] or list(graph.outputs)
    graph.operators, read = _needed(graph, set(given))
    made = {place for operator in graph.operators for place in operator.outputs}
    missing = [place for place in graph.inputs if place in read - made and place not in given]
    if missing:
        raise Refusal(f"the outputs need the input '{names[missing[0]]}' besides those of --inputs", "usage")
    graph.inputs = [place for place in given if place in read]
    model.signatureDefs = None
    return write(model, os.path.join(folder, _CUT))


def _needed(graph: Any, given: set[int]) -> tuple[list[Any], set[int]]:
    """Return the operators that the outputs need, in their order, and the tensors that are read."""
    read = set(graph.outputs)
    needed: list[Any] = []
    for operator in reversed(graph.operators):
        if (read - given).intersection(operator.outputs):
            needed.append(operator)
            read.update(operator.inputs)
    return needed[::-1], read


def _place(names: Sequence[str], name: str) -> int:
    if name not in names:
        near = ", ".join(f"'{one}'" for one in difflib.get_close_matches(name, names))
        raise Refusal(f"the TensorFlow Lite file has no tensor '{name}'" + (f"; near: {near}" if near else ""), "usage")
    return names.index(name)

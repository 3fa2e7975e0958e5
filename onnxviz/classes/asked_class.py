"""Which class is meant by a name or a number, and the score of it that has a gradient: that before the softmax."""

from __future__ import annotations

import re
from collections.abc import Sequence

from onnxviz.errors import NoMatchError
from onnxviz.graph.graph import Graph
from onnxviz.words import near, quoted

SATURATING = frozenset({"Softmax", "LogSoftmax", "Sigmoid", "HardSigmoid", "Tanh", "Clip", "Relu"})
"""Operators that have gradient 0, or nearly, where they are at an end: what they read is explained in their place."""

_PASSING = frozenset({"Cast", "Identity", "QuantizeLinear", "DequantizeLinear"})


def class_number(text: str, count: int | None, names: Sequence[str] | None) -> int:
    """Return the number of a class of so many, None where that is not known, by its number or name.

    Of a name such as `tabby, tabby cat` one of its words for the class is enough.

    Raises:
        NoMatchError: There is no such class, or the model names none.
    """
    if text.isdecimal():
        if count is not None and int(text) >= count:
            raise NoMatchError(f"there is no class {text}: the model has {count}, counted from 0")
        return int(text)
    folded = [name.casefold() for name in names or ()]
    if text.casefold() in folded:
        return folded.index(text.casefold())
    inside = [place for place, name in enumerate(folded) if text.casefold() in re.split(r"\s*,\s*", name)]
    if len(inside) == 1:
        return inside[0]
    if names is None:
        raise NoMatchError(f"the model names no classes: give the number of {quoted(text)}, or --labels")
    raise NoMatchError(f"no class is called {quoted(text)}{near(text, names)}")


def before(graph: Graph, value: str) -> str:
    """Return what the saturating operators at the end read, from which a value is made; else the value itself.

    A Cast, an Identity or a quantiser may stand between: a model in float16 often casts its shares to float32.
    """
    found, node = value, graph.producers.get(value)
    while node is not None and node.op in SATURATING | _PASSING and node.reads[0] in graph.producers:
        value = node.reads[0]
        if node.op in SATURATING:
            found = value
        node = graph.producers.get(value)
    return found

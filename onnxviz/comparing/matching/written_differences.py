"""What two layers that are a pair are written with differently: padding, an epsilon, a mode, as their nodes say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onnxviz.comparing.matching.operation import Operation
from onnxviz.graph.node import Node
from onnxviz.words import number_text

_DEFAULTS: Mapping[str, tuple[str, object]] = {
    "pads": ("padding", 0),
    "dilations": ("dilation", 1),
    "epsilon": ("epsilon", 1e-5),
    "count_include_pad": ("count_include_pad", 0),
    "coordinate_transformation_mode": ("coordinate_transformation_mode", "half_pixel"),
    "nearest_mode": ("nearest_mode", "round_prefer_floor"),
}
"""Attributes that change what comes out and not how large it is: what they are called, and what they are unless given.

A default of pads and dilations is that of each place.
"""


def written_differences(x: Operation, y: Operation) -> str:
    """Return in words which attributes of two layers differ; empty where none does, or none can be compared."""
    nodes = [(x.node, y.node)]
    if [node.operator for node in x.scaling] == [node.operator for node in y.scaling]:
        nodes += zip(x.scaling, y.scaling, strict=True)
    return ", ".join(words for one, other in nodes for words in _differences(one, other))


def _differences(one: Node, other: Node) -> Iterator[str]:
    for name, (word, default) in _DEFAULTS.items():
        given = [node.attribute(name) for node in (one, other)]
        if given == [None, None] or (name == "pads" and _pads_itself(one, other)):
            continue
        left, right = (_filled(each, given, default) for each in given)
        if not _alike(left, right):
            yield f"{word} is {_text(left)} in A and {_text(right)} in B"


def _pads_itself(one: Node, other: Node) -> bool:
    """Return whether the padding of one follows from the sizes that it is given."""
    return any(node.attribute("auto_pad", "NOTSET") != "NOTSET" for node in (one, other))


def _filled(value: object, given: list[object], default: object) -> object:
    """Return an attribute, or what it is where it is not given."""
    if value is not None:
        return value
    known = next(each for each in given if each is not None)
    return (default,) * len(known) if isinstance(known, tuple) else default


def _alike(left: object, right: object) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return abs(left - right) <= 1e-3 * max(abs(left), abs(right))
    return left == right


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return number_text(value) if isinstance(value, float) else str(value)

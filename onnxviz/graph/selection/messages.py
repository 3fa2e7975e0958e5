"""What errors about a selection are made of: a caret under the place, and the refusals of what lies in bodies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from onnxviz.words import listed, shown, width_of

if TYPE_CHECKING:
    from onnxviz.graph.layers.catalogue import Layer

_SHOWN = 60


def pointed(text: str, place: int, message: str) -> str:
    """Return two lines: the text, and a caret under its character at `place` with the message behind it.

    >>> print(pointed("conv & ", 7, "a layer is missing"))
    selection `conv & `
                      ^ a layer is missing
    """
    start = 0 if len(text) <= _SHOWN else max(0, min(place - _SHOWN // 2, len(text) - _SHOWN))
    end = start + _SHOWN
    before = ("…" if start else "") + shown(text[start:place])
    after = shown(text[place:end]) + ("…" if end < len(text) else "")
    head = "selection `"
    return f"{head}{before}{after}`\n{' ' * (len(head) + width_of(before))}^ {message}"


def inside_body(name: str, body: str, outputs: Iterable[str] = ()) -> str:
    """Return the refusal of what lies in a body or function; `outputs` are those of the node at top level around it."""
    return f"`{shown(name)}` lies inside {_in_there([body])}; select what the node around it puts out{_named(outputs)}"


def all_inside(layers: Sequence[Layer], outputs: Iterable[str], whose: str = "the model's") -> str:
    """Return the refusal of these layers of the model, or of what `whose` says, all in bodies or functions."""
    kinds = " and ".join(dict.fromkeys(layer.kind for layer in layers))
    return (
        f"{whose} {len(layers)} {kinds} layers lie inside {_in_there(layer.inside for layer in layers)}\n"
        f"select what the nodes around them put out{_named(outputs)}; `onnxviz layers MODEL --all` lists every node"
    )


def left_inside(layers: Sequence[Layer]) -> str:
    """Return the sentence on layers in bodies or functions that a selection matches besides what it takes."""
    kinds = listed(dict.fromkeys(layer.kind for layer in layers))
    one = len(layers) == 1
    return (
        f"{len(layers)} layer{'s' * (not one)} ({kinds}) that it matches too lie{'s' * one} inside "
        f"{_in_there(layer.inside for layer in layers)}: left out"
    )


def _in_there(bodies: Iterable[str]) -> str:
    return f"{listed(map(shown, dict.fromkeys(bodies)))}, and values in there cannot be selected yet"


def _named(outputs: Iterable[str]) -> str:
    names = listed(f"`{shown(output)}`" for output in dict.fromkeys(outputs) if output)
    return f": {names}" if names else ""

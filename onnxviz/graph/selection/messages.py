"""What errors about a selection are made of: a caret under the place, names safe to print, near matches."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxviz.graph.layers.catalogue import Layer

_SHOWN = 60
_LISTED = 3


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
    return f"{head}{before}{after}`\n{' ' * (len(head) + _columns(before))}^ {message}"


def shown(text: str, longest: int = _SHOWN) -> str:
    """Return a name or text as it is safe to print: control characters escaped, the middle of a long one left out."""
    if len(text) > longest:
        text = text[: longest // 2] + "…" + text[-(longest // 2 - 1) :]
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def inside_body(name: str, body: str, outputs: Iterable[str] = ()) -> str:
    """Return the refusal of what lies in a body or function; `outputs` are those of the node at top level around it."""
    return f"`{shown(name)}` lies inside {_in_there([body])}; select what the node around it puts out{_named(outputs)}"


def all_inside(layers: Sequence[Layer], outputs: Iterable[str]) -> str:
    """Return the refusal of a model that has these layers, and all of them in bodies or functions."""
    kinds = " and ".join(dict.fromkeys(layer.kind for layer in layers))
    return (
        f"the model's {len(layers)} {kinds} layers lie inside {_in_there(layer.inside for layer in layers)}\n"
        f"select what the nodes around them put out{_named(outputs)}; `onnxviz layers MODEL --all` lists every node"
    )


def _in_there(bodies: Iterable[str]) -> str:
    return f"{_listed(map(shown, dict.fromkeys(bodies)))}, and values in there cannot be selected yet"


def _named(outputs: Iterable[str]) -> str:
    names = _listed(f"`{shown(output)}`" for output in dict.fromkeys(outputs) if output)
    return f": {names}" if names else ""


def _listed(words: Iterable[str]) -> str:
    every = list(words)
    more = len(every) - _LISTED
    return ", ".join(every[:_LISTED]) + (f" and {more} more" if more > 0 else "")


def near(word: str, candidates: Iterable[str], most: int = 3) -> str:
    """Return `; near: ...` with the candidates that look like the word, or an empty text."""
    if not word or len(word) > 200:
        return ""
    plain = word.casefold()
    folded: dict[str, str] = {}
    for candidate in candidates:
        folded.setdefault(candidate.casefold(), candidate)
    folded.pop("", None)
    holding = sorted((name for name in folded if plain in name), key=len) if len(plain) > 2 else []
    close = get_close_matches(plain, folded, n=most, cutoff=0.6)
    found = list(dict.fromkeys((*close, *holding)))[:most]
    return "; near: " + ", ".join(f"`{shown(folded[name])}`" for name in found) if found else ""


def _columns(text: str) -> int:
    """Count the columns that a terminal gives to a text."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )

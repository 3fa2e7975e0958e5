"""What errors about a selection are made of: its text, and a caret under the place."""

from __future__ import annotations

from onnxviz.words import shown, width_of

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

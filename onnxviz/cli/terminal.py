"""Printing: results on stdout, all else on stderr; names escaped, tables folded to the terminal's width."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnxviz.graph.selection import Choice


def say(text: str) -> None:
    """Tell something beside the result, on stderr."""
    print("\n".join(map(printable, text.split("\n"))), file=sys.stderr)


def print_json(document: dict[str, Any]) -> None:
    """Print one strict JSON document."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
    # What was no UTF-8 in a file's name is no text; as an escape it is.
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[bool]) -> None:
    """Print rows under titles; names stay whole when piped, else the first column is folded to the terminal's width."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(titles, *cells, strict=True)]
    if sys.stdout.isatty():
        rest = sum(widths[1:]) + 2 * (len(widths) - 1)
        widths[0] = max(16, min(widths[0], shutil.get_terminal_size().columns - rest))
    for row in (list(titles), *cells):
        row[0] = folded(row[0], widths[0])
        aligned = [
            cell.ljust(width) if at_left else cell.rjust(width)
            for cell, width, at_left in zip(row, widths, left, strict=True)
        ]
        print("  ".join(aligned).rstrip())


def folded(text: str, width: int) -> str:
    """Return a text with its middle left out where it is too long.

    >>> folded("stage2/block1/depthwise", 13)
    'stage2...wise'
    """
    if len(text) <= width:
        return text
    front = (width - 3 + 1) // 2 + 1
    return f"{text[:front]}...{text[len(text) - (width - 3 - front) :]}" if width > front + 3 else text[:width]


def printable(text: str) -> str:
    """Return a text with what would move the cursor, change colours or turn the line round escaped.

    >>> printable("a" + chr(27) + "[31m")
    'a\\\\x1b[31m'
    """
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def say_choices(choices: Sequence[Choice], remark: str) -> None:
    """Tell what a selection came to where that may surprise: the default, notes, and which value is meant."""
    notes = [remark, *(choice.note for choice in choices)]
    if any(choice.tap == "act" and choice.layer and choice.layer.act != choice.layer.output for choice in choices):
        notes.append("a layer means after its norm and nonlinearity; --tap op for the raw convolution")
    for note in dict.fromkeys(filter(None, notes)):
        say(note)


def size_text(count: int | None) -> str:
    """Return a number of bytes as people read it.

    >>> size_text(1605632)
    '1.5 MiB'
    """
    if count is None:
        return "?"
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return ""


def _escape(character: str) -> str:
    code = ord(character)
    if character == "\n":
        return "\\n"
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"

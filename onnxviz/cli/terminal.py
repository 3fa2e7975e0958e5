"""Printing: results on stdout, all else on stderr; names escaped, tables folded to the terminal's width."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnxviz.graph.selection import Choice

PADDED = 60
"""Characters up to which a cell of a piped table widens its column."""

NARROWEST = 12
"""Characters below which a column of a terminal's table is not folded."""


def say(text: str) -> None:
    """Tell something beside the result, on stderr."""
    print("\n".join(map(printable, text.split("\n"))), file=sys.stderr)


def print_json(document: dict[str, Any]) -> None:
    """Print one strict JSON document."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
    # What was no UTF-8 in a file's name is no text; as an escape it is.
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[bool]) -> None:
    """Print rows under titles, folded to the terminal's width; piped, all stands whole, two blanks apart at least.

    A long name then moves what follows it in its own row alone: one of 300 characters does not make every row as long.
    """
    cells = [[printable(cell) for cell in row] for row in (titles, *rows)]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(len, column)) for column in columns]
    if sys.stdout.isatty():
        widths = fitted(widths, shutil.get_terminal_size().columns - 2 * (len(widths) - 1))
        cells = [[folded(cell, width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    else:
        widths = [max((len(cell) for cell in column if len(cell) <= PADDED), default=0) for column in columns]
    for row in cells:
        aligned = [
            cell.ljust(width) if at_left else cell.rjust(width)
            for cell, width, at_left in zip(row, widths, left, strict=True)
        ]
        print("  ".join(aligned).rstrip())


def fitted(widths: Sequence[int], room: int) -> list[int]:
    """Return column widths that add up to `room`: the widest are narrowed, none below NARROWEST.

    >>> fitted([40, 4, 30], 60)
    [28, 4, 28]
    """
    found = list(widths)
    while sum(found) > room and max(found) > NARROWEST:
        found[found.index(max(found))] -= 1
    return found


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

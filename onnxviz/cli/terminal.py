"""Printing: results go to stdout, all else to stderr; names are escaped, tables fit the terminal's width."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from onnxviz.version import __version__
from onnxviz.words import printable, width_of

if TYPE_CHECKING:
    from onnxviz.graph.selection.choices import Choice

PADDED = 60
"""The most characters of a cell that widens its column in a piped table."""

NARROWEST = 12
"""The fewest characters to which a column of a terminal's table is folded."""


def say(text: str) -> None:
    """Print a message beside the result, on stderr."""
    print("\n".join(map(printable, text.split("\n"))), file=sys.stderr)


def speak_utf8() -> None:
    """Make standard output take UTF-8, which JSON is whatever the system's code page."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")


def print_json(schema: str, **members: Any) -> None:
    """Print one strict JSON document: its schema, such as `onnxviz.layers/1`, onnxviz's version, and its members."""
    import json

    speak_utf8()
    document = {"schema": schema, "onnxviz": __version__, **members}
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1)
    # A file's name that is not UTF-8 cannot be encoded as text; its bytes are written as escapes.
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"))


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[bool]) -> None:
    """Print rows under titles. On a terminal they are folded to its width; in a pipe each cell is whole.

    In a pipe a cell of more than PADDED characters moves the rest of its own row only, so that one name of 300
    characters does not make every row as long. `left` names the columns that are aligned at the left.
    """
    cells = [[printable(cell) for cell in row] for row in (titles, *rows)]
    columns = list(zip(*cells, strict=True))
    widths = [max(map(width_of, column)) for column in columns]
    if sys.stdout.isatty():
        widths = fitted(widths, shutil.get_terminal_size().columns - 2 * (len(widths) - 1))
        cells = [[folded(cell, width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    else:
        widths = [max((size for size in map(width_of, column) if size <= PADDED), default=0) for column in columns]
    for row in cells:
        blanks = [" " * (width - width_of(cell)) for cell, width in zip(row, widths, strict=True)]
        aligned = (
            cell + blank if at_left else blank + cell for cell, blank, at_left in zip(row, blanks, left, strict=True)
        )
        print("  ".join(aligned).rstrip())


def fitted(widths: Sequence[int], room: int) -> list[int]:
    """Return column widths that add up to `room`; the widest are narrowed, but not below NARROWEST.

    >>> fitted([40, 4, 30], 60)
    [28, 4, 28]
    """
    found = list(widths)
    while sum(found) > room and max(found) > NARROWEST:
        found[found.index(max(found))] -= 1
    return found


def folded(text: str, width: int) -> str:
    """Return a text that takes at most `width` columns; the middle of a longer one is left out.

    >>> folded("stage2/block1/depthwise", 13)
    'stage2...wise'
    """
    if width_of(text) <= width:
        return text
    room = max(0, width - 3)
    front = _leading(text, min(room, room // 2 + 1))
    back = _leading(text[::-1], room - width_of(front))[::-1]
    return f"{front}...{back}" if back else _leading(text, width)


def _leading(text: str, width: int) -> str:
    for count, taken in enumerate(accumulate(map(width_of, text))):
        if taken > width:
            return text[:count]
    return text


def say_choices(choices: Sequence[Choice], remark: str) -> None:
    """Say what was selected where that may surprise: the default, notes, and which value of a layer is meant."""
    notes = [remark, *(choice.note for choice in choices)]
    if any(choice.tap == "act" and choice.layer and choice.layer.act != choice.layer.output for choice in choices):
        notes.append("a layer means after its norm and nonlinearity; --tap op for the raw convolution")
    for note in dict.fromkeys(filter(None, notes)):
        say(note)


def size_text(count: int | None) -> str:
    """Return a number of bytes in the unit that fits.

    >>> size_text(1605632)
    '1.5 MiB'
    """
    if count is None:
        return "?"
    if count < 1024:
        return f"{count} B"
    power = min(3, (count.bit_length() - 1) // 10)
    return f"{count / 1024**power:.1f} {'KMG'[power - 1]}iB"

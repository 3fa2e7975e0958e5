"""Printing: results go to stdout, all else to stderr; names are escaped, tables fit the terminal's width."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from onnxviz.version import __version__
from onnxviz.words import printable, width_of

if TYPE_CHECKING:
    from onnxviz.graph.selection.choices import Choice

PADDED = 60
"""The most characters of a cell that widens its column in a piped table."""


STYLES = {
    "title": "1",  # bold
    "name": "36",  # cyan
    "yes": "32",  # green
    "no": "31",  # red
    "broken": "1;35",  # magenta, as NaN in pictures
}
"""How cells of a table look on a terminal with colours; these are the terminal's own, so that its theme holds."""


def colours(stream: TextIO) -> str | None:
    """Return what a stream can show: `truecolor`, `256`, or None if it is not a terminal or colours are turned off.

    `NO_COLOR` turns them off, `FORCE_COLOR` on where the stream is not a terminal.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return None
    if not stream.isatty() and not os.environ.get("FORCE_COLOR"):
        return None
    return "truecolor" if os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") else "256"


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


def print_document(path: Path) -> None:
    """Print a JSON document that lies in a folder of results."""
    speak_utf8()
    with path.open(encoding="utf-8") as document:
        shutil.copyfileobj(document, sys.stdout)
    print()


def print_table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[bool], prose: bool = False
) -> None:
    """Print rows under titles, the first column being names. Nothing is cut.

    On a terminal the columns that do not fit are left out, and named on stderr; with `prose` the last one is broken
    into lines instead. A name that takes most of the terminal's width stands on a line of its own. In a
    pipe a cell of more than PADDED characters moves the rest of its own row only, so that one name of 300 characters
    does not make every row as long. `left` names the columns that are aligned at the left.
    """
    cells = [[printable(cell) for cell in row] for row in (titles, *rows)]
    columns = list(zip(*cells, strict=True))
    if not sys.stdout.isatty():
        _print_rows(cells, [_widest(column, PADDED) for column in columns], left)
        return
    room = shutil.get_terminal_size().columns
    widths = [_widest(column) for column in columns]
    if len(fitting(widths, room)) == len(columns):
        _print_rows(cells, widths, left)
        return
    widths[0] = _widest(columns[0], room * 3 // 5)
    count = len(columns) - prose
    kept = fitting(widths[:count], room)
    for place, row in enumerate(cells):
        shown = [row[i] for i in kept]
        aligned = [left[i] for i in kept]
        _print_rows([shown], [widths[i] for i in kept], aligned, titled=not place, alone=True)
        for line in textwrap.wrap(row[-1], max(1, room - 2)) if prose else ():
            print(f"  {line}")
    gone = [titles[i] for i in range(count) if i not in kept]
    if gone:
        say(f"the terminal is too narrow for: {', '.join(gone)}")


def _widest(cells: Sequence[str], most: int | None = None) -> int:
    """Return the width of the widest cell, of those that take at most `most` columns."""
    return max((width for width in map(width_of, cells) if most is None or width <= most), default=0)


def fitting(widths: Sequence[int], room: int) -> list[int]:
    """Return which columns of these widths fit into a terminal, from the left: the first, and each that still does.

    >>> fitting([20, 4, 30, 6], 40)
    [0, 1, 3]
    """
    kept, taken = [0], widths[0]
    for place, width in enumerate(widths[1:], 1):
        if taken + 2 + width <= room:
            kept.append(place)
            taken += 2 + width
    return kept


def _print_rows(
    rows: Sequence[Sequence[str]],
    widths: Sequence[int],
    left: Sequence[bool],
    *,
    titled: bool = True,
    alone: bool = False,
) -> None:
    """Print rows in columns, the first being titles if `titled`.

    `alone` puts a name that is wider than its column on a line of its own.
    """
    coloured = colours(sys.stdout) is not None
    for place, row in enumerate(rows):
        if alone and width_of(row[0]) > widths[0]:
            print(_styled(row[0], "name") if coloured else row[0])
            if len(row) == 1:
                continue
            row = ("", *row[1:])
        blanks = [" " * (width - width_of(cell)) for cell, width in zip(row, widths, strict=True)]
        styled = [_styled(cell, _style_of(cell, column, titled and not place)) for column, cell in enumerate(row)]
        shown = styled if coloured else row
        aligned = (
            cell + blank if at_left else blank + cell for cell, blank, at_left in zip(shown, blanks, left, strict=True)
        )
        print("  ".join(aligned).rstrip())


def _style_of(cell: str, column: int, is_title: bool) -> str:
    """Return the name of a cell's style, empty where it has none."""
    if is_title:
        return "title"
    if column == 0:
        return "name"
    if cell in ("yes", "no"):
        return cell
    return "broken" if {"NaN", "inf", "-inf"} & set(cell.replace(",", " ").split()) else ""


def _styled(cell: str, style: str) -> str:
    return f"\x1b[{STYLES[style]}m{cell}\x1b[0m" if style and cell else cell


def say_failures(failures: Iterable[tuple[str, object]]) -> None:
    """Say which inputs were left out, each with the reason, which may name it."""
    for source, reason in failures:
        say(f"left out: {reason}" if source in str(reason) else f"left out {source}: {reason}")


def say_choices(choices: Sequence[Choice], remark: str) -> None:
    """Say what was selected where that may surprise: the default, notes, and which value of a layer is meant."""
    notes = [remark, *(choice.note for choice in choices)]
    if any(choice.tap == "act" and choice.layer and choice.layer.act != choice.layer.output for choice in choices):
        notes.append("a layer means after its norm and nonlinearity; --tap op for the raw convolution")
    inside = sum(choice.layer is not None and bool(choice.layer.inside) for choice in choices)
    if inside:
        notes.append(f"{inside} of {len(choices)} layers lie inside functions, branches or loops")
    for note in dict.fromkeys(filter(None, notes)):
        say(note)


def duration_text(seconds: float | None) -> str:
    """Return how long an estimate says that something takes.

    >>> duration_text(12.3), duration_text(4000)
    ('about 12 s', 'about 67 min')
    """
    if seconds is None:
        return "unknown: none of the first pictures can be used"
    if seconds < 90:
        return f"about {seconds:.0f} s" if seconds >= 1 else "under a second"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 90 else f"about {minutes // 60} h {minutes % 60} min"

"""Draws docs/architecture.svg: the rooms of the package on their floors, and which imports from which.

    python tools/floors.py [--check]      --check writes nothing and fails where the drawing is not up to date

Floors and libraries are those of the contracts in pyproject.toml, arrows the imports that grimp finds, without those
that follow from others: where A imports from B and B from C, no arrow leads from A to C. The lowest floor is open to
all rooms.
"""

from __future__ import annotations

import ast
import itertools
import re
import textwrap
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import grimp
from generated import keep

ROOT = Path(__file__).resolve().parent.parent
DRAWING = ROOT / "docs" / "architecture.svg"
BOX, LINE, GAP, FLOOR, TALL = 196, 16, 14, 112, 74
LETTERS = 30  # of a line in a box
SWEEPS = 24
STYLE = """
  svg { background: #fff; font-family: system-ui, sans-serif }
  rect { fill: #f3f5f8; stroke: #8894a6 } path { fill: none; stroke: #8894a6; stroke-width: 1.3 }
  .name { font-weight: 600; font-size: 14px; fill: #16202e } .what { font-size: 11px; fill: #47566b }
  .library { font-size: 11px; font-style: italic; fill: #2c6e9b } marker path { fill: #8894a6 }
  @media (prefers-color-scheme: dark) {
    svg { background: #14181f } rect { fill: #1f2631 } .name { fill: #e8edf4 } .what { fill: #a9b6c8 }
    .library { fill: #7cc0ea }
  }
"""


@dataclass(eq=False)
class Place:
    """A room on a floor, or a point of an arrow that passes the floor by."""

    name: str
    row: int
    above: list[Place] = field(default_factory=list)
    below: list[Place] = field(default_factory=list)
    x: float = 0.0

    @property
    def width(self) -> int:
        return BOX if self.name else LINE


def contracts() -> tuple[list[list[str]], dict[str, str]]:
    """Return the floors from the top, and by room the libraries that it may import."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    floors = next(each["layers"] for each in tool["contracts"] if each["name"] == "floors")
    libraries: dict[str, list[str]] = {}
    for each in tool["contracts"]:
        for line in each.get("ignore_imports", []):
            room, library = re.fullmatch(r"onnxviz\.(\w+)\S* -> (\w+)\S*", line).groups()
            if library == "onnxviz":
                continue
            libraries.setdefault(room, []).append({"PIL": "Pillow"}.get(library, library))
    names = [[name.strip() for name in re.split(r"[|:]", floor)] for floor in floors]
    return names, {room: ", ".join(dict.fromkeys(each)) for room, each in libraries.items()}


VERBS = {("model", "explaining"), ("model", "maximising")}
"""Verbs of the model that rooms above it carry out: no arrows."""


def imports(rooms: Iterable[str]) -> dict[str, set[str]]:
    """Return by room the rooms that it imports from."""
    graph = grimp.build_graph("onnxviz", exclude_type_checking_imports=True)
    found: dict[str, set[str]] = {room: set() for room in rooms}
    for module in graph.modules:
        for other in graph.find_modules_directly_imported_by(module):
            source, target = ([*name.split("."), ""][1] for name in (module, other))
            if source != target and {source, target} <= set(found) and (source, target) not in VERBS:
                found[source].add(target)
    return found


def direct(found: dict[str, set[str]]) -> dict[str, list[str]]:
    """Leave out what follows from other imports."""

    def reached(room: str) -> set[str]:
        return {room}.union(*(reached(other) for other in found[room]))

    return {
        room: sorted(other for other in targets if not any(other in reached(between) for between in targets - {other}))
        for room, targets in found.items()
    }


WIDTH = max(len(floor) for floor in contracts()[0][:-1]) * (BOX + GAP) + 4 * (LINE + GAP)
"""Room for the floor of most rooms, and for a few arrows that pass it."""


def placed(floors: Sequence[Sequence[str]], arrows: dict[str, list[str]]) -> list[list[Place]]:
    """Return a row of places for each floor, in an order and at places that keep arrows short."""
    rows = [[Place(name, row) for name in floor] for row, floor in enumerate(floors)]
    homes = {place.name: place for row in rows for place in row}
    for source, targets in arrows.items():
        for target in targets:
            last = homes[source]
            for row in range(last.row + 1, homes[target].row):
                between = Place("", row)
                rows[row].append(between)
                link(last, between)
                last = between
            link(last, homes[target])
    for row in rows:
        spread(row)
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 else reversed(rows):
            for place in row:
                near = place.above if sweep % 2 else place.below
                if near:
                    place.x = sum(other.x for other in near) / len(near)
            row.sort(key=lambda place: place.x)
            spread(row)
    places = [place for row in rows for place in row]
    shift = (WIDTH - min(place.x for place in places) - max(place.x for place in places)) / 2
    for place in places:
        place.x += shift
    return rows


def link(upper: Place, lower: Place) -> None:
    upper.below.append(lower)
    lower.above.append(upper)


def spread(row: list[Place]) -> None:
    """Move the places of a row apart where they overlap, and the row into the drawing."""
    for _ in range(200):
        for left, right in itertools.pairwise(row):
            overlap = left.x + (left.width + right.width) / 2 + GAP - right.x
            if overlap > 0:
                left.x, right.x = left.x - overlap / 2, right.x + overlap / 2
        for place, edge in ((row[0], row[0].width / 2 + GAP), (row[-1], WIDTH - row[-1].width / 2 - GAP)):
            place.x = max(place.x, edge) if place is row[0] else min(place.x, edge)


def what(room: str) -> list[str]:
    """Return the beginning of a room's docstring, two lines at most."""
    folder = ROOT / "onnxviz" / room
    path = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    parts = re.split(r"[:;.]\s", text.split("\n\n")[0].rstrip(".").replace("\n", " "))
    chosen = next((part for part in parts if not part.startswith("`")), "")
    return textwrap.wrap(chosen, LETTERS, max_lines=2, placeholder=" …")


def box(place: Place, libraries: dict[str, str]) -> str:
    lines = [("name", place.name), *(("what", line) for line in what(place.name))]
    lines += [("library", line) for line in textwrap.wrap(libraries.get(place.name, ""), LETTERS)]
    return boxed(place.x, place.row * FLOOR + GAP, BOX, lines)


def boxed(x: float, y: float, width: float, lines: Sequence[tuple[str, str]]) -> str:
    """Return a box with its middle at x, of lines of a style and a text."""
    texts = [
        f'<text class="{style}" x="{x:.0f}" y="{y + 19 + 15 * number:.0f}" text-anchor="middle">{escape(text)}</text>'
        for number, (style, text) in enumerate(lines)
    ]
    return f'<rect x="{x - width / 2:.0f}" y="{y:.0f}" width="{width:.0f}" height="{TALL}" rx="6"/>' + "".join(texts)


def arrow(source: Place, target: Place) -> str:
    """Return an arrow that goes down, through the floors that it passes."""
    start = source.row * FLOOR + GAP + TALL
    text = f"M{source.x:.0f} {start}"
    while True:
        end = target.row * FLOOR + GAP - (4 if target.name else 0)
        middle = (start + end) / 2
        text += f" C{source.x:.0f} {middle:.0f} {target.x:.0f} {middle:.0f} {target.x:.0f} {end}"
        if target.name:
            return f'<path d="{text}" marker-end="url(#end)"/>'
        start = end + TALL
        text += f" V{start}"
        source, target = target, target.below[0]


def drawing() -> str:
    """Return the SVG."""
    (*floors, ground), libraries = contracts()
    rows = placed(floors, direct(imports(name for floor in floors for name in floor)))
    places = [place for row in rows for place in row if place.name]
    height = (len(rows) + 1) * FLOOR
    parts = [arrow(place, lower) for place in places for lower in place.below]
    parts += [box(place, libraries) for place in places]
    words = [("name", "the ground"), ("what", ", ".join(sorted(ground)))]
    parts.append(boxed(WIDTH / 2, len(rows) * FLOOR + GAP, WIDTH - 2 * GAP, words))
    end = '<marker id="end" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">\n'
        f"<title>The rooms of onnxviz on their floors</title>\n<style>{STYLE}</style>\n"
        f'<defs>{end}<path d="M0 0 L8 4 L0 8 z"/></marker></defs>\n' + "\n".join(parts) + "\n</svg>\n"
    )


if __name__ == "__main__":
    keep(DRAWING, drawing())

"""Draws docs/holders.svg: what a call, an If and a Loop give besides when a value inside them is exposed.

    python tools/holders.py

Grey is what the file holds as it is, blue what `expose` adds.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from generated import keep

DRAWING = Path(__file__).resolve().parent.parent / "docs" / "holders.svg"
WIDTH, HEIGHT, PANEL = 930, 356, 310
NODE, TALL = 84, 28
STYLE = """
  svg { background: #fff; font-family: system-ui, sans-serif }
  rect { fill: #fff; stroke: #8894a6 } .holder { fill: #f3f5f8 } .new { stroke: #1769aa; fill: #e3f0fa }
  path { fill: none; stroke: #8894a6; stroke-width: 1.3 } path.new { fill: none; stroke-width: 2 }
  .title { font-weight: 600; font-size: 15px; fill: #16202e } .node { font-size: 13px; fill: #16202e }
  .what { font-size: 12px; fill: #47566b } .added { font-size: 12px; font-weight: 600; fill: #1769aa }
  marker path { fill: #8894a6 } marker.new path { fill: #1769aa; stroke: #1769aa }
  @media (prefers-color-scheme: dark) {
    svg { background: #14181f } rect { fill: #14181f } .holder { fill: #1f2631 }
    .new { stroke: #7cc0ea; fill: #163247 } .title, .node { fill: #e8edf4 } .what { fill: #a9b6c8 }
    .added { fill: #7cc0ea } marker.new path { fill: #7cc0ea; stroke: #7cc0ea }
  }
"""


def text(x: float, y: float, words: str, style: str, anchor: str = "middle") -> str:
    return f'<text class="{style}" x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, style: str = "") -> str:
    """Return a box with its middle at x and its top at y."""
    return f'<rect class="{style}" x="{x - width / 2:.0f}" y="{y:.0f}" width="{width}" height="{height}" rx="6"/>'


def node(x: float, y: float, words: str, style: str = "") -> str:
    return box(x, y, NODE, TALL, style) + text(x, y + 19, words, "node")


def line(path: str, style: str = "") -> str:
    return f'<path class="{style}" d="{path}" marker-end="url(#{style or "end"})"/>'


def panel(x: float, title: str, added: str, notes: tuple[str, str]) -> Iterator[str]:
    """Yield what each panel has: a holder between what goes in and what comes out, and words below."""
    yield text(x, 24, title, "title")
    yield box(x, 58, 270, 186, "holder")
    yield line(f"M{x - 60} 36 V54")
    yield text(x - 70, 50, "x", "what", "end")
    yield line(f"M{x - 60} 244 V268")
    yield text(x - 60, 284, "y", "node")
    yield text(x + 62, 284, added, "added")
    for number, words in enumerate(notes):
        yield text(x, 316 + 18 * number, words, "what")


def call(x: float) -> Iterator[str]:
    yield from panel(
        x, "A call of a function", "call/t", ("this call gets a copy of the function;", "other calls keep theirs")
    )
    yield line(f"M{x - 60} 58 V90") + node(x - 60, 94, "Conv")
    yield line(f"M{x - 60} 122 V182") + node(x - 60, 186, "Relu")
    yield text(x - 68, 156, "t", "what", "end") + text(x - 68, 234, "w", "what", "end")
    yield line(f"M{x - 60} 214 V244")
    yield line(f"M{x - 60} 148 H{x + 62} V268", "new")


def branches(x: float) -> Iterator[str]:
    notes = ("the branch that does not run gives", "an empty value of the same type")
    yield from panel(x, "If", "If/then_branch/t", notes)
    yield text(x - 70, 76, "then", "what") + text(x + 66, 76, "else", "what")
    yield f'<path d="M{x} 64 V238" stroke-dasharray="3 4"/>'
    yield (
        text(x - 78, 134, "t", "what", "end")
        + node(x - 70, 88, "Conv")
        + line(f"M{x - 70} 116 V140")
        + node(x - 70, 144, "Relu")
    )
    yield line(f"M{x - 70} 172 C{x - 70} 205 {x - 60} 205 {x - 60} 244")
    yield node(x + 66, 88, "Neg") + line(f"M{x + 40} 116 C{x + 30} 200 {x - 50} 190 {x - 56} 240")
    yield node(x + 78, 144, "empty", "new")
    yield line(f"M{x - 70} 128 H{x + 12} V216 C{x + 14} 232 {x + 54} 232 {x + 58} 268", "new")
    yield line(f"M{x + 78} 172 C{x + 78} 210 {x + 66} 220 {x + 66} 268", "new")


def loop(x: float) -> Iterator[str]:
    notes = ("all steps, stacked; where they may differ", "in size, as a sequence of arrays")
    yield from panel(x, "Loop, Scan", "Loop/body/t", notes)
    yield line(f"M{x - 60} 58 V90") + node(x - 60, 94, "Conv")
    yield line(f"M{x - 60} 122 V182") + node(x - 60, 186, "Relu")
    yield line(f"M{x - 60} 214 V244") + text(x - 68, 156, "t", "what", "end")
    yield line(f"M{x - 60} 228 H{x - 122} V76 H{x - 66}")
    for step in range(3):
        yield box(x + 52 + 10 * step, 176 - 10 * step, 44, 40, "new")
    yield line(f"M{x - 60} 148 H{x + 8} C{x + 20} 148 {x + 14} 186 {x + 28} 186", "new")
    yield line(f"M{x + 62} 218 V268", "new")


def drawing() -> str:
    """Return the SVG."""
    heads = "".join(
        f'<marker id="{name}" class="{style}" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="{size}"'
        f' markerHeight="{size}" orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker>'
        for name, style, size in (("end", "", 7), ("new", "new", 5))
    )
    parts = [part for number, draw in enumerate((call, branches, loop)) for part in draw(PANEL * number + PANEL // 2)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        f"<title>How a call, an If and a Loop hand out a value inside</title>\n<style>{STYLE}</style>\n"
        f"<defs>{heads}</defs>\n" + "\n".join(parts) + "\n</svg>\n"
    )


if __name__ == "__main__":
    keep(DRAWING, drawing())

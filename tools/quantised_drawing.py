"""Draws docs/quantised.svg: the values of a layer, the codes that a quantised model keeps of them, and what is shown.

    python tools/quantised_drawing.py [--check]   --check writes nothing and fails where the drawing is not up to date

Codes of four bits about zero point 6, a scale of 0.5: they reach from -3 to 4.5, and the values from about -5 to 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from html import escape
from pathlib import Path
from statistics import NormalDist

import numpy as np
from generated import keep

from onnxviz.quantised import Quantised
from onnxviz.words import number_text

DRAWING = Path(__file__).resolve().parent.parent / "docs" / "quantised.svg"
CODES, LAST = Quantised("uint4", scale=0.5, zero_point=6), 15
COUNT = 4000
VALUES = [NormalDist(0.6, 2.0).inv_cdf((place + 0.5) / COUNT) for place in range(COUNT)]
WIDTH, HEIGHT, UNIT, TALL = 760, 372, 58, 0.3
ROWS = 118, 246, 316  # the lines on which values, codes and numbers stand
STYLE = """
  svg { background: #fff; font-family: system-ui, sans-serif }
  text { font-size: 12px; fill: #47566b } .name { font-weight: 600; font-size: 13px; fill: #16202e }
  .value { fill: #b9c4d3 } .code { fill: #4f8fc0 } .end { fill: #d9662b } .ends { fill: #b24a12; font-weight: 600 }
  path { fill: none; stroke: #8894a6; stroke-width: 1.3 } .zero { stroke: #2f9e6e; stroke-dasharray: 4 3 }
  @media (prefers-color-scheme: dark) {
    svg { background: #14181f } text { fill: #a9b6c8 } .name { fill: #e8edf4 } .value { fill: #4b5869 }
    .ends { fill: #ff9c66 }
  }
"""


def x_of(value: float) -> float:
    return WIDTH / 2 + (value - 0.75) * UNIT


def number_of(code: int) -> float:
    return (code - 6) * 0.5


def bars(heights: Iterable[tuple[float, float, str]], line: int, width: float) -> list[str]:
    """Return bars on a line, each of a place, a count and a style."""
    return [
        f'<rect class="{style}" x="{x_of(place) - width / 2:.1f}" y="{line - count * TALL:.1f}" '
        f'width="{width:.1f}" height="{count * TALL:.1f}"/>'
        for place, count, style in heights
    ]


def text(x: float, y: float, words: str, style: str = "", anchor: str = "middle") -> str:
    return f'<text class="{style}" x="{x:.0f}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def drawing() -> str:
    """Return the SVG."""
    top, middle, bottom = ROWS
    binned = Counter(round(value * 4) / 4 for value in VALUES)
    codes = Counter(min(max(round(value / 0.5) + 6, 0), LAST) for value in VALUES)
    shown = np.array([number_of(code) for code in codes.elements()], np.float32)
    counted = CODES.counted(shown)
    low, high = (f"{number_text(100 * share)} %" for share in (counted.at_low, counted.at_high))
    left, right = x_of(number_of(0)), x_of(number_of(LAST))
    ends = {0, LAST}
    parts = [
        f'<path class="zero" d="M{x_of(0):.1f} 34 V{bottom + 6}"/>',
        *bars(
            (
                (place, count, "value" if -3.25 < place < 4.75 else "end")
                for place, count in sorted(binned.items())
                if -5.4 < place < 6.9
            ),
            top,
            UNIT / 4 - 2,
        ),
        *bars(
            ((number_of(code), count / 2, "end" if code in ends else "code") for code, count in sorted(codes.items())),
            middle,
            UNIT / 2 - 5,
        ),
        *(f'<path d="M{x_of(-5.4):.0f} {line} H{x_of(6.9):.0f}"/>' for line in (top, bottom)),
        f'<path d="M{left - 15:.0f} {middle} H{right + 15:.0f}"/>',
        text(16, 24, "what the layer computes", "name", "start"),
        text(16, 150, "the codes that the model keeps", "name", "start"),
        text(16, bottom - 14, "what is shown", "name", "start"),
        *(text(x_of(number_of(code)), middle + 16, str(code)) for code in range(LAST + 1)),
        *(text(x_of(value), bottom + 18, f"{value:g}") for value in (-3, -2, -1, 0, 1, 2, 3, 4.5)),
        *(f'<path d="M{x_of(value):.1f} {bottom - 4} v8"/>' for value in (-3, -2, -1, 0, 1, 2, 3, 4.5)),
        text(left - 26, middle - 30, low, "ends", "end"),
        text(left - 26, middle - 14, "at the low end", "ends", "end"),
        text(right + 26, middle - 30, high, "ends", "start"),
        text(right + 26, middle - 14, "at the high end", "ends", "start"),
        text(x_of(0), HEIGHT - 18, f"{CODES.formula}: code 6 stands for 0, which is the middle of the colours"),
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">\n'
        "<title>Values, their codes, and the numbers that these stand for</title>\n"
        f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


if __name__ == "__main__":
    keep(DRAWING, drawing())

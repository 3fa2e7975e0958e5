"""Half blocks in a terminal."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from onnxviz.draw.preview import colours, half_blocks

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)


def picture(*rows: list[tuple[int, int, int]]) -> Image.Image:
    return Image.fromarray(np.array(rows, np.uint8))


def test_two_pixels_a_character() -> None:
    assert half_blocks(picture([RED], [BLUE]), 80, True) == "\x1b[38;2;255;0;0;48;2;0;0;255m▀\x1b[0m"


def test_colours_are_sent_where_they_change() -> None:
    text = half_blocks(picture([RED, RED, BLUE], [BLUE, BLUE, BLUE]), 80, True)
    assert text == "\x1b[38;2;255;0;0;48;2;0;0;255m▀▀\x1b[38;2;0;0;255m▀\x1b[0m"


def test_an_odd_last_row_is_drawn_twice() -> None:
    lines = half_blocks(picture([RED], [RED], [BLUE]), 80, True).split("\n")
    assert lines[1] == "\x1b[38;2;0;0;255;48;2;0;0;255m▀\x1b[0m"


def test_256_colours_take_the_nearest_of_the_cube() -> None:
    text = half_blocks(picture([WHITE, (0, 95, 135)], [RED, (10, 90, 140)]), 80, False)
    assert text == "\x1b[38;5;231;48;5;196m▀\x1b[38;5;24;48;5;24m▀\x1b[0m"


@pytest.mark.parametrize(("size", "columns", "cells"), [((400, 200), 80, (80, 20)), ((10, 10), 80, (10, 5))])
def test_a_picture_is_shrunk_to_the_terminal_and_never_enlarged(
    size: tuple[int, int], columns: int, cells: tuple[int, int]
) -> None:
    lines = half_blocks(Image.new("P", size), columns, True).split("\n")
    assert (lines[0].count("▀"), len(lines)) == cells
    assert all(re.sub(r"\x1b\[[\d;]*m", "", line) == "▀" * cells[0] for line in lines)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "xterm", "COLORTERM": "24bit"}, "truecolor"),
        ({"TERM": "screen"}, "256"),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, None),
        ({"TERM": "xterm", "COLORTERM": "truecolor", "NO_COLOR": "1"}, None),
    ],
)
def test_what_a_stream_shows(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str | None
) -> None:
    for name in ("TERM", "COLORTERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert colours(Terminal()) == expected
    assert colours(io.StringIO()) is None

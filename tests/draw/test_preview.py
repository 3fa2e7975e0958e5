"""Half blocks in a terminal."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnxviz.cli.terminal import colours
from onnxviz.draw.encode import save
from onnxviz.draw.overview import Head, draw_overview, summarise
from onnxviz.draw.preview import half_blocks, preview
from onnxviz.draw.style import Caption, Style

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
        ({"TERM": "xterm", "COLORTERM": "truecolor", "NO_COLOR": "1", "FORCE_COLOR": "1"}, None),
    ],
)
def test_what_a_stream_shows(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str | None
) -> None:
    for name in ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert colours(Terminal()) == expected
    assert colours(io.StringIO()) is None


def test_colours_can_be_asked_for_where_they_are_piped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert colours(io.StringIO()) == "truecolor"


def greens(line: str) -> list[int]:
    """Return how green the upper half of each character is."""
    found, last = [], 0
    for colour, blocks in re.findall(r"\x1b\[([\d;]+)m(▀*)", line):
        last = int(colour.split(";")[3]) if colour.startswith("38;2") else last
        found += [last] * len(blocks)
    return found


def test_an_overview_comes_row_by_row_with_its_words_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((110, 24)))
    maps = np.zeros((1, 3, 8, 8), np.float32)
    maps[0, 0, 0], maps[0, 1, :4], maps[0, 2, 3, 3] = 1, 4, 9
    vector = np.array([[0.5, 2, -1]], np.float32)
    rows = [
        summarise(maps, "NCHW", Caption("conv", "Conv  ·  1 x 3 x 8 x 8")),
        summarise(vector, "NC", Caption("scores", "Gemm  ·  1 x 3")),
    ]
    drawing = draw_overview(Caption("model"), Head(None, ["nothing"], []), rows, Style())
    save(drawing.image, tmp_path / "overview.png", enlarged=True, small=False, text=drawing.text)
    shown = preview(tmp_path / "overview.png", "truecolor")
    lines = re.sub(r"\x1b\[[\d;]*m", "", shown).split("\n")
    assert lines[0] == "conv  Conv  ·  1 x 3 x 8 x 8  ·  range 0 .. 9"
    below = lines.index("") - 1
    assert set(lines[1]) == {"▀"}
    assert lines[below].split() == ["mean", "PCA", "1", "2", "0"]
    # Below the picture that is bright in its upper half stands 1.
    place = lines[below].index(" 1 ") + 4
    upper, lower = (greens(shown.split("\n")[number])[place] for number in (2, below - 2))
    assert upper > 200 > 50 > lower
    assert lines[below + 2] == "scores  Gemm  ·  1 x 3  ·  range -1 .. 2"
    assert lines[-1] == "1: 2, 0: 0.5, 2: -1"

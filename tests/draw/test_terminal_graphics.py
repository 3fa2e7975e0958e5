"""Pictures for terminals, read back from the bytes that a terminal gets."""

from __future__ import annotations

import base64
import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnxviz.draw.preview import preview
from onnxviz.draw.terminal_graphics import graphics_of, kitty, sixel


def picture(height: int, width: int, mode: str = "P") -> Image.Image:
    pixels = np.random.default_rng(1).integers(0, 40, (height, width)).astype(np.uint8)
    image = Image.fromarray(pixels)
    image.putpalette(np.random.default_rng(2).integers(0, 256, 768).astype(np.uint8).tobytes())
    return image.convert(mode)


def read_kitty(text: str) -> Image.Image:
    """Return what kitty shows of a text that holds one picture."""
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert [f"m={int(place < len(pieces) - 1)}" in head.split(",") for place, (head, _) in enumerate(pieces)] == [
        True
    ] * len(pieces)
    assert set("a=T,f=100,q=2".split(",")) <= set(pieces[0][0].split(","))
    assert all(len(data) <= 4096 for _, data in pieces)
    assert all(len(data) % 4 == 0 for _, data in pieces)
    return Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in pieces)))).convert("RGB")


def read_sixel(text: str) -> np.ndarray:
    """Return the colours (height, width, 3) of sixels, in percent; pixels that nothing paints are -1."""
    found = re.fullmatch(r'\x1bP0;1q"1;1;(\d+);(\d+)(.*)\x1b\\', text, re.DOTALL)
    assert found
    width, height, data = int(found[1]), int(found[2]), found[3]
    painted = np.full((-(-height // 6) * 6, width, 3), -1)
    colours: dict[int, list[int]] = {}
    x, top, colour = 0, 0, -1
    for token in re.findall(r"#\d+;2;\d+;\d+;\d+|#\d+|!\d+[?-~]|[?-~]|[$-]", data):
        if token[0] == "#":
            number, *levels = map(int, token[1:].split(";"))
            if levels:
                colours[number] = levels[1:]
            colour = number
        elif token == "$":
            x = 0
        elif token == "-":
            x, top = 0, top + 6
        else:
            times = int(token[1:-1]) if token[0] == "!" else 1
            for bit in range(6):
                if (ord(token[-1]) - 63) >> bit & 1:
                    painted[top + bit, x : x + times] = colours[colour]
            x += times
    assert (painted[height:] == -1).all()
    return painted[:height]


@pytest.mark.parametrize("mode", ["P", "RGB"])
@pytest.mark.parametrize(("height", "width"), [(6, 4), (13, 50), (1, 1), (40, 90)])
def test_sixels_paint_every_pixel_in_its_colour(height: int, width: int, mode: str) -> None:
    image = picture(height, width, mode)
    levels = np.asarray(image.convert("RGB"), float) * 100 / 255
    assert np.abs(read_sixel(sixel(image)) - levels).max() <= 0.5


@pytest.mark.parametrize("mode", ["P", "RGB"])
def test_kitty_gets_the_very_pixels(mode: str) -> None:
    image = picture(90, 200, mode)
    assert np.array_equal(read_kitty(kitty(image)), image.convert("RGB"))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "kitty"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "230800"}, "kitty"),
        ({"TERM": "foot-extra"}, "sixel"),
        ({"TERM": "xterm", "TERM_PROGRAM": "iTerm.app"}, "sixel"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"}, None),
        ({}, None),
    ],
)
def test_what_a_terminal_says_of_itself(environment: dict[str, str], expected: str | None) -> None:
    assert graphics_of(environment) == expected


def test_a_picture_is_shrunk_to_the_width_in_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((20, 10)))
    picture(50, 400).save(tmp_path / "wide.png")
    picture(30, 100).save(tmp_path / "narrow.png")
    # A terminal that does not say how wide a column is has 8 pixels.
    assert read_kitty(preview(tmp_path / "wide.png", "kitty")).size == (160, 20)
    assert read_kitty(preview(tmp_path / "narrow.png", "kitty")).size == (100, 30)
    assert read_sixel(preview(tmp_path / "wide.png", "sixel")).shape == (20, 160, 3)

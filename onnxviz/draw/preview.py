"""Pictures in a terminal: pixel by pixel where it can draw, else half blocks, two pixels a character.

An overview comes row by row, its words as text: the layer's above its maps, the channels' below them.
"""

from __future__ import annotations

import json
import shutil
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onnxviz.draw.overview.row_places import ROWS
from onnxviz.draw.terminal_graphics import kitty, sixel
from onnxviz.errors import OutputError
from onnxviz.words import printable

_RESET = "\x1b[0m"


def half_blocks(image: Image.Image, columns: int, truecolor: bool) -> str:
    """Return an image as lines of at most `columns` characters; it is shrunk to fit, never enlarged.

    Args:
        image: of any mode.
        columns: the width of the terminal.
        truecolor: 24 bit colours, else the 256 that nearly every terminal has.
    """
    pixels = _pixels(image, columns)
    upper, lower = (_codes(part, truecolor) for part in (pixels[::2], pixels[1::2]))
    return "\n".join(_line(above, below) for above, below in zip(upper, lower, strict=True))


def preview(path: Path, how: str) -> str:
    """Return a picture file as text for a terminal, as wide as that.

    Args:
        path: the file; of an overview its rows come one after the other, with their words.
        how: `kitty` or `sixel`, pixel by pixel, or half blocks in `truecolor` or in `256` colours.

    Raises:
        OutputError: The file is gone or is not a picture.
    """
    try:
        with Image.open(path) as image:
            screen = _Screen(how, shutil.get_terminal_size().columns)
            rows = json.loads(getattr(image, "text", {}).get(ROWS, "[]"))
            shown = [_row(image, row, screen) for row in rows]
            return "\n\n".join(shown) if shown else screen.text(image)
    except OSError as error:
        raise OutputError(f"{path} cannot be previewed: {error}") from None


@dataclass(frozen=True, slots=True)
class _Screen:
    """A terminal of so many columns, and how it takes pictures."""

    how: str
    columns: int

    @property
    def pixels_a_column(self) -> int:
        """Pixels of a picture to a column of text at its full size."""
        return _cell_width() if self.how in _GRAPHICS else 1

    def text(self, image: Image.Image) -> str:
        """Return an image as text; it is shrunk to fit, never enlarged."""
        if self.how not in _GRAPHICS:
            return half_blocks(image, self.columns, self.how == "truecolor")
        return _GRAPHICS[self.how](_shrunk(image, self.columns * self.pixels_a_column))

    def column(self, x: float, width: int) -> int:
        """Return the column of text below a pixel `x` of a picture of so many pixels."""
        return round(x * min(self.columns / width, 1 / self.pixels_a_column))


def _row(image: Image.Image, row: dict[str, Any], screen: _Screen) -> str:
    """Return the words of a row of an overview, its pictures and their names."""
    box = row["box"]
    shown = screen.text(image.crop(box))
    below = ""
    for left, name in row["names"]:
        below = f"{below.ljust(screen.column(left, box[2] - box[0]))}{name} "
    return f"{printable(row['words'])}\n{shown}\n{printable(below.rstrip())}"


def _shrunk(image: Image.Image, width: int) -> Image.Image:
    if image.width <= width:
        return image
    size = width, max(1, round(image.height * width / image.width))
    return image.convert("RGB").resize(size, Image.Resampling.BOX)


def _cell_width() -> int:
    """Return how many pixels wide a column of the terminal is; where it does not say that, what is usual."""
    try:
        import fcntl
        import termios

        size = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8))
        _, columns, width, _ = struct.unpack("HHHH", size)
        return width // columns or _USUAL_CELL
    except (ImportError, OSError, ValueError, ZeroDivisionError):
        return _USUAL_CELL


_USUAL_CELL = 8
_GRAPHICS = {"kitty": kitty, "sixel": sixel}


def _pixels(image: Image.Image, columns: int) -> NDArray[np.uint8]:
    """Return (rows, columns, 3) with an even number of rows."""
    image = image.convert("RGB")
    pixels = np.asarray(_shrunk(image, max(1, columns)))
    return np.concatenate([pixels, pixels[-1:]]) if len(pixels) % 2 else pixels


def _codes(pixels: NDArray[np.uint8], truecolor: bool) -> list[list[str]]:
    """Return the colour of each pixel as the end of an escape sequence."""
    if truecolor:
        return [[f"2;{red};{green};{blue}" for red, green, blue in row] for row in pixels.tolist()]
    # A cube of 6 x 6 x 6 colours begins at 16; its steps lie at these values.
    steps = np.array([0, 95, 135, 175, 215, 255])
    cube = np.abs(pixels[..., None].astype(np.int16) - steps).argmin(axis=-1)
    return [[f"5;{code}" for code in row] for row in (16 + cube @ np.array([36, 6, 1])).tolist()]


def _line(upper: list[str], lower: list[str]) -> str:
    """Return a line of characters; a colour is only sent where it changes."""
    parts, last = [], ("", "")
    for above, below in zip(upper, lower, strict=True):
        changes = [f"38;{above}"] * (above != last[0]) + [f"48;{below}"] * (below != last[1])
        parts.append((f"\x1b[{';'.join(changes)}m" if changes else "") + "▀")
        last = above, below
    return "".join(parts) + _RESET

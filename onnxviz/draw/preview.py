"""Pictures in a terminal, two pixels a character: the upper half block in one colour on another.

An overview comes row by row, its words as text: the layer's above its maps, the channels' below them.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onnxviz.draw.overview.row_places import ROWS
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


def preview(path: Path, truecolor: bool) -> str:
    """Return a picture file as lines as wide as the terminal.

    Raises:
        OutputError: The file is gone or is not a picture.
    """
    try:
        with Image.open(path) as image:
            columns = shutil.get_terminal_size().columns
            rows = json.loads(getattr(image, "text", {}).get(ROWS, "[]"))
            shown = [_row(image, row, columns, truecolor) for row in rows]
            return "\n\n".join(shown) if shown else half_blocks(image, columns, truecolor)
    except OSError as error:
        raise OutputError(f"{path} cannot be previewed: {error}") from None


def _row(image: Image.Image, row: dict[str, Any], columns: int, truecolor: bool) -> str:
    """Return the words of a row of an overview, its pictures and their names."""
    box = row["box"]
    shown = half_blocks(image.crop(box), columns, truecolor)
    share = min(columns / (box[2] - box[0]), 1)
    below = ""
    for left, name in row["names"]:
        below = f"{below.ljust(round(left * share))}{name} "
    return f"{printable(row['words'])}\n{shown}\n{printable(below.rstrip())}"


def colours(stream: TextIO) -> str | None:
    """Return what a stream can show: `truecolor`, `256`, or None if it is not a terminal or colours are turned off.

    `NO_COLOR` turns them off, `FORCE_COLOR` on where the stream is not a terminal.
    """
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return None
    if not stream.isatty() and not os.environ.get("FORCE_COLOR"):
        return None
    return "truecolor" if os.environ.get("COLORTERM", "").lower() in ("truecolor", "24bit") else "256"


def _pixels(image: Image.Image, columns: int) -> NDArray[np.uint8]:
    """Return (rows, columns, 3) with an even number of rows."""
    image = image.convert("RGB")
    width = max(1, min(columns, image.width))
    height = max(1, round(image.height * width / image.width))
    if width < image.width:
        image = image.resize((width, height), Image.Resampling.BOX)
    pixels = np.asarray(image)
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

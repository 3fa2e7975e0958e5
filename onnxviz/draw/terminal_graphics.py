"""Pictures as a terminal draws them itself, pixel by pixel: the protocol of kitty, and DEC's sixels.

kitty takes a PNG (https://sw.kovidgoyal.net/kitty/graphics-protocol); sixels are rows of six pixels, a letter for each
column of each colour (DEC STD 070, chapter "Sixel Graphics").
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from onnxviz.draw.encode import encode

_CHUNK = 4096
"""The most characters that kitty takes in one piece."""

_KITTY = ("kitty", "ghostty", "wezterm", "konsole")
_SIXEL = ("foot", "mlterm", "mintty", "iterm.app", "contour", "yaft")


def graphics_of(environment: Mapping[str, str]) -> str | None:
    """Return how a terminal takes pictures, `kitty` or `sixel`, by what its environment says; None where it takes none.

    Inside tmux and screen, which do not hand pictures on, it is None.

    >>> graphics_of({"TERM": "xterm-kitty"}), graphics_of({"TERM": "foot"}), graphics_of({"TERM": "xterm-256color"})
    ('kitty', 'sixel', None)
    """
    term = environment.get("TERM", "").lower()
    if environment.get("TMUX") or term.startswith(("tmux", "screen")):
        return None
    names = [term, environment.get("TERM_PROGRAM", "").lower()]
    names += ["kitty"] * ("KITTY_WINDOW_ID" in environment) + ["konsole"] * ("KONSOLE_VERSION" in environment)
    for how, known in (("kitty", _KITTY), ("sixel", _SIXEL)):
        if any(program in name for program in known for name in names):
            return how
    return None


def kitty(image: Image.Image) -> str:
    """Return an image as kitty takes it: a PNG in base64, in pieces; it answers nothing."""
    text = base64.b64encode(encode(image, ".png", enlarged=True)).decode()
    pieces = [text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK)]
    heads = ["a=T,f=100,q=2,", *[""] * (len(pieces) - 1)]
    more = [1] * (len(pieces) - 1) + [0]
    return "".join(
        f"\x1b_G{head}m={goes_on};{piece}\x1b\\" for head, goes_on, piece in zip(heads, more, pieces, strict=True)
    )


def sixel(image: Image.Image) -> str:
    """Return an image as sixels of at most 256 colours."""
    indexed = image if image.mode == "P" else image.convert("RGB").quantize(256)
    pixels = np.asarray(indexed)
    levels = np.array(indexed.getpalette("RGB") or [], np.uint16).reshape(-1, 3)
    used = np.unique(pixels)
    colours = "".join(
        f"#{i};2;{r};{g};{b}" for i, (r, g, b) in zip(used, (levels[used] * 100 + 127) // 255, strict=True)
    )
    height, width = pixels.shape
    bands = "-".join("$".join(_band(pixels[top : top + 6])) for top in range(0, height, 6))
    return f'\x1bP0;1q"1;1;{width};{height}{colours}{bands}\x1b\\'


def _band(rows: NDArray[np.uint8]) -> Iterator[str]:
    """Yield the letters of up to six rows, for each of their colours."""
    weights = (1 << np.arange(len(rows)))[:, None]
    for colour in np.unique(rows):
        bits = ((rows == colour) * weights).sum(axis=0)
        starts = np.flatnonzero(np.diff(bits, prepend=-1))
        lengths = np.diff(starts, append=len(bits))
        letters = (chr(63 + bit) for bit in bits[starts])
        runs = zip(letters, lengths, strict=True)
        yield f"#{colour}" + "".join(f"!{length}{letter}" if length > 3 else letter * length for letter, length in runs)

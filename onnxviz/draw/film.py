"""A film: pictures of one palette each, one after the other, as an animated GIF with just their colours."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from onnxviz.draw.palette import INK


@dataclass(frozen=True, slots=True)
class FilmFrame:
    """A picture of mode P, as the bytes of a PNG, so that long films fit into memory, and how long it stays, in ms."""

    png: bytes
    milliseconds: int


def gif(frames: Sequence[FilmFrame]) -> bytes:
    """Return frames as an animated GIF that goes round without end.

    Each keeps its own colours. All are as large as the largest, a smaller one at the upper left of its background.

    >>> from onnxviz.draw.encode import encode
    >>> from onnxviz.draw.page import Page
    >>> pages = [Page(8, 4).image("viridis", "dark"), Page(4, 6).image("magma", "dark")]
    >>> film = gif([FilmFrame(encode(page, ".png", enlarged=True), 500) for page in pages])
    >>> Image.open(io.BytesIO(film)).size
    (8, 6)
    """
    sizes = np.array([_image(frame).size for frame in frames])
    width, height = (int(side) for side in sizes.max(axis=0))
    first = _placed(frames[0], width, height)
    others = (_placed(frame, width, height) for frame in frames[1:])
    durations = [frame.milliseconds for frame in frames]
    out = io.BytesIO()
    first.save(out, "GIF", save_all=True, append_images=others, duration=durations, loop=0, optimize=False, disposal=1)
    return out.getvalue()


def _image(frame: FilmFrame) -> Image.Image:
    return Image.open(io.BytesIO(frame.png))


def _placed(frame: FilmFrame, width: int, height: int) -> Image.Image:
    """Return a picture on a canvas of its background."""
    image = _image(frame)
    canvas = Image.new("P", (width, height), INK)
    canvas.putpalette(image.getpalette() or [])
    canvas.paste(image, (0, 0))
    return canvas

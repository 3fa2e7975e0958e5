"""A picture that is only shown, beside maps whose model is not at hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from onnxviz.errors import InputError
from onnxviz.feed.feed import Feed, Shown, record
from onnxviz.feed.geometry import Geometry
from onnxviz.feed.load import load
from onnxviz.feed.pictures import Picture, as_rgb, picture_from_array


def shown_picture(source: Any) -> Feed:
    """Return a picture as a feed of nothing, so that it can be shown.

    Raises:
        InputError: It is no picture.
    """
    items = load(source)
    if isinstance(items, dict) or len(items) != 1:
        raise InputError("one picture can be shown beside the maps; name a file, a Pillow image or an array of pixels")
    content = items[0].content
    if isinstance(content, np.ndarray):
        content = picture_from_array(content, items[0].name)
    if not isinstance(content, Picture):
        raise InputError(f"{items[0].name} is no picture that could be shown beside the maps")
    pixels = as_rgb(content.pixels)
    shown = Shown("HWC", "none", items[0].name, pixels, Geometry.identity((pixels.shape[0], pixels.shape[1])))
    return Feed({}, (record("input", pixels, shown, list(content.notes)),), items[0].stem)

"""The values of one model in the order of axes of another: NCHW and NHWC, with and without axes of one place."""

from __future__ import annotations

import math

from onnxviz.layout import Array


def in_layout(array: Array, have: str | None, want: str | None) -> Array:
    """Return an array whose axes are `have` with the axes `want`; as it is where the two name different things.

    >>> import numpy as np
    >>> in_layout(np.zeros((1, 3, 5, 7)), "NCHW", "NHWC").shape
    (1, 5, 7, 3)
    >>> in_layout(np.zeros((1, 3, 1, 1)), "NCHW", "NC").shape
    (1, 3)
    """
    if have is None or want is None or have == want or len(have) != array.ndim:
        return array
    gone = [place for place, letter in enumerate(have) if letter not in want]
    if any(array.shape[place] != 1 for place in gone):
        return array
    kept = [letter for letter in have if letter in want]
    rest = array.reshape([size for place, size in enumerate(array.shape) if place not in gone])
    ordered = rest.transpose([kept.index(letter) for letter in want if letter in kept])
    sizes = dict(zip([letter for letter in want if letter in kept], ordered.shape, strict=True))
    return ordered.reshape([sizes.get(letter, 1) for letter in want])


def as_other(array: Array, other: Array) -> Array | None:
    """Return an array in the shape of another that holds the same value; None where it cannot.

    Axes of one place do not count, and neither does how axes are laid out in a row of features (Flatten).
    """
    if array.shape == other.shape:
        return array
    if array.size != other.size:
        return None
    sizes = [[size for size in shape if size != 1] for shape in (array.shape, other.shape)]
    flat = any(len(each) <= 1 for each in sizes) or math.prod(sizes[0][:1]) == math.prod(sizes[1][:1])
    return array.reshape(other.shape) if sizes[0] == sizes[1] or flat else None

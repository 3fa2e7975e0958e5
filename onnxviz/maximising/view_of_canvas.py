"""`ViewOfCanvas`: a canvas moved, turned and scaled at random, as a camera that is not held still sees it.

What is made for one exact place only, as noise is, does not survive it. The view is one affine map, bilinear between
pixels; `back` is its exact adjoint, by which a gradient of the view becomes one of the canvas.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from onnxviz.layout import Array

GREY = 0.5
"""What lies beyond the canvas."""


@dataclass(frozen=True, slots=True)
class Motion:
    """How far a view may be off: `jitter` pixels, a factor of `1 / (1 +- scale)`, and degrees."""

    jitter: float
    scale: float = 0.25
    degrees: float = 10.0


class ViewOfCanvas:
    """One view, drawn by a generator of random numbers."""

    def __init__(
        self, canvas: tuple[int, int], size: tuple[int, int], motion: Motion, numbers: np.random.Generator
    ) -> None:
        """Choose where each pixel of the view lies on the canvas; one view in five is not turned."""
        turned = numbers.random() > 0.2
        angle = np.deg2rad(numbers.uniform(-motion.degrees, motion.degrees)) if turned else 0.0
        factor = 1 / (1 + numbers.uniform(-motion.scale, motion.scale))
        shift = numbers.uniform(-motion.jitter, motion.jitter, 2)
        y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
        y, x = y - (size[0] - 1) / 2, x - (size[1] - 1) / 2
        cosine, sine = float(np.cos(angle) * factor), float(np.sin(angle) * factor)
        down = cosine * y - sine * x + float((canvas[0] - 1) / 2 + shift[0])
        right = sine * y + cosine * x + float((canvas[1] - 1) / 2 + shift[1])
        self._canvas, self._size = canvas, size
        self._corners = list(_corners(down, right, canvas))
        self._beyond = 1 - np.sum([weight for _, weight in self._corners], axis=0)

    def of(self, pixels: Array) -> Array:
        """Return the view of a canvas `(height, width, channels)`."""
        flat = pixels.reshape(-1, pixels.shape[-1])
        seen = np.repeat(self._beyond[:, None] * GREY, flat.shape[1], axis=1)
        for place, weight in self._corners:
            seen += flat[place] * weight[:, None]
        return np.asarray(seen.reshape(*self._size, -1))

    def back(self, gradient: Array) -> Array:
        """Return the gradient by the canvas of what has this gradient by the view."""
        flat = gradient.reshape(-1, gradient.shape[-1])
        places = np.concatenate([place for place, _ in self._corners])
        count = self._canvas[0] * self._canvas[1]
        planes = [
            np.bincount(places, np.concatenate([flat[:, channel] * weight for _, weight in self._corners]), count)
            for channel in range(flat.shape[1])
        ]
        return np.stack(planes, axis=-1).astype(np.float32).reshape(*self._canvas, -1)


def _corners(down: Array, right: Array, canvas: tuple[int, int]) -> list[tuple[Array, Array]]:
    """Return the four pixels around each place, as numbers of the flat canvas, each with its weight."""
    top, left = np.floor(down).astype(np.int64), np.floor(right).astype(np.int64)
    below, beside = down - top, right - left
    found = []
    for y, x, weight in (
        (top, left, (1 - below) * (1 - beside)),
        (top, left + 1, (1 - below) * beside),
        (top + 1, left, below * (1 - beside)),
        (top + 1, left + 1, below * beside),
    ):
        inside = (y >= 0) & (y < canvas[0]) & (x >= 0) & (x < canvas[1])
        place = np.clip(y, 0, canvas[0] - 1) * canvas[1] + np.clip(x, 0, canvas[1] - 1)
        found.append((place.ravel(), (weight * inside).ravel()))
    return found

"""`ascend`: one picture moved up the gradient of what a network answers, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from onnxviz.errors import UnsupportedError
from onnxviz.inference.model_gradient import ModelGradient
from onnxviz.layout import Array
from onnxviz.maximising.objectives import Objective
from onnxviz.maximising.picture_feed import PictureFeed
from onnxviz.maximising.picture_spectrum import Spectrum
from onnxviz.maximising.view_of_canvas import Motion, ViewOfCanvas

MARGIN = 0.25
"""How much wider the canvas is than the view, so that nothing beyond it is seen."""

_JITTER = 14
"""The view is off by up to this part of its side."""


@dataclass(frozen=True, slots=True)
class Course:
    """How to go up: so many steps, of so much, from a seed or a picture `(H, W, channels)` in 0..1."""

    steps: int
    rate: float
    seed: int
    start: Array | None = None


@dataclass(frozen=True, slots=True)
class Ascent:
    """A picture `(H, W, channels)` in 0..1, and what the objective came to at each step, of the view that was seen."""

    pixels: Array
    course: tuple[float, ...]


class FlatError(UnsupportedError):
    """The gradient is zero everywhere: the unit does not react to what is fed."""


def ascend(
    feed: PictureFeed, gradient: ModelGradient, objective: Objective, course: Course, stepped: Callable[[], None]
) -> Ascent:
    """Make a picture; `stepped` is called behind each step, and may raise to end it.

    Raises:
        FlatError: The gradient is zero.
    """
    numbers = np.random.default_rng(course.seed)
    size = feed.size
    wide = size if course.start is not None else tuple(round(side * (1 + MARGIN)) for side in size)
    canvas = wide[0], wide[1]
    spectrum = Spectrum(canvas, feed.channels, numbers)
    if course.start is not None:
        spectrum.begin_with(course.start)
    motion, mover, reached = Motion(max(size) / _JITTER), _Adam(course.rate), []
    for _ in range(course.steps):
        view = ViewOfCanvas(canvas, size, motion, numbers)
        run = gradient.forward(feed.of(view.of(spectrum.pixels())))
        number, seed = objective.number(run.target)
        slope = run.backward(seed)[feed.input]
        if not slope.any():
            raise FlatError("its gradient is zero: it does not react to what it is fed")
        spectrum.numbers += mover.step(spectrum.gradient(view.back(feed.back(slope))))
        reached.append(number)
        stepped()
    pixels = spectrum.pixels()
    top, left = (canvas[0] - size[0]) // 2, (canvas[1] - size[1]) // 2
    return Ascent(pixels[top : top + size[0], left : left + size[1]], tuple(reached))


class _Adam:
    """Adam (Kingma & Ba 2015), upwards."""

    def __init__(self, rate: float, first: float = 0.9, second: float = 0.999) -> None:
        self._rate, self._first, self._second = rate, first, second
        self._count = 0
        self._mean: Array | float = 0.0
        self._square: Array | float = 0.0

    def step(self, gradient: Array) -> Array:
        self._count += 1
        self._mean = self._first * self._mean + (1 - self._first) * gradient
        self._square = self._second * self._square + (1 - self._second) * gradient * gradient
        rate = self._rate / (1 - self._first**self._count)
        return np.asarray(rate * self._mean / (np.sqrt(self._square / (1 - self._second**self._count)) + 1e-8))

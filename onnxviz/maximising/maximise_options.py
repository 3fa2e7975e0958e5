"""`MaximiseOptions`: all that `maximise` takes besides the model and the units."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

from onnxviz.errors import UsageError
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.maximising.objectives import CHANNEL, OBJECTIVES
from onnxviz.runtime.session import RunOptions


@dataclass(frozen=True, slots=True)
class MaximiseOptions:
    """How `maximise` works.

    Attributes:
        objective: what `LAYER#C` is made for: `channel`, the mean of its map, or `neuron`, the place in its middle.
        steps: how often the picture is moved up the gradient.
        rate: how far, Adam's learning rate.
        size: height and width of the picture; None: what the layer needs to show several of its fields, at most what
            the model is fed.
        seed: of the first picture and of the views; the same seed makes the same picture to the bit.
        start: a picture to begin with, in place of grey noise.
        labels: names of the classes, None for the model's own.
        feed: how pictures are made into what the model takes.
        run: the device and how it runs; its `threads` are units at a time, 0 means one a core.
    """

    objective: str = CHANNEL
    steps: int = 160
    rate: float = 0.02
    size: tuple[int, int] | None = None
    seed: int = 0
    start: Any = None
    labels: tuple[str, ...] | Path | None = None
    feed: FeedOptions = field(default_factory=FeedOptions)
    run: RunOptions = field(default_factory=RunOptions)

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.objective not in OBJECTIVES:
            raise UsageError(f"no objective {self.objective!r}: {', '.join(OBJECTIVES)}")
        if self.steps < 1 or self.rate <= 0 or self.seed < 0:
            raise UsageError("steps and rate must be above 0, and the seed not below 0")
        if self.size is not None and min(self.size) < _SMALLEST:
            raise UsageError(f"the size must be at least {_SMALLEST}x{_SMALLEST}")


_SMALLEST = 16


class MaximiseChanges(TypedDict, total=False):
    """The fields of MaximiseOptions, as keyword arguments."""

    objective: str
    steps: int
    rate: float
    size: tuple[int, int] | None
    seed: int
    start: Any
    labels: tuple[str, ...] | Path | None
    feed: FeedOptions
    run: RunOptions

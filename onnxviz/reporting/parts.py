"""What a report holds while it is made: its runs and its layers, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from onnxviz.classes import ClassScore
from onnxviz.draw.scale import ChannelStatistics

if TYPE_CHECKING:
    from onnxviz.feed.fed import Fed
    from onnxviz.graph.layers.catalogue import Layer


@dataclass(frozen=True, slots=True)
class ReportRun:
    """One run: its name, where its inputs came from, what was fed, what the model said."""

    name: str
    source: Mapping[str, str] = field(default_factory=dict)
    fed: Sequence[Fed] = ()
    classes: Sequence[ClassScore] = ()

    @property
    def picture(self) -> tuple[str, npt.NDArray[np.uint8]] | None:
        """The name and the pixels, (H, W, 3), of the input that is a picture."""
        return next(((fed.name, fed.picture) for fed in self.fed if fed.picture is not None), None)


@dataclass(frozen=True, slots=True)
class ReportModel:
    """What the page says of the model."""

    name: str = ""
    device: str = ""
    level: str = ""


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What is known of a layer whatever the run.

    Attributes:
        name: as it is shown; `output` is the value's.
        dtype: numpy's name.
        form: `map`, `band`, `volume` or `vector`.
        axes: for each axis of space that is stored, which axis of the receptive field it moves along.
        notes: what was done to show it, as the pictures say it.
        attention: whether it is drawn as attention.
        layer: its entry in the catalogue, or None.
        labels: a class name for each unit, or None.
    """

    name: str
    output: str
    tap: str
    op: str
    dtype: str
    layout: str | None
    form: str
    axes: tuple[int, ...]
    notes: tuple[str, ...] = ()
    attention: bool = False
    layer: Layer | None = None
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RunPart:
    """What one run has of a layer: the number of its block, its sizes, its stored channels' statistics.

    `live` counts the layer's channels, stored or not, that have something to show: a value that is not 0, or a map of
    finite values that are not all the same.
    """

    block: int
    shape: tuple[int, ...]
    extent: tuple[int, ...]
    statistics: ChannelStatistics
    live: int
    exact: bool
    extra: bool
    wide: bool


@dataclass(frozen=True, slots=True)
class LayerPart:
    """A layer with what each run has of it; None for a run that lacks it.

    `kept` are the channels that are stored, and `halved` tells how often the maps were halved.
    """

    facts: LayerFacts
    channels: int
    runs: tuple[RunPart | None, ...]
    kept: tuple[int, ...]
    halved: int = 0

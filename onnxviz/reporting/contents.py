"""What a report shows: its model, its runs and, for each layer, what every run has of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from onnxviz.classes.scores import ClassScore
from onnxviz.draw.statistics import ChannelStatistics, Floats
from onnxviz.draw.style import Style
from onnxviz.health import HealthTotals
from onnxviz.quantised import Quantised

if TYPE_CHECKING:
    from onnxviz.feed.feed import Fed
    from onnxviz.graph.layers.layer import Layer
    from onnxviz.layout import Array, Steps, TokenGrid


@dataclass(frozen=True, slots=True)
class ReportRun:
    """One run: its name, the file of each input, what was fed, and the classes that the model named.

    Where it holds differences, and no values, it is drawn about zero. `tokens` are the words or ids of its tokens, by
    how many there are.
    """

    name: str
    source: Mapping[str, str] = field(default_factory=dict)
    fed: Sequence[Fed] = ()
    classes: Sequence[ClassScore] = ()
    is_difference: bool = False
    tokens: Mapping[int, Sequence[str]] = field(default_factory=dict)

    @property
    def picture(self) -> tuple[str, npt.NDArray[np.uint8]] | None:
        """The first input that is a picture: its name and its pixels, (H, W, 3) uint8."""
        return next(((fed.name, fed.picture) for fed in self.fed if fed.picture is not None), None)


@dataclass(frozen=True, slots=True)
class LinkedUnits:
    """Where the page finds what `mine` found of a layer's channels.

    Attributes:
        page: the address of the layer on the page of `mine`.
        words: of which pictures the strongest are shown.
        sheets: the layer's contact sheets, as `sheets_of` returns them.
        spots: where on which sheet the patches of each channel begin, as `spots_of` returns them.
    """

    page: str
    words: str
    sheets: Mapping[str, Any]
    spots: Sequence[Sequence[int]]

    def as_json(self) -> dict[str, Any]:
        """Return it as the page's index has it."""
        return {"page": self.page, "words": self.words, **self.sheets, "spots": self.spots}


@dataclass(frozen=True, slots=True)
class ReportModel:
    """What the page says of the model; `lead` are sentences in place of those with which it begins.

    `units` is what `mine` found of its layers, by their names.
    """

    name: str = ""
    device: str = ""
    level: str = ""
    lead: tuple[str, ...] = ()
    units: Mapping[str, LinkedUnits] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReportLook:
    """How the page begins to draw: as the pictures of the same command.

    Attributes:
        style: its scale, colormap, order and theme are taken over.
        limits: the ends of the scale that all inputs share, by the name of the layer's value.
    """

    style: Style = field(default_factory=Style)
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LayerFinding:
    """What was found of a layer beyond its values: a word for its badge, all in words, and whether it is grave.

    `kind` is what the first grave layer is called, such as `to go wrong by itself`.
    """

    badge: str
    words: str
    is_grave: bool
    kind: str

    def as_json(self) -> dict[str, str | bool]:
        """Return it as the page's index has it."""
        return {"badge": self.badge, "words": self.words, "severe": self.is_grave, "kind": self.kind}


@dataclass(frozen=True, slots=True)
class LayerWords:
    """What a command says of a layer: notes above its maps, what it found, and names for its channels.

    `explains` is what its channels explain as heat maps of the input, which are laid over it: a `class`, a `unit` or an
    `output`; empty of all others.
    """

    notes: tuple[str, ...] = ()
    labels: tuple[str, ...] | None = None
    finding: LayerFinding | None = None
    explains: str = ""


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """What is the same of a layer in every run.

    Attributes:
        name: the layer's, as the page shows it; `output` is the name of its value.
        dtype: numpy's name.
        form: `map`, `band`, `volume` or `vector`.
        axes: for each stored axis of space, the axis of the receptive field that it moves along.
        notes: what was assumed or left out to show it, in the words of the pictures.
        attention: whether it is drawn as attention.
        layer: its entry in the catalogue, or None.
        labels: a class name for each unit, or None.
        tokens: where its tokens lie in the picture, or None; of an attention its queries, with their keys.
        groups: how many groups of as many channels there are, one behind the other, such as directions.
        finding: what a command found of it, or None.
        explains: what its channels explain, as heat maps of the input; empty of all others.
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
    tokens: TokenGrid | None = None
    groups: int = 1
    finding: LayerFinding | None = None
    explains: str = ""


@dataclass(frozen=True, slots=True)
class RunPart:
    """What one run has of a layer.

    Attributes:
        block: the number of its block in the store.
        shape: of the activation.
        extent: the stored sizes of space; empty for a vector.
        statistics: of the stored channels, over the whole map.
        held: the magnitude at which the scales `signed` and `clipped` of each stored channel end.
        live: how many channels of the layer, stored or not, have something to show: a single value other than 0, or
            a map that is not constant and has finite values.
        exact: whether the block holds the values themselves, not codes.
        extra: whether it has a plane of extras, for values that are not finite.
        wide: whether the ends of the channels, or the values of a vector, need float64.
        quantised: how its codes are quantised, and how many lie at an end; None where it has none.
        steps: those along its first stored axis, or of a vector; None where that axis is another.
        health: the counts of the layer, over all items.
        labels: names for its channels where they are other ones than the layer's; else None.
        prefix: of each stored channel the values of the tokens that stand for no place of its map, (C, n); None where
            there are none.
    """

    block: int
    shape: tuple[int, ...]
    extent: tuple[int, ...]
    statistics: ChannelStatistics
    held: Floats
    live: int
    exact: bool
    extra: bool
    wide: bool
    quantised: Quantised | None = None
    steps: Steps | None = None
    health: HealthTotals | None = None
    prefix: Array | None = None
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class LayerPart:
    """A layer with what each run has of it.

    Attributes:
        channels: how many the layer has.
        runs: one entry for each run, None where a run lacks the layer.
        kept: the channels that are stored, in index order.
        halved: how often the maps were halved.
        pooled: the counts over all inputs of the command, where there are several; a channel is dead that never was
            alive.
    """

    facts: LayerFacts
    channels: int
    runs: tuple[RunPart | None, ...]
    kept: tuple[int, ...]
    halved: int = 0
    pooled: HealthTotals | None = None

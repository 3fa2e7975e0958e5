"""Turns activations into blocks as they come, run by run, and keeps none of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from onnxviz.activations import Activation
from onnxviz.draw.arrange import (
    ATTENTION,
    BANDS,
    BARS,
    FILMSTRIP,
    MAPS,
    NOTHING,
    STEP_MAPS,
    Arranged,
    arrange_axes,
    matching,
)
from onnxviz.draw.channel_health import channel_health
from onnxviz.draw.statistics import MOST_CHANNELS, ChannelStatistics, channel_statistics, strongest_channels
from onnxviz.health import HealthTotals
from onnxviz.layout import STEPS, Steps, TokenGrid, spatial_axes
from onnxviz.reporting.block_store import BlockStore
from onnxviz.reporting.blocks import store_block
from onnxviz.reporting.contents import LayerFacts, LayerPart, LayerWords, ReportLook, ReportRun, RunPart
from onnxviz.words import number_text

if TYPE_CHECKING:
    from onnxviz.graph.layers.catalogue import Layer

FORMS = {MAPS: "map", ATTENTION: "map", BANDS: "band", FILMSTRIP: "volume", STEP_MAPS: "volume", BARS: "vector"}


MOST_RUNS = 32
"""Inputs that a page shows at most: with more, too few bytes are left for each."""


class Collector(AbstractContextManager["Collector"]):
    """Takes the activations of one run after the other and stores their blocks in `store`.

    Runs beyond MOST_RUNS are only counted, in `further`: memory and disk stay flat over thousands of inputs. `empty`
    names the layers without numbers to show, `look` says how the page begins to draw, `pooled` has the counts of layers
    over all inputs, by name and value.
    """

    def __init__(self, folder: Path) -> None:
        """Begin with no run; until it is closed, blocks lie in a temporary file in `folder`."""
        self.store = BlockStore(folder)
        self.runs: list[ReportRun] = []
        self.further = 0
        self.empty: list[str] = []
        self.look = ReportLook()
        self.pooled: Mapping[tuple[str, str], HealthTotals] = {}
        # Activations with the same name, value, form and channels in two runs are one layer; a number tells apart those
        # alike within a run.
        self._layers: dict[tuple[str, str, str, int, int], _LayerParts] = {}

    def add(
        self,
        activation: Activation,
        layer: Layer | None = None,
        statistics: ChannelStatistics | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Take an activation of the current run.

        Args:
            activation: its first item is stored, arranged as it would be drawn.
            layer: its entry in the catalogue.
            statistics: those of `activation.maps()`, if they are known.
            labels: a class name for each unit.
        """
        if len(self.runs) == MOST_RUNS:
            return
        place, part = self._stored(activation, layer, statistics, labels)
        if place is not None and part is not None:
            health = channel_health(activation.array, activation.arrangement, activation.bounds, statistics).totals
            place.parts[len(self.runs)] = replace(part, health=health)

    def add_to(self, run: int, activation: Activation, layer: Layer | None, words: LayerWords) -> None:
        """Take an activation of the run of this number, in any order, with what is said of its layer.

        What is not a layer's value as it was computed, such as a difference, is not counted for health.
        """
        place, part = self._stored(activation, layer, None, words.labels, run)
        if place is not None and part is not None:
            if not place.parts:
                facts = place.facts
                notes = (*facts.notes, *words.notes)
                place.facts = replace(facts, notes=notes, finding=words.finding, explains=words.explains)
            others = place.facts.labels is not None and words.labels != place.facts.labels
            place.parts[run] = replace(part, labels=words.labels) if others else part

    def _stored(
        self,
        activation: Activation,
        layer: Layer | None,
        statistics: ChannelStatistics | None,
        labels: Sequence[str] | None,
        run: int | None = None,
    ) -> tuple[_LayerParts | None, RunPart | None]:
        """Store the block of an activation, and return its layer and its part; None where there is nothing to show."""
        arranged = arrange_axes(activation.array, activation.arrangement)
        if arranged.kind == NOTHING:
            if activation.name not in self.empty:
                self.empty.append(activation.name)
            return None, None
        array, facts = activation.array, _facts(activation, arranged, layer, labels)
        known = matching(statistics, arranged, array, activation.arrangement)
        place = self._place(facts, len(arranged.values), len(self.runs) if run is None else run)
        if arranged.kind == BARS and len(arranged.values) > MOST_CHANNELS and place.kept is None:
            known = known or channel_statistics(arranged.values)
            place.kept = strongest_channels(known, MOST_CHANNELS)
            place.facts = replace(facts, notes=(*facts.notes, _whole_words(known)))
        part = store_block(self.store, array.shape, arranged, known, place.kept)
        steps = _steps(activation, arranged)
        return place, replace(part, quantised=activation.quantised, steps=steps, prefix=arranged.prefix)

    def drop_run(self) -> None:
        """Forget the current run, which failed; its blocks stay in the store, but are not written."""
        for key, place in list(self._layers.items()):
            place.parts.pop(len(self.runs), None)
            if not place.parts:
                del self._layers[key]

    def end_run(self, run: ReportRun) -> None:
        """End the current run: `run` says what the activations added since the last one belong to."""
        if len(self.runs) < MOST_RUNS:
            self.runs.append(run)
        else:
            self.further += 1

    def __exit__(self, *details: object) -> None:
        self.store.__exit__(*details)

    def layers(self) -> tuple[LayerPart, ...]:
        """Return all layers, each with what every run has of it; those that explain the input come last."""
        return tuple(
            LayerPart(
                facts=place.facts,
                channels=channels,
                runs=tuple(map(place.parts.get, range(len(self.runs)))),
                kept=tuple(range(channels) if place.kept is None else place.kept.tolist()),
                pooled=self.pooled.get((place.facts.name, place.facts.output)),
            )
            for (_, _, _, channels, _), place in sorted(self._layers.items(), key=_explains)
        )

    def _place(self, facts: LayerFacts, channels: int, run: int) -> _LayerParts:
        """Return the layer to which a run adds; layers that look the same are kept apart."""
        keys = ((facts.name, facts.output, facts.form, channels, number) for number in count())
        places = (self._layers.setdefault(key, _LayerParts(facts)) for key in keys)
        return next(place for place in places if run not in place.parts)


@dataclass(slots=True)
class _LayerParts:
    """A layer while runs are added: its parts by run, and of a very long vector the units kept, None for all.

    Which these are the first run decides, so that all runs show the same.
    """

    facts: LayerFacts
    parts: dict[int, RunPart] = field(default_factory=dict)
    kept: NDArray[np.intp] | None = None


def _explains(entry: tuple[Any, _LayerParts]) -> bool:
    return bool(entry[1].facts.explains)


def _facts(activation: Activation, arranged: Arranged, layer: Layer | None, labels: Sequence[str] | None) -> LayerFacts:
    return LayerFacts(
        name=activation.name,
        output=activation.value,
        tap=activation.tap,
        op=activation.op,
        dtype=activation.dtype,
        layout=activation.layout,
        form=FORMS[arranged.kind],
        axes=_axes(activation, arranged),
        notes=(*_notes(activation, arranged), *arranged.notes),
        attention=arranged.kind == ATTENTION,
        layer=layer,
        tokens=activation.tokens if arranged.kind == ATTENTION or not activation.is_attention else None,
        groups=arranged.groups,
        labels=tuple(labels) if labels is not None and len(labels) == len(arranged.values) else None,
    )


def _notes(activation: Activation, arranged: Arranged) -> Iterator[str]:
    """Give what is to be said of the numbers and axes of an activation."""
    if activation.quantised is not None:
        yield f"{activation.quantised.dtype} dequantised: {activation.quantised.formula}"
    if activation.layout_assumed:
        yield f"layout {activation.layout} assumed"
    if isinstance(activation.arrangement, TokenGrid):
        yield _token_words(activation.arrangement)
    if activation.steps is not None and not arranged.in_steps:
        yield activation.steps.words


def _token_words(grid: TokenGrid) -> str:
    """Return how many tokens lie in the picture, and how many stand beside it."""
    if not grid.prefix:
        return grid.words
    besides = "1 token of no place stands" if grid.prefix == 1 else f"{grid.prefix} tokens of no place stand"
    return f"{grid.words}: {besides} at the left of each map"


def _steps(activation: Activation, arranged: Arranged) -> Steps | None:
    """Return the steps along the first stored axis, or of a vector; None where this axis is another."""
    if not arranged.in_steps or activation.steps is not None:
        return activation.steps if arranged.in_steps else None
    count = activation.array.shape[(activation.layout or "").index(STEPS)]
    return Steps(0, count - 1, count)


def _whole_words(statistics: ChannelStatistics) -> str:
    """Return the quantiles of all units of a vector in words."""
    known = statistics.mean[np.isfinite(statistics.mean)]
    low, middle, high = np.quantile(known, (0.05, 0.5, 0.95)).tolist() if known.size else [np.nan] * 3
    ends = f"90 % from {number_text(low)} to {number_text(high)}"
    return f"of all {len(statistics.mean):,} units the median is {number_text(middle)}, {ends}"


def _axes(activation: Activation, arranged: Arranged) -> tuple[int, ...]:
    """Return for each stored axis of space its place among the array's axes of space; empty where that is unknown."""
    stored = () if arranged.kind == BARS else arranged.values.shape[1:]
    if isinstance(activation.arrangement, TokenGrid):
        return tuple(range(len(stored)))
    layout = activation.layout or ""
    if len(layout) != activation.array.ndim:
        return ()
    space = [activation.array.shape[axis] for axis in spatial_axes(layout)]
    if len(stored) == len(space):
        return tuple(range(len(space)))
    long = tuple(place for place, size in enumerate(space) if size > 1)
    return long if len(long) == len(stored) else ()

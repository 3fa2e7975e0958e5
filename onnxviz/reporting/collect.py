"""Activations to blocks, each seen once, run by run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onnxviz.activations import Activation
from onnxviz.draw.arrange import ATTENTION, BANDS, BARS, FILMSTRIP, MAPS, NOTHING, Arranged, arrange_axes, matching
from onnxviz.draw.scale import ChannelStatistics
from onnxviz.layout import spatial_axes
from onnxviz.reporting.blocks import Block, make_block
from onnxviz.reporting.parts import LayerFacts, LayerPart, ReportRun, RunPart
from onnxviz.reporting.store import BlockStore

if TYPE_CHECKING:
    from onnxviz.graph.layers.catalogue import Layer

FORMS = {MAPS: "map", ATTENTION: "map", BANDS: "band", FILMSTRIP: "volume", BARS: "vector"}


@dataclass(frozen=True, slots=True)
class _Key:
    """What makes two runs' activations the same layer; `number` tells apart those that are alike in one run."""

    name: str
    value: str
    form: str
    channels: int
    number: int


MOST_RUNS = 32
"""Inputs that a page shows at most: more share its bytes so thinly that there is little to see of each."""


class Collector(AbstractContextManager["Collector"]):
    """Takes the activations of one run after the other and puts them away in `store`.

    Runs beyond MOST_RUNS are counted in `further` and let go, so that memory and disk stay flat over thousands.
    """

    def __init__(self, folder: Path) -> None:
        """Begin with nothing; blocks lie in a nameless file in `folder` until the block ends."""
        self.store = BlockStore(folder)
        self.runs: list[ReportRun] = []
        self.further = 0
        self.empty: list[str] = []
        self._layers: dict[_Key, tuple[LayerFacts, dict[int, RunPart]]] = {}

    def add(
        self,
        activation: Activation,
        layer: Layer | None = None,
        statistics: ChannelStatistics | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        """Take an activation of the run that is under way.

        Args:
            activation: its first item is stored, as it would be drawn.
            layer: its entry in the catalogue.
            statistics: those of `activation.maps()`, where they are known.
            labels: a class name for each unit.
        """
        if len(self.runs) == MOST_RUNS:
            return
        arranged = arrange_axes(activation.array, activation.layout)
        if arranged.kind == NOTHING:
            if activation.name not in self.empty:
                self.empty.append(activation.name)
            return
        block = make_block(arranged, matching(statistics, arranged, activation.array, activation.layout))
        facts = _facts(activation, arranged, layer, labels)
        part = RunPart(
            self.store.add(block.data),
            activation.array.shape,
            block.extent,
            block.statistics,
            _live(block),
            block.exact,
            block.extra,
            block.wide,
        )
        self._place(facts, len(arranged.values)).setdefault(len(self.runs), part)

    def drop_run(self) -> None:
        """Forget the activations of a run that failed; their blocks stay in the store, and are not written."""
        for key, (_, parts) in list(self._layers.items()):
            parts.pop(len(self.runs), None)
            if not parts:
                del self._layers[key]

    def end_run(self, run: ReportRun) -> None:
        """Say what the run was whose activations were added."""
        if len(self.runs) < MOST_RUNS:
            self.runs.append(run)
        else:
            self.further += 1

    def __exit__(self, *details: object) -> None:
        self.store.__exit__(*details)

    def layers(self) -> tuple[LayerPart, ...]:
        """Return all layers, each with what every run has of it."""
        return tuple(
            LayerPart(facts, key.channels, tuple(map(parts.get, range(len(self.runs)))), tuple(range(key.channels)))
            for key, (facts, parts) in self._layers.items()
        )

    def _place(self, facts: LayerFacts, channels: int) -> dict[int, RunPart]:
        """Return where the run under way puts its part of a layer; layers that look the same have a place each."""
        keys = (_Key(facts.name, facts.output, facts.form, channels, number) for number in count())
        places = (self._layers.setdefault(key, (facts, {}))[1] for key in keys)
        return next(parts for parts in places if len(self.runs) not in parts)


def _live(block: Block) -> int:
    low = block.statistics.minimum
    shown = low != 0 if math.prod(block.extent) == 1 else ~block.statistics.constant
    return int(np.count_nonzero(shown & ~np.isnan(low)))


def _facts(activation: Activation, arranged: Arranged, layer: Layer | None, labels: Sequence[str] | None) -> LayerFacts:
    return LayerFacts(
        activation.name,
        activation.value,
        activation.tap,
        activation.op,
        str(activation.array.dtype),
        activation.layout,
        FORMS[arranged.kind],
        _axes(activation, arranged),
        arranged.notes,
        arranged.kind == ATTENTION,
        layer,
        tuple(labels) if labels is not None and len(labels) == len(arranged.values) else None,
    )


def _axes(activation: Activation, arranged: Arranged) -> tuple[int, ...]:
    """Return which axis of space each stored axis is, counted among the array's axes of space."""
    stored = () if arranged.kind == BARS else arranged.values.shape[1:]
    layout = activation.layout or ""
    if len(layout) != activation.array.ndim:
        return ()
    space = [activation.array.shape[axis] for axis in spatial_axes(layout)]
    if len(stored) == len(space):
        return tuple(range(len(space)))
    long = tuple(place for place, size in enumerate(space) if size > 1)
    return long if len(long) == len(stored) else ()

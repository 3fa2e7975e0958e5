"""`figure`: a model on its inputs as one figure, a row a layer and a column an input."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

import numpy as np

from onnxviz.activations import Activation
from onnxviz.changed import changed
from onnxviz.draw.arrange import Arranged, arrange_axes, beside_words
from onnxviz.draw.figure.cells import MapPixels
from onnxviz.draw.figure.common_scale import RowStyle
from onnxviz.draw.figure.figure_parts import Figure
from onnxviz.draw.figure.figure_rows import FigureRow, layer_row, picture_row
from onnxviz.draw.figure.layout_cm import check_room, lay_out
from onnxviz.errors import UsageError
from onnxviz.feed.feed import Feed
from onnxviz.figures.figure_options import MOST, FigureChanges, FigureOptions
from onnxviz.figures.kernels import kernel_rows
from onnxviz.graph.selection.choices import Choice
from onnxviz.inputs import Inputs
from onnxviz.model import Model, choices_of
from onnxviz.opening import open
from onnxviz.results.observer import Observer
from onnxviz.runtime.devices import check_name
from onnxviz.words import listed

_NAMED = 16
"""How many channels of a row a note names."""


def figure(
    model: Model | str | os.PathLike[str],
    inputs: Any = (),
    options: FigureOptions | None = None,
    observer: Observer | None = None,
    **changes: Unpack[FigureChanges],
) -> Figure:
    """Return one figure of the chosen layers (rows) for the inputs (columns), or of kernels, to be saved or changed.

    `inputs` is what `onnxviz.view` takes; each entry of a list is a column. Of a layer the same channels are drawn for
    all inputs, on the same scale. With `weights` the kernels of layers are drawn, and nothing is fed.

    Args:
        model: A model or its file.
        inputs: What is fed.
        options: All options; None is `FigureOptions()`.
        observer: Hears of the progress.
        changes: Fields of the options that are to be others, such as `width_cm=8.9`.

    Raises:
        UsageError: An option does not fit, such as a channel that a layer does not have.
        InputError: An input cannot be fed.
        RunError: onnxruntime is missing or fails.
    """
    options, observer = changed(options or FigureOptions(), changes, "figure"), observer or Observer()
    options.check()
    check_name(options.run.device)
    if not isinstance(model, Model):
        model = open(model, stage=observer.stage, converted=observer.converted)
    if options.weights is not None:
        if options.layers is not None or _given(inputs):
            raise UsageError("kernels are drawn as they are in the model: give weights, or layers and inputs")
        return _laid_out(list(kernel_rows(model, options)), (), options)
    if options.layers is None:
        raise UsageError("a figure shows what is selected: --layers (in Python layers=), such as 'conv[0],pool[0]'")
    return _of_runs(model, inputs, options, observer)


def _of_runs(model: Model, inputs: Any, options: FigureOptions, observer: Observer) -> Figure:
    choices, remark = choices_of(model, options.layers, options.exclude, options.tap)
    observer.chosen(choices, remark)
    values = [choice.value for choice in choices]
    given = Inputs(model, inputs, options.feed, values=values, fail_fast=True)
    check_room(options.width_cm, len(given.sources))
    observer.planned(len(given.sources), 0, 1)
    executor = model.inference.executor(options.run, keep=given.several, placed=observer.placed, noted=observer.noted)
    gathered, not_shown = _Gathered(options), set[str]()

    def leave_out(choice: Choice, reason: str) -> None:
        if choice.name not in not_shown:
            not_shown.add(choice.name)
            observer.noted(f"not shown: {choice.name!r}: {reason}")

    def work(feed: Feed) -> None:
        observer.started(feed, len(choices), model.inference.map_bytes(choices, feed))
        gathered.add(feed, list(model.inference.stream(choices, feed, executor, leave_out)))
        observer.scanned()

    given.each(work)
    return gathered.figure(choices)


@dataclass(slots=True)
class _Gathered:
    """What the runs gave, run by run."""

    options: FigureOptions
    sources: list[str] = field(default_factory=list)
    pictures: list[MapPixels | None] = field(default_factory=list)
    maps: dict[str, list[Arranged]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def add(self, feed: Feed, activations: Sequence[Activation]) -> None:
        self.sources.append(feed.stem)
        self.pictures.append(feed.main.picture if feed.fed else None)
        # Of steps that differ in size the first stands for all.
        for activation in {one.value: one for one in reversed(activations)}.values():
            arranged = arrange_axes(activation.array, activation.seen_by(self.options.row_style.style.query))
            self.maps.setdefault(activation.value, []).append(self._kept(arranged))
            self.names[activation.value] = activation.name

    def _kept(self, arranged: Arranged) -> Arranged:
        """Return maps as an array of their own: the run's own is let go."""
        return replace(arranged, values=np.array(arranged.values))

    def _row_style(self, maps: Sequence[Arranged]) -> RowStyle:
        """Return how a layer is drawn: of several inputs its first channels, where these are maps."""
        options, how = self.options, self.options.row_style
        if len(maps) < 2 or maps[0].values.ndim < 3 or options.channels is not None or options.top is not None:
            return how
        return replace(how, style=replace(how.style, top=MOST))

    def figure(self, choices: Sequence[Choice]) -> Figure:
        options, several = self.options, len(self.sources) > 1
        order = [choice.value for choice in choices if len(self.maps.get(choice.value, ())) == len(self.sources)]
        if not order:
            raise UsageError("none of the chosen layers could be computed for all inputs")
        rows = [layer_row(self.names[value], self.maps[value], self._row_style(self.maps[value])) for value in order]
        if options.pictures or (options.pictures is None and several and any(one is not None for one in self.pictures)):
            rows.insert(0, picture_row("input", self.pictures))
        made = _laid_out(rows, tuple(self.sources) if several else (), options)
        return replace(made, notes=(*made.notes, *self._map_notes(order), *self._size_notes()))

    def _map_notes(self, order: Sequence[str]) -> list[str]:
        """Say how the maps of layers were made of their arrays, such as whose attention they are."""
        said = {value: dict.fromkeys(note for one in self.maps[value] for note in _notes(one)) for value in order}
        return [f"{self.names[value]}: {', '.join(notes)}" for value, notes in said.items() if notes]

    def _size_notes(self) -> list[str]:
        """Say that maps of different inputs cannot be compared place by place, where they have different sizes."""
        if all(len({one.values.shape for one in maps}) == 1 for maps in self.maps.values()):
            return []
        return ["the inputs were fed in different sizes: their maps cannot be compared place by place"]


def _notes(arranged: Arranged) -> tuple[str, ...]:
    """Return how maps were made of an array, and what stands beside them."""
    return arranged.notes if arranged.prefix is None else (*arranged.notes, beside_words(arranged.prefix))


def _count_notes(rows: Sequence[FigureRow]) -> tuple[str, ...]:
    """Return which channels of each row are drawn, where that is not all."""
    return tuple(
        f"{row.head}: {len(row.channels)} of {row.count} channels: {listed(map(str, row.channels), _NAMED)}"
        for row in rows
        if len(row.channels) < row.count
    )


def _laid_out(rows: Sequence[FigureRow], sources: tuple[str, ...], options: FigureOptions) -> Figure:
    """Return rows as a figure, with the heads that the options give."""
    labelled = _with_heads(rows, options)
    notes, rows = (*_label_notes(rows, labelled), *_count_notes(rows)), labelled
    if options.column_labels is not None:
        wanted = len(rows[0].cells)
        if len(options.column_labels) != wanted:
            raise UsageError(f"{_labels(len(options.column_labels))} given for {_columns(wanted)}")
        sources = tuple(options.column_labels)
    alone = len(rows) == 1 and options.row_labels is None and not sources
    title = options.title if options.title is not None else rows[0].head if alone else ""
    return lay_out(rows, options.frame(title, sources, heads=not alone), notes)


def _with_heads(rows: Sequence[FigureRow], options: FigureOptions) -> list[FigureRow]:
    """Return rows with the labels that the options give, for layers alone or for the row of pictures too."""
    labels = options.row_labels
    if labels is None:
        return list(rows)
    layers = [row for row in rows if row.count]
    if len(labels) == len(layers) < len(rows):
        labels = [rows[0].head, *labels]
    if len(labels) != len(rows):
        wanted = f"{len(layers)} row{'s' * (len(layers) != 1)} of layers"
        raise UsageError(f"{_labels(len(labels))} given for {wanted}")
    return [replace(row, head=label) for row, label in zip(rows, labels, strict=True)]


def _label_notes(rows: Sequence[FigureRow], labelled: Sequence[FigureRow]) -> tuple[str, ...]:
    """Return which layer each label of several stands for: rows are in the order in which the model computes them."""
    pairs = [(new.head, old.head) for old, new in zip(rows, labelled, strict=True) if old.count]
    if len(pairs) < 2 or all(label == layer for label, layer in pairs):
        return ()
    return (f"rows, as the model computes them: {', '.join(f'{label} is {layer}' for label, layer in pairs)}",)


def _labels(count: int) -> str:
    return "1 label is" if count == 1 else f"{count} labels are"


def _columns(count: int) -> str:
    return f"{count} column{'s' * (count != 1)}"


def _given(inputs: Any) -> bool:
    return not (isinstance(inputs, list | tuple) and not inputs)

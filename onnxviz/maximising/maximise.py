"""`maximise`: pictures that are made for units, channels, directions and classes, each checked against found ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Lock
from typing import Unpack

import numpy as np

from onnxviz import bundled
from onnxviz.changed import changed
from onnxviz.classes.classes import read_labels
from onnxviz.errors import ExecutionError, UnsupportedError, UsageError
from onnxviz.inference.model_gradient import ModelGradient
from onnxviz.layout import Array
from onnxviz.maximising.ascent import Ascent, Course, FlatError, ascend
from onnxviz.maximising.maximise_options import MaximiseChanges, MaximiseOptions
from onnxviz.maximising.maximised import Answer, Maximised
from onnxviz.maximising.objectives import Objective, class_objective, unit_objective
from onnxviz.maximising.picture_feed import PictureFeed
from onnxviz.model import Model
from onnxviz.opening import open
from onnxviz.results.observer import Observer
from onnxviz.runtime.devices import check_name

_TRIES = 3
"""Seeds that are tried where the gradient is zero."""

_LEAST_GAIN = 0.01
"""The least gain, in deviations of all numbers of the layer, below which a unit counts as dead."""

_SIZE_STEP = 32
_FIELDS = 0.8


def maximise(
    model: Model | str | os.PathLike[str],
    units: str | Sequence[str] = (),
    options: MaximiseOptions | None = None,
    observer: Observer | None = None,
    *,
    classes: str | Sequence[str] = (),
    **changes: Unpack[MaximiseChanges],
) -> tuple[Maximised, ...]:
    """Make a picture for each unit and class: one that it answers strongly.

    It is made, not found: no camera took it. So each comes with how strongly the unit answers it, noise, and the
    bundled photographs.

    Args:
        model: The model, or its file.
        units: `LAYER#C` for a channel, `LAYER#C@Y,X` for one place of it, `LAYER#3+17-4` for a direction; values are
            taken before their nonlinearity, behind which most have no gradient.
        options: All options; None is `MaximiseOptions()`.
        observer: Hears of the progress.
        classes: Classes by name or number.
        changes: Fields of the options that are to be others, such as `steps=320`.

    Raises:
        NoMatchError: There is no such layer, channel, place or class.
        UnsupportedError: A unit does not react, an operator has no gradient, or the model takes no pictures.
        RunError: onnxruntime is missing or fails.
    """
    options, observer = changed(options or MaximiseOptions(), changes, "maximise"), observer or Observer()
    check_name(options.run.device)
    opened = model if isinstance(model, Model) else open(model, stage=observer.stage, converted=observer.converted)
    objectives = _objectives(opened, units, classes, options)
    works = _Works(opened, options)
    observer.planned(len(objectives) * options.steps, 0, 1)
    with _side_by_side(options, len(objectives)) as (pool, stop):
        lock = Lock()

        def stepped() -> None:
            if stop.is_set():
                raise KeyboardInterrupt
            with lock:
                observer.swept(1)

        makers = [_Maker(objective, *works.of(objective), options, stepped) for objective in objectives]
        jobs = [pool.submit(maker.maximised) for maker in makers]
        return tuple(job.result() for job in jobs)


def _objectives(
    model: Model, units: str | Sequence[str], classes: str | Sequence[str], options: MaximiseOptions
) -> list[Objective]:
    labels = read_labels(options.labels) if isinstance(options.labels, Path) else options.labels
    texts = [units] if isinstance(units, str) else list(units)
    names = [classes] if isinstance(classes, str) else list(classes)
    if not texts and not names:
        raise UsageError("nothing to make a picture for: name a unit, LAYER#C, or a class")
    return [
        *(unit_objective(model, text, options.objective) for text in texts),
        *(class_objective(model, name, labels) for name in names),
    ]


@contextmanager
def _side_by_side(options: MaximiseOptions, count: int) -> Iterator[tuple[ThreadPoolExecutor, Event]]:
    """Yield what makes pictures side by side, each on one thread; it ends early where the block does."""
    stop = Event()
    workers = max(1, min(count, options.run.threads or os.cpu_count() or 1))
    with ThreadPoolExecutor(workers, "maximise") as pool:
        try:
            yield pool, stop
        finally:
            stop.set()


class _Works:
    """The feed and the gradient for each value and size: those of one value serve all its units."""

    def __init__(self, model: Model, options: MaximiseOptions) -> None:
        self._model, self._options = model, options
        self._run = replace(options.run, many=True, threads=1)
        self._made: dict[tuple[str, tuple[int, int] | None], tuple[PictureFeed, ModelGradient]] = {}

    def of(self, objective: Objective) -> tuple[PictureFeed, ModelGradient]:
        """Return them for an objective; where the model cannot be fed a size that was not asked for, its own is taken.

        Raises:
            UnsupportedError: An operator on the way has no gradient.
        """
        asked = self._options.size
        size = asked or _size_for(self._model, objective)
        try:
            return self._with_size(objective, size)
        except (ExecutionError, UnsupportedError):
            if asked is not None or size is None:
                raise
            return self._with_size(objective, None)

    def _with_size(self, objective: Objective, size: tuple[int, int] | None) -> tuple[PictureFeed, ModelGradient]:
        key = objective.value, size
        if key not in self._made:
            feed = PictureFeed(self._model, size, self._options.feed)
            gradient = ModelGradient(feed.model.inference, objective.value, (feed.input,), self._run)
            grey = np.full((*feed.size, feed.channels), 0.5)
            gradient.forward(feed.of(grey)).backward()  # opens both models before others run side by side
            self._made[key] = feed, gradient
        feed, gradient = self._made[key]
        objective.check(gradient.forward(feed.of(np.full((*feed.size, feed.channels), 0.5))).target)
        return feed, gradient


def _size_for(model: Model, objective: Objective) -> tuple[int, int] | None:
    """Return a size that shows more than what matters of a layer's field, None for what the model is fed.

    64 pixels and four fifths of the field, as a multiple of 32: of a layer with a field of 115 it is 160.
    """
    if not objective.layer:
        return None
    layer = next((layer for layer in model.catalogue if layer.name == objective.layer), None)
    field = None if layer is None else layer.receptive_field
    if field is None or field.size is None or len(field.size) != 2:
        return None
    side = -(-round(2 * _SIZE_STEP + _FIELDS * max(field.size)) // _SIZE_STEP) * _SIZE_STEP
    spec = next((spec for spec in model.inference.inputs() if spec.layout and "H" in spec.layout), None)
    whole = None if spec is None or spec.shape is None or spec.layout is None else spec.shape[spec.layout.index("H")]
    return None if isinstance(whole, int) and side >= whole else (side, side)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes the picture of one objective; `stepped` is called behind each step."""

    objective: Objective
    feed: PictureFeed
    gradient: ModelGradient
    options: MaximiseOptions
    stepped: Callable[[], None]

    def maximised(self) -> Maximised:
        """Make a picture, and compare how strongly it is answered with noise and photographs.

        Raises:
            UnsupportedError: The unit does not react.
        """
        made, seed = self._reacting()
        noise = np.random.default_rng(seed).random((*self.feed.size, self.feed.channels))
        others = {"noise": noise} | {
            f"{name}.jpg": self.feed.pixels(bundled.picture(name)) for name in bundled.PICTURES
        }
        values = {name: self._value(pixels) for name, pixels in others.items()}
        target = self._value(made.pixels)
        self._check_alive(target, values)
        answers = [Answer(name, others[name], self.objective.map(value)) for name, value in values.items()]
        best = max(answers[1:], key=lambda answer: answer.greatest)
        own = Answer("made", made.pixels, self.objective.map(target))
        return Maximised(self.objective, own, best, answers[0], made.course, seed)

    def _value(self, pixels: Array) -> Array:
        return self.gradient.forward(self.feed.of(pixels)).target

    def _reacting(self) -> tuple[Ascent, int]:
        """Make a picture from the first seed that has a gradient."""
        options = self.options
        start = None if options.start is None else self.feed.pixels(options.start)
        seeds = [options.seed + number for number in range(1 if start is not None else _TRIES)]
        for seed in seeds:
            course = Course(options.steps, options.rate, seed, start)
            try:
                return ascend(self.feed, self.gradient, self.objective, course, self.stepped), seed
            except FlatError as error:
                reason = str(error)
        raise UnsupportedError(f"{self.objective.name}: {reason}; another --seed, or a --start, may help")

    def _check_alive(self, target: Array, found: Mapping[str, Array]) -> None:
        """Refuse a unit that answers all alike: what is made for it would say nothing.

        Raises:
            UnsupportedError: Neither the picture that was made nor photographs change its answer.
        """
        numbers = [self.objective.number(value)[0] for value in found.values()]
        gain = self.objective.number(target)[0] - max(numbers)
        spread = np.mean([self.objective.spread(value) for value in found.values()])
        if gain < _LEAST_GAIN * spread and np.ptp(numbers) < _LEAST_GAIN * spread:
            raise UnsupportedError(
                f"{self.objective.name} is dead: it answers all alike, so any picture would do for it"
            )

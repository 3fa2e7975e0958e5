"""`ServedModel`: one model that is open, and what a page needs of it to show a picture."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Collection, Iterable
from functools import partial
from pathlib import Path

from onnxviz import bundled
from onnxviz.classes.classes import find_classes
from onnxviz.classes.scores import ScoredStream, Scores
from onnxviz.errors import UnsupportedError
from onnxviz.feed.feed import Feed
from onnxviz.feed.input_shapes import picture_input
from onnxviz.feed.pictures import open_picture
from onnxviz.graph.selection.choices import Choice
from onnxviz.model import Model, choices_of
from onnxviz.reporting.collect import Collector
from onnxviz.reporting.contents import ReportLook, ReportModel, ReportRun
from onnxviz.reporting.html_file import live_update, write_report
from onnxviz.serving.live_explanations import LiveExplanations
from onnxviz.serving.serve_options import ServeOptions

MOST_PIXELS = 40_000_000
"""Pixels of the largest picture that is taken, a large camera's; decoded it takes 120 MB."""

_PAGE_BYTES = 400_000_000


class ServedModel:
    """A model that is open for pictures, one after the other; nothing of them is kept.

    It is to be called from one thread at a time.
    """

    def __init__(self, model: Model, options: ServeOptions) -> None:
        """Open the model and choose its layers; `remark` is what is to be said of them, and of answers, often empty.

        Raises:
            UnsupportedError: No input of the model takes pictures.
            RunError: onnxruntime is missing.
        """
        if picture_input(model.inference.inputs()) is None:
            raise UnsupportedError(f"{model.path.name} takes no pictures: onnxviz view shows it on arrays and sounds")
        self._model = model
        self._options = options
        self._choices, self.remark = choices_of(model, options.layers, options.exclude, options.tap)
        self._classes = find_classes(model, self._choices, options.labels)
        executor = model.inference.executor(options.run, keep=True)
        run = partial(model.inference.stream, executor=executor, left_out=_leave_out)
        self._stream = ScoredStream(run, self._choices, self._classes, lambda text: None)
        self._layers = {choice.value: choice.layer for choice in self._choices}
        self._about = partial(ReportModel, model.file.origin.name, level=options.run.level)
        self._executor = executor
        self._explained = LiveExplanations(model, options)
        self._places: dict[tuple[str, str], int] = {}

    def page(self, token: str) -> bytes:
        """Return the page, which begins with a picture of this machine and knows how to ask for others."""
        feed = self._feed(self._options.picture or str(bundled.picture("cat")))
        with Collector(Path(tempfile.gettempdir())) as collected:
            collected.look = ReportLook(self._options.style)
            scores = self._collect(collected, feed, None)
            self.remark = " ".join(filter(None, (self.remark, self._explained.begin(collected, feed))))
            collected.end_run(ReportRun(feed.stem, {}, feed.fed, scores.top))
            self._places = {
                (part.facts.name, part.facts.output): place for place, part in enumerate(collected.layers())
            }
            target = io.BytesIO()
            about = self._about(device=self._executor.placement.device)
            write_report(target, about, collected, _PAGE_BYTES, live={"token": token})
        return target.getvalue()

    def update(self, picture: bytes, wanted: Collection[int]) -> bytes:
        """Return what the page needs to show another picture: its run, and the wanted layers by their places, as JSON.

        Raises:
            InputError: It is not a picture, is broken, or has more than MOST_PIXELS pixels.
        """
        feed = self._feed(open_picture(picture, "this picture", MOST_PIXELS))
        layers = {layer for layer, place in self._places.items() if place in wanted}
        with Collector(Path(tempfile.gettempdir())) as collected:
            scores = self._collect(collected, feed, layers)
            self._explained.add(collected, feed, {name for name, _ in layers})
            collected.end_run(ReportRun(feed.stem, {}, feed.fed, scores.top))
            return live_update(collected, self._places)

    def _feed(self, source: object) -> Feed:
        return self._model.inference.feed(source, self._options.feed, [choice.value for choice in self._choices])

    def _collect(self, collected: Collector, feed: Feed, wanted: Collection[tuple[str, str]] | None) -> Scores:
        """Run a feed and give the wanted layers, by name and value, None for all, to a collector."""
        scores = Scores(self._classes)
        for activation in self._stream(feed):
            scores.add(activation)
            place = activation.name, activation.value
            if activation.value in self._layers and (wanted is None or place in wanted):
                layer, labels = self._layers[activation.value], self._classes.labels_of(activation.value)
                collected.add(activation, layer, labels=labels)
        return scores


def _leave_out(choice: Choice, reason: str) -> None:
    """Leave out what cannot be shown; the page lists what it has."""


def places_of(text: str) -> frozenset[int]:
    """Return the places of layers that an address asks for; what is not a place is passed over.

    >>> sorted(places_of("0,12,x"))
    [0, 12]
    """
    parts: Iterable[str] = text.split(",")
    return frozenset(int(part) for part in parts if part.isascii() and part.isdecimal() and len(part) < 7)

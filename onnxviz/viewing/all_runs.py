"""The runs of a command: for the scale that they share, once more for those done before, and to be drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from onnxviz.activations import Activation
from onnxviz.draw.kinds import scale_of
from onnxviz.draw.scale import SharedScale, parse_scale
from onnxviz.draw.style import Style
from onnxviz.feed.feed import Feed
from onnxviz.files import safe_name
from onnxviz.graph.layers.layer import Layer
from onnxviz.inputs import Inputs
from onnxviz.layout import shape_text
from onnxviz.results.observer import Observer
from onnxviz.results.outlets import Outlets
from onnxviz.results.record import RunRecord
from onnxviz.results.unfinished import Unfinished
from onnxviz.viewing.drawing import Album, SharedLimits, Shown, Stream, draw_run, explained
from onnxviz.viewing.options import ViewOptions
from onnxviz.words import once


@dataclass(frozen=True, slots=True)
class AllRuns:
    """The runs of a command: what they are fed, how they are run, and what takes them; `done` are done before."""

    inputs: Inputs
    stream: Stream
    shown: Shown
    outlets: Outlets
    done: Unfinished

    def find_limits(self, options: ViewOptions) -> SharedLimits:
        """Return the scales that all inputs share, found now or by an earlier start, and hand them to the page."""
        limits, observer = self.done.limits, self.outlets.observer
        scans = limits is None and self._share_a_scale(options)
        observer.planned(len(self.inputs.sources), len(self.done.runs), 1 + scans)
        if limits is None:
            limits = self._scan(options.style) if scans else {}
            self.outlets.journal.add_line({"limits": limits})
        self.outlets.look(options.style, limits)
        return limits

    def _share_a_scale(self, options: ViewOptions) -> bool:
        """Return whether a scale is to be found that all inputs share; a fixed one is the same for all as it is."""
        if options.same_scale and not self.inputs.several:
            self.outlets.observer.noted("there is one input: it has its own scale, with --same-scale or without")
        return options.same_scale and self.inputs.several and parse_scale(options.style.scale)[0] != "fixed"

    def _scan(self, style: Style) -> SharedLimits:
        """Run every input, and return the scale of each chosen value over the drawn channels of all inputs.

        No channel has a scale of its own then: the style's scale is taken of all that is drawn of an input, and reaches
        from the least low end to the greatest high end of the inputs. `percentile` begins at the least 1st percentile,
        and `auto` clips as `signed` or `clipped` do.
        """
        scales: dict[str, SharedScale] = {}

        def widen(feed: Feed) -> None:
            # Of a run that fails in the middle nothing counts.
            found = {one.value: scale_of(one.array, one.seen_by(style.query), style) for one in self._chosen(feed)}
            self.outlets.observer.scanned()
            scales.update({value: scale.joined(scales.get(value, SharedScale())) for value, scale in found.items()})

        self.inputs.each(widen)
        ends = {value: scale.ends for value, scale in scales.items()}
        return {value: pair for value, pair in ends.items() if not np.isnan(pair[0])}

    def recall(self) -> None:
        """Run inputs that are done once more, without drawing, for the page and the arrays."""
        for number, (place, run) in enumerate(self.done.runs.items()):
            if self.outlets.forgets(number):
                self.inputs.once(place, partial(self._recall, run))
            else:
                self.outlets.recall(run, None, (), {})

    def _recall(self, run: RunRecord, feed: Feed) -> None:
        self.outlets.recall(run, feed, self._recalled(feed), self.shown.token_names(feed))

    def _recalled(self, feed: Feed) -> Iterator[tuple[Activation, Layer | None, Sequence[str] | None]]:
        for one in self._chosen(feed):
            yield one, self.shown.layers[one.value], self.shown.classes.labels_of(one.value)
        explained(feed, self.shown, self.outlets)  # behind the layers, as when it was drawn

    def draw(self, album: Album) -> tuple[RunRecord, ...]:
        """Draw every input that can be used, where there are several each in a folder of its own."""
        runs = list(self.done.runs.values())
        sizes = _Sizes(self.outlets.observer)

        def draw(feed: Feed) -> None:
            if album.options.same_scale:
                sizes.check(feed)
            directory = f"{len(runs):03}-{safe_name(feed.stem)}" if self.inputs.several else "."
            own = replace(album, directory=directory, place=self.inputs.place)
            with self.outlets.run(directory):
                runs.append(draw_run(feed, self._announced(feed), self.shown, own, self.outlets))

        self.inputs.each(draw, self.done.runs)
        return tuple(runs)

    def _announced(self, feed: Feed) -> Iterator[Activation]:
        """Run a feed, of which the observer hears at once, or, where it may be refused, with its first values."""
        choices, inference, observer = self.shown.choices, self.shown.model.inference, self.outlets.observer
        is_said = False

        def say() -> None:
            nonlocal is_said
            if not is_said:
                observer.started(feed, len(choices), inference.map_bytes(choices, feed))
            is_said = True

        def accepted(one: Activation) -> Activation:
            say()
            return one

        if not feed.has_guesses:
            say()
        return map(accepted, self.stream(feed))

    def _chosen(self, feed: Feed) -> Iterator[Activation]:
        """Run a feed and yield the activations of what is shown, without those of class outputs alone."""
        layers = self.shown.layers
        return (one for one in self.stream(feed) if one.value in layers)


class _Sizes:
    """Says once that inputs are fed in different sizes, whose maps cannot be compared place by place."""

    def __init__(self, observer: Observer) -> None:
        self._noted = once(observer.noted)
        self._first: str | None = None

    def check(self, feed: Feed) -> None:
        size = shape_text(feed.main.shape) if feed.fed else ""
        self._first = self._first or size
        if size != self._first:
            way = "; --size HxW feeds all pictures alike" if feed.main.picture is not None else ""
            self._noted(
                f"ATTENTION: inputs are fed in different sizes ({self._first}, {size}): their maps share a scale, but "
                f"cannot be compared place by place{way}"
            )

"""`LiveExplanations`: why the model answers as it does, for one picture of a served page after the other."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from onnxviz.activations import Activation
from onnxviz.errors import NoMatchError, UnsupportedError
from onnxviz.explaining.explain import explanations, labels_of
from onnxviz.explaining.explain_options import ExplainOptions
from onnxviz.explaining.explanation_page import add_explanation
from onnxviz.explaining.network import Network
from onnxviz.feed.feed import Feed
from onnxviz.model import Model
from onnxviz.reporting.collect import Collector
from onnxviz.reporting.contents import LayerWords
from onnxviz.serving.serve_options import ServeOptions

_TARGET = "top3"


class LiveExplanations:
    """A layer of the page for each method, whose maps are of the three strongest classes.

    What a method opens, such as the backward model, is kept for the next picture.
    """

    def __init__(self, model: Model, options: ServeOptions) -> None:
        """Keep what is asked for; nothing is opened yet."""
        self._model = model
        self._options = ExplainOptions(options.explain, _TARGET, labels=options.labels, feed=options.feed)
        self._network: Network | None = None
        self.methods = tuple(dict.fromkeys(options.explain))

    def begin(self, collected: Collector, feed: Feed) -> str:
        """Add all methods; those that do not work for the first picture are not offered, and the reason is returned."""
        working, reasons = [], []
        for method in self.methods:
            try:
                self._add(collected, feed, method)
                working.append(method)
            except (UnsupportedError, NoMatchError) as error:
                reasons.append(str(error))
        self.methods = tuple(working)
        return f"answers are not explained: {reasons[0]}" if reasons else ""

    def add(self, collected: Collector, feed: Feed, wanted: Collection[str]) -> None:
        """Add those of the wanted layers that are explanations; of one that cannot be made its reason."""
        for method in self.methods:
            if method in wanted:
                try:
                    self._add(collected, feed, method)
                except UnsupportedError as error:
                    _add_reason(collected, method, str(error))

    def _add(self, collected: Collector, feed: Feed, method: str) -> None:
        self._network = self._network.on(feed) if self._network else Network(self._model, feed, self._options.run)
        options = replace(self._options, methods=(method,))
        found = explanations(self._network, options, labels_of(self._model, options))
        first = found[0]
        alike = [one for one in found if (one.layer, one.array.shape) == (first.layer, first.array.shape)]
        add_explanation(collected, method, alike)


def _add_reason(collected: Collector, method: str, reason: str) -> None:
    """Add an empty map in the place of explanations, with the reason why there is none."""
    words = LayerWords((reason,), ("no explanation",), explains="class")
    empty = Activation(method, method, "value", np.zeros((1, 1, 2, 2), np.float32), "NCHW", method)
    collected.add_to(len(collected.runs), empty, None, words)

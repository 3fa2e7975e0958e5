"""What explains the answers on the inputs of a command: heat maps that its page lays over each input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from onnxviz.errors import OnnxvizError
from onnxviz.explaining.explain import explanations, labels_of
from onnxviz.explaining.explain_options import ExplainOptions
from onnxviz.explaining.explanation import Explanation
from onnxviz.explaining.explanation_page import add_explanations
from onnxviz.explaining.methods import check_methods
from onnxviz.explaining.network import Network
from onnxviz.explaining.target import named_unit
from onnxviz.feed.feed import Feed
from onnxviz.model import Model
from onnxviz.reporting.collect import MOST_RUNS, Collector
from onnxviz.results.observer import Observer
from onnxviz.viewing.options import ViewOptions

_UNIT_METHODS = ("guided",)


class RunExplanations:
    """Explains the three strongest classes and chosen units on one input after the other.

    What cannot be explained is said once.
    """

    def __init__(self, model: Model, options: ViewOptions, observer: Observer) -> None:
        """Read the names of the classes.

        Raises:
            InputError: They cannot be read, or fit no output.
            NoMatchError: There is no such layer of a unit.
            UsageError: A method is not known, or a text does not name a unit.
        """
        check_methods(options.explain or _UNIT_METHODS)
        for unit in options.unit:
            named_unit(model, unit)
        self._units = options.unit
        self._model = model
        self._options = ExplainOptions(options.explain, labels=options.labels, feed=options.feed, run=options.run)
        self._labels = labels_of(model, self._options)
        self._observer = _SaidOnce(observer)
        self._network: Network | None = None

    def add(self, feed: Feed, collected: Collector) -> tuple[dict[str, Any], ...]:
        """Add those of the current run to its page, and return what `view.json` keeps of them."""
        if len(collected.runs) == MOST_RUNS:
            return ()
        try:
            # What it opens is kept for the next input.
            self._network = self._network.on(feed) if self._network else Network(self._model, feed, self._options.run)
            found = list(self._found(self._network))
        except OnnxvizError as error:  # the maps are shown all the same
            self._observer.noted(f"not explained: {error}")
            return ()
        add_explanations(collected, found)
        # Without the time that it took, which no two runs share.
        return tuple({key: value for key, value in one.as_json().items() if key != "seconds"} for one in found)

    def _found(self, network: Network) -> Iterator[Explanation]:
        if self._options.methods:
            yield from explanations(network, self._options, self._labels, self._observer)
        for unit in self._units:
            options = replace(self._options, methods=_UNIT_METHODS, unit=unit)
            yield from explanations(network, options, self._labels, self._observer)


class _SaidOnce(Observer):
    """Passes each sentence on once: of several inputs most would be the same."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._said: set[str] = set()

    def noted(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._observer.noted(text)

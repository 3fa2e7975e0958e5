"""The inputs of one call of `view`: each is fed when its turn comes, and one that cannot be used holds up no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxviz.errors import ExecutionError, InputError, OnnxvizError, UsageError
from onnxviz.feed.feed import Feed
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.feed.find import MAIN, find_sources
from onnxviz.feed.load import STANDARD_INPUT
from onnxviz.feed.make import RANDOM_WAY
from onnxviz.model import Model
from onnxviz.viewing.options import ViewOptions
from onnxviz.viewing.watcher import Watcher


class Inputs:
    """What a call is given, one source a run, and which of them could not be used."""

    def __init__(self, model: Model, given: Any, options: ViewOptions, watcher: Watcher) -> None:
        """Find the sources; none is opened yet.

        Raises:
            InputError: A folder or pattern holds nothing that can be fed.
            UsageError: Nothing is given, and no noise is asked for.
        """
        self._model = model
        self._options = options
        self._watcher = watcher
        self._sources = _sources(model, given, options.feed)
        self._piped: dict[str, Feed] = {}
        self._failures: dict[int, OnnxvizError] = {}

    @property
    def several(self) -> bool:
        """Whether there is more than one run."""
        return len(self._sources) > 1

    @property
    def failures(self) -> tuple[tuple[str, str], ...]:
        """The sources that could not be used, in their order, each with its error's text."""
        return tuple((_text(self._sources[place]), str(error)) for place, error in sorted(self._failures.items()))

    def each(self, work: Callable[[Feed], None]) -> None:
        """Do something with every feed; of several sources those that fail are told, and left out from then on.

        Raises:
            InputError, ExecutionError: The only source failed, or with `fail_fast` any, or all of them did.
        """
        for place, source in enumerate(self._sources):
            if place not in self._failures:
                try:
                    work(self._feed(source))
                except (InputError, ExecutionError) as error:
                    if self._options.fail_fast or not self.several:
                        raise
                    self._leave_out(place, error)

    def _leave_out(self, place: int, error: OnnxvizError) -> None:
        # A copy: the error itself holds on to the arrays of the calls that it came through.
        self._failures[place] = type(error)(str(error))
        self._watcher.failed(_text(self._sources[place]), error)
        if len(self._failures) == len(self._sources):
            raise self._failures[0] from None

    def _feed(self, source: Any) -> Feed:
        """Return what a source feeds; what is piped in is kept, as it can be read only once."""
        text = _text(source)
        if text in self._piped:
            return self._piped[text]
        fed = self._model.feed(source, self._options.feed)
        parts = source.values() if isinstance(source, Mapping) else [source]
        if any(isinstance(part, str) and part == STANDARD_INPUT for part in parts):
            self._piped[text] = fed
        return fed


def _sources(model: Model, given: Any, options: FeedOptions) -> Sequence[Any]:
    if isinstance(given, str | Path):
        given = [given]
    if not (isinstance(given, list | tuple) and all(isinstance(text, str | Path) for text in given)):
        return [given]
    if not given:
        if options.seed is None and options.constant is None:
            raise UsageError(f"give a picture or another input, or ask for noise: {RANDOM_WAY}")
        return [None]
    return list(find_sources([str(text) for text in given], model.inputs))


def _text(source: Any) -> str:
    if isinstance(source, Mapping):
        return ", ".join(str(value) if name == MAIN else f"{name}={value}" for name, value in source.items())
    return str(source) if isinstance(source, str | Path) else type(source).__name__

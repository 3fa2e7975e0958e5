"""The inputs of a command, one run each: an input is loaded when its turn comes, and a bad one stops no other."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from onnxviz.errors import ExecutionError, InputError, OnnxvizError, UsageError
from onnxviz.feed.arrays import opened_npz
from onnxviz.feed.feed import Feed
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.feed.find import MAIN, find_sources
from onnxviz.feed.input_shapes import takes_noise
from onnxviz.feed.load import STANDARD_INPUT
from onnxviz.feed.make import RANDOM_WAY
from onnxviz.feed.second_sizes import Tries
from onnxviz.layout import TensorSpec
from onnxviz.model import Model


class Inputs:
    """The sources of a command, one a run, and those among them that could not be used.

    `place` is that of the source that is under way.
    """

    def __init__(
        self,
        model: Model,
        given: Any,
        options: FeedOptions,
        *,
        values: Sequence[str] | None = None,
        failed: Callable[[str, OnnxvizError], None] = lambda source, error: None,
        fail_fast: bool = False,
    ) -> None:
        """Find the sources without opening them.

        Args:
            model: what they are fed to.
            given: one source (see `Model.run`), or a list: each entry is a run, texts and paths may name several.
            options: how they are fed.
            values: what is run, None for all outputs; inputs that it does not need are not asked for.
            failed: called with each of several sources that cannot be used, and why.
            fail_fast: raise the first error instead.

        Raises:
            InputError: A folder or pattern holds nothing that can be fed.
            UsageError: Nothing is given, and no noise is asked for.
        """
        self._model = model
        self._options = options
        self._values = values
        self._failed = failed
        self._fail_fast = fail_fast
        self._specs = model.inference.inputs(values)
        self._sources = list(_sources(self._specs, given, options))
        self._names = [_name(source, place) for place, source in enumerate(self._sources)]
        self.place = 0
        self._piped: dict[str, Feed] = {}
        self._failures: dict[int, OnnxvizError] = {}

    @property
    def sources(self) -> tuple[Any, ...]:
        """What each run is fed from."""
        return tuple(self._sources)

    @property
    def several(self) -> bool:
        """Whether there is more than one run."""
        return len(self._sources) > 1

    @property
    def failures(self) -> tuple[tuple[str, str], ...]:
        """The sources that could not be used, in their order, each with its error's text."""
        return tuple((self._names[place], str(error)) for place, error in sorted(self._failures.items()))

    def each(self, work: Callable[[Feed], None], done: Container[int] = ()) -> None:
        """Do something with every feed, but those whose places are `done`.

        One of several sources that fails is left out from then on.

        Raises:
            InputError, ExecutionError: The only source failed, or with `fail_fast` any, or all of them did.
        """
        for place in range(len(self._sources)):
            if place not in self._failures and place not in done:
                self.place = place
                try:
                    self.once(place, work)
                except (InputError, ExecutionError) as error:
                    if self._fail_fast or not self.several:
                        raise
                    self._leave_out(place, error)

    def once(self, place: int, work: Callable[[Feed], None]) -> None:
        """Do something with the feed of the source at a place; where the model refuses what was made up, with another.

        Raises:
            InputError, ExecutionError: It cannot be fed, or the work fails on it.
        """
        source, name = self._sources[place], self._names[place]
        tries = Tries(lambda size: self._feed(source, name) if size is None else self._made(source, size))
        while True:
            try:
                return work(tries.feed)
            except ExecutionError as error:
                tries.refused(error)

    def _leave_out(self, place: int, error: OnnxvizError) -> None:
        # A copy: the error itself holds on to the arrays of the calls that it came through.
        self._failures[place] = type(error)(str(error))
        self._failed(self._names[place], error)
        if len(self._failures) == len(self._sources):
            raise self._failures[0] from None

    def _feed(self, source: Any, name: str) -> Feed:
        """Return what a source feeds; what is piped in is kept, as it can be read only once."""
        if name in self._piped:
            return self._piped[name]
        fed = self._made(source)
        parts = source.values() if isinstance(source, Mapping) else [source]
        if any(isinstance(part, str) and part == STANDARD_INPUT for part in parts):
            self._piped[name] = fed
        return fed

    def _made(self, source: Any, open_size: int | None = None) -> Feed:
        return self._model.inference.feed(source, self._options, self._values, open_size=open_size)


def given_by_name(model: Model, given: Any) -> frozenset[str]:
    """Return the model's inputs that every run is given by name: `NAME=FILE`, a key of a mapping or of a .npz file.

    Raises:
        InputError: A folder or pattern holds nothing that can be fed.
    """
    if isinstance(given, list | tuple) and not given:
        return frozenset()
    specs = model.inference.inputs()
    named = map(_names, _sources(specs, given, FeedOptions()))
    return frozenset(spec.name for spec in specs).intersection(*named)


def _names(source: Any) -> frozenset[str]:
    parts = source if isinstance(source, Mapping) else {MAIN: source}
    main, names = parts.get(MAIN), parts.keys() - {MAIN}
    if isinstance(main, Path) and main.suffix.lower() == ".npz":
        with suppress(InputError), opened_npz(main, str(main)) as archive:
            names |= archive.keys()
    return frozenset(names)


def _sources(specs: Sequence[TensorSpec], given: Any, options: FeedOptions) -> Iterator[Any]:
    entries = list(given) if isinstance(given, list | tuple) else [given]
    # Of one that takes no noise, the feed says how it is given.
    asks = any(spec.use.is_needed and takes_noise(spec) for spec in specs)
    if not entries and options.seed is None and options.constant is None and asks:
        raise UsageError(f"give a picture or another input, or ask for noise: {RANDOM_WAY}")
    if all(isinstance(entry, str | Path) for entry in entries):
        # Together: NAME=FILE among them belongs to the run of each other one.
        yield from find_sources([str(entry) for entry in entries], specs)
        return
    for entry in entries:
        yield from find_sources([str(entry)], specs) if isinstance(entry, str | Path) else [entry]


def _name(source: Any, place: int) -> str:
    if isinstance(source, Mapping):
        return ", ".join(_part(value) if name == MAIN else f"{name}={_part(value)}" for name, value in source.items())
    return str(source) if isinstance(source, str | Path) else f"input {place + 1} ({_part(source)})"


def _part(value: Any) -> str:
    return str(value) if isinstance(value, str | Path | int | float) else type(value).__name__

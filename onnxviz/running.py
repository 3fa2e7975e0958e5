"""Runs of a model: what is fed, the pieces of graph that a run takes, and the activations that come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from onnxviz.activations import Activation, Activations
from onnxviz.errors import RunError, UnsupportedError
from onnxviz.feed.feeds import Feed, make_feed
from onnxviz.feed.options import FeedOptions
from onnxviz.feed.targets import open_sizes, picture_input
from onnxviz.graph.axes import follow_axes
from onnxviz.graph.expose import expose
from onnxviz.graph.graph import Graph
from onnxviz.graph.model_file import ModelFile
from onnxviz.graph.region import Region, region
from onnxviz.graph.segments import map_bytes, plan
from onnxviz.graph.selection import Choice
from onnxviz.graph.shapes import fix_inputs, infer_types
from onnxviz.layout import TensorSpec, spatial_axes
from onnxviz.run.execute import Piece, execute
from onnxviz.run.session import Placement, RunOptions, Session, check_taken


class Runs:
    """Feeds and runs one graph, whose weights stay in its file."""

    def __init__(self, file: ModelFile, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        """Take the graph and what is known of its values before anything is fed."""
        self.file = file
        self.graph = graph
        self.types = types
        self._last_fed: tuple[Mapping[str, tuple[int, ...]] | None, Mapping[str, TensorSpec]] = (None, {})

    def feed(self, source: Any, options: FeedOptions | None) -> Feed:
        """Turn a source into what the graph takes; a Feed is taken as it is.

        Raises:
            InputError: It cannot be fed.
        """
        if isinstance(source, Feed):
            return source
        return make_feed(self._inputs, source, options or FeedOptions(), self.graph.metadata)

    def stream(
        self,
        choices: Sequence[Choice],
        fed: Feed,
        options: RunOptions,
        placed: Callable[[Placement], None],
        sessions: dict[bytes, Session] | None,
    ) -> Iterator[Activation]:
        """Yield an activation for each choice as the pieces of the graph run (see `execute`)."""
        self._check(choices)
        named = {choice.value: choice for choice in choices}
        ready = {name: array for name, array in fed.arrays.items() if name in named}
        for value, array in ready.items():
            yield self.activation(named[value], array.copy())
        pieces = self.pieces(list(named), fed, options)
        with self.advising(fed):
            for value, array in execute(pieces, fed.arrays, self.file.folder, self._tuned(options), placed, sessions):
                if value in named and value not in ready:
                    yield self.activation(named[value], array)

    def pieces(self, values: Sequence[str], fed: Feed, options: RunOptions) -> list[Piece]:
        """Plan a run: the graph cut to what the values need, in pieces whose maps fit in the memory given."""
        values = [value for value in values if value in self.graph.producers]
        if not values:
            return []
        # The sizes that are fed bound the pieces; what runs keeps the file's own: onnxruntime's inference of some
        # models fails once their inputs' sizes are fixed (silero_vad's If).
        segments = plan(self.graph, values, self._fed_types(fed), options.memory)
        return [Piece(part.graph.to_bytes(), part.inputs, part.outputs) for part in segments]

    def map_bytes(self, values: Sequence[str], fed: Feed) -> int:
        """Estimate the bytes of the maps of some values for a feed; values of unknown size count nothing."""
        types = self._fed_types(fed)
        return sum(map_bytes(types[value]) or 0 for value in values if value in types)

    def sizes(self, values: Sequence[str], fed: Feed, options: RunOptions) -> Mapping[str, TensorSpec]:
        """Run, and return type and shape of the values as they came out, those that are tensors."""
        self._check(())
        pieces = self.pieces(values, fed, options)
        with self.advising(fed):
            return {
                value: TensorSpec(value, str(array.dtype), array.shape)
                for value, array in execute(pieces, fed.arrays, self.file.folder, self._tuned(options))
                if isinstance(array, np.ndarray)
            }

    def region(self, choice: Choice, position: Sequence[int], fed: Feed) -> Region:
        """Return which pixels of what was fed a position on a map of the choice depends on."""
        graph = fix_inputs(self.graph, {name: array.shape for name, array in fed.arrays.items()})
        layout = choice.layer.layout if choice.layer is not None else None
        return region(graph, self._fed_types(fed), choice.value, position, spatial_axes(layout))

    def values(self, names: Sequence[str], fed: Feed, options: RunOptions) -> list[Any]:
        """Run the whole graph, uncut, and return some of its outputs."""
        return self._open(self.graph, options).run(fed.arrays, names)

    def session(self, choices: Sequence[Choice], options: RunOptions) -> Session:
        """Open the graph, cut to what the choices need, for many runs."""
        self._check(choices)
        cut = expose(self.graph, [choice.value for choice in choices], self.types, only=True).graph
        return self._open(cut, options)

    def activation(self, choice: Choice, array: Any) -> Activation:
        """Return an array that a run gave with what is known of its value."""
        if not isinstance(array, np.ndarray):
            raise UnsupportedError(f"{choice.name!r} is no tensor but a {type(array).__name__}; it cannot be shown")
        layer = choice.layer
        layout = layer.layout if layer is not None and len(layer.layout or "") == array.ndim else None
        if layout is not None and layout.count("T") == 1 and not self._takes_pictures:
            layout = layout.replace("T", "L")  # steps of time or words, no patches of a picture
        return Activation(choice.name, choice.value, choice.tap, array, layout, layer.op if layer is not None else "")

    @contextmanager
    def advising(self, fed: Feed) -> Iterator[None]:
        """Add to onnxruntime's error which of the sizes that were fed are a choice."""
        try:
            yield
        except RunError as error:
            choice = open_sizes(self.graph.inputs, {name: array.shape for name, array in fed.arrays.items()})
            if not choice or type(error) is not RunError:
                raise
            raise RunError(f"{error}\n{choice}") from None

    def _open(self, graph: Graph, options: RunOptions) -> Session:
        return Session(graph.to_bytes(), self.file.folder, self._tuned(options))

    def _check(self, choices: Sequence[Choice]) -> None:
        """Refuse what no run computes, and weights from a file that changed or is not all there."""
        weights = [choice.name for choice in choices if choice.value in self.graph.initializers]
        if weights:
            raise UnsupportedError(f"{weights[0]!r} is a weight of the model; what a run computes can be shown")
        self.file.check_unchanged()
        self.file.check_complete()

    def _fed_types(self, fed: Feed) -> Mapping[str, TensorSpec]:
        """Return type and shape of every value for what is fed; inferred once for inputs of the same sizes."""
        shapes = {name: array.shape for name, array in fed.arrays.items()}
        if self._last_fed[0] != shapes:
            self._last_fed = shapes, infer_types(fix_inputs(self.graph, shapes))
        return self._last_fed[1]

    def _tuned(self, options: RunOptions) -> RunOptions:
        return replace(options, weights_only_quantised=self._weights_only_quantised)

    @cached_property
    def _inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs with the layout that the graph's own operators give them, where they do."""
        axes = follow_axes(self.graph, self.types)
        known = {name: found.layout for name, found in axes.items() if not found.assumed}
        return tuple(replace(spec, layout=known.get(spec.name)) for spec in self.graph.inputs)

    @cached_property
    def _takes_pictures(self) -> bool:
        return picture_input(self._inputs) is not None

    @cached_property
    def _weights_only_quantised(self) -> bool:
        nodes = self.graph.nodes
        unpacking = [node for node in nodes if node.op == "DequantizeLinear"]
        packing = any(node.op in ("QuantizeLinear", "DynamicQuantizeLinear") for node in nodes)
        return bool(unpacking) and not packing and all(self.graph.is_constant(node.inputs[0]) for node in unpacking)


class ModelSession(AbstractContextManager["ModelSession"]):
    """A model opened once for many runs on one device."""

    def __init__(self, runs: Runs, choices: Sequence[Choice], options: RunOptions) -> None:
        """Open the graph, cut to what the choices need.

        Raises:
            DeviceError: The device took no node.
        """
        self._runs = runs
        self._choices = choices
        self._session: Session | None = runs.session(choices, options)
        self.placement = self._session.placement
        check_taken(self.placement)

    def run(self, source: Any, feed: FeedOptions | None = None) -> Activations:
        """Run once on a source (see `Model.run`) and return the activations."""
        if self._session is None:
            raise RunError("the session is closed")
        fed = self._runs.feed(source, feed)
        with self._runs.advising(fed):
            arrays = self._session.run(fed.arrays, [choice.value for choice in self._choices])
        return Activations(map(self._runs.activation, self._choices, arrays))

    def __exit__(self, *details: object) -> None:
        self._session = None

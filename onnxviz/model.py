"""A model that is open: its layers, what is selected of it, the same model with more outputs, and its runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxviz.activations import Activation, Activations
from onnxviz.errors import NoMatchError, RunError, UnsupportedError, UsageError
from onnxviz.graph.axes import follow_axes
from onnxviz.graph.expose import expose, strip_metadata
from onnxviz.graph.graph import Graph
from onnxviz.graph.layer_table import LayerTable
from onnxviz.graph.layers import Layer, catalogue
from onnxviz.graph.model_file import ModelFile
from onnxviz.graph.region import Region, region
from onnxviz.graph.segments import map_bytes, plan
from onnxviz.graph.selection import Choice, default_choices, select
from onnxviz.graph.shapes import fix_inputs, infer_types
from onnxviz.graph.write import check_link, write_linked, write_standalone
from onnxviz.layout import TensorSpec, spatial_axes
from onnxviz.run.difference import Difference, difference
from onnxviz.run.execute import Piece, execute
from onnxviz.run.session import Placement, RunOptions, Session, check_taken

if TYPE_CHECKING:
    from onnxviz.feed.fed import Feed
    from onnxviz.feed.options import FeedOptions

Selection = str | Layer | Sequence[str | Layer] | Mapping[str, str]
"""What `layers=` takes: a selection or a layer, several of them, or selections with a new name each."""


def open_model(path: str | os.PathLike[str]) -> Model:
    """Open an ONNX file; weights are not read.

    Raises:
        ModelError: The file is missing, is no ONNX model or is broken; the text says which.
    """
    file = ModelFile.open(path)
    graph = Graph.from_bytes(file.skeleton)
    check_link(graph, file.path.resolve().parent)
    return Model(file, graph)


class Model:
    """An ONNX model whose weights stay in its file. Nothing is ever changed: what rewrites it gives a new Model."""

    def __init__(
        self, file: ModelFile, graph: Graph, exposed: Sequence[Choice] = (), remarks: Sequence[str] = ()
    ) -> None:
        """Join a graph to the file that holds its weights; `open_model` is the usual way."""
        self.file = file
        self.graph = graph
        self.exposed = tuple(exposed)
        self.remarks = tuple(remarks)
        self._last_fed: tuple[Mapping[str, tuple[int, ...]] | None, Mapping[str, TensorSpec]] = (None, {})

    @property
    def path(self) -> Path:
        """The file that was opened."""
        return self.file.path

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The model's inputs, without those that are weights."""
        return self.graph.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The model's outputs."""
        return self.graph.outputs

    @property
    def metadata(self) -> Mapping[str, str]:
        """The text that the file keeps about itself."""
        return self.graph.metadata

    @cached_property
    def types(self) -> Mapping[str, TensorSpec]:
        """Type and shape of every value, as far as inference tells."""
        return infer_types(self.graph)

    @cached_property
    def catalogue(self) -> tuple[Layer, ...]:
        """Every layer of a kind worth looking at, in graph order."""
        return catalogue(self.graph, self.types)

    @cached_property
    def every_layer(self) -> tuple[Layer, ...]:
        """Every node as a layer, whatever its kind."""
        return catalogue(self.graph, self.types, every=True)

    @cached_property
    def layers(self) -> Mapping[str, Layer]:
        """The layers at the top level of the graph by name, in graph order."""
        return LayerTable({layer.name: layer for layer in self.catalogue if not layer.inside})

    def select(
        self, layers: Selection | None = None, *, exclude: Sequence[str] = (), tap: str = "act"
    ) -> tuple[Layer, ...]:
        """Return the layers that a selection chooses, in graph order, each once.

        Raises:
            SelectionError: The selection cannot be read.
            NoMatchError: It matches nothing, or only values that are no layers, such as an input.
        """
        choices, _ = self.choose(layers, exclude=exclude, tap=tap)
        found = tuple(choice.layer for choice in choices if choice.layer is not None)
        if not found:
            names = ", ".join(repr(choice.name) for choice in choices)
            raise NoMatchError(f"{names} can be exposed and viewed, but {'are' if len(choices) > 1 else 'is'} no layer")
        return found

    def choose(
        self, layers: Selection | None, *, exclude: Sequence[str] = (), tap: str = "act"
    ) -> tuple[tuple[Choice, ...], str]:
        """Return what a selection chooses, as values with the name to show, and a remark on it (often empty).

        Raises:
            SelectionError: The selection cannot be read.
            NoMatchError: It matches nothing.
        """
        if tap not in ("act", "op"):
            raise UsageError(f"unknown tap {tap!r}: act (after norm and nonlinearity) or op (the node's own output)")
        if layers is None:
            choices, taken = default_choices(self.graph, self.catalogue, tap, exclude)
            return choices, f"no selection given: {taken}"
        if isinstance(layers, Mapping):
            return self._renamed(layers, exclude, tap), ""
        given = [layers] if isinstance(layers, str | Layer) else list(layers)
        wrong = next((item for item in given if not isinstance(item, str | Layer)), None)
        if wrong is not None:
            raise UsageError(f"a selection is a text or a layer, not {type(wrong).__name__}")
        texts = [item for item in given if isinstance(item, str)]
        if len(texts) == len(given):
            return self._selected(texts, exclude, tap), ""
        chosen = [self._taken(layer, tap) for layer in given if isinstance(layer, Layer)]
        chosen += self._selected(texts, (), tap) if texts else ()
        return self._without(chosen, exclude, tap), ""

    def _renamed(self, names: Mapping[str, str], exclude: Sequence[str], tap: str) -> tuple[Choice, ...]:
        named: dict[str, Choice] = {}
        for text, name in names.items():
            found = self._selected([text], (), tap)
            for choice in found:
                own = name if len(found) == 1 else f"{name}/{choice.name}"
                if choice.value in named:
                    raise UsageError(f"{choice.value!r} is given two names: {named[choice.value].name!r} and {own!r}")
                named[choice.value] = replace(choice, name=own)
        return self._without(list(named.values()), exclude, tap)

    def _taken(self, layer: Layer, tap: str) -> Choice:
        if layer.inside:
            raise UnsupportedError(f"{layer.name!r} lies inside {layer.inside}, whose values no session hands out")
        return Choice(layer.name, layer.value(tap), tap, layer)

    def _without(self, choices: Sequence[Choice], exclude: Sequence[str], tap: str) -> tuple[Choice, ...]:
        """Return choices in graph order, each value once, without those that are excluded."""
        gone: set[str] = set()
        if exclude:
            with suppress(NoMatchError):
                gone = {choice.value for choice in self._selected(exclude, (), tap)}
        kept = {choice.value: choice for choice in choices if choice.value not in gone}
        if not kept:
            raise NoMatchError("nothing is selected, or all of it is excluded")
        return tuple(sorted(kept.values(), key=lambda choice: self._place(choice.value)))

    def _place(self, value: str) -> int:
        producer = self.graph.producers.get(value)
        return -1 if producer is None else producer.index

    def _selected(self, texts: Sequence[str], exclude: Sequence[str], tap: str) -> tuple[Choice, ...]:
        return select(texts, graph=self.graph, layers=self.catalogue, exclude=exclude, tap=tap)

    def expose(
        self, layers: Selection | None = None, *, exclude: Sequence[str] = (), tap: str = "act", only: bool = False
    ) -> Model:
        """Return this model with the chosen values as outputs after its own, in graph order.

        With `only` they replace the model's own outputs, and what they do not need is dropped.

        Raises:
            SelectionError: The selection cannot be read.
            NoMatchError: It matches nothing.
        """
        choices, _ = self.choose(layers, exclude=exclude, tap=tap)
        return self.exposing(choices, only=only)

    def exposing(self, choices: Sequence[Choice], *, only: bool = False) -> Model:
        """Return this model with what was chosen as outputs; `remarks` says what was an output already."""
        types = {**self.types, **{choice.value: self._ranked(choice) for choice in choices}}
        exposed = expose(self.graph, [choice.value for choice in choices], types, only=only)
        remarks = [f"{value!r} already is an output" for value in exposed.already]
        return Model(self.file, exposed.graph, choices, remarks)

    def without_metadata(self) -> Model:
        """Return this model without its exporter's metadata, such as stack traces with their author's paths."""
        return Model(self.file, strip_metadata(self.graph), self.exposed, self.remarks)

    def save(self, path: str | os.PathLike[str], *, linked: bool = False, force: bool = False) -> None:
        """Write the model: with all weights in it, or `linked` with weights that stay in the original file.

        Raises:
            OutputError: The file exists and `force` is not given, or it cannot be written.
            ModelError: The original changed since it was opened.
        """
        self._check_file()
        (write_linked if linked else write_standalone)(self.graph, self.file, Path(path), force=force)

    def feed(self, source: Any = None, options: FeedOptions | None = None) -> Feed:
        """Turn a picture, an array, a matrix or a sound into what the model takes.

        Raises:
            InputError: It cannot be fed.
        """
        # Not at the top: listing and exposing need no Pillow, and stay under 60 MiB without it.
        from onnxviz.feed.feeds import Feed, FeedOptions, make_feed

        if isinstance(source, Feed):
            return source
        return make_feed(self._inputs_with_layouts, source, options or FeedOptions(), self.metadata)

    def run(
        self,
        source: Any = None,
        *,
        layers: Selection | None = None,
        tap: str = "act",
        feed: FeedOptions | None = None,
        run: RunOptions | None = None,
    ) -> Activations:
        """Run the model on one source and return the chosen activations.

        `source` is a file, an array, a Pillow image, a Feed, or a mapping of input names to them.

        Raises:
            InputError: The source cannot be fed.
            RunError: onnxruntime is missing or fails.
        """
        return Activations(self.stream(source, layers=layers, tap=tap, feed=feed, run=run))

    def stream(
        self,
        source: Any = None,
        *,
        layers: Selection | None = None,
        tap: str = "act",
        feed: FeedOptions | None = None,
        run: RunOptions | None = None,
    ) -> Iterator[Activation]:
        """Yield the chosen activations one at a time, in graph order, in bounded memory (`RunOptions.memory`)."""
        choices, _ = self.choose(layers, tap=tap)
        fed = self.feed(source, feed)
        return self.stream_choices(choices, fed, run or RunOptions())

    def stream_choices(
        self,
        choices: Sequence[Choice],
        fed: Feed,
        options: RunOptions,
        placed: Callable[[Placement], None] = lambda placement: None,
        sessions: dict[bytes, Session] | None = None,
    ) -> Iterator[Activation]:
        """Yield an activation for each choice as the pieces of the graph run.

        `sessions` keeps what is opened for the next call, where a run is one piece.
        """
        self._check_file()
        pieces = self.pieces([choice.value for choice in choices], fed, options)
        named = {choice.value: choice for choice in choices}
        self._refuse_weights(choices)
        ready = {name: array for name, array in fed.arrays.items() if name in named}
        for value, array in ready.items():
            yield self._activation(named[value], array.copy())
        with self._advising(fed):
            for value, array in execute(pieces, fed.arrays, self.file.folder, self._tuned(options), placed, sessions):
                if value in named and value not in ready:
                    yield self._activation(named[value], array)

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

    def _ranked(self, choice: Choice) -> TensorSpec:
        """Return what is known of a chosen value; where inference tells no rank, its layer's layout does."""
        spec = self.types.get(choice.value, TensorSpec(choice.value))
        if spec.shape is None and choice.layer is not None and choice.layer.layout:
            return replace(spec, shape=(None,) * len(choice.layer.layout))
        return spec

    def measured(self, source: Any, *, feed: FeedOptions | None = None, run: RunOptions | None = None) -> Model:
        """Return this model with the sizes of one run where inference could tell none.

        Raises:
            InputError: The source cannot be fed.
            RunError: onnxruntime is missing or fails.
        """
        fed = self.feed(source, feed)
        measured = Model(self.file, fix_inputs(self.graph, {name: array.shape for name, array in fed.arrays.items()}))
        unknown = [
            layer.act
            for layer in measured.catalogue
            if not layer.inside and (layer.shape is None or not all(isinstance(size, int) for size in layer.shape))
        ]
        if unknown:
            pieces = self.pieces(unknown, fed, run or RunOptions())
            with self._advising(fed):
                found = {
                    value: TensorSpec(value, str(array.dtype), array.shape)
                    for value, array in execute(pieces, fed.arrays, self.file.folder, self._tuned(run or RunOptions()))
                    if isinstance(array, np.ndarray)
                }
            measured.types = MappingProxyType({**measured.types, **found})
            del measured.catalogue
        return measured

    def _fed_types(self, fed: Feed) -> Mapping[str, TensorSpec]:
        """Return type and shape of every value for what is fed; inferred once for inputs of the same sizes."""
        shapes = {name: array.shape for name, array in fed.arrays.items()}
        if self._last_fed[0] != shapes:
            self._last_fed = shapes, infer_types(fix_inputs(self.graph, shapes))
        return self._last_fed[1]

    def region(self, layer: str | Layer, position: Sequence[int], source: Any) -> Region:
        """Return exactly which pixels of the fed input a position of a layer depends on, borders and holes included.

        `position` is `(y, x)` on a map of the layer; the answer has a mask for each axis of space of the input as fed.

        Raises:
            UsageError: The position lies outside the map, or several layers are selected.
        """
        choices, _ = self.choose([layer])
        if len(choices) != 1:
            raise UsageError(f"a region is of one layer; {layer!r} selects {len(choices)}")
        fed = self.feed(source)
        graph = fix_inputs(self.graph, {name: array.shape for name, array in fed.arrays.items()})
        layout = choices[0].layer.layout if choices[0].layer is not None else None
        return region(graph, self._fed_types(fed), choices[0].value, position, spatial_axes(layout))

    def session(
        self, layers: Selection | None = None, *, tap: str = "act", run: RunOptions | None = None
    ) -> ModelSession:
        """Open the model once for many runs; use it in a `with` block."""
        choices, _ = self.choose(layers, tap=tap)
        return ModelSession(self, choices, replace(run or RunOptions(), many=True))

    def verify(self, original: Model, options: RunOptions | None = None) -> Difference:
        """Run this model and `original` on the same random input and compare the outputs both have.

        Raises:
            RunError: onnxruntime is missing or fails, or they share no output.
        """
        from onnxviz.feed.options import FeedOptions

        fed = original.feed(None, FeedOptions(random=True))
        both = [spec.name for spec in original.outputs if spec.name in {own.name for own in self.outputs}]
        if not both:
            raise RunError("nothing to verify: the model's own outputs were dropped")
        ours, theirs = (
            Session(model.graph.to_bytes(), model.file.folder, model._tuned(options or RunOptions())).run(
                fed.arrays, both
            )
            for model in (self, original)
        )
        return difference(ours, theirs)

    @contextmanager
    def _advising(self, fed: Feed) -> Iterator[None]:
        """Add to onnxruntime's error which of the sizes that were fed are a choice."""
        from onnxviz.feed.targets import open_sizes

        try:
            yield
        except RunError as error:
            choice = open_sizes(self.inputs, {name: array.shape for name, array in fed.arrays.items()})
            if not choice or type(error) is not RunError:
                raise
            raise RunError(f"{error}\n{choice}: another size may fit (--size HxW, --dim NAME=N)") from None

    def _refuse_weights(self, choices: Sequence[Choice]) -> None:
        weights = [choice.name for choice in choices if choice.value in self.graph.initializers]
        if weights:
            raise UnsupportedError(f"{weights[0]!r} is a weight of the model; what a run computes can be shown")

    def _check_file(self) -> None:
        """Refuse to read weights from a file that changed, or from external data that is not all there."""
        self.file.check_unchanged()
        self.file.check_complete()

    def _tuned(self, options: RunOptions) -> RunOptions:
        return replace(options, weights_only_quantised=self._weights_only_quantised)

    @cached_property
    def _inputs_with_layouts(self) -> tuple[TensorSpec, ...]:
        """The inputs with the layout that the graph's own operators give them, where they do."""
        axes = follow_axes(self.graph, self.types)
        known = {name: found.layout for name, found in axes.items() if not found.assumed}
        return tuple(replace(spec, layout=known.get(spec.name)) for spec in self.inputs)

    @cached_property
    def _takes_pictures(self) -> bool:
        from onnxviz.feed.targets import picture_input

        return picture_input(self._inputs_with_layouts) is not None

    @cached_property
    def _weights_only_quantised(self) -> bool:
        nodes = self.graph.nodes
        unpacking = [node for node in nodes if node.op == "DequantizeLinear"]
        packing = any(node.op in ("QuantizeLinear", "DynamicQuantizeLinear") for node in nodes)
        return bool(unpacking) and not packing and all(self.graph.is_constant(node.inputs[0]) for node in unpacking)

    def _activation(self, choice: Choice, array: Any) -> Activation:
        if not isinstance(array, np.ndarray):
            raise UnsupportedError(f"{choice.name!r} is no tensor but a {type(array).__name__}; it cannot be shown")
        layer = choice.layer
        layout = layer.layout if layer is not None and len(layer.layout or "") == array.ndim else None
        if layout is not None and layout.count("T") == 1 and not self._takes_pictures:
            layout = layout.replace("T", "L")  # steps of time or words, no patches of a picture
        return Activation(choice.name, choice.value, choice.tap, array, layout, layer.op if layer is not None else "")

    def __repr__(self) -> str:
        return f"<Model {self.path.name!r}: {len(self.graph.nodes)} nodes, {len(self.layers)} layers>"


class ModelSession(AbstractContextManager["ModelSession"]):
    """A model opened once for many runs on one device."""

    def __init__(self, model: Model, choices: Sequence[Choice], options: RunOptions) -> None:
        """Open the graph, cut to what the choices need."""
        model._refuse_weights(choices)
        self._model = model
        self._choices = choices
        values = [choice.value for choice in choices]
        cut = expose(model.graph, values, model.types, only=True).graph
        model._check_file()
        self._session: Session | None = Session(cut.to_bytes(), model.file.folder, model._tuned(options))
        self.placement = self._session.placement
        check_taken(self.placement)

    def run(self, source: Any, feed: FeedOptions | None = None) -> Activations:
        """Run once on a source (see `Model.run`) and return the activations."""
        if self._session is None:
            raise RunError("the session is closed")
        fed = self._model.feed(source, feed)
        with self._model._advising(fed):
            arrays = self._session.run(fed.arrays, [choice.value for choice in self._choices])
        return Activations(map(self._model._activation, self._choices, arrays))

    def __exit__(self, *details: object) -> None:
        self._session = None

"""A model that is open: its layers, what is selected of it, the same model with more outputs, and its runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from onnxviz.errors import NoMatchError, RunError, UsageError
from onnxviz.graph.expose import expose, strip_metadata
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import Layer, catalogue
from onnxviz.graph.layers.inside import count_unlisted
from onnxviz.graph.layers.layer_table import LayerTable
from onnxviz.graph.selection.choices import Choice, SelectionText, choose
from onnxviz.graph.shapes import fix_inputs, infer_types
from onnxviz.graph.storage.model_file import ModelFile
from onnxviz.graph.write import check_link, write_linked, write_standalone
from onnxviz.layout import Dimension, TensorSpec
from onnxviz.words import listed

if TYPE_CHECKING:
    from onnxviz.activations import Activation, Activations
    from onnxviz.differences import Difference
    from onnxviz.feed.fed import Feed
    from onnxviz.feed.options import FeedOptions
    from onnxviz.graph.operators.region import Region
    from onnxviz.inference import ModelSession, Runs
    from onnxviz.runtime.executor import Runner
    from onnxviz.runtime.session import Placement, RunOptions

__all__ = ["Model", "open_model"]


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
        self,
        file: ModelFile,
        graph: Graph,
        exposed: Sequence[Choice] = (),
        remarks: Sequence[str] = (),
        types: Mapping[str, TensorSpec] | None = None,
    ) -> None:
        """Join a graph to the file that holds its weights; `open_model` is the usual way.

        `types` of all values are given where more is known of them than inference tells.
        """
        self.file = file
        self.graph = graph
        self.exposed = tuple(exposed)
        self.remarks = tuple(remarks)
        self._types = types

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
        """Type and shape of every value, as far as inference, or the run of `measured`, tells."""
        return infer_types(self.graph) if self._types is None else self._types

    @cached_property
    def catalogue(self) -> tuple[Layer, ...]:
        """Every layer of a kind worth looking at, in graph order."""
        return catalogue(self.graph, self.types)

    @cached_property
    def every_layer(self) -> tuple[Layer, ...]:
        """Every node as a layer, whatever its kind."""
        return catalogue(self.graph, self.types, every=True)

    @cached_property
    def unlisted(self) -> int:
        """How many nodes inside functions and bodies are too many, or lie too deep, to be in the catalogue."""
        return count_unlisted(self.graph)

    @cached_property
    def layers(self) -> Mapping[str, Layer]:
        """The layers at the top level of the graph by name, in graph order."""
        return LayerTable({layer.name: layer for layer in self.catalogue if not layer.inside})

    def select(
        self, layers: SelectionText | None = None, *, exclude: Sequence[str] = (), tap: str = "act"
    ) -> tuple[Layer, ...]:
        """Return the layers that a selection chooses, in graph order, each once.

        Raises:
            SelectionError: The selection cannot be read.
            NoMatchError: It matches nothing, or only values that are no layers, such as an input.
        """
        choices, _ = self.choose(layers, exclude=exclude, tap=tap)
        return layers_of(choices)

    def choose(
        self, layers: SelectionText | None, *, exclude: Sequence[str] = (), tap: str = "act"
    ) -> tuple[tuple[Choice, ...], str]:
        """Return what a selection chooses, as values with the name to show, and a remark on it (often empty).

        Raises:
            SelectionError: The selection cannot be read.
            NoMatchError: It matches nothing.
        """
        return choose(layers, graph=self.graph, layers=self.catalogue, exclude=exclude, tap=tap)

    def expose(
        self, layers: SelectionText | None = None, *, exclude: Sequence[str] = (), tap: str = "act", only: bool = False
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
        """Return this model with what was chosen as outputs; `remarks` says which were, and which have no rank."""
        types = {**self.types, **{choice.value: self._ranked(choice) for choice in choices}}
        exposed = expose(self.graph, [choice.value for choice in choices], types, only=only)
        remarks = [f"{value!r} already is an output" for value in exposed.already]
        if exposed.unranked:
            names = listed(map(repr, exposed.unranked))
            remarks.append(
                f"how many axes {names} will have is not known before a run: declared without a shape, which"
                " onnxruntime runs and onnx's checker refuses"
            )
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
        self.file.check_complete()
        (write_linked if linked else write_standalone)(self.graph, self.file, Path(path), force=force)

    def feed(self, source: Any = None, options: FeedOptions | None = None) -> Feed:
        """Turn a picture, an array, a matrix or a sound into what the model takes.

        Raises:
            InputError: It cannot be fed.
        """
        return self._runs.feed(source, options)

    def run(
        self,
        source: Any = None,
        *,
        layers: SelectionText | None = None,
        exclude: Sequence[str] = (),
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
        from onnxviz.activations import Activations

        return Activations(self.stream(source, layers=layers, exclude=exclude, tap=tap, feed=feed, run=run))

    def stream(
        self,
        source: Any = None,
        *,
        layers: SelectionText | None = None,
        exclude: Sequence[str] = (),
        tap: str = "act",
        feed: FeedOptions | None = None,
        run: RunOptions | None = None,
    ) -> Iterator[Activation]:
        """Yield the chosen activations one at a time, in graph order, in bounded memory (`RunOptions.memory`)."""
        choices, _ = self.choose(layers, exclude=exclude, tap=tap)
        return self.stream_choices(choices, self.feed(source, feed), self.runner(run))

    def runner(
        self,
        options: RunOptions | None = None,
        *,
        keep: bool = False,
        placed: Callable[[Placement], None] = lambda placement: None,
    ) -> Runner:
        """Return what carries out runs of this model on one device.

        With `keep` the session of a run that is one piece serves the next one, too; `placed` is told of each session.

        Raises:
            ModelError: The file with the weights changed since it was opened.
            RunError: onnxruntime is missing.
        """
        return self._runs.runner(_given(options), keep=keep, placed=placed)

    def stream_choices(self, choices: Sequence[Choice], fed: Feed, runner: Runner) -> Iterator[Activation]:
        """Yield an activation for each choice as the pieces of the graph run."""
        return self._runs.stream(choices, fed, runner)

    def map_bytes(self, choices: Sequence[Choice], fed: Feed) -> int:
        """Estimate the bytes of the maps of what is chosen for a feed; values of unknown size count nothing."""
        return self._runs.map_bytes([choice.value for choice in choices], fed)

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
        fixed = Model(self.file, fix_inputs(self.graph, {name: array.shape for name, array in fed.arrays.items()}))
        unknown = [layer.act for layer in fixed.catalogue if not layer.inside and not _is_known(layer.shape)]
        if not unknown:
            return fixed
        found = self._runs.sizes(unknown, fed, self.runner(run))
        return Model(self.file, fixed.graph, types=MappingProxyType({**fixed.types, **found}))

    def region(
        self, layer: str | Layer, position: Sequence[int], source: Any, *, feed: FeedOptions | None = None
    ) -> Region:
        """Return exactly which pixels of the fed input a position of a layer depends on, borders and holes included.

        `position` is `(y, x)` on a map of the layer; the answer has a mask for each axis of space of the input as fed.

        Raises:
            UsageError: The position lies outside the map, or several layers are selected.
        """
        choices, _ = self.choose([layer])
        if len(choices) != 1:
            raise UsageError(f"a region is of one layer; {layer!r} selects {len(choices)}")
        return self._runs.region(choices[0], position, self.feed(source, feed))

    def session(
        self,
        layers: SelectionText | None = None,
        *,
        exclude: Sequence[str] = (),
        tap: str = "act",
        run: RunOptions | None = None,
    ) -> ModelSession:
        """Open the model once for many runs; use it in a `with` block."""
        from onnxviz.inference import ModelSession

        choices, _ = self.choose(layers, exclude=exclude, tap=tap)
        return ModelSession(self._runs, choices, replace(_given(run), many=True))

    def verify(self, original: Model, options: RunOptions | None = None) -> Difference:
        """Run this model and `original` on the same random input and compare the outputs both have.

        Raises:
            RunError: onnxruntime is missing or fails, or they share no output.
        """
        from onnxviz.differences import difference
        from onnxviz.feed.options import FeedOptions

        fed = original.feed(None, FeedOptions(random=True))
        own = {spec.name for spec in self.outputs}
        both = [spec.name for spec in original.outputs if spec.name in own]
        if not both:
            raise RunError("nothing to verify: the model's own outputs were dropped")
        ours, theirs = (model._runs.values(both, fed, _given(options)) for model in (self, original))
        return difference(ours, theirs)

    @cached_property
    def _runs(self) -> Runs:
        # Not at the top: listing and exposing need no Pillow and no rules of receptive fields to be loaded.
        from onnxviz.inference import Runs

        return Runs(self.file, self.graph, self.types)

    def __repr__(self) -> str:
        return f"<Model {self.path.name!r}: {len(self.graph.nodes)} nodes, {len(self.layers)} layers>"


def layers_of(choices: Sequence[Choice]) -> tuple[Layer, ...]:
    """Return the layers among what was chosen.

    Raises:
        NoMatchError: None is a layer.
    """
    found = tuple(choice.layer for choice in choices if choice.layer is not None)
    if not found:
        names = ", ".join(repr(choice.name) for choice in choices)
        raise NoMatchError(f"{names} can be exposed and viewed, but {'are' if len(choices) > 1 else 'is'} no layer")
    return found


def _is_known(shape: Sequence[Dimension] | None) -> bool:
    return shape is not None and all(isinstance(size, int) for size in shape)


def _given(options: RunOptions | None) -> RunOptions:
    from onnxviz.runtime.session import RunOptions

    return options or RunOptions()

"""`Model`: an ONNX model that was opened; its layers, the same model with more outputs, and its runs.

Eleven verbs carry it: `open`, `layers`, `select`, `expose`, `run`, `stream`, `gradient`, `explain`, `feed`, `verify`,
`save`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Unpack

from onnxviz.errors import ExecutionError, NoMatchError, RunError, UsageError
from onnxviz.graph.computed import Computed, find_computed, hidden_weights, listing, written_out
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.catalogue import catalogue
from onnxviz.graph.layers.families import Families
from onnxviz.graph.layers.layer import Layer
from onnxviz.graph.layers.layer_table import LayerTable
from onnxviz.graph.shapes import fix_inputs, infer_types
from onnxviz.graph.storage.model_file import ModelFile
from onnxviz.graph.unfold import Unfolded, unfold
from onnxviz.graph.unwired import name_sequences, names_given
from onnxviz.graph.write import check_link, write_linked, write_standalone
from onnxviz.layout import Dimension, TensorSpec
from onnxviz.words import listed, quoted

if TYPE_CHECKING:
    from onnxviz.activations import Activation, Activations
    from onnxviz.differences import Difference
    from onnxviz.explaining.explain_options import ExplainChanges
    from onnxviz.explaining.explanation import Explanation
    from onnxviz.feed.feed import Feed
    from onnxviz.feed.feed_options import FeedOptions
    from onnxviz.gradient.registry import GradientRule
    from onnxviz.graph.operators.region import Region
    from onnxviz.graph.selection.choices import Choice, SelectionText
    from onnxviz.inference.inference import Inference
    from onnxviz.inference.model_gradient import ModelGradient
    from onnxviz.inference.model_session import ModelSession
    from onnxviz.maximising.maximise_options import MaximiseChanges
    from onnxviz.maximising.maximised import Maximised
    from onnxviz.runtime.executor import Executor
    from onnxviz.runtime.session import RunOptions

__all__ = ["Model", "choices_of", "expose_choices", "layers_of"]


class Model:
    """An ONNX model whose weights stay in its file. A Model never changes: what rewrites one returns a new one.

    Attributes:
        file: where the weights lie.
        graph: the model's graph without its weights.
        exposed: what `expose` made an output, with the names to show.
        remarks: what `expose` has to say about it, a sentence each.
    """

    def __init__(
        self,
        file: ModelFile,
        graph: Graph,
        exposed: Sequence[Choice] = (),
        remarks: Sequence[str] = (),
        types: Mapping[str, TensorSpec] | None = None,
    ) -> None:
        """Join a graph to the file that holds its weights; `open` is the usual way.

        `types` gives the type and shape of every value where a run has told more than inference can.
        """
        self.file = file
        self.graph = graph
        self.exposed = tuple(exposed)
        self.remarks = tuple(remarks)
        self._types = types

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Model:
        """Open an ONNX file without reading its weights. `onnxviz.open` also takes what TensorFlow wrote.

        Raises:
            ModelError: The file is missing, is not an ONNX model or is broken; the text says which.
        """
        file = ModelFile.open(path)
        graph = name_sequences(Graph.from_bytes(file.skeleton))
        check_link(graph, file.path.resolve().parent)
        return cls(file, graph)

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
        """The texts that the file keeps about itself, by their keys."""
        return self.graph.metadata

    @cached_property
    def unfolded(self) -> Unfolded:
        """The graph with all that lies in its functions and bodies beside its nodes; it is never run.

        Raises:
            ModelError: What lies inside is not sound.
        """
        return unfold(self.graph)

    @cached_property
    def types(self) -> Mapping[str, TensorSpec]:
        """Type and shape of every value, as far as inference, or the run of `measured`, can tell."""
        return infer_types(self.unfolded.graph) if self._types is None else self._types

    @cached_property
    def _computed(self) -> Computed:
        """What a run can compute besides the graph's values: weights of fused attentions, and their rollout."""
        return find_computed(self.graph, self.types)

    @cached_property
    def flat(self) -> Graph:
        """The flat graph with all that a run can compute among its values; it is never run."""
        return listing(self.unfolded.graph, self._computed)

    @cached_property
    def catalogue(self) -> tuple[Layer, ...]:
        """Every layer of a kind worth looking at, those inside functions and bodies included, in graph order."""
        return catalogue(self.flat, {**self.types, **self._computed.types}, self.families)

    @cached_property
    def every_layer(self) -> tuple[Layer, ...]:
        """All that nodes put out as layers, what is of no kind as `other`."""
        return catalogue(self.flat, {**self.types, **self._computed.types}, self.families, every=True)

    @cached_property
    def layers(self) -> Mapping[str, Layer]:
        """The layers of the catalogue by name, in graph order."""
        return LayerTable({layer.name: layer for layer in self.catalogue})

    @cached_property
    def inference(self) -> Inference:
        """What feeds and runs the graph; `run`, `stream` and `session` are the usual way to it."""
        # Not at the top: listing and exposing need no Pillow and no rules of receptive fields to be loaded.
        from onnxviz.inference.inference import Inference
        from onnxviz.inference.reached import Reached
        from onnxviz.inference.value_layouts import ValueLayouts

        layouts = ValueLayouts(self.unfolded.graph, self.types, self.families)
        return Inference(self.file, self.unfolded, self.types, layouts, Reached(self.graph, computed=self._computed))

    @cached_property
    def families(self) -> Families:
        """What is found about the nodes of the flat graph."""
        return Families(self.flat, {**self.types, **self._computed.types})

    def select(
        self, layers: SelectionText | None = None, *, exclude: Sequence[str] = (), tap: str = "act"
    ) -> tuple[Layer, ...]:
        """Return the layers that a selection chooses, in graph order, each once.

        Raises:
            SelectionError: The selection cannot be read.
            NoMatchError: It matches nothing, or only values that are not layers, such as an input.
        """
        choices, _ = choices_of(self, layers, exclude, tap)
        return layers_of(self, choices)

    def expose(
        self, layers: SelectionText | None = None, *, exclude: Sequence[str] = (), tap: str = "act", only: bool = False
    ) -> Model:
        """Return this model with the chosen values as outputs after its own, in graph order.

        With `only` they replace the model's own outputs, and the result keeps only what they need.

        Raises:
            SelectionError: The selection cannot be read.
            NoMatchError: It matches nothing.
        """
        choices, _ = choices_of(self, layers, exclude, tap)
        return expose_choices(self, choices, only=only)

    def without_metadata(self) -> Model:
        """Return this model without its exporter's metadata, such as stack traces with their author's paths."""
        from onnxviz.graph.expose import strip_metadata

        return Model(self.file, strip_metadata(self.graph), self.exposed, self.remarks)

    def save(self, path: str | os.PathLike[str], *, linked: bool = False, force: bool = False) -> None:
        """Write the model: with all weights in it, or `linked` with weights that stay in the original file.

        Raises:
            OutputError: The file exists and `force` is not given, or it cannot be written.
            ModelError: The original changed since it was opened.
        """
        self.file.check_complete()
        (write_linked if linked else write_standalone)(self.graph, self.file, Path(path), force=force)

    def explain(
        self, source: Any, *, method: str = "gradcam", target: str | int = "top1", **changes: Unpack[ExplainChanges]
    ) -> Explanation:
        """Return why the model answers as it does on a picture: `.array`, `.image`, `.target` and `.value`.

        Args:
            source: a picture; see `run`.
            method: such as `gradcam`, `layercam`, `smoothgrad`, `integrated`, `occlusion`.
            target: a class by its name or number, `top1` for the strongest, a unit `LAYER#CHANNEL` or
                `LAYER#CHANNEL@Y,X`, or a place of an output `NAME[I,J,...]`.
            changes: fields of `ExplainOptions`, such as `layers="conv[-1]"` or `samples=50`.

        Raises:
            NoMatchError: The model lacks the class, the unit or the place that is asked for.
            UnsupportedError: The method cannot be used on this model, or the input is not a picture.
            UsageError: There is no such method or keyword.
        """
        from onnxviz.changed import changed
        from onnxviz.explaining.explain import explain_one
        from onnxviz.explaining.explain_options import ExplainOptions

        return explain_one(self, source, method, target, changed(ExplainOptions(), changes, "explain"))

    def maximise(self, target: str, **changes: Unpack[MaximiseChanges]) -> Maximised:
        """Return a picture made for a unit or class, which answers it strongly: `.image`, `.pixels`, `.value`.

        Args:
            target: a unit `LAYER#C`, `LAYER#C@Y,X` or a direction `LAYER#3+17-4`, else a class by name or number.
            changes: fields of `MaximiseOptions`, such as `steps=320` or `seed=1`.

        Raises:
            NoMatchError: The model lacks the unit or the class.
            UnsupportedError: The unit does not react, or the model takes no pictures.
        """
        from onnxviz.maximising.maximise import maximise

        units, classes = ((target,), ()) if "#" in target else ((), (target,))
        return maximise(self, units, classes=classes, **changes)[0]

    def feed(self, source: Any = None, options: FeedOptions | None = None) -> Feed:
        """Turn one source (see `run`) into the arrays that the model takes.

        Raises:
            InputError: It cannot be fed, or is a list, which means several runs.
        """
        return self.inference.feed(source, options)

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

        `source` is a file, an array, a Pillow image, a Feed, or a mapping from input names to files, arrays, images,
        numbers and texts. A batch is one array, such as `(N, C, H, W)`. A list means several runs: loop over it, or
        give it to `onnxviz.view`.

        Raises:
            InputError: The source cannot be fed, or is a list.
            RunError: onnxruntime is missing or fails.
        """
        from onnxviz.activations import Activations

        choices, _ = choices_of(self, layers, exclude, tap)
        tries = self.inference.tries(source, feed, [choice.value for choice in choices])
        executor = self.inference.executor(run)
        while True:
            try:
                return Activations(self.inference.stream(choices, tries.feed, executor))
            except ExecutionError as error:
                tries.refused(error)

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
        """Yield what `run` returns one activation at a time, in graph order; `RunOptions.memory` bounds the memory.

        Where the model refuses sizes that were made up, no others are tried.
        """
        choices, _ = choices_of(self, layers, exclude, tap)
        fed = self.inference.feed(source, feed, [choice.value for choice in choices])
        return self.inference.stream(choices, fed, self.inference.executor(run))

    def measured(self, source: Any, *, feed: FeedOptions | None = None, run: RunOptions | None = None) -> Model:
        """Return this model with the sizes of one run where inference could tell none.

        Raises:
            InputError: The source cannot be fed.
            RunError: onnxruntime is missing or fails.
        """
        values = [layer.act for layer in self.catalogue] or None
        tries = self.inference.tries(source, feed, values)
        while True:
            try:
                return self._measured(tries.feed, self.inference.executor(run))
            except ExecutionError as error:
                tries.refused(error)

    def _measured(self, fed: Feed, executor: Executor) -> Model:
        fixed = Model(self.file, fix_inputs(self.graph, {name: array.shape for name, array in fed.arrays.items()}))
        unknown = [layer.act for layer in fixed.catalogue if not _is_known(layer.shape)]
        if not unknown:
            return fixed
        found = self.inference.sizes(unknown, fed, executor)
        return Model(self.file, fixed.graph, types=MappingProxyType(infer_types(fixed.unfolded.graph, found)))

    def region(
        self, layer: str | Layer, position: Sequence[int], source: Any, *, feed: FeedOptions | None = None
    ) -> Region:
        """Return exactly which pixels of the fed input a position of a layer depends on, borders and holes included.

        `position` is `(y, x)` on a map of the layer; the answer has a mask for each spatial axis of the input as fed.

        Raises:
            UsageError: The position lies outside the map, or several layers are selected.
        """
        choices, _ = choices_of(self, [layer])
        if len(choices) != 1:
            raise UsageError(f"a region is of one layer; {layer!r} selects {len(choices)}")
        return self.inference.region(choices[0], position, self.inference.feed(source, feed, [choices[0].value]))

    def session(
        self,
        layers: SelectionText | None = None,
        *,
        exclude: Sequence[str] = (),
        tap: str = "act",
        run: RunOptions | None = None,
    ) -> ModelSession:
        """Open the model once for many runs; use it in a `with` block."""
        from onnxviz.inference.model_session import ModelSession
        from onnxviz.runtime.session import RunOptions

        choices, _ = choices_of(self, layers, exclude, tap)
        return ModelSession(self.inference, choices, replace(run or RunOptions(), many=True))

    def gradient(
        self,
        target: str | None = None,
        wrt: str | Sequence[str] | None = None,
        *,
        rules: Mapping[str, GradientRule] | None = None,
        run: RunOptions | None = None,
    ) -> ModelGradient:
        """Return what computes the gradient of a value with respect to others, by ONNX's own operators alone.

        `model.gradient("logits", "image").run("cat.jpg")["image"]` has the sizes of the image as fed, `(N, C, H, W)`.

        Args:
            target: a layer's or value's name; without one the first output that is of numbers.
            wrt: inputs, weights, layers or other values; without any, all inputs that a
                gradient reaches.
            rules: rules of operators that stand in place of the usual ones, such as
                `onnxviz.gradient.overlays.GUIDED`.
            run: how to run.

        Raises:
            NoMatchError: A name is not one of the model.
            UnsupportedError: The target does not depend on a value, or an operator on the way has no gradient.
        """
        from onnxviz.inference.model_gradient import ModelGradient
        from onnxviz.runtime.session import RunOptions

        floats = [spec.name for spec in (*self.inputs, *self.outputs) if (spec.dtype or "").startswith(("float", "bf"))]
        inputs = [spec.name for spec in self.inputs if spec.name in floats]
        outputs = [spec.name for spec in self.outputs if spec.name in floats] or [self.outputs[0].name]
        names = inputs if wrt is None else [wrt] if isinstance(wrt, str) else list(wrt)
        values = [_value_of(self, name) for name in names]
        options = replace(run or RunOptions(), many=True)
        chosen = _value_of(self, target or outputs[0])
        return ModelGradient(self.inference, chosen, values, options, rules=rules, partial=wrt is None)

    def verify(self, original: Model, options: RunOptions | None = None) -> Difference:
        """Run this model and `original` on the same random input and compare the outputs that both have.

        Raises:
            RunError: onnxruntime is missing or fails, or they share no output.
        """
        from onnxviz.differences import difference
        from onnxviz.feed.feed_options import FeedOptions

        own = {spec.name for spec in self.outputs}
        both = [spec.name for spec in original.outputs if spec.name in own]
        if not both:
            raise RunError("nothing to verify: the model's own outputs were dropped")
        tries = original.inference.tries(None, FeedOptions(random=True), None)
        while True:
            try:
                ours, theirs = (model.inference.values(both, tries.feed, options) for model in (self, original))
                return difference(ours, theirs)
            except ExecutionError as error:
                tries.refused(error)

    def __repr__(self) -> str:
        return f"<Model {self.path.name!r}: {len(self.graph.nodes)} nodes, {len(self.layers)} layers>"


def choices_of(
    model: Model, layers: SelectionText | None, exclude: Sequence[str] = (), tap: str = "act"
) -> tuple[tuple[Choice, ...], str]:
    """Return what a selection means, as values with the names to show, and a remark on it (often empty).

    Raises:
        SelectionError: The selection cannot be read.
        NoMatchError: It matches nothing.
    """
    # Not at the top: listing needs nothing of it.
    from onnxviz.graph.selection.choices import choose
    from onnxviz.graph.selection.defaults import default_choices

    graph = model.flat
    if layers is None:
        choices, words = default_choices(graph, model.catalogue, tap, exclude)
        return _noted(model, choices), f"no selection given: {words}"
    choices = choose(layers, graph=graph, layers=model.catalogue, exclude=exclude, tap=tap)
    return _noted(model, choices), ""


def _value_of(model: Model, name: str) -> str:
    """Return the value that a name means: itself, or what the layer of that name puts out."""
    graph = model.unfolded.graph
    if name in graph.producers or name in graph.weights or any(spec.name == name for spec in graph.inputs):
        return name
    choices, _ = choices_of(model, [name])
    if len(choices) != 1:
        raise UsageError(f"a gradient is of one value; {name!r} selects {len(choices)}")
    return choices[0].value


def _noted(model: Model, choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """Say with the first choice what there is to say of names and of what cannot be seen."""
    notes = (choices[0].note, _given_names(model, choices), _hidden_weights(model, choices))
    return (replace(choices[0], note="; ".join(filter(None, notes))), *choices[1:])


def _hidden_weights(model: Model, choices: tuple[Choice, ...]) -> str:
    """Return which attentions have weights that cannot be seen, and what to do."""
    nodes = hidden_weights(model.graph, [choice.value for choice in choices])
    if not nodes:
        return ""
    names = listed(dict.fromkeys(quoted(node.key) for node in nodes))
    return (
        f"the weights of {names} stay inside onnxruntime's {listed(sorted({node.op for node in nodes}))}: a model with "
        "its attention written out shows them (not optimised for transformers, or exported with it eager)"
    )


def _given_names(model: Model, choices: tuple[Choice, ...]) -> str:
    """Return which of the names are not the model's own."""
    given = names_given(model.graph, [choice.value for choice in choices], model.file.skeleton)
    if not given:
        return ""
    verb = (
        "have no name in the model and are given these"
        if len(given) > 1
        else "has no name in the model and is given this one"
    )
    return f"{listed(map(quoted, sorted(given)))} {verb}: what a recurrent layer puts out at each step"


def layers_of(model: Model, choices: Sequence[Choice]) -> tuple[Layer, ...]:
    """Return the layers among what was chosen of a model.

    Raises:
        NoMatchError: None of it is a layer.
    """
    found = tuple(choice.layer for choice in choices if choice.layer is not None)
    if found:
        return found
    weights = [quoted(choice.name) for choice in choices if choice.value in model.unfolded.graph.weights]
    if weights:
        one = "is a weight of the model: it can be exposed, but is not a layer"
        several = "are weights of the model: they can be exposed, but are not layers"
        raise NoMatchError(f"{listed(weights)} {several if len(weights) > 1 else one}")
    verb = "are not layers" if len(choices) > 1 else "is not a layer"
    raise NoMatchError(f"{listed(quoted(choice.name) for choice in choices)} can be exposed and viewed, but {verb}")


def expose_choices(model: Model, choices: Sequence[Choice], *, only: bool = False) -> Model:
    """Return a model with what was chosen as outputs; its `remarks` say which were, and what that changes."""
    # Not at the top: listing and running need nothing of it.
    from onnxviz.graph.expose import expose
    from onnxviz.remarks import exposing_remarks

    types = {**model.types, **{choice.value: _ranked(model, choice) for choice in choices}}
    values = [choice.value for choice in choices]
    graph = written_out(model.graph, model._computed, values)
    exposed = expose(graph, values, types, unfolded=model.unfolded, only=only)
    named = [replace(choice, value=exposed.names[choice.value]) for choice in choices if choice.value in exposed.names]
    beyond = [choice.name for choice in choices if choice.value in model._computed.values]
    remarks = exposing_remarks(exposed, beyond, model.graph, model.types)
    return Model(model.file, exposed.graph, named, remarks)


def _ranked(model: Model, choice: Choice) -> TensorSpec:
    """Return the type of a chosen value; where inference tells no rank, its layer's layout does."""
    known = {**model.types, **model._computed.types}
    spec = known.get(choice.value, TensorSpec(choice.value))
    if spec.shape is None and choice.layer is not None and choice.layer.layout:
        return replace(spec, shape=(None,) * len(choice.layer.layout))
    return spec


def _is_known(shape: Sequence[Dimension] | None) -> bool:
    return shape is not None and all(isinstance(size, int) for size in shape)

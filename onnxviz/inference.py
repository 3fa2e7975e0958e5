"""From a model, a feed and a choice of values to activations: plans the pieces of graph to run, and runs them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from onnxviz.activations import Activation, Activations
from onnxviz.errors import ExecutionError, MissingOperatorError, RunError, UnsupportedError
from onnxviz.feed.feed import Feed
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.feed.free_sizes import open_sizes
from onnxviz.feed.input_shapes import picture_input
from onnxviz.feed.make import make_feed
from onnxviz.feed.second_sizes import Tries
from onnxviz.graph.cut import needed_inputs, needed_nodes
from onnxviz.graph.graph import Graph
from onnxviz.graph.guard import check_bounds
from onnxviz.graph.layers.families import known_axes
from onnxviz.graph.layers.layer_map import read_layer_map
from onnxviz.graph.node import Node
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.graph.operators.input_uses import input_uses
from onnxviz.graph.operators.layouts import guess_axes
from onnxviz.graph.operators.region import Region, region, unknown_sizes
from onnxviz.graph.readout import Reading, read_out
from onnxviz.graph.segments import item_bytes, map_bytes, plan
from onnxviz.graph.selection.choices import Choice
from onnxviz.graph.shapes import fix_inputs, infer_types
from onnxviz.graph.storage.model_file import ModelFile
from onnxviz.graph.upgrade import OLDEST_RUN, is_old, upgraded
from onnxviz.layout import Array, TensorSpec, spatial_axes
from onnxviz.runtime.devices import Placement
from onnxviz.runtime.executor import Executor, Piece
from onnxviz.runtime.session import RunOptions, Unreadable
from onnxviz.words import quoted

Types = Mapping[str, TensorSpec]
Shapes = Mapping[str, tuple[int, ...]]

LeftOut = Callable[[Choice, str], None]
"""Called with each of several choices that cannot be shown, and why."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run: the pieces of graph, and how each value that is wanted is fetched from them."""

    pieces: tuple[Piece, ...]
    readings: Mapping[str, Reading]


def warn(choice: Choice, reason: str) -> None:
    """Warn that a choice is left out of the activations of a run.

    Raises:
        UnsupportedError: It was asked for by its own name.
    """
    if choice.tap == "value":
        raise _refusal(choice, reason)
    warnings.warn(f"{choice.name!r} is left out: {reason}", stacklevel=2)


class Inference:
    """Feeds and runs one graph, whose weights stay in its file."""

    def __init__(self, file: ModelFile, graph: Graph, types: Types) -> None:
        """Take the graph, and the type and shape of its values before anything is fed."""
        self.file = file
        self.graph = graph
        self.types = types
        self._converted = False
        self._unrunnable: dict[str, str] = {}
        self._last_fed: tuple[Shapes | None, Types] = (None, {})
        self._ranked: dict[tuple[str, int], Axes | None] = {}
        self._last_plan: tuple[object, RunPlan] = (None, RunPlan((), {}))

    def feed(
        self,
        source: Any,
        options: FeedOptions | None = None,
        values: Sequence[str] | None = None,
        *,
        open_size: int | None = None,
    ) -> Feed:
        """Turn the source of one run into what the graph takes; a Feed is returned as it is.

        `values` are what will be run, None for all: inputs that they do not need are not fed. `open_size` is what
        sizes that the model leaves open become where numbers are made up.

        Raises:
            InputError: It cannot be fed, or is a list, which means several runs.
        """
        if isinstance(source, Feed):
            return source
        return make_feed(self.inputs(values), source, options or FeedOptions(), self.graph.metadata, open_size)

    def tries(self, source: Any, options: FeedOptions | None, values: Sequence[str] | None) -> Tries:
        """Return the feeds of a source (see `feed`), one after the other where the model refuses what was made up."""
        return Tries(lambda size: self.feed(source, options, values, open_size=size))

    def inputs(self, values: Sequence[str] | None = None) -> tuple[TensorSpec, ...]:
        """Return the inputs with what the graph's own operators say of them, and whether these values need them."""
        if values is None:
            return self._inputs
        needed = needed_inputs(self.graph, values)
        return tuple(replace(spec, use=replace(spec.use, is_needed=spec.name in needed)) for spec in self._inputs)

    def executor(
        self,
        options: RunOptions | None = None,
        *,
        keep: bool = False,
        placed: Callable[[Placement], None] = lambda placement: None,
        noted: Callable[[str], None] = lambda text: None,
        as_shipped: bool = False,
    ) -> Executor:
        """Return what runs this graph on one device; `keep` and `placed` are those of `Executor`.

        `noted` is called with a sentence where the graph has to be converted to newer operators. `as_shipped` runs int8
        activations as onnxruntime does unless told otherwise, by which exposing may move the outputs.

        Raises:
            ModelError: The file with the weights changed since it was opened, or is incomplete.
            RunError: onnxruntime is missing.
        """
        self.file.check_unchanged()
        self.file.check_complete()
        quantised = "" if as_shipped and self._quantised == "int8" else self._quantised
        folder, options = self.file.folder, options or RunOptions()
        newer = partial(self._newer, noted=noted) if is_old(self.graph) else None
        self._converted = False
        return Executor(folder, options, keep=keep, placed=placed, quantised=quantised, newer=newer)

    def _newer(self, skeleton: bytes, noted: Callable[[str], None]) -> bytes:
        result = upgraded(skeleton)
        if not self._converted:
            noted(f"the model is of opset {self.graph.opset}, older than onnxruntime runs: converted to {OLDEST_RUN}")
        self._converted = True
        return result

    def stream(
        self, choices: Sequence[Choice], fed: Feed, executor: Executor, left_out: LeftOut = warn
    ) -> Iterator[Activation]:
        """Plan a run, and yield an activation for each choice as the pieces of the graph run; see `carry_out`.

        Of several choices those that need an operator which onnxruntime lacks are `left_out` as well.

        Raises:
            UnsupportedError: A choice is a weight, or none of them can be shown.
        """
        self.check_run(choices)
        return self._streamed(choices, fed, executor, left_out)

    def _streamed(
        self, choices: Sequence[Choice], fed: Feed, executor: Executor, left_out: LeftOut
    ) -> Iterator[Activation]:
        waiting = {choice.value: choice for choice in choices}
        known = [choice for choice in choices if choice.value in self._unrunnable]
        self._leave_out(known if len(known) < len(choices) else [], waiting, left_out)
        while waiting:
            plan = self.plan(list(waiting), fed, executor.options.memory)
            try:
                for activation in self.carry_out(plan, tuple(waiting.values()), fed, executor, left_out):
                    del waiting[activation.value]
                    yield activation
                return
            except MissingOperatorError as error:
                lost = self._needing(waiting.values(), error)
                if not lost or len(lost) == len(choices):
                    raise
                self._unrunnable.update((choice.value, str(error)) for choice in lost)
                self._leave_out(lost, waiting, left_out)

    def _leave_out(self, lost: Iterable[Choice], waiting: dict[str, Choice], left_out: LeftOut) -> None:
        for choice in lost:
            left_out(choice, self._unrunnable[choice.value])
            del waiting[choice.value]

    def _needing(self, choices: Iterable[Choice], error: MissingOperatorError) -> list[Choice]:
        """Return the choices that cannot be computed without an operator that onnxruntime lacks."""
        lacking = {node.index for node in self._lacking(error)}
        needed = ((choice, needed_nodes(self.graph, [choice.value])) for choice in choices)
        return [choice for choice, nodes in needed if any(node.index in lacking for node in nodes)]

    def carry_out(
        self, plan: RunPlan, choices: Sequence[Choice], fed: Feed, executor: Executor, left_out: LeftOut = warn
    ) -> Iterator[Activation]:
        """Yield an activation for each choice as the pieces run; those of inputs come first, as they were fed.

        Of several choices one that is not a tensor, or did not come out, is `left_out`.

        Raises:
            UnsupportedError: None of them can be shown.
        """
        wanted = {choice.value: choice for choice in choices}
        for value in [name for name in fed.arrays if name in wanted]:
            yield self.activation(wanted[value], fed.arrays[value].copy())
        own = {reading.output: (wanted[value], reading.dtype) for value, reading in plan.readings.items()}
        refused = 0
        with self.advising(fed):
            for name, array in executor.run(plan.pieces, fed.arrays):
                if name not in own:
                    continue
                choice, dtype = own[name]
                reason = _not_shown(array)
                if not reason:
                    yield self.activation(choice, array, dtype)
                    continue
                refused += 1
                if refused == len(choices):
                    raise _refusal(choice, reason)
                left_out(choice, reason)

    def plan(self, values: Sequence[str], fed: Feed, memory: int) -> RunPlan:
        """Plan a run: the graph cut to what the values need, in pieces whose maps fit in `memory` bytes.

        Plans for the same values are equal whatever sizes are fed, so that one open session serves all of them.
        """
        key = tuple(values), _shapes(fed), memory
        if self._last_plan[0] != key:
            # The sizes fed decide where the pieces end, but do not go into them: onnxruntime's inference of some models
            # fails once the sizes of their inputs are fixed (silero_vad's If).
            self._last_plan = key, self._planned(values, self._fed_types(fed), memory)
        return self._last_plan[1]

    def whole(self, values: Sequence[str]) -> RunPlan:
        """Return the graph cut to what the values need, in one piece; in no piece where all of them are inputs."""
        return self._planned(values, self.types, sys.maxsize)

    def map_bytes(self, choices: Sequence[Choice], fed: Feed) -> int:
        """Estimate the bytes of the maps of what is chosen; values of unknown size count as 0."""
        types = self._fed_types(fed)
        return sum(map_bytes(types[choice.value]) or 0 for choice in choices if choice.value in types)

    def sizes(self, values: Sequence[str], fed: Feed, executor: Executor) -> Types:
        """Run, and return type and shape of those values that came out as tensors."""
        plan = self.plan(values, fed, executor.options.memory)
        own = {reading.output: (value, reading.dtype) for value, reading in plan.readings.items()}
        with self.advising(fed):
            return {
                own[name][0]: TensorSpec(own[name][0], own[name][1] or str(array.dtype), array.shape)
                for name, array in executor.run(plan.pieces, fed.arrays)
                if name in own and isinstance(array, np.ndarray)
            }

    def region(self, choice: Choice, position: Sequence[int], fed: Feed) -> Region:
        """Return which pixels of the feed a position on a map of the choice depends on; runs for sizes not known."""
        graph, types = fix_inputs(self.graph, _shapes(fed)), self._fed_types(fed)
        unknown = unknown_sizes(graph, types, choice.value)
        if unknown:
            types = infer_types(graph, self.sizes(unknown, fed, self.executor()))
        layout = choice.layer.layout if choice.layer is not None else None
        return region(graph, types, choice.value, position, spatial_axes(layout))

    def values(self, names: Sequence[str], fed: Feed, options: RunOptions | None = None) -> list[Any]:
        """Run the whole graph, uncut and as onnxruntime does by default, and return the named outputs."""
        with self.advising():
            return self.executor(options, as_shipped=True).open(_checked(self.graph)).run(fed.arrays, names)

    def activation(self, choice: Choice, array: Array, dtype: str = "") -> Activation:
        """Return an array of a run with the name, layout and operator of its choice, and the dtype that it had."""
        axes = self._axes_of(choice, array.shape)
        layout = None if axes is None else axes.layout
        if layout is not None and layout.count("T") == 1 and not self._takes_pictures:
            layout = layout.replace("T", "L")  # steps of time or words, not patches of a picture
        op = "" if choice.layer is None else choice.layer.op
        assumed = axes is not None and axes.assumed
        return Activation(choice.name, choice.value, choice.tap, array, layout, op, assumed, dtype)

    @contextmanager
    def advising(self, fed: Feed | None = None) -> Iterator[None]:
        """Add to an error of onnxruntime what it concerns: types of the model, or sizes of what is fed."""
        try:
            yield
        except MissingOperatorError as error:
            kinds = sorted({kind for node in self._lacking(error) for kind in self._kinds(node)} - {*error.kinds})
            where = f" (node {quoted(error.node)})" if error.node else ""
            types = f", and not for {', '.join(kinds) or 'what the model has there'}{where}" if error.kinds else ""
            raise MissingOperatorError(f"{error}{types}", error.op, error.node, error.kinds) from None
        except ExecutionError as error:
            choice = open_sizes(self.graph.inputs, _shapes(fed)) if fed is not None else ""
            if not choice:
                raise
            raise ExecutionError(f"{error}\n{choice}") from None

    def _lacking(self, error: MissingOperatorError) -> list[Node]:
        """Return the nodes that call an operator which onnxruntime lacks: the one it names, else all of that type."""
        domain, _, op = error.op.rpartition(":")
        nodes = [node for node in self.graph.nodes if node.op == op and (not domain or node.domain == domain)]
        if error.node:
            return [node for node in nodes if node.name == error.node]
        return [node for node in nodes if not error.kinds or self._kinds(node).difference(error.kinds)]

    def _kinds(self, node: Node) -> set[str]:
        specs = map(self.types.get, node.inputs)
        return {spec.dtype for spec in specs if spec is not None and spec.dtype}

    def check_run(self, choices: Sequence[Choice]) -> None:
        """Refuse weights, which no run computes.

        Raises:
            UnsupportedError: A choice is a weight.
        """
        weights = [choice.name for choice in choices if choice.value in self.graph.weights]
        if weights:
            raise UnsupportedError(f"{weights[0]!r} is a weight of the model; what a run computes can be shown")

    def _planned(self, values: Sequence[str], types: Types, memory: int) -> RunPlan:
        readout = read_out(self.graph, [value for value in values if value in self.graph.producers], types)
        outputs = [reading.output for reading in readout.readings.values()]
        sizes = {name: size for name, spec in readout.types.items() if (size := item_bytes(spec)) is not None}
        segments = plan(readout.graph, outputs, _without_sizes(readout.types), memory, sizes) if outputs else ()
        pieces = tuple(Piece(_checked(part.graph), part.inputs, part.outputs) for part in segments)
        return RunPlan(pieces, readout.readings)

    def _fed_types(self, fed: Feed) -> Types:
        """Return type and shape of every value for what is fed; inferred once for inputs of the same sizes."""
        shapes = _shapes(fed)
        if self._last_fed[0] != shapes:
            self._last_fed = shapes, infer_types(fix_inputs(self.graph, shapes))
        return self._last_fed[1]

    def _axes_of(self, choice: Choice, shape: tuple[int, ...]) -> Axes | None:
        """Return the layout of what was computed: the layer's, else the value's of this rank, else a guess."""
        layer = choice.layer
        if layer is not None and layer.layout is not None and len(layer.layout) == len(shape):
            return Axes(layer.layout, layer.layout_assumed)
        axes = self._axes.get(choice.value) or self._ranked_axes(choice, len(shape))
        if axes is None or len(axes.layout) != len(shape):
            last = read_layer_map(self.graph.metadata).channels_last
            axes = guess_axes(TensorSpec(choice.value, shape=shape), channels_last=last)
        return axes

    def _ranked_axes(self, choice: Choice, rank: int) -> Axes | None:
        """Return the layout of a value of whose rank inference knows nothing, now that a run tells it."""
        values = {choice.value, choice.value if choice.layer is None else choice.layer.output}
        unknown = [value for value in values if value not in self.types or self.types[value].shape is None]
        if choice.value not in unknown:
            return None
        if (choice.value, rank) not in self._ranked:
            told = {value: TensorSpec(value, shape=(None,) * rank) for value in unknown}
            self._ranked[choice.value, rank] = known_axes(self.graph, {**self.types, **told}).get(choice.value)
        return self._ranked[choice.value, rank]

    @cached_property
    def _axes(self) -> Mapping[str, Axes]:
        return known_axes(self.graph, self.types)

    @cached_property
    def _inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs with what the graph's own operators say of them: their layout, and their first use."""
        known = {name: found.layout for name, found in self._axes.items() if not found.assumed}
        uses = input_uses(self.graph, self.types)
        return tuple(replace(spec, layout=known.get(spec.name), use=uses[spec.name]) for spec in self.graph.inputs)

    @cached_property
    def _takes_pictures(self) -> bool:
        return picture_input(self._inputs) is not None

    @cached_property
    def _quantised(self) -> str:
        """What the graph quantises, as `Session` calls it."""
        unpacking = [node for node in self.graph.nodes if node.operator == "DequantizeLinear"]
        packing = [node for node in self.graph.nodes if node.operator == "QuantizeLinear"]
        dynamic = any(node.operator == "DynamicQuantizeLinear" for node in self.graph.nodes)
        if not packing and not dynamic:
            constant = unpacking and all(self.graph.is_constant(node.inputs[0]) for node in unpacking)
            return "weights" if constant else ""
        kinds = {node: self.types.get(node.outputs[0], TensorSpec("")).dtype for node in packing}
        if not set(kinds.values()) <= {"int8", "uint8", "int16", "uint16", None}:
            return "narrow"
        signed = [node for node, kind in kinds.items() if kind == "int8"]
        # Without zero points onnxruntime would make uint8 of them all the same, and refuse the model for that.
        return "int8" if signed and all(all(node.inputs[2:3]) and len(node.inputs) > 2 for node in signed) else ""


class ModelSession(AbstractContextManager["ModelSession"]):
    """A model opened once for many runs on one device; `placement` says where its nodes run."""

    def __init__(self, inference: Inference, choices: Sequence[Choice], options: RunOptions) -> None:
        """Open the graph, cut to what the choices need.

        Raises:
            DeviceError: The device took no node.
        """
        inference.check_run(choices)
        self._inference = inference
        self._choices = choices
        self._plan = inference.whole([choice.value for choice in choices])
        executor = inference.executor(options, keep=True)
        with inference.advising():
            for piece in self._plan.pieces:
                executor.prepare(piece)
        self._executor: Executor | None = executor
        self.placement = executor.placement

    def run(self, source: Any, feed: FeedOptions | None = None) -> Activations:
        """Run once on one source (see `Model.run`) and return the activations.

        Raises:
            InputError: The source cannot be fed, or is a list, which means several runs.
            RunError: onnxruntime fails, or the session is closed.
        """
        if self._executor is None:
            raise RunError("the session is closed")
        tries = self._inference.tries(source, feed, [choice.value for choice in self._choices])
        while True:
            try:
                return Activations(self._inference.carry_out(self._plan, self._choices, tries.feed, self._executor))
            except ExecutionError as error:
                tries.refused(error)

    def __exit__(self, *details: object) -> None:
        self._executor = None


def _not_shown(array: Any) -> str:
    """Return why a result of a run cannot be shown; empty for an array, which can."""
    if isinstance(array, np.ndarray):
        return ""
    if isinstance(array, Unreadable):
        return f"of type {array.type}, which onnxruntime does not hand out"
    if array is None:
        return "nothing came out: it is an optional without a value"
    return f"not a tensor but a {'map' if isinstance(array, dict) else type(array).__name__}"


def _refusal(choice: Choice, reason: str) -> UnsupportedError:
    return UnsupportedError(f"{choice.name!r} cannot be shown: {reason}")


def _checked(graph: Graph) -> bytes:
    """Return the graph for the runtime."""
    check_bounds(graph.proto)
    return graph.to_bytes()


def _shapes(fed: Feed) -> Shapes:
    return {name: array.shape for name, array in fed.arrays.items()}


def _without_sizes(types: Types) -> Types:
    """Return types with their ranks but no sizes: those that the file claims may be of another input."""
    return {
        name: replace(spec, shape=None if spec.shape is None else (None,) * len(spec.shape))
        for name, spec in types.items()
    }

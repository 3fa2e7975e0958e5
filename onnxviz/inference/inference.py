"""`Inference`: what one graph takes and what comes out of it, as activations."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from onnxviz.activations import Activation
from onnxviz.errors import ExecutionError, MissingOperatorError, OnnxvizError, UnsupportedError
from onnxviz.feed.feed import Feed
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.feed.free_sizes import open_sizes
from onnxviz.feed.input_shapes import picture_input
from onnxviz.feed.make import make_feed
from onnxviz.feed.second_sizes import Tries
from onnxviz.graph.computed import needs_of, written_out
from onnxviz.graph.cut import needed_inputs
from onnxviz.graph.graph import Graph
from onnxviz.graph.operators.input_uses import input_uses
from onnxviz.graph.operators.saturation import saturation_bounds
from onnxviz.graph.segments import map_bytes
from onnxviz.graph.selection.choices import Choice
from onnxviz.graph.shapes import fix_inputs, infer_types
from onnxviz.graph.storage.model_file import ModelFile
from onnxviz.graph.unfold import Unfolded
from onnxviz.graph.upgrade import OLDEST_RUN, is_old, upgraded
from onnxviz.inference.fetched import Fetching
from onnxviz.inference.missing_operators import MissingOperators
from onnxviz.inference.naming import Naming
from onnxviz.inference.quantisation import quantised
from onnxviz.inference.reached import Reached
from onnxviz.inference.refusals import LeftOut, refusal, warn
from onnxviz.inference.run_plan import RunPlan, plan_run, skeleton_of
from onnxviz.inference.value_layouts import ValueLayouts
from onnxviz.inference.value_types import Types, ValueTypes, shapes_of
from onnxviz.layout import TensorSpec, spatial_axes
from onnxviz.runtime.devices import Placement
from onnxviz.runtime.executor import Executor
from onnxviz.runtime.session import RunOptions
from onnxviz.words import once

if TYPE_CHECKING:
    from onnxviz.graph.operators.region import Region
    from onnxviz.inference.opened import Opened


class Inference:
    """Feeds and runs one graph, whose weights stay in its file.

    What lies inside functions and bodies is run in a graph of its own, which `reach` opens around it.
    """

    def __init__(
        self, file: ModelFile, unfolded: Unfolded, types: Types, layouts: ValueLayouts, reached: Reached
    ) -> None:
        """Take what is known of a graph before anything is fed.

        Args:
            file: where the weights lie.
            unfolded: the graph that is run, with all that lies inside.
            types: the type and shape of each value.
            layouts: which axis of them is what.
            reached: the graph that is run, with what is known of the values for which it was made.
        """
        self.file = file
        self.graph = reached.graph
        self.types = types
        self.missing = reached.missing
        self._unfolded = unfolded
        self._reached = reached
        self._layouts = layouts
        self._flat = reached.flat or unfolded.graph
        self._operators = MissingOperators(reached.graph, types)
        self._unrunnable: dict[str, str] = {}
        self._types_of = ValueTypes(reached.graph, unfolded, reached.computed)
        self._last_plan: tuple[object, RunPlan] = (None, RunPlan((), {}))
        self._last_opened: tuple[Opened, Inference] | None = None

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
        needed = needed_inputs(self.graph, self._at_the_top(needs_of(self._reached.computed, values)))
        return tuple(replace(spec, use=replace(spec.use, is_needed=spec.name in needed)) for spec in self._inputs)

    def executor(
        self,
        options: RunOptions | None = None,
        *,
        keep: bool = False,
        lends: bool = False,
        placed: Callable[[Placement], None] = lambda placement: None,
        noted: Callable[[str], None] = lambda text: None,
        as_shipped: bool = False,
    ) -> Executor:
        """Return what runs this graph on one device; `keep`, `lends` and `placed` are those of `Executor`.

        `noted` is called with a sentence where activations are int8, and where the graph has to be converted to newer
        operators. `as_shipped` runs int8 activations as onnxruntime does unless told otherwise, by which exposing may
        move the outputs.

        Raises:
            ModelError: The file with the weights changed since it was opened, or is incomplete.
            RunError: onnxruntime is missing.
        """
        self.file.check_unchanged()
        self.file.check_complete()
        kind = "" if as_shipped and self._quantised == "int8" else self._quantised
        if kind == "int8":
            noted(_SIGNED)
        newer = partial(_newer, whole=self.graph, noted=once(noted)) if is_old(self.graph) else None
        options = options or RunOptions()
        return Executor(self.file.folder, options, keep=keep, lends=lends, placed=placed, quantised=kind, newer=newer)

    def stream(
        self, choices: Sequence[Choice], fed: Feed, executor: Executor, left_out: LeftOut = warn
    ) -> Iterator[Activation]:
        """Plan a run, and yield an activation for each choice as the pieces of the graph run; see `carry_out`.

        Of several choices those that need an operator which onnxruntime lacks are `left_out` as well.

        Raises:
            UnsupportedError: A choice is a weight, or none of them can be shown.
        """
        self.check_run(choices)
        with self.advising(fed):
            opened = self.reach([choice.value for choice in choices], executor, fed)
        return opened._streamed(opened.present(choices, left_out), fed, executor, left_out)

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
                    waiting.pop(activation.value, None)
                    yield activation
                return
            except MissingOperatorError as error:
                lost = self._operators.needing(waiting.values(), error)
                if not lost or len(lost) == len(choices):
                    raise
                self._unrunnable.update((choice.value, str(error)) for choice in lost)
                self._leave_out(lost, waiting, left_out)

    def _leave_out(self, lost: Iterable[Choice], waiting: dict[str, Choice], left_out: LeftOut) -> None:
        for choice in lost:
            left_out(choice, self._unrunnable[choice.value])
            del waiting[choice.value]

    def carry_out(
        self, plan: RunPlan, choices: Sequence[Choice], fed: Feed, executor: Executor, left_out: LeftOut = warn
    ) -> Iterator[Activation]:
        """Yield an activation for each choice as the pieces run; those of inputs come first, as they were fed.

        Steps and elements that are kept are one activation if they have one size, else one each. Of several choices one
        that is not a tensor, or did not come out, is `left_out`.

        Raises:
            ExecutionError: The steps that are kept were not made for this input.
            UnsupportedError: None of them can be shown.
        """
        wanted = {choice.value: choice for choice in choices}
        for value in [name for name in fed.arrays if name in wanted]:
            yield self._naming(fed).one(wanted[value], fed.arrays[value].copy())
        lost: list[OnnxvizError] = []
        with self.advising(fed):
            fetching = self._fetching(plan, executor)
            for output, result in executor.run(plan.pieces, fed.arrays):
                fetched = fetching.take(output, result)
                if fetched is None:
                    continue
                choice, reason = wanted[fetched.value], fetched.reason_against
                if not reason:
                    yield from self._naming(fed).each(choice, fetched)
                    continue
                lost.append(refusal(choice, reason, another_may=fetched.elements is not None))
                if len(lost) < len(choices):
                    left_out(choice, reason)
        if len(lost) == len(choices):
            raise lost[-1]

    def _fetching(self, plan: RunPlan, executor: Executor) -> Fetching:
        return Fetching(plan.readings, self._reached.stacks, executor.options.kept)

    def plan(self, values: Sequence[str], fed: Feed, memory: int) -> RunPlan:
        """Plan a run: the graph cut to what the values need, in pieces whose maps fit in `memory` bytes.

        Plans for the same values are equal whatever sizes are fed, so that one open session serves all of them.
        """
        key = tuple(values), shapes_of(fed), memory
        if self._last_plan[0] != key:
            graph = written_out(self.graph, self._reached.computed, values)
            types = self._types_of.types(fed) if graph is self.graph else infer_types(fix_inputs(graph, shapes_of(fed)))
            self._last_plan = key, plan_run(graph, self._reached.outputs(values), types, memory)
        return self._last_plan[1]

    def whole(self, values: Sequence[str]) -> RunPlan:
        """Return the graph cut to what the values need, in one piece; in no piece where all of them are inputs."""
        graph = written_out(self.graph, self._reached.computed, values)
        return plan_run(graph, self._reached.outputs(values), self.types, sys.maxsize)

    def fetchable(self, values: Sequence[str], fed: Feed, executor: Executor) -> tuple[Graph, Types]:
        """Return the graph that computes these values at its top, whole, with the types of its values."""
        opened = self.reach(values, executor, fed)
        graph = written_out(opened.graph, opened._reached.computed, values)
        return graph, infer_types(graph)

    def map_bytes(self, choices: Sequence[Choice], fed: Feed) -> int:
        """Estimate the bytes of the maps of what is chosen; values of unknown size count as 0."""
        types = self._types_of.types(fed)
        return sum(map_bytes(types[choice.value]) or 0 for choice in choices if choice.value in types)

    def sizes(self, values: Sequence[str], fed: Feed, executor: Executor) -> Types:
        """Run, and return type and shape of those values that came out as tensors, of those in Loops as of one step."""
        with self.advising(fed):
            opened = self.reach(values, executor, fed)
            present = [value for value in values if value not in opened.missing]
            plan = opened.plan(present, fed, executor.options.memory)
            fetching = opened._fetching(plan, executor)
            found = (fetching.take(output, result) for output, result in executor.run(plan.pieces, fed.arrays))
            specs = (fetched.spec for fetched in found if fetched is not None)
            return {spec.name: spec for spec in specs if spec is not None}

    def region(self, choice: Choice, position: Sequence[int], fed: Feed) -> Region:
        """Return which pixels of the feed a position on a map of the choice depends on; runs for sizes not known."""
        # Not at the top: a run needs no rules of regions to be loaded.
        from onnxviz.graph.operators.region import region, unknown_sizes
        from onnxviz.graph.operators.tokens import token_grids

        executor = self.executor()
        opened = self.reach([choice.value], executor, fed)
        opened.present([choice], warn)
        if choice.value not in opened._reached.stacks and opened is not self:
            return opened.region(choice, position, fed)
        graph, types = fix_inputs(self._unfolded.graph, shapes_of(fed)), self._types_of.types(fed)
        unknown = unknown_sizes(graph, types, choice.value)
        if unknown:
            types = infer_types(graph, self.sizes(unknown, fed, executor))
        layout = choice.layer.layout if choice.layer is not None else None
        grid = token_grids(graph, types).get(choice.value)
        where = spatial_axes(layout) if grid is None or grid.is_said_by(layout) else grid
        return region(graph, types, choice.value, position, where)

    def values(self, names: Sequence[str], fed: Feed, options: RunOptions | None = None) -> list[Any]:
        """Run the whole graph, uncut and as onnxruntime does by default, and return the named outputs."""
        with self.advising():
            return self.executor(options, as_shipped=True).open(skeleton_of(self.graph)).run(fed.arrays, names)

    def reach(self, values: Sequence[str], executor: Executor, fed: Feed | None = None) -> Inference:
        """Return what runs these values on a feed: this, or a model opened around those that lie inside.

        Without a feed no value may lie in a branch. What an earlier feed needed is returned again where it serves this
        one too.
        """
        if not any(value in self._unfolded.addresses for value in values):
            return self
        key, last = (tuple(values), executor.options.kept), self._last_opened
        if last is not None and last[0].key == key and last[0].serves(fed):
            return last[1]
        # Not at the top: most models hold nothing, and wait for nothing that is for what does.
        from onnxviz.inference.conditions import Conditions
        from onnxviz.inference.opened import Opened, decider
        from onnxviz.inference.reach import Reach

        around = Reach(self._unfolded, self.graph, self.types).around
        reached = around(values, executor.options.kept, decider(executor, fed))
        reached = replace(reached, computed=self._reached.computed, flat=self._flat)
        types = infer_types(reached.graph)
        layouts = ValueLayouts(reached.graph, types, inside=dict.fromkeys(reached.stacks, self._layouts))
        inference = Inference(self.file, Unfolded(reached.graph), types, layouts, reached)
        conditions = Conditions(reached.graph, tuple(reached.conditions), executor)
        self._last_opened = Opened(key, conditions, reached.conditions), inference
        return inference

    def is_open_to(self, values: Sequence[str]) -> bool:
        """Return whether it is known before a feed how these values are run: none lies in a branch."""
        addresses = self._unfolded.addresses
        return not any(addresses[value].is_in_branch for value in values if value in addresses)

    def present(self, choices: Sequence[Choice], left_out: LeftOut) -> Sequence[Choice]:
        """Return those choices that this graph computes; of several the others are left out.

        Raises:
            ExecutionError: This input needs none of them.
            UnsupportedError: None of them can be had.
        """
        missing = [choice for choice in choices if choice.value in self.missing]
        if missing and len(missing) == len(choices):
            first = next((choice for choice in missing if choice.value in self._reached.absent), missing[0])
            raise refusal(first, self.missing[first.value], another_may=first.value in self._reached.absent)
        for choice in missing:
            left_out(choice, self.missing[choice.value])
        return [choice for choice in choices if choice.value not in self.missing]

    def _at_the_top(self, values: Sequence[str]) -> Sequence[str]:
        """Return the values on which others depend that lie inside: all that the holders read; others as they are."""
        addresses = self._unfolded.addresses
        found: list[str] = []
        for value in values:
            inside = value in addresses
            found += self.graph.nodes[addresses[value].path[0].index].reads if inside else [value]
        return found

    @contextmanager
    def advising(self, fed: Feed | None = None) -> Iterator[None]:
        """Add to an error of onnxruntime what it concerns: types of the model, or sizes of what is fed."""
        try:
            yield
        except MissingOperatorError as error:
            raise self._operators.with_types(error) from None
        except ExecutionError as error:
            choice = open_sizes(self.graph.inputs, shapes_of(fed)) if fed is not None else ""
            if not choice:
                raise
            raise ExecutionError(f"{error}\n{choice}") from None

    def check_run(self, choices: Sequence[Choice]) -> None:
        """Refuse weights, which no run computes.

        Raises:
            UnsupportedError: A choice is a weight.
        """
        weights = [choice.name for choice in choices if choice.value in self._unfolded.graph.weights]
        if weights:
            raise UnsupportedError(f"{weights[0]!r} is a weight of the model; what a run computes can be shown")

    @cached_property
    def _inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs with what the graph's own operators say of them: their layout, and their first use."""
        known = {name: found.layout for name, found in self._layouts.known.items() if not found.assumed}
        uses = input_uses(self.graph, self.types, self.file.folder)
        return tuple(replace(spec, layout=known.get(spec.name), use=uses[spec.name]) for spec in self.graph.inputs)

    @cached_property
    def _takes_pictures(self) -> bool:
        return picture_input(self._inputs) is not None

    def _naming(self, fed: Feed) -> Naming:
        tokens, bounds = partial(self._types_of.tokens, fed), partial(saturation_bounds, self._flat)
        return Naming(self._layouts, tokens, bounds, takes_pictures=self._takes_pictures)

    @cached_property
    def _quantised(self) -> str:
        return quantised(self._unfolded.graph, self.types)


_SIGNED = (
    "activations are int8: run with onnxruntime's session.qdqisint8allowed, so that looking at them changes nothing; "
    "without it, onnxruntime on x86 computes in uint8 and may come out a step of the codes or two apart"
)


def _newer(skeleton: bytes, whole: Graph, noted: Callable[[str], None]) -> bytes:
    """Return a piece of a graph in newer operators."""
    result = upgraded(skeleton, whole=whole)
    noted(f"the model is of opset {whole.opset}, older than onnxruntime runs: converted to {OLDEST_RUN}")
    return result

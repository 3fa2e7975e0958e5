"""`PairRuns`: two matched models on the inputs of a comparison, for whoever takes the values of their pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from onnxviz.comparing.axes import in_layout
from onnxviz.comparing.coded_values import CodedValues
from onnxviz.comparing.compare_options import CompareOptions
from onnxviz.comparing.compared_model import ComparedModel
from onnxviz.comparing.lockstep import Lockstep, Visitor
from onnxviz.comparing.matching.matches import Matches, Pair, Place
from onnxviz.comparing.own_errors import OwnErrors
from onnxviz.errors import InputError
from onnxviz.feed.feed import Feed
from onnxviz.inputs import Inputs
from onnxviz.layout import Array, TensorSpec
from onnxviz.model import Model
from onnxviz.results.observer import Observer
from onnxviz.runtime.session import RunOptions

_SHARE, _OWN_SHARE = 3 / 8, 1 / 4
"""Of the memory: what each model may hold, and what waits for B's layers to run alone."""


class PairRuns:
    """Both models, their pairs, and the inputs on which they run.

    Attributes:
        pairs: the pairs of layers, and behind them those of outputs.
        layers: the places of the pairs of layers that are compared.
        outputs: the places of the pairs of outputs.
        own: what runs B's layers alone; None where that is not wanted.
        inputs: the sources.
    """

    def __init__(
        self, models: tuple[Model, Model], matches: Matches, given: Any, options: CompareOptions, observer: Observer
    ) -> None:
        """Plan what is run; `matches` are those of the layers to compare and of all others that may be given to B."""
        self.models = models
        self.matches = matches
        self.options = options
        self._observer = observer
        outputs = tuple(_output_pair(models, names) for names in matches.outputs)
        self.pairs: tuple[Pair, ...] = (*matches.pairs, *outputs)
        self.outputs = range(len(matches.pairs), len(self.pairs))
        self.inputs = Inputs(
            models[0], given, options.feed, values=self._values_of_a(), failed=observer.failed,
            fail_fast=options.fail_fast,
        )  # fmt: skip
        self._b_inputs = models[1].inference.inputs()
        self._own: dict[tuple[int, ...], OwnErrors] = {}
        self._executors = [
            model.inference.executor(
                run, keep=self.inputs.several, lends=True, placed=observer.placed, noted=observer.noted
            )
            for model, run in zip(models, self._run_options(), strict=True)
        ]

    def _values_of_a(self) -> list[str]:
        return [pair.a.value for pair in self.pairs if pair.a.value] or [spec.name for spec in self.models[0].outputs]

    def _run_options(self) -> tuple[RunOptions, RunOptions]:
        both = self.options.run_a, self.options.run_b
        first, second = (replace(each, memory=max(1, int(each.memory * _SHARE))) for each in both)
        return first, second

    @property
    def placements(self) -> tuple[str, str]:
        """The devices on which both ran."""
        return self._executors[0].placement.device, self._executors[1].placement.device

    @property
    def coded_a(self) -> frozenset[int]:
        """The places of the pairs whose values A keeps as codes."""
        coded = CodedValues(self.models[0].graph, self.models[0].types)
        return frozenset(place for place, pair in enumerate(self.pairs) if coded.of(pair.a.value) is not None)

    def every(self, layers: Sequence[int], make: Callable[[], Visitor], done: Callable[[Feed, Visitor], None]) -> None:
        """Run all inputs, each for a visitor of its own, which is handed to `done` when the run has ended well."""

        def work(feed: Feed) -> None:
            visitor = make()
            self._run(layers, feed, visitor)
            done(feed, visitor)

        self.inputs.each(work)

    def once(self, number: int, layers: Sequence[int], visitor: Visitor) -> Feed | None:
        """Run the input of this number once more, for some layers, and return what was fed."""
        fed: list[Feed] = []

        def work(feed: Feed) -> None:
            fed.append(feed)
            self._run(layers, feed, visitor, outputs=False)

        self.inputs.once(number, work)
        return fed[-1] if fed else None

    def own_errors(self, layers: Sequence[int]) -> OwnErrors | None:
        """Return what runs these layers of B alone; None where that is not wanted."""
        if not self.options.own:
            return None
        key = tuple(layers)
        if key not in self._own:
            b = ComparedModel(self.models[1], [], self._run_options()[1], self._executors[1])
            self._own[key] = OwnErrors(b, self.matches.pairs, layers, keep=self.inputs.several)
        return self._own[key]

    def _run(self, layers: Sequence[int], feed: Feed, visitor: Visitor, *, outputs: bool = True) -> None:
        own = self.own_errors(layers)
        compared = [*layers, *(self.outputs if outputs else ())]
        lent = set() if own is None else set().union(*own.needs.values())
        wanted = sorted(lent.union(compared))
        sides = (
            _ordered(self.models[0], [self.pairs[place].a.value for place in wanted]),
            _ordered(self.models[1], [self.pairs[place].b.value for place in compared]),
        )
        compared_models = tuple(
            ComparedModel(model, values, run, executor)
            for model, values, run, executor in zip(
                self.models, sides, self._run_options(), self._executors, strict=True
            )
        )
        budget = int(self.options.run_a.memory * _OWN_SHARE)
        both = compared_models[0], compared_models[1]
        Lockstep(both, self.pairs, own, budget).run(compared, (feed, self.feed_of_b(feed)), visitor)

    def visit(self, feed: Feed, layers: Sequence[int], visitor: Visitor) -> None:
        """Run both on what is fed, for some layers and for no outputs."""
        self._run(layers, feed, visitor, outputs=False)

    def feed_of_b(self, feed: Feed) -> Feed:
        """Return for B what A is fed.

        Raises:
            InputError: B takes something else.
        """
        of_a = {other: name for name, other in self.matches.inputs.items()}
        arrays: dict[str, Array] = {}
        for spec in self._b_inputs:
            name = of_a.get(spec.name, spec.name)
            if name in feed.arrays:
                layout = next((fed.layout for fed in feed.fed if fed.name == name), None)
                arrays[spec.name] = _fitted(feed.arrays[name], layout, spec)
            elif spec.use.is_needed:
                raise InputError(f"B takes an input {spec.name!r}, which A has not: the two cannot be fed the same")
        return Feed(arrays, feed.fed, feed.stem)


def _fitted(array: Array, layout: str | None, spec: TensorSpec) -> Array:
    """Return what A is fed as an input of B takes it.

    Raises:
        InputError: It takes another dtype or shape.
    """
    moved = in_layout(array, layout, spec.layout)
    kinds = array.dtype, np.dtype(spec.dtype or array.dtype)
    floats = all(kind.kind == "f" for kind in kinds)
    if not floats and kinds[0] != kinds[1]:
        raise InputError(
            f"B's input {spec.name!r} takes {kinds[1]}, where A takes {kinds[0]}: they cannot be fed alike"
        )
    shape = spec.shape
    if shape is not None and (
        len(shape) != moved.ndim
        or any(isinstance(size, int) and size != own for size, own in zip(shape, moved.shape, strict=True))
    ):
        sizes = ["x".join("?" if size is None else str(size) for size in each) for each in (shape, moved.shape)]
        raise InputError(f"B's input {spec.name!r} takes {sizes[0]}, and A is fed {sizes[1]}: they cannot be fed alike")
    return moved.astype(kinds[1], copy=False)


def _ordered(model: Model, values: Sequence[str]) -> list[str]:
    """Return values once each, in the order in which a run makes them."""
    wanted = set(values)
    known = [output for node in model.unfolded.graph.nodes for output in node.outputs if output in wanted]
    return list(dict.fromkeys([*(value for value in values if value not in set(known)), *known]))


def _output_pair(models: tuple[Model, Model], names: tuple[str, str]) -> Pair:
    layouts = [
        next((layer.layout for layer in model.every_layer if name in (layer.act, layer.output)), None)
        for model, name in zip(models, names, strict=True)
    ]
    places = [
        Place(name, "output", "", name, layout, (), (), None) for name, layout in zip(names, layouts, strict=True)
    ]
    return Pair(places[0], places[1], "name" if names[0] == names[1] else "structure")

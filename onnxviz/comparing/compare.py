"""`compare`: two models on the same inputs, layer by layer."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Unpack

from onnxviz.changed import changed
from onnxviz.comparing.alignment import are_apart
from onnxviz.comparing.closer_look import CloserLook, DifferingMaps
from onnxviz.comparing.compare_options import CompareChanges, CompareOptions
from onnxviz.comparing.compared_layers import ComparedLayer
from onnxviz.comparing.comparison_result import Comparison
from onnxviz.comparing.matching.match import match
from onnxviz.comparing.matching.matches import Matches
from onnxviz.comparing.pair_runs import PairRuns
from onnxviz.comparing.tally import Tally
from onnxviz.errors import NoMatchError
from onnxviz.feed.feed import Feed
from onnxviz.model import Model, choices_of
from onnxviz.opening import open
from onnxviz.results.observer import Observer
from onnxviz.runtime.devices import check_name

MAPS = 6
"""How many channels of a layer are kept to be drawn."""

_LOOKED_AT = 12
"""How many layers are looked at a second time, for what their errors look like."""

_SUSPECT = 5.0
"""Those whose own error is so many dB below the median of their kind are, the furthest first."""


def compare(
    a: Model | str | os.PathLike[str],
    b: Model | str | os.PathLike[str],
    inputs: Any = (),
    options: CompareOptions | None = None,
    observer: Observer | None = None,
    **changes: Unpack[CompareChanges],
) -> Comparison:
    """Run two models on the same inputs and compare their layers: which goes wrong first, by itself, and how.

    `inputs` is what `onnxviz.view` takes, fed to A as A asks for it; B is fed the same arrays.

    Args:
        a: The model that is taken to be right, or its file.
        b: The other: quantised, converted, optimised, another checkpoint.
        inputs: What is fed; the errors of several inputs are pooled.
        options: All options; None is `CompareOptions()`.
        observer: Hears of the progress.
        changes: Fields of the options that are to be others, such as `own=False`.

    Raises:
        NoMatchError: The two share no layer, none of those that are selected, or none of one shape.
        InputError: No input can be used, or B takes something else.
        RunError: onnxruntime is missing or fails.
    """
    options, observer = changed(options or CompareOptions(), changes, "compare"), observer or Observer()
    for run in (options.run_a, options.run_b):
        check_name(run.device)
    models = tuple(
        model if isinstance(model, Model) else open(model, stage=observer.stage, converted=observer.converted)
        for model in (a, b)
    )
    both = models[0], models[1]
    matches = match(*both, options.same)
    layers = _selected(both[0], matches, options)
    runs = PairRuns(both, matches, inputs, options, observer)
    observer.planned(len(runs.inputs.sources), 0, 1)
    apart = are_apart(matches.pairs)
    tally = Tally(runs.pairs, apart=apart)
    fed: list[str] = []

    def add(feed: Feed, found: Any) -> None:
        tally.join(found)
        fed.append(feed.stem)

    def begin() -> Tally:
        return Tally(runs.pairs, apart=apart)

    runs.every(layers, begin, add)
    if not tally.is_empty:
        return replace(_found(runs, layers, tally, fed), trained_apart=apart)
    name, reason = matches.pairs[layers[0]].a.layer, tally.remark(layers[0])
    raise NoMatchError(f"nothing can be compared of the layers that the two models share, such as {name}: {reason}")


def _selected(a: Model, matches: Matches, options: CompareOptions) -> tuple[int, ...]:
    """Return the places of the pairs to compare.

    Raises:
        NoMatchError: There are none.
    """
    if not matches.pairs:
        raise NoMatchError("the two models share no layer: nothing can be compared\n--map A=B says which is which")
    every = range(len(matches.pairs))
    if options.layers is None and not options.exclude:
        return tuple(every)
    choices, _ = choices_of(a, options.layers if options.layers is not None else "all", options.exclude)
    values, names = {choice.value for choice in choices}, {choice.name for choice in choices}
    chosen = [
        place for place in every if matches.pairs[place].a.value in values or matches.pairs[place].a.layer in names
    ]
    if not chosen:
        raise NoMatchError("none of the selected layers has a counterpart in B")
    return tuple(chosen)


def _found(runs: PairRuns, places: Sequence[int], tally: Tally, fed: Sequence[str]) -> Comparison:
    own = runs.own_errors(places)
    outputs = frozenset(spec.name for spec in runs.models[0].outputs)
    layers = list(tally.layers(places, outputs, {} if own is None else own.reasons, runs.coded_a))
    wrong = [place for place, layer in enumerate(layers) if layer.breaks]
    wrong = wrong or [place for place, layer in enumerate(layers) if layer.stands_out]
    differing = sorted(
        (place for place, layer in enumerate(layers) if layer.differs), key=lambda place: layers[place].badness
    )
    shown = next(iter((*wrong, *differing)), None)
    maps = None if shown is None else _look_closer(runs, places, layers, shown, tally)
    run_options = runs.options.run_a, runs.options.run_b
    levels = [f"{device}, {run.level}" for device, run in zip(runs.placements, run_options, strict=True)]
    return Comparison(
        a=str(runs.models[0].file.origin),
        b=str(runs.models[1].file.origin),
        levels=(levels[0], levels[1]),
        inputs=tuple(fed),
        failures=runs.inputs.failures,
        matches=runs.matches,
        layers=MappingProxyType({layer.name: layer for layer in layers}),
        outputs=tuple(map(tally.output, runs.outputs)),
        first=layers[wrong[0]] if wrong else None,
        has_own=runs.options.own,
        maps=maps,
        runs=runs,
    )


def _look_closer(
    runs: PairRuns, places: Sequence[int], layers: list[ComparedLayer], shown: int, tally: Tally
) -> DifferingMaps | None:
    """Look at the worst layers once more, put what is seen into `layers`, and return the maps of the one shown."""
    suspects = [place for place, layer in enumerate(layers) if layer.breaks or (layer.margin or 0) > _SUSPECT]
    suspects = sorted(suspects, key=lambda place: layers[place].badness)[:_LOOKED_AT]
    looked = sorted({shown, *suspects})
    channels = tally.worst_channels(places[shown], MAPS)
    number = tally.worst_input(places[shown])
    look = CloserLook(runs.pairs, {places[place] for place in suspects}, places[shown], channels)
    runs.once(number, [places[place] for place in looked], look)
    for place in looked:
        layers[place] = replace(layers[place], cause=look.cause(places[place]))
    if look.maps is None:
        return None
    a, b, is_own = look.maps
    shares = tuple(tally.channel_shares(places[shown], channels))
    return DifferingMaps(layers[shown].name, tuple(channels), shares, a, b, is_own, str(number))

"""`explain`: why a model answers as it does on its inputs; a sheet and single pictures for each, in a folder."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from onnxviz.classes.classes import class_outputs, read_labels, unfit
from onnxviz.draw.palette import find_theme
from onnxviz.errors import InputError, UnsupportedError, UsageError
from onnxviz.explaining.check import Checking
from onnxviz.explaining.explain_options import ExplainOptions
from onnxviz.explaining.explanation import Explanation
from onnxviz.explaining.exporting import check_export, exported_heat
from onnxviz.explaining.heats import heats_of
from onnxviz.explaining.method_work import Explaining
from onnxviz.explaining.methods import METHODS, check_methods
from onnxviz.explaining.network import Network
from onnxviz.explaining.outlet import ExplainRecord, ExplanationFolder
from onnxviz.explaining.target import Target, class_targets, numbers_of, output_target, unit_target
from onnxviz.feed.feed import Feed
from onnxviz.feed.preprocessing import model_labels
from onnxviz.inputs import Inputs
from onnxviz.model import Model
from onnxviz.opening import open
from onnxviz.results.folder import paths_of
from onnxviz.results.observer import Observer
from onnxviz.runtime.devices import check_name


def explain(
    model: Model | str | os.PathLike[str],
    inputs: Any = (),
    directory: str | os.PathLike[str] | None = None,
    options: ExplainOptions | None = None,
    observer: Observer | None = None,
) -> ExplainRecord:
    """Explain a model's answers on its inputs: a sheet, a picture for each method and target, and `explain.json`.

    Raises:
        InputError: No input can be used, or of several none can be explained.
        NoMatchError: The model lacks the class, the unit or the layer that is asked for.
        UnsupportedError: None of the methods can be used on the only input, or it is not a picture.
        OutputError: The folder exists and onnxviz did not make it.
        RunError: onnxruntime is missing or fails.
    """
    options, observer = options or ExplainOptions(), observer or Observer()
    check_methods(options.methods)
    check_export(options)
    check_name(options.run.device)
    find_theme(options.theme)
    if not isinstance(model, Model):
        model = open(model, stage=observer.stage, converted=observer.converted)
    labels = labels_of(model, options)
    given = Inputs(model, inputs, options.feed, failed=observer.failed, fail_fast=options.fail_fast)
    needed = [*paths_of(inputs), *(Path(one) for one in (options.labels, options.font) if isinstance(one, str | Path))]
    observer.planned(len(given.sources), 0, 1)
    exported: list[dict[str, Any]] = []
    with ExplanationFolder(model, inputs, directory, options, needed) as folder:

        def work(feed: Feed) -> None:
            observer.started(feed, len(options.methods), 0)
            network = Network(model, feed, options.run)
            try:
                found = explanations(network, options, labels, observer)
            except UnsupportedError as error:
                if not given.several:
                    raise
                raise InputError(f"{feed.stem}: {error}") from error  # others may be explained: this one is left out
            folder.add(feed, given.place if given.several else None, found)
            if options.export is not None and not exported:
                exported.append(exported_heat(network, found, options, options.export))
            observer.scanned()

        given.each(work)
        return folder.end(given.failures, exported[0] if exported else None)


def explain_one(model: Model, source: Any, method: str, target: str | int, options: ExplainOptions) -> Explanation:
    """Explain one answer on one input; see `Model.explain`.

    Raises:
        NoMatchError: The model lacks the class, the unit or the place that is asked for.
        UnsupportedError: The method cannot be used, or the input is not a picture.
    """
    check_methods([method])
    text, labels = str(target), labels_of(model, options)
    if text in (labels or ()):
        pass  # a class may be called `C#` or `note [3]`
    elif "#" in text:
        options = replace(options, unit=text)
    elif text.endswith("]"):
        options = replace(options, at=text)
    options = replace(options, methods=(method,), target=text)
    network = Network(model, model.feed(source, options.feed), options.run)
    first, *others = explanations(network, options, labels)
    if others:
        raise UsageError(f"one map is of one layer and one target: {1 + len(others)} are asked for")
    return first


def labels_of(model: Model, options: ExplainOptions) -> tuple[str, ...] | None:
    """Return the names of the classes: those that are given, else the model's own, None where it has none.

    Raises:
        InputError: The file cannot be read, or the names that are given fit no output.
    """
    if options.labels is None:
        return model_labels(model.metadata)
    given = read_labels(options.labels) if isinstance(options.labels, Path) else options.labels
    if not class_outputs(model, (), given, asked=True) and class_outputs(model, (), None, asked=True):
        raise unfit(given, {spec.name: model.types.get(spec.name, spec).shape for spec in model.outputs})
    return given


def targets_of(network: Network, options: ExplainOptions, labels: tuple[str, ...] | None) -> tuple[Target, ...]:
    """Return what is explained on one input.

    Raises:
        NoMatchError: The model lacks the class, the unit or the place that is asked for.
    """
    if options.unit is not None:
        return (unit_target(network, options.unit),)
    if options.at is not None:
        return (output_target(network, options.at),)
    return class_targets(network, options.target, labels)


def explanations(
    network: Network, options: ExplainOptions, labels: tuple[str, ...] | None, observer: Observer | None = None
) -> list[Explanation]:
    """Return the explanations of one input, method by method, each for all targets.

    A method that cannot be used is left out where others can, with a note.

    Raises:
        UnsupportedError: None of them can be used, or the input is not a picture.
    """
    observer = observer or Observer()
    picture = network.feed.main.picture
    work = Explaining(network, targets_of(network, options, labels), options)
    if picture is None or not work.axes:
        raise UnsupportedError("explanations are drawn over a picture: the input is not one")
    numbers = numbers_of(network, work.targets, [network.array])[:, 0].tolist()
    values = dict(zip(work.targets, numbers, strict=True))
    found: list[Explanation] = []
    refused: list[str] = []
    for name in dict.fromkeys(options.methods):
        for part in work.by_layer(name):
            method, start, before = METHODS[name], time.perf_counter(), len(refused)
            heats = heats_of(name, part, refused)
            seconds = time.perf_counter() - start
            found += [
                Explanation(
                    name,
                    target,
                    values[target],
                    heat.array,
                    heat.layer,
                    heat.settings,
                    method.says,
                    method.look,
                    picture,
                    seconds,
                )
                for target, heat in heats.items()
            ]
            if not heats:
                del refused[before + 1 :]  # the reason is the same for all targets
    if not found:
        raise UnsupportedError(refused[0].partition(" is left out: ")[2])
    for reason in refused:
        observer.noted(reason)
    if not options.check:
        return found
    checking = Checking(work)
    return [replace(one, check=checking.check(one)) for one in found]

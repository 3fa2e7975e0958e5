"""From a source and a model's inputs to the arrays of one run, with everything to be said of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from onnxviz.errors import InputError, UsageError
from onnxviz.feed.feed import Feed, record
from onnxviz.feed.feed_options import FeedOptions, check_options
from onnxviz.feed.find import MAIN
from onnxviz.feed.fit_pictures import fit_items
from onnxviz.feed.fitted import Fitted, Job
from onnxviz.feed.input_shapes import (
    FreeSizes,
    array_input,
    describe_inputs,
    input_named,
    no_picture,
    picture_input,
    sound_input,
)
from onnxviz.feed.load import Content, Item, load, load_value
from onnxviz.feed.matrices import Matrix
from onnxviz.feed.pictures import Picture
from onnxviz.feed.sounds import Sound
from onnxviz.feed.synthetic import fill
from onnxviz.layout import TensorSpec

Items = tuple[Item, ...]

RANDOM_WAY = "--random (in Python FeedOptions(random=True))"


def make_feed(inputs: Sequence[TensorSpec], source: Any, options: FeedOptions, metadata: Mapping[str, str]) -> Feed:
    """Make the arrays that a model is fed in one run.

    `source` is a path, `-` for standard input, an array, a PIL image, a list of these (one batch), or a mapping from
    input name to one of these or a number; the key `""` stands for the input that fits. None leaves everything to
    `options.random` or `options.constant`. Arrays are fed as they are unless preprocessing is asked for.

    Raises:
        InputError: the source is broken or fits no input.
        UsageError: the options do not fit the model.
        ModelError: the model's own metadata cannot be read.
    """
    specs = tuple(inputs)
    check_options(options, specs)
    given = _assigned(specs, source)
    _check_given(specs, given, options)
    job = Job(specs, options, metadata, FreeSizes(dict(options.dims)))
    fitted: dict[str, Fitted] = {}
    # Numbers last: they take the shape that the arrays have given to the model's symbols.
    for spec in sorted((spec for spec in specs if spec.name in given), key=lambda spec: _is_number(given[spec.name])):
        fitted[spec.name] = fit_items(job, spec, given[spec.name])
    contents = (item.content for items in given.values() for item in items)
    rate = next((content.rate for content in contents if isinstance(content, Sound)), None)
    for spec in specs:
        if spec.name not in fitted:
            fitted[spec.name] = fill(job, spec, rate)
    return _feed(specs, fitted, _stem(given, options))


def _feed(specs: Iterable[TensorSpec], fitted: Mapping[str, Fitted], stem: str) -> Feed:
    ordered = [(spec.name, fitted[spec.name]) for spec in specs]
    return Feed(
        arrays={name: one.array for name, one in ordered},
        fed=tuple(record(name, one.array, one.shown, list(one.notes)) for name, one in ordered),
        stem=stem,
    )


def _assigned(inputs: tuple[TensorSpec, ...], source: Any) -> dict[str, Items]:
    """Return the items for each input by name; the main source's input first."""
    if source is None:
        return {}
    if not isinstance(source, Mapping):
        return _main(inputs, load(source))
    named: dict[str, Items] = {}
    for name, value in source.items():
        if name != MAIN:
            spec = input_named(inputs, name)
            named[spec.name] = _one_array(load_value(value) if isinstance(value, str) else load(value), name)
    if MAIN not in source:
        return named
    free = tuple(spec for spec in inputs if spec.name not in named)
    if not free:
        raise InputError(f"{source[MAIN]}: every input is given by name already ({describe_inputs(inputs)})")
    return {**_main(free, load(source[MAIN])), **named}


def _main(inputs: tuple[TensorSpec, ...], loaded: Items | dict[str, Item]) -> dict[str, Items]:
    if isinstance(loaded, tuple):
        return {_input_for(inputs, loaded[0]).name: loaded}
    names = {spec.name for spec in inputs}
    if len(loaded) == 1 and not names & loaded.keys():
        item = next(iter(loaded.values()))
        return {_input_for(inputs, item).name: (item,)}
    return {input_named(inputs, name).name: (item,) for name, item in loaded.items()}


def _one_array(loaded: Items | dict[str, Item], name: str) -> Items:
    if isinstance(loaded, tuple):
        return loaded
    if len(loaded) == 1:
        return tuple(loaded.values())
    if name in loaded:
        return (loaded[name],)
    raise InputError(f"input {name!r} takes one array, the .npz file holds {', '.join(map(repr, loaded))}")


def _input_for(inputs: tuple[TensorSpec, ...], item: Item) -> TensorSpec:
    spec = _fitting(inputs, item.content)
    if spec is not None:
        return spec
    if isinstance(item.content, Sound):
        raise InputError(
            f"{item.name}: no input takes a sound, which is L, NxL or NxCxL of floats "
            f"(inputs: {describe_inputs(inputs)}); give an array of the input's shape (.npy)"
        )
    raise no_picture(inputs, item.name)


def _fitting(inputs: tuple[TensorSpec, ...], content: Content) -> TensorSpec | None:
    if isinstance(content, Picture):
        return picture_input(inputs)
    if isinstance(content, Sound):
        return sound_input(inputs)
    if isinstance(content, Matrix):
        return picture_input(inputs) or array_input(inputs, 2)
    return array_input(inputs, content.ndim)


def _check_given(inputs: tuple[TensorSpec, ...], given: Mapping[str, Items], options: FeedOptions) -> None:
    made = options.seed is not None or options.constant is not None
    if made and inputs and all(spec.name in given for spec in inputs):
        raise UsageError("random and constant are for inputs that nothing is given for: every input is given here")
    main = picture_input(inputs) or (inputs[0] if inputs else None)
    if main is not None and not made and not any(not _is_number(items) for items in given.values()):
        alone = len(given) == len(inputs)
        if not alone and main.name not in given:
            raise InputError(
                f"nothing is given for input {main.name!r}: give a picture, an array (.npy), a matrix (.csv) or "
                f"a sound (.wav), or ask for noise: {RANDOM_WAY}"
            )


def _is_number(items: Items) -> bool:
    content = items[0].content
    return not isinstance(content, Picture | Matrix | Sound) and content.ndim == 0


def _stem(given: Mapping[str, Items], options: FeedOptions) -> str:
    telling = [items[0].stem for items in given.values() if not _is_number(items)]
    if telling:
        return telling[0]
    return "random" if options.seed is not None else "constant" if options.constant is not None else "values"

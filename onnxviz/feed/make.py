"""Makes the feed of one run from a source: each input is given an item of the source, or synthetic numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from onnxviz.errors import InputError, UsageError
from onnxviz.feed.draft import Needed
from onnxviz.feed.feed import Fed, Feed, Fitted
from onnxviz.feed.feed_options import FOR_PICTURES, FeedOptions, Job, check_options
from onnxviz.feed.find import MAIN
from onnxviz.feed.fit import fit_item
from onnxviz.feed.fit_pictures import needed_size
from onnxviz.feed.free_sizes import FreeSizes, two_sizes
from onnxviz.feed.geometry import Geometry
from onnxviz.feed.input_shapes import (
    array_input,
    describe_inputs,
    input_named,
    no_picture,
    picture_input,
    sound_input,
    takes_noise,
)
from onnxviz.feed.load import Content, Item, load, load_text, load_value, several_runs
from onnxviz.feed.matrices import Matrix
from onnxviz.feed.open_sizes import guess_sizes, open_axes
from onnxviz.feed.pictures import Picture, as_rgb, pictures_from_array
from onnxviz.feed.sounds import Sound
from onnxviz.feed.synthetic import Beside, fill
from onnxviz.layout import Array, TensorSpec
from onnxviz.words import listed

RANDOM_WAY = "--random (in Python FeedOptions(random=True))"


def make_feed(
    inputs: Sequence[TensorSpec],
    source: Any,
    options: FeedOptions,
    metadata: Mapping[str, str],
    open_size: int | None = None,
) -> Feed:
    """Make the arrays that a model is fed in one run.

    `source` is a path, `-` for standard input, an array, a Pillow image, or a mapping from input name to one of these,
    numbers or text; the key `""` stands for the input that fits. None leaves everything to `options.random` or
    `options.constant`. Arrays are fed unchanged unless preprocessing is asked for. A batch is an array; a list is
    several runs, and is refused. Inputs that the run does not need are not fed. `open_size` is what every size that
    the model leaves open becomes where numbers are made up.

    Raises:
        InputError: The source is broken or fits no input.
        UsageError: The options do not fit the model.
        ModelError: The model's own metadata cannot be read.
    """
    return FeedMaker(inputs, options, metadata, open_size).feed(source)


class FeedMaker:
    """Makes the feeds of many runs; see `make_feed`."""

    def __init__(
        self,
        inputs: Sequence[TensorSpec],
        options: FeedOptions,
        metadata: Mapping[str, str],
        open_size: int | None = None,
    ) -> None:
        """Take what all runs share.

        Raises:
            UsageError: The options do not fit the model.
        """
        self._inputs = tuple(inputs)
        self._specs = tuple(spec for spec in inputs if spec.use.is_needed)
        self._options = options
        self._metadata = metadata
        self._open_size = open_size
        check_options(options, self._inputs)

    @property
    def drafts(self) -> bool:
        """Whether pictures are decoded from their files as small as they are needed."""
        return self._options.draft

    def arrays(self, source: Any) -> Mapping[str, Array]:
        """Return the arrays of a feed alone: what would be said of them takes as long as making them."""
        _, _, fitted = self._fit(self._given(source))
        return {spec.name: fitted[spec.name].array for spec in self._specs}

    def feed(self, source: Any) -> Feed:
        """Return the feed of one run."""
        given = self._given(source)
        job, unused, fitted = self._fit(given)
        fed = [fitted[spec.name].record(spec.name) for spec in self._specs]
        apart = two_sizes([(spec, fitted[spec.name].array.shape) for spec in self._specs])
        fed = [replace(one, notes=(*one.notes, *apart.get(one.name, ()))) for one in fed]
        if fed:
            fed[0] = replace(fed[0], notes=(*fed[0].notes, *_unused(job, unused, fed)))
        guesses = (_is_guessed(job, spec) for spec in self._specs if spec.name not in given)
        return Feed(
            arrays={spec.name: fitted[spec.name].array for spec in self._specs},
            fed=tuple(fed),
            stem=_stem(given, self._options),
            has_guesses=_makes(self._options) and any(guesses),
        )

    def _given(self, source: Any) -> dict[str, Item]:
        return _assigned(self._inputs, source, self._needed)

    def _needed(self, inputs: Sequence[TensorSpec]) -> Needed | None:
        """Return how large a picture that is given for one of these inputs is needed; None takes it as it is."""
        spec = picture_input(inputs)
        return None if spec is None or not self._options.draft else partial(needed_size, self._job(), spec)

    def _job(self) -> Job:
        return Job(self._specs, self._options, self._metadata, FreeSizes(self._options.dims), self._open_size)

    def _fit(self, given: Mapping[str, Item]) -> tuple[Job, list[str], dict[str, Fitted]]:
        """Return the job, what is given and not needed, and what each input is fed."""
        unused = [spec.name for spec in self._inputs if spec.name in given and not spec.use.is_needed]
        used = {name: item for name, item in given.items() if name not in unused}
        _check_given(self._specs, used, self._options)
        job = self._job()
        return job, unused, _fitted(job, used)


def _unused(job: Job, given: Sequence[str], fed: Sequence[Fed]) -> Iterator[str]:
    """Yield a note on the inputs that are given and not fed, and one on options that no input was prepared with."""
    if given:
        yield f"nothing that is chosen needs {listed(map(repr, given))}: what is given for it is not used"
    is_said = any(FOR_PICTURES in note for one in fed for note in one.notes)
    # A picture of one number has the size that is asked for.
    options = job.options if picture_input(job.inputs) is None else replace(job.options, size=None)
    if options.asks and not is_said and all(one.preset == "none" for one in fed):
        yield f"no picture is fed, and {FOR_PICTURES}: its options are not used"


def _fitted(job: Job, given: Mapping[str, Item]) -> dict[str, Fitted]:
    """Return what each input is fed."""
    fitted: dict[str, Fitted] = {}
    # Numbers last: they take the shape that the arrays have given to the model's symbols.
    named = [spec for spec in job.inputs if spec.name in given]
    for spec in sorted(named, key=lambda spec: _is_number(given[spec.name])):
        fitted[spec.name] = fit_item(job, spec, given[spec.name])
    contents = (item.content for item in given.values())
    rate = next((content.rate for content in contents if isinstance(content, Sound)), None)
    rest = [spec for spec in job.inputs if spec.name not in given]
    if _makes(job.options):
        guess_sizes(job, rest)
    # The picture first: other inputs may hold its size.
    for spec in sorted(rest, key=lambda spec: spec is not picture_input(job.inputs)):
        geometry = next((one.geometry for one in fitted.values() if one.geometry is not None), None)
        fitted[spec.name] = fill(job, spec, Beside(rate, geometry))
    return fitted


def shown_picture(source: Any) -> Feed:
    """Return a feed without arrays that shows a picture, for maps whose model is not at hand.

    Raises:
        InputError: The source is not a picture.
    """
    item = load(source)
    if isinstance(item, dict):
        raise InputError("one picture can be shown beside the maps; name a file, a Pillow image or an array of pixels")
    content = item.content
    if isinstance(content, np.ndarray) and content.ndim < 4:
        content = pictures_from_array(content, item.name)[0]
    if not isinstance(content, Picture):
        raise InputError(f"{item.name} is not a picture, so it cannot be shown beside the maps")
    pixels = as_rgb(content.pixels)
    geometry = Geometry.identity((pixels.shape[0], pixels.shape[1]))
    shown = Fitted(pixels, item.name, list(content.notes), "HWC", picture=pixels, geometry=geometry)
    return Feed({}, (shown.record("input"),), item.stem)


_NeededBy = Callable[[Sequence[TensorSpec]], Needed | None]


def _assigned(inputs: tuple[TensorSpec, ...], source: Any, needed: _NeededBy) -> dict[str, Item]:
    """Return the item for each input by name, the main one first."""
    if source is None:
        return {}
    if isinstance(source, list | tuple):
        raise several_runs(source)
    if not isinstance(source, Mapping):
        return _main(inputs, load(source, needed(inputs)))
    named: dict[str, Item] = {}
    for name, value in source.items():
        if name != MAIN:
            spec = input_named(inputs, name)
            named[spec.name] = _one_array(_read(spec, value, needed((spec,))), name)
    if MAIN not in source:
        return named
    free = tuple(spec for spec in inputs if spec.name not in named)
    if not free:
        raise InputError(f"{source[MAIN]}: every input is given by name already ({describe_inputs(inputs)})")
    return {**_main(free, load(source[MAIN], needed(free))), **named}


def _read(spec: TensorSpec, value: Any, needed: Needed | None) -> Item | dict[str, Item]:
    is_text = spec.dtype == "object"
    if isinstance(value, str):
        return load_text(value) if is_text else load_value(value, needed)
    return load(np.array(value)) if is_text and isinstance(value, list | tuple) else load(value, needed)


def _main(inputs: tuple[TensorSpec, ...], loaded: Item | dict[str, Item]) -> dict[str, Item]:
    if isinstance(loaded, Item):
        return {_input_for(inputs, loaded).name: loaded}
    names = {spec.name for spec in inputs}
    if len(loaded) == 1 and not names & loaded.keys():
        item = next(iter(loaded.values()))
        return {_input_for(inputs, item).name: item}
    return {input_named(inputs, name).name: item for name, item in loaded.items()}


def _one_array(loaded: Item | dict[str, Item], name: str) -> Item:
    if isinstance(loaded, Item):
        return loaded
    if len(loaded) == 1:
        return next(iter(loaded.values()))
    if name in loaded:
        return loaded[name]
    raise InputError(f"input {name!r} takes one array, the .npz file holds {', '.join(map(repr, loaded))}")


def _input_for(inputs: tuple[TensorSpec, ...], item: Item) -> TensorSpec:
    needed = tuple(spec for spec in inputs if spec.use.is_needed)
    spec = _fitting(needed, item.content) or _fitting(inputs, item.content)
    if spec is not None:
        return spec
    if _is_text(item.content):
        raise InputError(f"{item.name}: no input takes text (inputs: {describe_inputs(inputs)})")
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
    if _is_text(content):
        return next((spec for spec in inputs if spec.dtype == "object"), None)
    return array_input([spec for spec in inputs if spec.dtype != "object"], content.ndim)


def _is_text(content: Content) -> bool:
    return isinstance(content, np.ndarray) and content.dtype.kind == "O"


def _check_given(inputs: tuple[TensorSpec, ...], given: Mapping[str, Item], options: FeedOptions) -> None:
    made = _makes(options)
    if made and inputs and all(spec.name in given for spec in inputs):
        raise UsageError("random and constant are for inputs that nothing is given for: every input is given here")
    main = picture_input(inputs) or (inputs[0] if inputs else None)
    asks = main is not None and takes_noise(main) and main.name not in given and not made
    if main is not None and asks and all(map(_is_number, given.values())):
        raise InputError(
            f"nothing is given for input {main.name!r}: give a picture, an array (.npy), a matrix (.csv) or "
            f"a sound (.wav), or ask for noise: {RANDOM_WAY}"
        )


def _makes(options: FeedOptions) -> bool:
    return options.seed is not None or options.constant is not None


def _is_guessed(job: Job, spec: TensorSpec) -> bool:
    return bool(open_axes(job, spec)) or "int" in (spec.dtype or "")


def _is_number(item: Item) -> bool:
    return isinstance(item.content, np.ndarray) and item.content.ndim == 0


def _stem(given: Mapping[str, Item], options: FeedOptions) -> str:
    stems = [item.stem for item in given.values() if not _is_number(item)]
    if stems:
        return stems[0]
    return "random" if options.seed is not None else "constant" if options.constant is not None else "values"

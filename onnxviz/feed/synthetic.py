"""Fills inputs that nothing is given for: zeros for states, or random or constant numbers where asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from onnxviz.errors import InputError
from onnxviz.feed.arrays import cast, numbers_dtype
from onnxviz.feed.feed import NOISE, Fitted
from onnxviz.feed.feed_options import Job
from onnxviz.feed.fit_pictures import fit_pictures
from onnxviz.feed.geometry import Geometry
from onnxviz.feed.input_shapes import (
    can_be_fed,
    picture_input,
    picture_layout,
    takes_noise,
    type_text,
)
from onnxviz.feed.open_sizes import SAMPLES, made_shape, open_axes
from onnxviz.feed.pictures import PICTURE_CHANNELS, Picture
from onnxviz.layout import Array, TensorSpec, shape_text

_BLOCK = 1 << 20
_RATE_NAMES = frozenset(("sr", "rate", "fs", "sample_rate", "samplerate", "sampling_rate"))


@dataclass(frozen=True, slots=True)
class Beside:
    """What is fed beside an input: the rate of a sound in Hz, and where a picture lies in its array."""

    rate: int | None = None
    geometry: Geometry | None = None


def fill(job: Job, spec: TensorSpec, beside: Beside) -> Fitted:
    """Return the array for an input that nothing is given for.

    Raises:
        InputError: It cannot be guessed; the text says how to give it.
    """
    rank = len(spec.shape) if spec.shape is not None else None
    dtype = spec.dtype or "float32"
    if not takes_noise(spec):
        raise _missing(job, spec)
    known = _by_name(job, spec, beside)
    if known is not None:
        return known
    if rank is not None and job.options.constant is not None:
        return _constant(job, spec, dtype, job.options.constant)
    if (rank or (rank == 0 and "int" in dtype)) and job.options.seed is not None:
        return _random(job, spec, dtype, job.options.seed)
    if rank is not None and ("float" in dtype or dtype == "bool"):
        array = np.zeros(_state_shape(job, spec), numbers_dtype(dtype))
        what = "False" if dtype == "bool" else "zeros"
        note = f"nothing is given for it: {what} are fed ({spec.name}=VALUE changes it)"
        return Fitted(array, what, [note], spec.layout)
    raise _missing(job, spec)


def _by_name(job: Job, spec: TensorSpec, beside: Beside) -> Fitted | None:
    """Return what is fed to an input whose name says what it is: a rate of sound, or a size of the picture."""
    name = spec.name.lower()
    if name in _RATE_NAMES and (beside.rate is not None or job.options.seed is not None):
        what = "a usual rate of sound" if beside.rate is None else "the rate of the sound"
        hertz = SAMPLES if beside.rate is None else beside.rate
        return _told(job, spec, (hertz,), f"{hertz}, {what}, is fed")
    if name in _OF_PICTURES and beside.geometry is not None and spec.shape is not None and len(spec.shape) in (1, 2):
        numbers, what = _OF_PICTURES[name](beside.geometry)
        return _told(job, spec, numbers, f"{what} ({spec.name}=VALUE changes it)")
    return None


def _told(job: Job, spec: TensorSpec, numbers: tuple[int, ...], note: str) -> Fitted:
    shape = _state_shape(job, spec)
    if len(numbers) > 1:
        shape = (*shape[:-1], len(numbers))
    array = cast(np.full(shape, numbers if len(numbers) > 1 else numbers[0]), spec.dtype or "float32", spec.name, [])
    job.sizes.bind(spec, array.shape, spec.name)
    return Fitted(array, ",".join(map(str, numbers)), [note])


_OF_PICTURES: Mapping[str, Callable[[Geometry], tuple[tuple[int, int], str]]] = {
    "im_shape": lambda geometry: (geometry.fed, "it is the height and width of the picture as it is fed"),
    "scale_factor": lambda geometry: ((1, 1), "boxes lie on the picture as it is fed"),
    "orig_target_sizes": lambda geometry: (
        (geometry.picture[1], geometry.picture[0]),
        "it is the picture's width and height",
    ),
}
"""Sizes that detectors are given beside the picture: those of PaddleDetection, and RT-DETR's."""


def _missing(job: Job, spec: TensorSpec) -> InputError:
    kind = f"{type_text(spec)} {shape_text(spec.shape)}" if spec.use.kind == "tensor" else type_text(spec)
    return InputError(f"nothing is given for input {spec.name!r} ({kind}): {_way(job, spec)}")


def _way(job: Job, spec: TensorSpec) -> str:
    """Return how a user gives an input, or that this cannot be."""
    name, dtype, shape = spec.name, spec.dtype or "float32", spec.shape
    if dtype == "object":
        return f"give {name}=TEXT, {name}=FILE.txt or {name}=FILE.npy"
    if not can_be_fed(spec):
        return "it cannot be fed; layers that do not need it can be chosen"
    if shape == ():
        return f"give {name}=NUMBER"
    if "int" not in dtype or shape is None:
        return f"give {name}=FILE.npy"
    example = _steps_text(job, spec)
    if example is not None:
        below = f" (below {spec.use.rows})" if spec.use.rows is not None else ""
        return f"give {example}{below} or {name}=FILE.npy, or leave it to --random"
    count = shape[-1] if isinstance(shape[-1], int) and shape[-1] <= len(_SIZES) else 1
    return f"give {name}={','.join(_SIZES[-count:])} or {name}=FILE.npy"


_SIZES = ("480", "640")
_MOST_COUNTED = 16


def _steps_text(job: Job, spec: TensorSpec) -> str | None:
    """Return how whole numbers are given that are one a step, None where they are sizes or what is not known.

    These are a mask, places, or rows of a table; each place is written out where the length is known and small.
    """
    if "mask" in spec.name.lower():
        return f"{spec.name}=1"
    if "position" in spec.name.lower():
        length = (job.sizes.known(spec) or [None])[-1] or 1
        if length > _MOST_COUNTED:
            return f"{spec.name}=0"
        return f"{spec.name}={','.join(str(place % (spec.use.rows or length)) for place in range(length))}"
    return f"{spec.name}={min(1, spec.use.rows - 1)}" if spec.use.rows is not None else None


def _constant(job: Job, spec: TensorSpec, dtype: str, value: float) -> Fitted:
    shape = made_shape(job, spec)
    notes = [f"{NOISE}, every number is {value:g}", *_guessed(job, spec, shape)]
    array = cast(np.full(shape, value), dtype, f"the constant {value:g}", [])
    job.sizes.bind(spec, array.shape, "constant input")
    return Fitted(array, f"constant {value:g}", notes, _layout(spec))


def _random(job: Job, spec: TensorSpec, dtype: str, seed: int) -> Fitted:
    # Each input has numbers of its own, which do not change when another input is given a file.
    generator = np.random.default_rng([seed, job.inputs.index(spec)])
    name, shape = f"random, seed {seed}", made_shape(job, spec)
    notes = [f"{NOISE}, random numbers are fed (seed {seed})", *_guessed(job, spec, shape)]
    layout = picture_layout(spec) if spec is picture_input(job.inputs) else None
    sides = dict(zip(layout or "", shape, strict=False)) or dict.fromkeys("HWC", 0)
    if layout is not None and sides["C"] in PICTURE_CHANNELS:
        size = (sides["H"], sides["W"], sides["C"])
        pixels = generator.integers(0, 256, size, dtype=np.uint8)
        fitted = fit_pictures(job, replace(spec, shape=shape, layout=layout), [Picture(pixels)], name)
        return replace(fitted, notes=[*notes, *fitted.notes])
    whole = dtype == "bool" or "int" in dtype or spec.use.rows is not None
    array = _whole_numbers(spec, shape, generator, job.open_size) if whole else _noise(shape, generator)
    array = array.astype(numbers_dtype(dtype), copy=False)
    job.sizes.bind(spec, array.shape, "random input")
    return Fitted(array, name, notes, _layout(spec))


def _whole_numbers(
    spec: TensorSpec, shape: tuple[int, ...], generator: np.random.Generator, open_size: int | None
) -> Array:
    """Return ones for a mask, a count for positions, rows of the table that is looked into, else 0 and 1.

    Only 0 and 1 are safe whatever the numbers mean: kinds, lengths, indices of tables of unknown length. Where the
    model refused them, which gives an `open_size`, 0 alone.
    """
    name, rows = spec.name.lower(), spec.use.rows or 2
    if "mask" in name:
        return np.ones(shape, np.int64)
    if "position" in name and shape:
        return np.broadcast_to(np.arange(shape[-1]) % (spec.use.rows or max(shape[-1], 1)), shape)
    if open_size is not None and spec.use.rows is None:
        return np.zeros(shape, np.int64)
    return generator.integers(0, rows, shape)


def _noise(shape: tuple[int, ...], generator: np.random.Generator) -> Array:
    # Block by block: drawn at once the numbers would take twice the memory of the array.
    array = np.empty(math.prod(shape), np.float32)
    for start in range(0, array.size, _BLOCK):
        array[start : start + _BLOCK] = generator.uniform(-1, 1, min(_BLOCK, array.size - start))
    return array.reshape(shape)


def _guessed(job: Job, spec: TensorSpec, shape: tuple[int, ...]) -> list[str]:
    """Return a note on sizes that the model leaves open and that are not 1, if there are any."""
    guessed = {
        f"{size if isinstance(size, str) else f'axis {place}'}={shape[place]}"
        for place, size in enumerate(spec.shape or ())
        if shape[place] > 1 and place in open_axes(job, spec)
    }
    if not guessed:
        return []
    after = "" if job.open_size is None else ", as the model refused others"
    way = " (--dim changes them)" if any(isinstance(size, str) for size in spec.shape or ()) else ""
    return [f"sizes that the model leaves open are guessed{after}: {', '.join(sorted(guessed))}{way}"]


def _state_shape(job: Job, spec: TensorSpec) -> tuple[int, ...]:
    """Return the shape of a state, which is most often open for a batch alone."""
    return tuple(1 if size is None else size for size in job.sizes.known(spec))


def _layout(spec: TensorSpec) -> str | None:
    layout = picture_layout(spec) or spec.layout
    return layout if spec.shape is not None and layout is not None and len(layout) == len(spec.shape) else None

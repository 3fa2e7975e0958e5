"""Fills inputs that nothing is given for: zeros for states, or random or constant numbers where asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onnxviz.errors import InputError
from onnxviz.feed.arrays import cast
from onnxviz.feed.feed import Fitted
from onnxviz.feed.feed_options import Job
from onnxviz.feed.fit_pictures import fit_pictures
from onnxviz.feed.free_sizes import check_size
from onnxviz.feed.input_shapes import picture_channels, picture_input, picture_layout
from onnxviz.feed.pictures import Picture
from onnxviz.layout import TensorSpec, shape_text

_RATE_NAMES = frozenset(("sr", "rate", "fs", "sample_rate", "samplerate", "sampling_rate"))
# The height and width of a random picture where the model takes any.
_SIDE = 224
# Long enough for the windows of most models of sound: a second at the usual rate.
_SAMPLES = 16000
_FREE = 64


def fill(job: Job, spec: TensorSpec, rate: int | None) -> Fitted:
    """Return the array for an input that nothing is given for; `rate`, in Hz, is that of a sound fed beside it.

    Raises:
        InputError: It cannot be guessed; the text says how to give it.
    """
    rank = len(spec.shape) if spec.shape is not None else None
    dtype = spec.dtype or "float32"
    if spec.name.lower() in _RATE_NAMES and (rate is not None or job.options.seed is not None):
        hertz, what = (_SAMPLES, "a usual rate of sound") if rate is None else (rate, "the rate of the sound")
        array = cast(np.full(_shape(job, spec, 1), hertz), dtype, "the rate", [])
        return Fitted(array, f"{hertz}", [f"{hertz}, {what}, is fed"])
    if rank is not None and job.options.constant is not None:
        return _constant(job, spec, dtype, job.options.constant)
    if (rank or (rank == 0 and "int" in dtype)) and job.options.seed is not None:
        return _random(job, spec, dtype, job.options.seed)
    if rank is not None and (dtype.startswith("float") or dtype == "bool"):
        array = np.zeros(_shape(job, spec, 1), dtype)
        what = "False" if dtype == "bool" else "zeros"
        note = f"nothing is given for it: {what} are fed ({spec.name}=VALUE changes it)"
        return Fitted(array, what, [note], spec.layout)
    raise _missing(spec)


def _missing(spec: TensorSpec) -> InputError:
    way = f"{spec.name}=NUMBER" if not spec.shape else f"{spec.name}=FILE.npy"
    kind = f"{spec.dtype or 'not a tensor'} {shape_text(spec.shape)}"
    return InputError(f"nothing is given for input {spec.name!r} ({kind}): give {way}")


def _constant(job: Job, spec: TensorSpec, dtype: str, value: float) -> Fitted:
    shape = _made_shape(job, spec)
    notes = [f"ATTENTION: no input is given, every number is {value:g}", *_guessed(job, spec, shape)]
    array = cast(np.full(shape, value), dtype, f"the constant {value:g}", [])
    job.sizes.bind(spec, array.shape, "constant input")
    return Fitted(array, f"constant {value:g}", notes, _layout(spec))


def _random(job: Job, spec: TensorSpec, dtype: str, seed: int) -> Fitted:
    # Each input has numbers of its own, which do not change when another input is given a file.
    generator = np.random.default_rng([seed, job.inputs.index(spec)])
    loud = f"ATTENTION: no input is given, random numbers are fed (seed {seed})"
    name = f"random, seed {seed}"
    if spec is picture_input(job.inputs):
        layout = picture_layout(spec) or "NCHW"
        channels = picture_channels(spec, layout, [])
        shape = _picture_shape(job, spec, layout)
        pixels = generator.integers(0, 256, (shape["H"], shape["W"], channels), dtype=np.uint8)
        fitted = fit_pictures(job, spec, [Picture(pixels)], name)
        return replace(fitted, notes=[loud, *fitted.notes])
    made = _made_shape(job, spec)
    if dtype == "bool" or "int" in dtype:
        # Only 0 and 1 are safe whatever the integers mean: masks, kinds, indices of tables of unknown length.
        array = generator.integers(0, 2, made).astype(dtype)
    elif dtype.startswith("float"):
        array = generator.uniform(-1, 1, made).astype(dtype)
    else:
        raise _missing(spec)
    notes = [loud, *_guessed(job, spec, made)]
    job.sizes.bind(spec, array.shape, "random input")
    return Fitted(array, name, notes, _layout(spec))


def _guessed(job: Job, spec: TensorSpec, shape: tuple[int, ...]) -> list[str]:
    """Return a note on sizes that the model leaves open and that are not 1, if there are any."""
    sizes = zip(spec.shape or (), shape, strict=True)
    guessed = {f"{d}={size}" for d, size in sizes if isinstance(d, str) and job.sizes.known(d) is None and size > 1}
    if not guessed:
        return []
    return [f"sizes that the model leaves open are guessed: {', '.join(sorted(guessed))} (--dim changes them)"]


def _made_shape(job: Job, spec: TensorSpec) -> tuple[int, ...]:
    layout = picture_layout(spec)
    if layout is not None and spec is picture_input(job.inputs):
        sides = _picture_shape(job, spec, layout)
        first = job.sizes.known(spec.shape[0]) if spec.shape else None
        sides |= {"N": first or 1, "C": picture_channels(spec, layout, [])}
        return tuple(sides[letter] for letter in layout)
    if spec.dtype is not None and "int" in spec.dtype:
        return _shape(job, spec, _FREE)
    if spec is not next((each for each in job.inputs if each.shape), None):
        # A state beside the main input: its free sizes are most often a batch.
        return _shape(job, spec, 1)
    return _shape(job, spec, _SAMPLES if len(spec.shape or ()) <= 2 else _FREE)


def _picture_shape(job: Job, spec: TensorSpec, layout: str) -> dict[str, int]:
    check_size(spec, layout, job.sizes, job.options.size)
    wanted = job.options.size or (_SIDE, _SIDE)
    sides = {}
    for letter, side in zip("HW", wanted, strict=True):
        dimension = None if spec.shape is None else spec.shape[layout.index(letter)]
        sides[letter] = job.sizes.known(dimension) or side
    return sides


def _shape(job: Job, spec: TensorSpec, free: int) -> tuple[int, ...]:
    known = [job.sizes.known(size) for size in spec.shape or ()]
    return tuple(size or (1 if place == 0 else free) for place, size in enumerate(known))


def _layout(spec: TensorSpec) -> str | None:
    layout = picture_layout(spec) or spec.layout
    return layout if spec.shape is not None and layout is not None and len(layout) == len(spec.shape) else None

"""Guesses the sizes that a model leaves open, for inputs that are filled with made up numbers.

A size that the model's constants demand is taken first. Else a symbol has one size wherever it stands: 1 for a batch
and for the states beside the main input, 64 for steps or words, 16000 for sound. Sums come last: `past_len + 1`, or
`total_len` where the model has `past_len` and `len` too. Sizes are halved until the array takes at most LARGEST bytes.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from onnxviz.errors import InputError
from onnxviz.feed.feed_options import Job
from onnxviz.feed.free_sizes import check_size, demanded
from onnxviz.feed.input_shapes import picture_channels, picture_input, picture_layout
from onnxviz.layout import TensorSpec, shape_text

LARGEST = 1 << 26
"""Bytes that an array of guessed sizes takes at most, eight for each number."""
SIDE = 224
"""Height and width of a made up picture where the model takes any."""
SAMPLES = 16000
"""A second of sound at the usual rate: long enough for the windows of most models."""
_MOST_NUMBERS = 1 << 29
_STEPS = 64
_BYTES = 8


def guess_sizes(job: Job, specs: Sequence[TensorSpec]) -> None:
    """Give each symbol of these inputs a size, in their order, where it has none."""
    symbols = {size for spec in job.inputs for size in spec.shape or () if isinstance(size, str)}
    for spec in specs:
        for symbol, size in zip(spec.shape or (), spec.use.sizes, strict=False):
            if isinstance(symbol, str) and size is not None:
                job.sizes.guess(symbol, size)
    sums: list[str] = []
    for spec in specs:
        made = made_shape(job, spec)
        # From the end: a symbol that stands twice, as in N x N, does not mean a batch.
        for symbol, size in reversed([*zip(spec.shape or (), made, strict=True)]):
            if isinstance(symbol, str) and _parts(symbol, symbols):
                sums.append(symbol)
            elif isinstance(symbol, str):
                job.sizes.guess(symbol, size)
    for symbol in sums:
        parts = [int(part) if part.isdecimal() else job.sizes.of_symbol(part) for part in _parts(symbol, symbols)]
        known = [part for part in parts if part is not None]
        job.sizes.guess(symbol, sum(known) if len(known) == len(parts) else _STEPS)


def made_shape(job: Job, spec: TensorSpec) -> tuple[int, ...]:
    """Return the shape of an array that is made up for an input, at most LARGEST bytes where sizes are open.

    Raises:
        InputError: The sizes that the model fixes take more than is made up.
    """
    shape = job.sizes.known(spec)
    guesses = _guesses(job, spec)
    free = {place: guesses[place] for place, size in enumerate(shape) if size is None}
    while free and max(free.values()) > 1 and _BYTES * math.prod(_filled(shape, free)) > LARGEST:
        largest = max(free.values())
        free = {place: max(1, size // 2) if size == largest else size for place, size in free.items()}
    made = _filled(shape, free)
    if math.prod(made) > _MOST_NUMBERS:
        raise InputError(
            f"input {spec.name!r} has {shape_text(made)} numbers, more than are made up: give {spec.name}=FILE.npy"
        )
    return made


def open_axes(job: Job, spec: TensorSpec) -> Sequence[int]:
    """Return the axes of an input whose sizes are guessed: nobody gave them, and nothing demands one."""
    sizes = zip(spec.shape or (), job.sizes.fixed(spec), demanded(spec), strict=True)
    return [
        place
        for place, (size, fixed, demanded) in enumerate(sizes)
        if fixed is None and demanded is None and (size is None or size in job.sizes.guessed)
    ]


def _filled(shape: Sequence[int | None], free: dict[int, int]) -> tuple[int, ...]:
    return tuple(free[place] if size is None else size for place, size in enumerate(shape))


def _guesses(job: Job, spec: TensorSpec) -> list[int]:
    """Return the size that each axis of an input gets where it is open."""
    shape = spec.shape or ()
    if job.open_size is not None:
        return [job.open_size] * len(shape)
    layout = picture_layout(spec)
    if layout is not None and spec is picture_input(job.inputs):
        check_size(spec, layout, job.sizes, job.options.size)
        height, width = job.options.size or (SIDE, SIDE)
        sides = {"N": 1, "C": picture_channels(spec, layout, []), "H": height, "W": width}
        return [sides[letter] for letter in layout]
    steps = _STEPS
    if spec.dtype is None or "int" not in spec.dtype:
        if spec is not next((each for each in job.inputs if each.shape), None):
            steps = 1
        elif len(shape) <= 2 and len(set(shape)) == len(shape):
            steps = SAMPLES
    return [1, *[steps] * (len(shape) - 1)][: len(shape)]


def _parts(symbol: str, symbols: Collection[str]) -> list[str]:
    """Return the symbols and numbers that a size is the sum of; empty where it is not a sum.

    >>> _parts("past_len + 1", ["past_len"]), _parts("total_len", ["past_len", "len"]), _parts("len", ["len"])
    (['past_len', '1'], ['past_len', 'len'], [])
    """
    parts = [part.strip() for part in symbol.split("+")]
    if len(parts) > 1:
        return parts if all(part.isdecimal() or part in symbols for part in parts) else []
    rest = symbol.removeprefix("total")
    parts = [f"past{rest}", rest.lstrip("_")]
    return parts if rest != symbol and all(part in symbols for part in parts) else []

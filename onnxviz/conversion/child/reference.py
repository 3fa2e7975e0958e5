"""What TensorFlow itself computes on a random input, for the parent to compare with, and how far rounding may move it.

The graph runs three times: on the input, on the same once more, and on the input moved by one unit in the last place.
A tensor that differs in the second run is random, and nothing can be compared with it. How far a tensor moves in the
third run is the model's own rounding; no two correct programs agree better.
"""

from __future__ import annotations

from typing import Any

import numpy
import numpy.typing as npt

from .exchange import Reference, Refusal, StoredTensor
from .loaded import Loaded
from .runners import GraphRunner, LiteRunner, SourceInput

# What is stored for comparison; a model with more is compared at tensors spread over it.
_LARGEST = 1 << 30
# TensorFlow's threads may add in another order each time; what is random moves by far more.
_SAME = 1e-5
_FREE_SIZES = (64, 224, 299, 32)


def compute(runner: GraphRunner | LiteRunner, loaded: Loaded, kept: list[str], path: str) -> Reference:
    """Run the source, store inputs and tensors at `path` (.npz) and return what each array there is.

    Raises:
        Refusal: The source runs on none of the random inputs.
    """
    wanted = list(dict.fromkeys(loaded.outputs + kept))
    feed, values = _first_that_runs(runner, wanted)
    again = runner.run(feed, wanted)
    repeats = [value is None or _gap(value, other) <= _SAME for value, other in zip(values, again)]
    del again
    nearby = {
        name: numpy.nextafter(array, array.dtype.type(numpy.inf)) if array.dtype.kind == "f" else array
        for name, array in feed.items()
    }
    moved = runner.run(nearby, wanted)
    entries: list[StoredTensor] = []
    arrays: dict[str, Any] = {}
    total = 0
    for name, value, other, same in zip(wanted, values, moved, repeats):
        if value is None:
            continue
        array, output = numpy.asarray(value), name in loaded.outputs
        total += array.nbytes
        if array.dtype.kind not in "fiub" or (total > _LARGEST and not output):
            continue
        key = f"t{len(arrays)}"
        arrays[key] = array
        rounding, step = _gap(array, other), runner.step(name, array)
        entries.append(StoredTensor(tensor=name, key=key, output=output, repeats=same, rounding=rounding, step=step))
    inputs = {loaded.renames.get(name, name): f"x{place}" for place, name in enumerate(feed)}
    arrays.update(zip(inputs.values(), feed.values()))
    numpy.savez(path, **arrays)
    return {"inputs": inputs, "values": entries}


def _first_that_runs(runner: GraphRunner | LiteRunner, wanted: list[str]) -> tuple[dict[str, Any], list[Any]]:
    text = ""
    for size in _FREE_SIZES:
        generator = numpy.random.default_rng(7)
        feed = {given.name: _random(given, size, generator) for given in runner.inputs}
        try:
            return feed, runner.run(feed, wanted)
        except ValueError as error:
            text = text or str(error)
        if all(given.sizes is not None and None not in given.sizes for given in runner.inputs):
            break
    raise Refusal(
        f"TensorFlow cannot run the model on a random input, so nothing can be verified: {text[:300]}\n"
        "without verifying: onnxviz convert --no-verify",
        "failed",
    )


def _random(given: SourceInput, size: int, generator: numpy.random.Generator) -> npt.NDArray[Any]:
    """Return floats in 0..1, bytes of all values, or 0 and 1 for other integers; a free first axis is 1 long."""
    known = given.sizes if given.sizes is not None else [1, size, size, 3]
    shape = [(1 if place == 0 else size) if length is None else length for place, length in enumerate(known)]
    dtype = numpy.dtype(given.dtype)
    if dtype.kind == "f":
        return generator.uniform(0, 1, shape).astype(dtype)
    if dtype.kind in "iu" and dtype.itemsize == 1:
        return generator.integers(numpy.iinfo(dtype).min, numpy.iinfo(dtype).max, shape, endpoint=True).astype(dtype)
    if dtype.kind in "iub":
        return generator.integers(0, 2, shape).astype(dtype)
    raise Refusal(f"the input '{given.name}' is of type {dtype.name}, which onnxviz cannot feed", "unsupported")


def _gap(value: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Return the largest difference as a share of the largest finite magnitude; equal infinities and NaN are equal."""
    one, two = numpy.asarray(value), numpy.asarray(other)
    if one.shape != two.shape:
        return float("inf")  # a choice that turned out otherwise
    if one.dtype.kind not in "fiub" or not one.size:
        return 0.0 if numpy.array_equal(one, two) else float("inf")
    one, two = one.astype("float64"), two.astype("float64")
    with numpy.errstate(invalid="ignore"):
        gap = numpy.where((one == two) | (numpy.isnan(one) & numpy.isnan(two)), 0.0, numpy.abs(one - two))
    finite = numpy.abs(one[numpy.isfinite(one)])
    top = float(finite.max()) if finite.size else 0.0
    largest = float(numpy.nan_to_num(gap, nan=numpy.inf, posinf=numpy.inf).max())
    return largest / top if top else largest

"""What TensorFlow itself computes on a random input, for the parent to compare with, and how far rounding may move it.

The graph is run three times: on the input, on the same once more, and on the input moved by one unit in the last place.
A tensor that the second run does not give again is random, and nothing can be compared with it. How far a tensor moves
in the third is the model's own rounding; no two correct programs agree better.
"""

from __future__ import annotations

from typing import Any

from .loaded import Loaded
from .report import Refusal

# What is stored for comparison; a model with more is compared at tensors spread over it.
_LARGEST = 1 << 30
# TensorFlow's threads may add in another order each time; what is random moves by far more.
_SAME = 1e-5
_FREE_SIZES = (64, 224, 299, 32)


def compute(runner: Any, loaded: Loaded, kept: list[str], path: str) -> dict[str, Any]:
    """Run the source, store inputs and tensors at `path` (.npz) and return what each array there is.

    Raises:
        Refusal: No input that could be made up satisfies the source.
    """
    import numpy

    wanted = list(dict.fromkeys(loaded.outputs + kept))
    feed, values = _first_that_runs(runner, wanted)
    again = runner.run(feed, wanted)
    repeats = [value is None or _gap(numpy, value, other) <= _SAME for value, other in zip(values, again)]
    del again
    moved = runner.run({name: _moved(numpy, array) for name, array in feed.items()}, wanted)
    entries: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    total = 0
    for name, value, other, repeated in zip(wanted, values, moved, repeats):
        if value is None:
            continue
        array = numpy.asarray(value)
        is_output = name in loaded.outputs
        total += array.nbytes
        if array.dtype.kind not in "fiub" or (total > _LARGEST and not is_output):
            continue
        key = f"t{len(arrays)}"
        arrays[key] = array
        entry = {"tensor": name, "key": key, "output": is_output, "repeats": repeated}
        entries.append({**entry, "rounding": _gap(numpy, array, other), "step": runner.step(name, array)})
    inputs = {}
    for name, array in feed.items():
        key = f"t{len(arrays)}"
        arrays[key] = array
        inputs[loaded.renames.get(name, name)] = key
    numpy.savez(path, **arrays)
    return {"inputs": inputs, "values": entries}


def _first_that_runs(runner: Any, wanted: list[str]) -> tuple[dict[str, Any], list[Any]]:
    import numpy

    text = ""
    for size in _FREE_SIZES:
        generator = numpy.random.default_rng(7)
        feed = {given.name: _made_up(numpy, given, size, generator) for given in runner.inputs}
        try:
            return feed, runner.run(feed, wanted)
        except ValueError as error:
            text = text or str(error)
        if all(given.sizes is not None and None not in given.sizes for given in runner.inputs):
            break
    raise Refusal(
        f"TensorFlow cannot run the model on a random input, so nothing can be verified: {text[:300]}\n"
        "unseen: onnxviz convert --no-verify",
        "failed",
    )


def _made_up(numpy: Any, given: Any, size: int, generator: Any) -> Any:
    """Return numbers in 0..1, any number for bytes, 0 and 1 for other whole numbers; a free first axis is 1."""
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


def _moved(numpy: Any, array: Any) -> Any:
    return numpy.nextafter(array, array.dtype.type(numpy.inf)) if array.dtype.kind == "f" else array


def _gap(numpy: Any, value: Any, other: Any) -> float:
    """Return by how much of its largest value a tensor moved; what is no number moves nothing where both have it."""
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

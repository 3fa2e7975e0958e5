"""What TensorFlow itself computes on a random input, for the parent to compare with, and how far rounding may move it.

The graph runs three times: on the input, on the same once more, and on the input moved by one unit in the last place.
A tensor that differs in the second run is random, and nothing can be compared with it. How far a tensor moves in the
third run is the model's own rounding; no two correct programs agree better. It runs once more on a picture, where it
takes one: on noise a detector finds nothing.
"""

from __future__ import annotations

import math
from typing import Any

import numpy
import numpy.typing as npt

from .exchange import Facts, Reference, Refusal, StoredTensor
from .loaded import Loaded
from .runners import GraphRunner, LiteRunner, SourceInput

# What is stored for comparison; a model with more is compared at tensors spread over it.
_LARGEST = 1 << 30
# TensorFlow's threads may add in another order each time; what is random moves by far more.
_SAME = 1e-5
# The last is a second of sound.
_FREE_SIZES = (64, 224, 299, 32, 16000)
# Numbers in one random input, or a free size is not tried.
_MOST = 1 << 26
_LEAST_PICTURE = 16


def compute(runner: GraphRunner | LiteRunner, loaded: Loaded, kept: list[str], path: str, picture: str) -> Facts:
    """Run the source on a random input and on a picture, store inputs and tensors at `path` (.npz) and say where.

    Raises:
        Refusal: The source runs on none of the random inputs.
    """
    store = _Store(runner, loaded, list(dict.fromkeys(loaded.outputs + kept)))
    feed, values = _first_that_runs(runner, store.wanted)
    again = runner.run(feed, store.wanted)
    store.repeats = [value is None or _gap(value, other) <= _SAME for value, other in zip(values, again)]
    del again
    moved = runner.run({name: _moved(array, runner.unit) for name, array in feed.items()}, store.wanted)
    store.roundings = [0.0 if value is None else _gap(value, other) for value, other in zip(values, moved)]
    del moved
    facts = Facts(reference=store.add(feed, values))
    del values
    drawn = _with_picture(runner, feed, numpy.load(picture))
    if drawn is not None:
        facts["on_picture"] = store.add(drawn, runner.run(drawn, store.wanted))
    numpy.savez(path, **store.arrays)
    return facts


class _Store:
    """The arrays to be written, and what is said of each of the wanted tensors."""

    def __init__(self, runner: GraphRunner | LiteRunner, loaded: Loaded, wanted: list[str]) -> None:
        self.wanted = wanted
        self.arrays: dict[str, Any] = {}
        self.repeats: list[bool] = []
        self.roundings: list[float] = []
        self._runner, self._loaded = runner, loaded
        self._total = 0

    def add(self, feed: dict[str, Any], values: list[Any]) -> Reference:
        """Store one run, all of it or as much as there is room for."""
        entries: list[StoredTensor] = []
        for name, value, same, rounding in zip(self.wanted, values, self.repeats, self.roundings):
            if value is None:
                continue
            array, output = numpy.asarray(value), name in self._loaded.outputs
            self._total += array.nbytes
            if array.dtype.kind not in "fiub" or (self._total > _LARGEST and not output):
                continue
            step, limits = self._runner.digits(name, array)
            entries.append(
                StoredTensor(
                    tensor=name,
                    key=self._keep(array),
                    output=output,
                    repeats=same,
                    rounding=rounding,
                    step=step,
                    limits=limits,
                )
            )
        renames = self._loaded.renames
        return {
            "inputs": {renames.get(name, name): self._keep(array) for name, array in feed.items()},
            "values": entries,
        }

    def _keep(self, array: Any) -> str:
        key = f"t{len(self.arrays)}"
        self.arrays[key] = array
        return key


def _first_that_runs(runner: GraphRunner | LiteRunner, wanted: list[str]) -> tuple[dict[str, Any], list[Any]]:
    text, empty = "", None
    for size in _FREE_SIZES:
        if any(math.prod(_shape(given, size)) > _MOST for given in runner.inputs):
            continue
        generator = numpy.random.default_rng(7)
        feed = {given.name: _random(given, size, generator) for given in runner.inputs}
        try:
            values = runner.run(feed, wanted)
            if all(numpy.size(value) for value in values):
                return feed, values
            empty = empty or (feed, values)  # of a sound shorter than its window, say
        except ValueError as error:
            text = text or str(error)
        if all(given.sizes is not None and None not in given.sizes for given in runner.inputs):
            break
    if empty:
        return empty
    raise Refusal(
        f"TensorFlow cannot run the model on a random input, so nothing can be verified: {text[:300]}\n"
        "without verifying: onnxviz convert --no-verify",
        "failed",
    )


def _shape(given: SourceInput, size: int) -> list[int]:
    known = given.sizes if given.sizes is not None else [1, size, size, 3]
    return [(1 if place == 0 else size) if length is None else length for place, length in enumerate(known)]


def _random(given: SourceInput, size: int, generator: numpy.random.Generator) -> npt.NDArray[Any]:
    """Return floats in 0..1, bytes and quantised numbers of all values, or 0 and 1 for others; a free batch is 1."""
    shape = _shape(given, size)
    dtype = numpy.dtype(given.dtype)
    if given.fixed is not None:
        return numpy.array(given.fixed, dtype)
    if dtype.kind == "f":
        return generator.uniform(0, 1, shape).astype(dtype)
    if dtype.kind in "iu" and (dtype.itemsize == 1 or given.quantised):
        return generator.integers(numpy.iinfo(dtype).min, numpy.iinfo(dtype).max, shape, endpoint=True).astype(dtype)
    if dtype.kind in "iub":
        return generator.integers(0, 2, shape).astype(dtype)
    raise Refusal(f"the input '{given.name}' is of type {dtype.name}, which onnxviz cannot feed", "unsupported")


def _moved(array: npt.NDArray[Any], unit: float) -> npt.NDArray[Any]:
    """Return floats moved by one unit in the last place, or by a larger `unit` that is a share of each."""
    if array.dtype.kind != "f":
        return array
    return (array * (1 + unit)).astype(array.dtype) if unit else numpy.nextafter(array, array.dtype.type(numpy.inf))


def _with_picture(
    runner: GraphRunner | LiteRunner, feed: dict[str, Any], picture: npt.NDArray[numpy.uint8]
) -> dict[str, Any] | None:
    """Return the feed with a picture in place of the noise, None where no input takes one.

    An input takes pictures if it has rows, columns and one or three channels, at the end or behind the batch.
    """
    drawn = {}
    for given in runner.inputs:
        noise = feed[given.name]
        for order in ((0, 1, 2, 3), (0, 2, 3, 1)) if noise.ndim == 4 and noise.dtype.kind in "fiu" else ():
            _, height, width, channels = (noise.shape[place] for place in order)
            if channels in (1, 3) and min(height, width) >= _LEAST_PICTURE and given.name not in drawn:
                rows, columns = _every(height, picture.shape[0]), _every(width, picture.shape[1])
                pixels = _in_range(picture[rows][:, columns, :channels], noise.dtype)[None]
                drawn[given.name] = numpy.broadcast_to(pixels.transpose(numpy.argsort(order)), noise.shape).copy()
    return {**feed, **drawn} if drawn else None


def _every(size: int, length: int) -> npt.NDArray[Any]:
    """Return `size` places spread over a length."""
    return numpy.arange(size) * length // size


def _in_range(pixels: npt.NDArray[numpy.uint8], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return pixels as floats in 0..1, or as whole numbers in 0..255 (-128..127 for signed bytes)."""
    kind = numpy.dtype(dtype)
    if kind.kind == "f":
        return (pixels / 255).astype(kind)
    return (pixels - 128.0 if kind == "int8" else pixels).astype(kind)


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

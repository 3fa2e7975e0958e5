"""Sizes that a model leaves open: what they become from options, pictures and the arrays that are fed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from onnxviz.errors import InputError, UsageError
from onnxviz.feed.geometry import Size
from onnxviz.feed.input_shapes import picture_input
from onnxviz.feed.preprocessing import Preprocessing
from onnxviz.layout import Array, Dimension, TensorSpec, shape_text


@dataclass(slots=True)
class FreeSizes:
    """The sizes of a model's symbols: those that were `asked` for, of the arrays fed so far, and `guessed` ones.

    A symbol most often has one size, but need not: exporters name axes of two inputs alike that have nothing in common,
    and onnxruntime does not compare them. `asked` holds sizes by symbol, and by `input:symbol` for one input alone.
    """

    asked: Mapping[str, int] = field(default_factory=dict)
    by_symbol: dict[str, int] = field(default_factory=dict)
    guessed: set[str] = field(default_factory=set)

    def fixed(self, spec: TensorSpec) -> list[int | None]:
        """Return the size of each axis of an input that the model fixes or that was asked for, None for others."""
        return [self._fixed(spec.name, dimension) for dimension in spec.shape or ()]

    def known(self, spec: TensorSpec) -> list[int | None]:
        """Return the size of each axis of an input, None while it is free.

        What the model's constants demand of the axis comes before what its symbol is in another input.
        """
        sizes = zip(spec.shape or (), self.fixed(spec), demanded(spec), strict=True)
        return [
            next((size for size in (fixed, demanded, self.of_symbol(dimension)) if size is not None), None)
            for dimension, fixed, demanded in sizes
        ]

    def of_symbol(self, symbol: Dimension) -> int | None:
        """Return the size that a symbol has where nothing else is known, None while it is free."""
        return self.asked.get(symbol, self.by_symbol.get(symbol)) if isinstance(symbol, str) else None

    def _fixed(self, name: str, dimension: Dimension) -> int | None:
        if isinstance(dimension, str):
            return self.asked.get(f"{name}:{dimension}", self.asked.get(dimension))
        return dimension

    def guess(self, symbol: str, size: int) -> None:
        """Keep a size that was made up, unless the symbol has one."""
        if self.of_symbol(symbol) is None:
            self.by_symbol[symbol] = size
            self.guessed.add(symbol)

    def bind(self, spec: TensorSpec, shape: Sequence[int], name: str) -> None:
        """Check that an input takes a shape, and keep the sizes of the input's symbols that have none yet.

        Raises:
            InputError: It does not; the text names both shapes.
        """
        if spec.shape is None:
            return
        wanted = self.fixed(spec)
        if len(wanted) != len(shape) or any(w is not None and w != s for w, s in zip(wanted, shape, strict=True)):
            sizes = zip(spec.shape, wanted, strict=True)
            bound = {f"{symbol}={size}" for symbol, size in sizes if isinstance(symbol, str) and size is not None}
            where = f" with {', '.join(sorted(bound))}" if bound else ""
            raise InputError(
                f"input {spec.name!r} takes {shape_text(spec.shape)}{where}, {name} has shape {shape_text(shape)}"
            )
        for dimension, size in zip(spec.shape, shape, strict=True):
            if isinstance(dimension, str):
                self.by_symbol.setdefault(dimension, size)


def demanded(spec: TensorSpec) -> Sequence[int | None]:
    """Return for each axis of an input the size that the model's constants demand, None where they demand none."""
    return spec.use.sizes or (None,) * len(spec.shape or ())


def two_sizes(fitted: Sequence[tuple[TensorSpec, Sequence[int]]]) -> Mapping[str, Sequence[str]]:
    """Return for inputs, by name, notes on symbols that have another size there than in an input before.

    `fitted` are the inputs with the shapes that they are fed.
    """
    first: dict[str, tuple[int, str]] = {}
    notes: dict[str, list[str]] = {}
    for spec, shape in fitted:
        for symbol, size in zip(spec.shape or (), shape, strict=False):
            if isinstance(symbol, str):
                other, name = first.setdefault(symbol, (size, spec.name))
                if other != size:
                    notes.setdefault(spec.name, []).append(
                        f"the model calls two sizes {symbol!r}: {size} here and {other} in {name!r}"
                    )
    return notes


def repeat_batch(sizes: FreeSizes, spec: TensorSpec, array: Array, notes: list[str]) -> Array:
    """Return a batch of one repeated where the model takes only larger ones, which is noted; any other array as it is.

    The first axes of `spec` and `array` are their batch axes.
    """
    wanted = sizes.known(spec)[0] if spec.shape else None
    if not wanted or array.ndim == 0 or array.shape[0] == wanted or array.shape[0] != 1:
        return array
    notes.append(f"the model takes batches of {wanted}: the one input is repeated, item 0 is shown")
    return np.repeat(array, wanted, axis=0)


def fed_size(
    spec: TensorSpec, layout: str, preprocessing: Preprocessing, sizes: FreeSizes, picture: tuple[Size, list[str]]
) -> Size:
    """Return the height and width that a picture is resized to.

    The model's fixed sizes and `--dim` come first, then the size of the preprocessing, then the picture's own, rounded
    to a multiple of the model's stride and noted. `picture` is the picture's size and the list that notes go to.
    """
    (height, width), notes = picture
    dimensions = tuple(None if spec.shape is None else spec.shape[layout.index(letter)] for letter in "HW")
    known = sizes.known(spec)
    fixed = tuple(known[layout.index(letter)] if known else None for letter in "HW")
    wanted = preprocessing.size
    if wanted is not None:
        result = (fixed[0] or wanted[0], fixed[1] or wanted[1])
        if result != wanted:
            notes.append(
                f"the model takes {result[0]}x{result[1]}: the {wanted[0]}x{wanted[1]} of its preprocessing is not used"
            )
        return result
    if fixed[0] is not None and fixed[1] is not None:
        return fixed[0], fixed[1]
    ratio = fixed[0] / height if fixed[0] else fixed[1] / width if fixed[1] else 1.0
    multiple = preprocessing.multiple

    def rounded(side: float) -> int:
        return max(multiple, int(side / multiple + 0.5) * multiple)

    result = (fixed[0] or rounded(height * ratio), fixed[1] or rounded(width * ratio))
    if dimensions[0] == dimensions[1] and isinstance(dimensions[0], str):
        result = (min(result),) * 2
    kept = "the picture's own" if ratio == 1.0 else "the picture's aspect"
    notes.append(
        f"the model takes any size: {result[0]}x{result[1]} is fed, {kept} in multiples of {multiple} "
        "(--size HxW changes it)"
    )
    return result


def check_size(spec: TensorSpec, layout: str, sizes: FreeSizes, wanted: Size | None) -> None:
    """Refuse a size that was asked for if the model is fixed at another.

    Raises:
        UsageError: The sizes differ.
    """
    if wanted is None or spec.shape is None:
        return
    for letter, size in zip("HW", wanted, strict=True):
        fixed = sizes.known(spec)[layout.index(letter)]
        if fixed is not None and fixed != size:
            raise UsageError(
                f"the size {wanted[0]}x{wanted[1]} cannot be fed: input {spec.name!r} takes {shape_text(spec.shape)}"
                + (f" with {letter} = {fixed}" if isinstance(spec.shape[layout.index(letter)], str) else "")
            )


def open_sizes(inputs: Sequence[TensorSpec], shapes: Mapping[str, Sequence[int]]) -> str:
    """Return a hint on inputs whose sizes, other than the batch, the model leaves open: what was fed, how to change it.

    Empty if all sizes are fixed.
    """
    free = {
        spec.name: [size for size in (spec.shape or (None, None))[1:] if not isinstance(size, int)]
        for spec in inputs
        if spec.name in shapes
    }
    fed = [
        f"{spec.name!r} ({shape_text(spec.shape)}) is fed {shape_text(shapes[spec.name])}"
        for spec in inputs
        if free.get(spec.name)
    ]
    if not fed:
        return ""
    picture = picture_input(inputs)
    symbols = Counter(size for sizes in free.values() for size in dict.fromkeys(sizes) if isinstance(size, str))
    ways = ["--size HxW"] if picture is not None and free.get(picture.name) else []
    ways += [f"--dim {symbol}=N" for symbol in symbols]
    ways += ["--dim INPUT:NAME=N of one input alone"] * any(count > 1 for count in symbols.values())
    way = f" ({', '.join(ways)})" if ways else ""
    return f"{', '.join(fed)}: another size may fit{way}"

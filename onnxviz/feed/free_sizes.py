"""Sizes that a model leaves open: what they become from options, pictures and the arrays that are fed."""

from __future__ import annotations

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
    """The sizes of a model's symbols: those that were given, of the arrays fed so far, and `guessed` ones."""

    by_symbol: dict[str, int] = field(default_factory=dict)
    guessed: set[str] = field(default_factory=set)

    def known(self, dimension: Dimension) -> int | None:
        """Return the size of a dimension, None while it is free."""
        if isinstance(dimension, str):
            return self.by_symbol.get(dimension)
        return dimension

    def guess(self, symbol: str, size: int) -> None:
        """Keep a size that was made up, unless the symbol has one."""
        if symbol not in self.by_symbol:
            self.by_symbol[symbol] = size
            self.guessed.add(symbol)

    def bind(self, spec: TensorSpec, shape: Sequence[int], name: str) -> None:
        """Check that an input takes a shape, and keep the sizes of the input's symbols.

        Raises:
            InputError: It does not; the text names both shapes.
        """
        if spec.shape is None:
            return
        wanted = [self.known(dimension) for dimension in spec.shape]
        if len(wanted) != len(shape) or any(w is not None and w != s for w, s in zip(wanted, shape, strict=True)):
            bound = {f"{d}={self.known(d)}" for d in spec.shape if isinstance(d, str) and self.known(d) is not None}
            where = f" with {', '.join(sorted(bound))}" if bound else ""
            raise InputError(
                f"input {spec.name!r} takes {shape_text(spec.shape)}{where}, {name} has shape {shape_text(shape)}"
            )
        for dimension, size in zip(spec.shape, shape, strict=True):
            if isinstance(dimension, str):
                self.by_symbol[dimension] = size


def repeat_batch(sizes: FreeSizes, spec: TensorSpec, array: Array, notes: list[str]) -> Array:
    """Return a batch of one repeated where the model takes only larger ones, which is noted; any other array as it is.

    The first axes of `spec` and `array` are their batch axes.
    """
    wanted = sizes.known(spec.shape[0]) if spec.shape else None
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
    fixed = tuple(sizes.known(dimension) for dimension in dimensions)
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
        fixed = sizes.known(spec.shape[layout.index(letter)])
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
        spec.name: [size for size in (spec.shape or (None, None))[1:] if FreeSizes().known(size) is None]
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
    symbols = dict.fromkeys(size for sizes in free.values() for size in sizes if isinstance(size, str))
    ways = ["--size HxW"] if picture is not None and free.get(picture.name) else []
    ways += [f"--dim {symbol}=N" for symbol in symbols]
    way = f" ({', '.join(ways)})" if ways else ""
    return f"{', '.join(fed)}: another size may fit{way}"

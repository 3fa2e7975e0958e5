"""Layouts, which name the axes of an array, and the description of a tensor.

A layout is a string with one letter for each axis: `N` batch, `C` channel, `D`, `H`, `W` space, `L` length,
`T` tokens or time, `G` groups of channels (heads of an attention, directions of a recurrent layer), `S` the steps of a
Loop or Scan or the elements of a sequence, before all others. `NCHW` is the layout of most convolutions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:  # `onnxviz --help` loads this module, and no numpy
    from typing import Any

    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"
"""An array of any dtype and rank."""

SPATIAL = "DHWL"
STEPS = "S"

Dimension = int | str | None
"""A size: a number, a symbol of the model (`batch`) or unknown."""


PROBES = (-1.0, 0.0, 1.0, 255.0)
"""The numbers of an input for which a Scaling says what becomes of them."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """What a model itself makes of an input x: a formula, and what each of PROBES becomes, the least and greatest."""

    formula: str
    ends: tuple[tuple[float, float], ...]

    def between(self, low: float, high: float) -> tuple[float, float]:
        """Return the least and greatest of what two of PROBES become.

        >>> Scaling("x / 255", ((-1 / 255,) * 2, (0.0,) * 2, (1 / 255,) * 2, (1.0,) * 2)).between(0, 255)
        (0.0, 1.0)
        """
        both = (*self.ends[PROBES.index(low)], *self.ends[PROBES.index(high)])
        return min(both), max(both)


@dataclass(frozen=True, slots=True)
class InputUse:
    """What a model does first with one of its inputs.

    Attributes:
        kind: `tensor`, `sequence`, `optional`, `map` or `sparse tensor`.
        scaling: how it is scaled before anything else, None where it is not.
        covered: the least and greatest number that it is quantised to, where it is quantised before anything else;
            None where it is not, or where these say nothing of it, as ends on both sides of 0 alike.
        rows: as many whole numbers, from 0 on, have a row in the table that the input looks into.
        is_needed: whether what is run needs it.
        is_weight: it is the weight of a layer, the steps of a recurrent one or of an attention, or a state that is
            written into, and so is not a picture.
        appended: the axis along which what is computed from other inputs is put beside it, as to a cache of past steps.
        sizes: for each axis the size that the model's constants demand where it leaves the size open, else None; empty
            where they demand none.
    """

    kind: str = "tensor"
    scaling: Scaling | None = None
    covered: tuple[float, float] | None = None
    rows: int | None = None
    is_weight: bool = False
    is_needed: bool = True
    sizes: tuple[int | None, ...] = ()
    appended: int | None = None


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """What is known about a tensor: its name, its dtype as numpy calls it, its shape and its layout.

    `use` is what a model does with an input, where that was looked at. The `numbers` are its elements where these are
    sizes that the model computes, as far as they are known.
    """

    name: str
    dtype: str | None = None
    shape: tuple[Dimension, ...] | None = None
    layout: str | None = None
    use: InputUse = field(default=InputUse(), repr=False)
    numbers: tuple[int | float | bool | str | None, ...] | None = None


@dataclass(frozen=True, slots=True)
class Steps:
    """Which steps of a Loop or Scan, or which elements of a sequence, an array holds along `S`.

    Attributes:
        first, last: their numbers, counted from 0; both are in it.
        total: how many there were.
        noun: what one is called.
    """

    first: int
    last: int
    total: int
    noun: str = "step"

    @property
    def count(self) -> int:
        """How many are in the array."""
        return self.last - self.first + 1

    @property
    def words(self) -> str:
        """Which steps these are, in words.

        >>> Steps(0, 15, 1000).words, Steps(16, 31, 1000).words, Steps(0, 5, 6).words, Steps(0, 0, 6).words
        ('16 of 1,000 steps', 'steps 16 to 31 of 1,000', '6 steps', 'step 0 of 6')
        """
        if self.count == self.total:
            return f"{self.count:,} {self.noun}{'s' * (self.count > 1)}"
        if self.count == 1:
            return f"{self.noun} {self.first:,} of {self.total:,}"
        if not self.first:
            return f"{self.count:,} of {self.total:,} {self.noun}s"
        return f"{self.noun}s {self.first:,} to {self.last:,} of {self.total:,}"

    def as_json(self) -> dict[str, int]:
        """Return the numbers for `view.json`."""
        return {"first": self.first, "last": self.last, "total": self.total}


def first_step(steps: Steps | None) -> int:
    """Return the number of the first step along `S`; 0 where there are none."""
    return 0 if steps is None else steps.first


@dataclass(frozen=True, slots=True)
class TokenGrid:
    """Where the tokens of an array lie in a picture.

    An array of shape `(1, 145, 8)` whose token t > 0 is cell t - 1 of 9 x 16 has grid (9, 16), prefix 1, split
    (145, 8), tokens (0,) and cells (-1, 0, 1, .. 143).

    Attributes:
        grid: how many rows and columns of tokens there are.
        prefix: how many tokens stand for no place, as a class token or registers.
        status: `exact`: it was followed through the graph, from the picture on.
        split: the sizes into which the array's are reshaped, in order; axes of size 1 fall away, windows are split.
        items: the places in `split` that count the items of the batch.
        tokens: those that count the tokens; all others are channels.
        cells: the cell of each token, row by row of the grid; -1 for a token of the prefix, -2 for padding.
        axes: the two axes of the array that are the rows and the columns in order, where two are.
        keys: of a product of tokens with tokens, such as attention, where the keys lie; the tokens are the queries.
            Places that both name count both at once, as windows do.
    """

    grid: tuple[int, int]
    prefix: int = 0
    status: str = "exact"
    split: tuple[int, ...] = ()
    items: tuple[int, ...] = ()
    tokens: tuple[int, ...] = ()
    cells: tuple[int, ...] = field(default=(), repr=False)
    axes: tuple[int, ...] = ()
    keys: TokenGrid | None = None

    def as_json(self) -> dict[str, object]:
        """Return it as `layers --json` and `view.json` give it."""
        return {"grid": list(self.grid), "prefix": self.prefix, "status": self.status}

    def is_said_by(self, layout: str | None) -> bool:
        """Return whether a layout says as much: that two axes of the array are its rows and columns in order."""
        return bool(self.axes) and self.axes == spatial_axes(layout)

    @property
    def words(self) -> str:
        """The grid as a caption has it: `9 x 16 tokens + 1`."""
        return f"{self.grid[0]} x {self.grid[1]} tokens" + (f" + {self.prefix}" if self.prefix else "")


@dataclass(frozen=True, slots=True)
class AttentionLayout:
    """Attention weights and whose attention is meant.

    Attributes:
        letters: two of them T, the queries and then the keys, such as `NCTT`.
        tokens: where its tokens lie in the picture, None where they do not.
        query: a row and column of the grid such as `7,3`, a token's number, `class`, `mean`, `matrix` or `auto`.
    """

    letters: str
    tokens: TokenGrid | None = None
    query: str = "auto"


Layout: TypeAlias = "str | TokenGrid | AttentionLayout | None"
"""Which axis of an array is what: a letter an axis, or where its tokens lie, or whose attention it is, or unknown."""


def channel_axis(layout: str | None) -> int | None:
    """Return the index of the channel axis, or None.

    >>> channel_axis("NHWC")
    3
    """
    place = (layout or "").find("C")
    return None if place < 0 else place


def spatial_axes(layout: str | None) -> tuple[int, ...]:
    """Return the indices of the axes of space, in order.

    >>> spatial_axes("NCHW")
    (2, 3)
    """
    return tuple(place for place, letter in enumerate(layout or "") if letter in SPATIAL)


def channels_first(rank: int) -> str | None:
    """Return the layout of maps of this rank in ONNX's convolutions, or None.

    >>> channels_first(4)
    'NCHW'
    """
    return {2: "NC", 3: "NCL", 4: "NCHW", 5: "NCDHW"}.get(rank)


CHANNELS_LAST: Mapping[int, str] = {2: "NC", 3: "NTC", 4: "NHWC", 5: "NDHWC"}
"""The layout of each rank where the last axis holds the channels."""


def dtype_text(dtype: str | None) -> str:
    """Return a dtype in a user's words.

    >>> dtype_text("object"), dtype_text("int64"), dtype_text(None)
    ('text', 'int64', '?')
    """
    return "text" if dtype == "object" else dtype or "?"


def shape_text(shape: Sequence[Dimension] | None) -> str:
    """Return a shape as text, with symbols shortened by `formulas.readable`; blanks go around `x` if one is long.

    >>> shape_text(("N", 3, None, 224)), shape_text(()), shape_text(None)
    ('Nx3x?x224', 'scalar', '?')
    >>> shape_text(("batch", 16, "floor(height/2 - 1/2) + 1", None))
    'batch x 16 x height/2 x ?'
    """
    if shape is None:
        return "?"
    sizes = [_size_text(size) for size in shape]
    compact = all(re.fullmatch("[0-9]+|[A-Z?]", size) for size in sizes)
    return ("x" if compact else " x ").join(sizes) or "scalar"


def _size_text(size: Dimension) -> str:
    if not isinstance(size, str):
        return "?" if size is None else str(size)
    from onnxviz.formulas import readable  # fractions take 6 ms to load

    return readable(size)

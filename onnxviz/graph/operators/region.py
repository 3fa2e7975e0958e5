"""Regions: exactly which pixels of an input one position of a value depends on, borders and holes included.

The rules of reads/ are followed back from the position, as a mask along each axis. The mask of a value is the product
of its axes' masks; where paths that see different parts meet, that product is an upper bound, and said to be one.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onnxviz.errors import UsageError
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.reads.rule import NOTHING, AxisRead, KnownSizes, Operand, Pull, Reads
from onnxviz.graph.operators.receptive_field import Status, follow_input, main_input
from onnxviz.graph.operators.table import reads_of
from onnxviz.layout import TensorSpec, TokenGrid, shape_text

Mask = np.ndarray[Any, np.dtype[np.bool_]]

_MOST_PLACES = 1 << 24
"""What is longer along an axis is a damaged or hostile size and not a map; its mask would take all memory."""


@dataclass(frozen=True, slots=True, repr=False)
class Region:
    """What a position depends on: a mask `(size,) bool` for each axis of space of the input, and how exact it is."""

    input: str
    masks: tuple[Mask, ...]
    status: Status

    @property
    def box(self) -> tuple[tuple[int, int], ...]:
        """The first and the last pixel of each axis, both ends in; empty where nothing is seen."""
        seen = [np.flatnonzero(mask) for mask in self.masks]
        return tuple((int(places[0]), int(places[-1])) for places in seen) if all(map(len, seen)) else ()

    def __repr__(self) -> str:
        box = " x ".join(f"{first}..{last}" for first, last in self.box) or "nothing"
        return f"<Region of {self.input!r}: {box}, {self.status.value}>"


@dataclass(frozen=True, slots=True)
class _Need:
    """What is needed of a value: a mask for each axis; the positions needed lie in the product of the masks.

    A mask is exact or an upper bound (`bounds`). An upper bound holds at least one needed position wherever the other
    masks do; `loose` means that not even this is known.
    """

    masks: tuple[Mask, ...]
    bounds: tuple[bool, ...]
    loose: bool = False

    @property
    def is_bound(self) -> bool:
        """Whether not all of the product may be needed."""
        return self.loose or any(self.bounds)


def region(
    graph: Graph,
    types: Mapping[str, TensorSpec],
    value: str,
    position: Sequence[int],
    axes: Sequence[int] | TokenGrid = (),
) -> Region:
    """Return what a position of a value sees of the main input.

    Args:
        graph: the model.
        types: with the sizes that are fed (see `fix_inputs`): every size on the way must be a number.
        value: a value's name.
        position: an index for each of `axes`, such as `(y, x)`; or one for every axis.
        axes: the value's axes of space, or where its tokens lie; if none are given, the axes from 2 on, which is right
            for NCHW.

    Raises:
        UsageError: The position lies outside the value, or a size is unknown or absurd.
    """
    sizes = KnownSizes(graph, types)
    source = main_input(graph)
    if source is None:
        raise UsageError("the model has no input")
    followed = follow_input(graph, types)
    shape = _numbers(sizes, value)
    needs = {value: _Need(_position_masks(shape, value, position, axes), (False,) * len(shape))}
    for node in reversed(graph.nodes):
        for output, made in enumerate(node.outputs):
            if made in needs:
                _back(node, output, needs, sizes, followed.values)
    shape = _numbers(sizes, source.name)
    space = followed.space or tuple(range(2, len(shape)))
    need = needs.get(source.name)
    if need is None:
        return Region(source.name, tuple(np.zeros(shape[axis], bool) for axis in space), Status.EXACT)
    masks = tuple(need.masks[axis] for axis in space)
    if need.loose or any(need.bounds[axis] for axis in space):
        return Region(source.name, masks, Status.UPPER_BOUND)
    return Region(source.name, masks, Status.WHOLE_INPUT if all(mask.all() for mask in masks) else Status.EXACT)


def unknown_sizes(graph: Graph, types: Mapping[str, TensorSpec], value: str) -> Sequence[str]:
    """Return the values on the way from the input to a value of which `region` has to know a size that is not known."""
    sizes, followed = KnownSizes(graph, types), follow_input(graph, types).values
    needed = {value: None}
    for node in reversed(graph.nodes):
        if any(made in needed for made in node.outputs):
            needed.update(dict.fromkeys(node.reads))
    return [name for name in needed if (name == value or name in followed) and _sizes_of(sizes, name) is None]


def _back(node: Node, output: int, needs: dict[str, _Need], sizes: KnownSizes, followed: frozenset[str]) -> None:
    """Add what an output of a node needs of those of the node's operands that depend on the input."""
    need = needs[node.outputs[output]]
    made = _sizes_of(sizes, node.outputs[output])
    for place, value in enumerate(node.inputs):
        if value not in followed:
            continue
        shape = _measured(sizes, value)
        rule = None if made is None or shape is None else reads_of(Operand(node, place, len(shape), output, sizes))
        if rule is NOTHING:
            continue
        if rule is None or shape is None or len(rule.axes) != len(shape):
            _add(needs, value, _all_of(shape))
            continue
        found = _needed(rule, need, shape)
        if all(mask.any() for mask in found.masks):
            _add(needs, value, found)
    for value in node.captured:
        if value in followed:
            _add(needs, value, _all_of(_measured(sizes, value)))


def _all_of(shape: Sequence[int] | None) -> _Need:
    """What an operator that is not understood may need."""
    sizes = shape or ()
    return _Need(tuple(np.ones(size, bool) for size in sizes), (True,) * len(sizes), loose=True)


def _needed(rule: Reads, need: _Need, shape: Sequence[int]) -> _Need:
    """Return what an operand's rule makes of what is needed of the output."""
    masks = tuple(_axis_mask(read, need.masks, size) for read, size in zip(rule.axes, shape, strict=True))
    loose = need.loose or any(_may_be_nothing(read, need) for read in rule.axes) or _mixes(rule, need, masks)
    return _Need(masks, tuple(_is_bound(read, need) for read in rule.axes), loose)


def _may_be_nothing(read: AxisRead, need: _Need) -> bool:
    """Return whether this read may be too large: the rule is loose, or it maps positions of an upper bound."""
    if _is_split(read):
        return read.loose or any(need.bounds[digit.place] for digit in read.digits)
    return read.loose or (read.out is not None and read.pull is not None and need.bounds[read.out])


def _is_bound(read: AxisRead, need: _Need) -> bool:
    if _is_split(read):
        return any(need.bounds[digit.place] for digit in read.digits)
    inner = any(need.bounds[axis] or not need.masks[axis].all() for axis in read.inner)
    return inner or (read.out is not None and not read.whole and need.bounds[read.out])


def _is_split(read: AxisRead) -> bool:
    """Return whether a Reshape splits the axis into digits whose places are all known."""
    return len(read.digits) > 1 and all(digit.inner > 0 for digit in read.digits)


def _mixes(rule: Reads, need: _Need, masks: Sequence[Mask]) -> bool:
    """Return whether several axes lie along one output axis, and not every combination of their positions is needed."""
    along: dict[int, list[int]] = {}
    for axis, read in enumerate(rule.axes):
        if read.out is not None and not read.whole:
            along.setdefault(read.out, []).append(axis)
    return any(
        math.prod(int(masks[axis].sum()) for axis in axes) != int(need.masks[out].sum())
        for out, axes in along.items()
        if len(axes) > 1
    )


def _axis_mask(read: AxisRead, masks: Sequence[Mask], size: int) -> Mask:
    if read.out is None or read.whole or read.out >= len(masks):
        return np.ones(size, bool)
    if _is_split(read):
        positions = np.arange(size)
        parts = (masks[digit.place][positions // digit.inner % digit.size] for digit in read.digits)
        return np.asarray(np.logical_and.reduce(list(parts)))
    wanted = masks[read.out]
    if read.pull is not None:
        return _pulled(wanted, read.pull, size)
    if size == 1:
        return np.array([wanted.any()])
    mask = np.zeros(size, bool)  # a Slice or Split from the front on leaves the rest of the axis unread
    mask[: len(wanted)] = wanted[:size]
    return mask


def _pulled(wanted: Mask, pull: Pull, size: int) -> Mask:
    mask = np.zeros(size, bool)
    phases = len(pull.offsets)
    places = np.flatnonzero(wanted)
    for phase, taps in enumerate(pull.offsets):
        of_phase = places[places % phases == phase]
        if len(taps) and len(of_phase):
            seen = (of_phase // phases * pull.step)[:, None] + np.array(list(taps), dtype=np.int64)[None]
            mask[_inside(seen.reshape(-1), pull.border, size)] = True
    return mask


def _inside(places: np.ndarray[Any, Any], border: str, size: int) -> np.ndarray[Any, Any]:
    """Return where reads fall once the border has its say."""
    if border == "clamp":
        return places.clip(0, size - 1)
    if border == "wrap":
        return places % size
    if border == "reflect" and size > 1:
        turned = places % (2 * size - 2)
        return np.where(turned < size, turned, 2 * size - 2 - turned)
    return places[(places >= 0) & (places < size)]


def _add(needs: dict[str, _Need], value: str, need: _Need) -> None:
    before = needs.get(value)
    if before is None:
        needs[value] = need
        return
    both = tuple(one | other for one, other in zip(before.masks, need.masks, strict=True))
    for each in (before, need):
        if not each.is_bound and all(np.array_equal(a, b) for a, b in zip(both, each.masks, strict=True)):
            needs[value] = each  # all of it is needed, whatever the other is
            return
    different = sum(not np.array_equal(a, b) for a, b in zip(before.masks, need.masks, strict=True))
    inside = any(all(np.array_equal(a, b) for a, b in zip(both, each.masks, strict=True)) for each in (before, need))
    bounds = tuple(one or other for one, other in zip(before.bounds, need.bounds, strict=True))
    needs[value] = _Need(both, bounds, before.loose or need.loose or (different > 1 and not inside))


def _position_masks(
    shape: Sequence[int], value: str, position: Sequence[int], axes: Sequence[int] | TokenGrid
) -> tuple[Mask, ...]:
    if isinstance(axes, TokenGrid) and len(position) == 2:
        row, column = _indices(position, axes.grid, f"the tokens of {value!r}, which are {axes.words}")
        return _token_masks(shape, axes, row * axes.grid[1] + column)
    axes = range(2, len(shape)) if isinstance(axes, TokenGrid) or not axes else axes
    if len(position) == len(shape):
        axes = range(len(shape))
    if len(position) != len(axes):
        raise UsageError(f"a position in {value!r} has {len(axes)} or {len(shape)} numbers, not {len(position)}")
    masks = [np.ones(size, bool) for size in shape]
    places = _indices(position, [shape[axis] for axis in axes], f"{value!r}, whose shape is {tuple(shape)}")
    for axis, place in zip(axes, places, strict=True):
        masks[axis] = np.arange(shape[axis]) == place
    return tuple(masks)


def _indices(position: Sequence[int], sizes: Sequence[int], where: str) -> list[int]:
    """Return a position as whole numbers within sizes."""
    try:
        places = [operator.index(place) for place in position]
    except TypeError:
        wrong = next(place for place in position if not hasattr(place, "__index__"))
        raise UsageError(f"a position has whole numbers, not {wrong!r}") from None
    if not all(0 <= place < size for place, size in zip(places, sizes, strict=True)):
        raise UsageError(f"position {tuple(position)} lies outside {where}")
    return places


def _token_masks(shape: Sequence[int], grid: TokenGrid, cell: int) -> tuple[Mask, ...]:
    """Return where the token of a cell lies along each axis."""
    wanted = np.array(grid.cells) == cell
    tokens = wanted.reshape([grid.split[place] for place in grid.tokens])
    others = [place for place in range(len(grid.split)) if place not in grid.tokens]
    every = np.broadcast_to(tokens, (*(grid.split[place] for place in others), *tokens.shape))
    held = every.transpose(np.argsort([*others, *grid.tokens])).reshape(shape)
    axes = range(len(shape))
    return tuple(np.asarray(held.any(axis=tuple(other for other in axes if other != axis))) for axis in axes)


def _numbers(sizes: KnownSizes, value: str) -> tuple[int, ...]:
    numbers = _sizes_of(sizes, value)
    if numbers is None:
        raise UsageError(f"the size of {value!r} is not known: run the model on an input first")
    if max(numbers, default=0) > _MOST_PLACES:
        shape = shape_text(numbers)
        raise UsageError(f"{value!r} is {shape}: a region is followed over {_MOST_PLACES} positions at most")
    return numbers


def _measured(sizes: KnownSizes, value: str) -> tuple[int, ...] | None:
    """Return a shape; None where no run has it, as of what ties a body to the graph around it."""
    return None if _sizes_of(sizes, value) is None else _numbers(sizes, value)


def _sizes_of(sizes: KnownSizes, value: str) -> tuple[int, ...] | None:
    shape = sizes.shape(value)
    numbers = tuple(size for size in shape or () if isinstance(size, int))
    return None if shape is None or len(numbers) != len(shape) else numbers

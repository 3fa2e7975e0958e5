"""Rules of Reshape and Flatten: axes are split and merged in the order in which the numbers lie."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import takewhile

from onnxviz.graph.operators.reads.rule import (
    GONE,
    MOST_PHASES,
    SOME,
    AxisRead,
    Digit,
    Operand,
    Pull,
    Reads,
    something,
    summed,
    unfollowed,
)
from onnxviz.layout import Dimension

_MOST_AXES = 1 << 8
"""More than any tensor has."""
_UNBOUNDED = 1 << 62
"""Stands for the size of a leading axis that is not known."""


def reshape(operand: Operand) -> Reads:
    """Each run of axes that holds the same numbers before and behind is followed by itself; see `_regrouped`."""
    if operand.place:
        return something(operand)
    source, result = operand.sizes.shape(operand.source), operand.sizes.shape(operand.result)
    if source is None or result is None or len(source) != operand.rank:
        return something(operand)
    source, result = _with_copied(operand, source, result)
    axes = [SOME] * operand.rank
    for before, after in _groups(source, result):
        for axis, read in zip(before, _regrouped(source, result, before, after), strict=True):
            axes[axis] = _marked(read, operand.node.index, axis, after)
    return Reads(tuple(axes))


def _marked(read: AxisRead, node: int, axis: int, after: Sequence[int]) -> AxisRead:
    """Let an axis be followed into tokens though sizes are not known: by a count that no other Reshape shares."""
    if not read.loose or read.like is None or read.digits or len(after) > 1:
        return read
    return replace(read, digits=(Digit(after[0], -1 - (node * _MOST_AXES + axis), 0),))


def flatten(operand: Operand) -> Reads:
    """A Reshape to two axes; where shapes are unknown, a lone leading axis stays."""
    if operand.sizes.shape(operand.source) is not None and operand.sizes.shape(operand.result) is not None:
        return reshape(operand)
    first = AxisRead(0) if operand.node.integer("axis", 1) == 1 else SOME
    return Reads((first, *(SOME,) * (operand.rank - 1)))


def _with_copied(
    operand: Operand, source: tuple[Dimension, ...], result: tuple[Dimension, ...]
) -> tuple[tuple[Dimension, ...], tuple[Dimension, ...]]:
    """Give sizes that a Reshape copies (asked for as 0), and that inference lost, one name on both sides."""
    asked = operand.sizes.integers(operand.node, 1, "shape") if operand.node.operator == "Reshape" else None
    if asked is None or len(asked) != len(result) or operand.node.integer("allowzero", 0):
        return source, result
    copied = [place for place, size in enumerate(asked) if size == 0 and place < len(source)]
    names = {place: source[place] if source[place] is not None else f"copied {place}" for place in copied}
    return (
        tuple(names.get(place, size) for place, size in enumerate(source)),
        tuple(names.get(place, size) for place, size in enumerate(result)),
    )


def _groups(
    source: tuple[Dimension, ...], result: tuple[Dimension, ...]
) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    """Pair up the shortest runs of axes that hold the same number of elements.

    Equal sizes at both ends come first, then runs of equal products from the left, then from the right, up to sizes
    that are not known; what is left between them is one run.
    """
    shortest = min(len(source), len(result))
    stop = _count(source[-1 - place] == result[-1 - place] is not None for place in range(shortest))
    start = _count(source[place] == result[place] is not None for place in range(shortest - stop))
    yield from (((axis,), (axis,)) for axis in range(start))
    i, j = start, start
    last, end = len(source) - stop, len(result) - stop
    while (run := _run(source[i:last], result[j:end])) is not None:
        yield range(i, i + run[0]), range(j, j + run[1])
        i, j = i + run[0], j + run[1]
    behind: list[tuple[Sequence[int], Sequence[int]]] = []
    while (run := _run(source[i:last][::-1], result[j:end][::-1])) is not None:
        behind.append((range(last - run[0], last), range(end - run[1], end)))
        last, end = last - run[0], end - run[1]
    if i < last or j < end:
        yield range(i, last), range(j, end)
    yield from reversed(behind)
    yield from (((len(source) - place,), (len(result) - place,)) for place in range(stop, 0, -1))


def _count(equal: Iterable[bool]) -> int:
    """Return how many come before the first that is not."""
    return sum(1 for _ in takewhile(bool, equal))


def _run(source: Sequence[Dimension], result: Sequence[Dimension]) -> tuple[int, int] | None:
    """Return how many axes from the left have the same product on both sides, the fewest; None where none are known.

    Ones behind a run belong to it: they hold no other elements.
    """
    left = right = 1
    i = j = 0
    while i == 0 or j == 0 or left != right:
        short, at = (source, i) if i == 0 or (j > 0 and left < right) else (result, j)
        size = short[at] if at < len(short) else None
        if not isinstance(size, int) or size < 1:
            return None
        if short is source:
            left, i = left * size, i + 1
        else:
            right, j = right * size, j + 1
    return i, j


def _regrouped(
    source: tuple[Dimension, ...], result: tuple[Dimension, ...], before: Sequence[int], after: Sequence[int]
) -> list[AxisRead]:
    """Give the rules of one run of axes.

    One axis split into (a, b): its positions lie along the first, b of them at each. Axes merged into one: an axis
    with `inner` elements behind it in the run lies along it as (position // inner) % size. Of anything else it is not
    known what is read.
    """
    olds = [axis for axis in before if source[axis] != 1]
    news = [axis for axis in after if result[axis] != 1]
    reads = {axis: GONE if source[axis] == 1 else SOME for axis in before}
    if len(before) == len(after) == 1 and not olds:
        reads[before[0]] = summed(after[0])
    elif len(olds) == len(news) == 1:
        reads[olds[0]] = AxisRead(news[0])
    elif len(olds) == 1 and news:
        read = AxisRead(None, loose=True, like=news[0], inner=tuple(news[1:]), covers=True)
        if all(isinstance(result[axis], int) for axis in news[1:]):
            inner = _product(result[axis] for axis in news[1:])
            digits = _digits(result, news)
            read = AxisRead(news[0], Pull((range(inner),), inner), inner=tuple(news[1:]), covers=True, digits=digits)
        reads[olds[0]] = read
    elif len(news) == 1 and olds:
        known = all(isinstance(source[axis], int) for axis in olds[1:])
        for place, axis in enumerate(olds):
            inner = _product(source[axis] for axis in olds[place + 1 :])
            phases = inner if not place else inner * _product([source[axis]])
            digits = tuple(replace(digit, place=news[0]) for digit in _digits(source, olds) if digit.place == axis)
            reads[axis] = replace(unfollowed(news[0]), digits=digits)
            if known and phases <= MOST_PHASES:
                offsets = tuple((0,) if not place else (phase // inner,) for phase in range(phases))
                reads[axis] = AxisRead(news[0], Pull(offsets, 0 if place else 1), covers=True, digits=digits)
    return [reads[axis] for axis in before]


def _digits(shape: tuple[Dimension, ...], axes: Sequence[int]) -> tuple[Digit, ...]:
    """Return the digits that axes are of one number which counts through them; none where a size is not known.

    The first may be unknown, as a batch is: nothing counts in multiples of it.
    """
    first, *others = (shape[axis] for axis in axes)
    sizes = [size for size in (first if isinstance(first, int) else _UNBOUNDED, *others) if isinstance(size, int)]
    if len(sizes) < len(axes):
        return ()
    return tuple(Digit(axis, _product(sizes[place + 1 :]), sizes[place]) for place, axis in enumerate(axes))


def _product(sizes: Iterable[Dimension]) -> int:
    product = 1
    for size in sizes:
        product *= size if isinstance(size, int) else 1
    return product

"""Rules of Reshape and Flatten: axes are split and merged in the order in which the numbers lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from onnxviz.graph.operators.reads.rule import GONE, MOST_PHASES, SOME, AxisRead, Call, Pull, Reads, something
from onnxviz.layout import Dimension


def reshape(call: Call) -> Reads:
    """Each run of axes that holds the same numbers before and behind is followed by itself; see `_regrouped`."""
    if call.operand:
        return something(call)
    source, result = call.sizes.shape(call.source), call.sizes.shape(call.result)
    if source is None or result is None or len(source) != call.rank:
        return something(call)
    axes = [SOME] * call.rank
    for before, after in _groups(source, result):
        for axis, read in zip(before, _regrouped(source, result, before, after), strict=True):
            axes[axis] = read
    return Reads(tuple(axes))


def flatten(call: Call) -> Reads:
    """A Reshape to two axes; where shapes are unknown, a lone leading axis stays."""
    if call.sizes.shape(call.source) is not None and call.sizes.shape(call.result) is not None:
        return reshape(call)
    first = AxisRead(0) if call.node.attribute("axis", 1) == 1 else SOME
    return Reads((first, *(SOME,) * (call.rank - 1)))


def _groups(
    source: tuple[Dimension, ...], result: tuple[Dimension, ...]
) -> Iterable[tuple[Sequence[int], Sequence[int]]]:
    """Pair up the shortest runs of axes that hold the same number of elements: equal ends first, then products."""
    start, stop = 0, 0
    shortest = min(len(source), len(result))
    while stop < shortest and source[-1 - stop] == result[-1 - stop] is not None:
        stop += 1
    while start < shortest - stop and source[start] == result[start] is not None:
        start += 1
    yield from (((axis,), (axis,)) for axis in range(start))
    i, j = start, start
    while i < len(source) - stop or j < len(result) - stop:
        first, second = i, j
        left: int | None = 1
        right: int | None = 1
        while i == first or left != right:
            if left is None or right is None or (left >= right and j < len(result) - stop and i > first):
                if j >= len(result) - stop:
                    break
                right = _times(right, result[j])
                j += 1
            elif i < len(source) - stop:
                left = _times(left, source[i])
                i += 1
            else:
                break
        if left != right or left is None or i == first:
            i, j = len(source) - stop, len(result) - stop
        yield range(first, i), range(second, j)
    yield from (((len(source) - k,), (len(result) - k,)) for k in range(stop, 0, -1))


def _times(product: int | None, size: Dimension) -> int | None:
    return product * size if product is not None and isinstance(size, int) else None


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
    if len(olds) == len(news) == 1:
        reads[olds[0]] = AxisRead(news[0])
    elif len(olds) == 1 and news and all(isinstance(result[axis], int) for axis in news[1:]):
        inner = _product(result[axis] for axis in news[1:])
        reads[olds[0]] = AxisRead(news[0], Pull((range(inner),), inner), inner=tuple(news[1:]), covers=True)
    elif len(news) == 1 and olds and all(isinstance(source[axis], int) for axis in olds[1:]):
        for place, axis in enumerate(olds):
            inner = _product(source[axis] for axis in olds[place + 1 :])
            phases = inner if not place else inner * _product([source[axis]])
            if phases <= MOST_PHASES:
                offsets = tuple((0,) if not place else (phase // inner,) for phase in range(phases))
                reads[axis] = AxisRead(news[0], Pull(offsets, 0 if place else 1), covers=True)
    return [reads[axis] for axis in before]


def _product(sizes: Iterable[Dimension]) -> int:
    product = 1
    for size in sizes:
        product *= size if isinstance(size, int) else 1
    return product

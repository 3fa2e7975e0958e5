"""Shapes that a node is asked for by numbers of which some may not be known, where onnx's inference wants all of them.

`Reshape` of (N, 16, 20, 20) to (?, 2, 8, -1) has four axes, of which two are known from the numbers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from onnxviz.graph.node import Node
from onnxviz.layout import Dimension

Shape = Sequence[Dimension]
Number = int | float | bool | str | None


def shape_by_numbers(node: Node, source: Shape | None, numbers: Sequence[Sequence[Number] | None]) -> Shape | None:
    """Return the shape of what a node makes, as far as it can be told, None where its rank cannot.

    Args:
        node: any node.
        source: the shape of its first input.
        numbers: for each input its numbers, as many as it holds, known or not; None where not even this is known.
    """
    rule = _RULES.get(node.operator)
    return None if rule is None else rule(node, source, numbers)


_ShapeRule = Callable[[Node, Shape | None, Sequence[Sequence[Number] | None]], Shape | None]


def _size(number: Number) -> Dimension:
    is_size = isinstance(number, str) or (isinstance(number, int) and number >= 0)
    return number if is_size else None  # type: ignore[return-value]


def _numbers(numbers: Sequence[Sequence[Number] | None], place: int) -> Sequence[Number] | None:
    return numbers[place] if place < len(numbers) else None


def _filled(node: Node, source: Shape | None, numbers: Sequence[Sequence[Number] | None]) -> Shape | None:
    asked = _numbers(numbers, 0)
    return None if asked is None else [_size(number) for number in asked]


def _reshaped(node: Node, source: Shape | None, numbers: Sequence[Sequence[Number] | None]) -> Shape | None:
    asked = _numbers(numbers, 1)
    if asked is None:
        return None
    copies = not node.integer("allowzero", 0)
    shape: list[Dimension] = []
    for place, number in enumerate(asked):
        is_copied = number == 0 and copies
        copied = source[place] if is_copied and source is not None and place < len(source) else None
        shape.append(copied if is_copied else _size(number))
    open_places = [place for place, size in enumerate(shape) if size is None]
    if len(open_places) == 1 and source is not None:
        shape[open_places[0]] = _quotient(source, [size for size in shape if size is not None])
    return shape


def _quotient(source: Shape, others: Sequence[Dimension]) -> Dimension:
    """Return the size that is left of a shape once other sizes are divided out."""
    left, right = list(source), list(others)
    for symbol in [size for size in right if isinstance(size, str)]:
        if symbol not in left:
            return None
        left.remove(symbol)
        right.remove(symbol)
    symbols = [size for size in left if not isinstance(size, int)]
    count, divisor = 1, 1
    for size in left:
        count *= size if isinstance(size, int) else 1
    for size in right:
        divisor *= size if isinstance(size, int) else 1
    if not symbols:
        return count // divisor if divisor and count % divisor == 0 else None
    return symbols[0] if len(symbols) == 1 and count == divisor else None


def _expanded(node: Node, source: Shape | None, numbers: Sequence[Sequence[Number] | None]) -> Shape | None:
    asked = _numbers(numbers, 1)
    return None if asked is None or source is None else broadcast([source, [_size(number) for number in asked]])


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """Return the shape that shapes are stretched to, as far as they tell."""
    rank = max(map(len, shapes), default=0)
    sizes = zip(*([*[1] * (rank - len(shape)), *shape] for shape in shapes), strict=True)
    return [_stretched([size for size in along if size != 1]) for along in sizes]


def _stretched(sizes: Sequence[Dimension]) -> Dimension:
    number = next((size for size in sizes if isinstance(size, int)), None)
    if number is not None or not sizes:
        return 1 if number is None else number
    return sizes[0] if len(set(sizes)) == 1 else None


def _tiled(node: Node, source: Shape | None, numbers: Sequence[Sequence[Number] | None]) -> Shape | None:
    asked = _numbers(numbers, 1)
    if asked is None:
        return None
    if source is None or len(source) != len(asked):
        return [None] * len(asked)
    return [
        size if count == 1 else size * count if isinstance(size, int) and isinstance(count, int) else None
        for size, count in zip(source, asked, strict=True)
    ]


def _resized(node: Node, source: Shape | None, numbers: Sequence[Sequence[Number] | None]) -> Shape | None:
    asked, scales = _numbers(numbers, 3), _numbers(numbers, 2)
    if node.attribute("axes") or node.text("keep_aspect_ratio_policy", "stretch") != "stretch":
        return None
    if not asked and scales and source is not None and len(source) == len(scales):
        return [size if scale == 1 else None for size, scale in zip(source, scales, strict=True)]
    return [_size(number) for number in asked] if asked else None


def _along_axes(places: tuple[int, ...], axes_place: int) -> _ShapeRule:
    """Return the rule of an operator that changes the axes which it names: where it names none, as many as it asks."""

    def rule(node: Node, source: Shape | None, numbers: Sequence[Sequence[Number] | None]) -> Shape | None:
        if source is None:
            return None
        is_named = axes_place < len(node.inputs) and bool(node.inputs[axes_place])
        axes = _numbers(numbers, axes_place) if is_named else None
        counts = [len(found) for place in places if (found := _numbers(numbers, place)) is not None]
        if not is_named and counts and node.operator == "Slice":
            axes = range(counts[0])
        if axes is None or not all(isinstance(axis, int) for axis in axes):
            return [None] * len(source)
        changed = {axis % len(source) for axis in axes if isinstance(axis, int)} if source else set()
        return [None if axis in changed else size for axis, size in enumerate(source)]

    return rule


_RULES: Mapping[str, _ShapeRule] = {
    "ConstantOfShape": _filled,
    "Reshape": _reshaped,
    "Expand": _expanded,
    "Tile": _tiled,
    "Resize": _resized,
    "Slice": _along_axes((1, 2), 3),
    "Pad": _along_axes((), 3),
}

SHAPED_BY_NUMBERS = frozenset(_RULES)
"""The operators of which `shape_by_numbers` knows more than onnx."""

"""Operators that fix the axes of what they read and make, or make them likely: a convolution, a product with weights.

A seed gives values with the layouts that it finds for them, None where it finds none. From there the walk of layouts.py
carries them on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from onnxviz.graph.node import Node
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.graph.operators.reads.rule import KnownSizes
from onnxviz.layout import channels_first

Seed = Callable[[Node, KnownSizes], Iterable[tuple[str, Axes | None]]]


def spatial(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """Convolution, pooling and their like: batch, channels, then space, unless the node says otherwise."""
    layout = _channels_first(node, sizes)
    if layout is not None and node.integer("channels_last", 0):
        layout = layout[0] + layout[2:] + layout[1]
    yield from _both_sides(node, layout)


def channels_last(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """The same operators in onnxruntime's graphs with channels last."""
    layout = _channels_first(node, sizes)
    yield from _both_sides(node, None if layout is None else layout[0] + layout[2:] + layout[1])


def channel_norm(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """Norms with statistics or parameters for each channel, which lie along axis 1."""
    rank = sizes.rank(node.inputs[0], 0) or sizes.rank(node.outputs[0], 0)
    yield from _both_sides(node, channels_first(rank))


def rows_of_channels(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """Gemm: a row an item, a column a unit."""
    yield node.outputs[0], Axes("NC")
    if not node.integer("transA", 0):
        yield node.inputs[0], Axes("NC")


def channels_in_last(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """What works on the last axis: that most often holds the channels."""
    for value in (node.inputs[0], node.outputs[0]):
        yield value, _CHANNELS_LAST.get(sizes.rank(value, 0))


def dense_product(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """A product with weights at its right side."""
    if sizes.has_constant_right_side(node):
        yield from channels_in_last(node, sizes)


def last_axis_norm(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """A norm over the last axis alone."""
    if node.integer("axis", -1) in (-1, sizes.rank(node.inputs[0], 0) - 1):
        yield from channels_in_last(node, sizes)


def embedding(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """Rows picked from a constant table: tokens with their channels."""
    if sizes.rank(node.inputs[0], 0) == 2 and sizes.graph.is_constant(node.inputs[0]):
        yield node.outputs[0], _CHANNELS_LAST.get(3) if sizes.rank(node.outputs[0], 0) == 3 else None


_CHANNELS_LAST: Mapping[int, Axes] = {
    2: Axes("NC", assumed=True),
    3: Axes("NTC", assumed=True),
    4: Axes("NHWC", assumed=True),
}


def _channels_first(node: Node, sizes: KnownSizes) -> str | None:
    kernel = node.integers("kernel_shape")
    ranks = (sizes.rank(value, 0) for value in (node.outputs[0], node.inputs[0], *node.inputs[1:2]))
    return channels_first(len(kernel) + 2 if kernel else next(filter(None, ranks), 0))


def _both_sides(node: Node, layout: str | None) -> Iterator[tuple[str, Axes | None]]:
    axes = None if layout is None else Axes(layout)
    yield node.outputs[0], axes
    yield node.inputs[0], axes

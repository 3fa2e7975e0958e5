"""Operators that fix the axes of what they read and make, or make them likely: a convolution, a product with weights.

A convolution, a recurrent layer and an operator for attention are defined on certain axes. A product with weights, a
norm or a bias along the last axis, and rows of a table only make it likely that the last axis holds the channels.

A seed gives values with the layouts that it finds for them, None where it finds none. From there the walk of layouts.py
carries them on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from onnxviz.graph.node import Node
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.graph.operators.reads.rule import KnownSizes
from onnxviz.layout import CHANNELS_LAST, channels_first

Seed = Callable[[Node, KnownSizes], Iterable[tuple[str, Axes | None]]]


def spatial(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """Convolution, pooling and their like: batch, channels, then space, unless the node says otherwise."""
    layout = _channels_first(node, sizes)
    if layout is not None and node.integer("channels_last", 0):
        layout = layout[0] + layout[2:] + layout[1]
    yield from _both_sides(node, layout)


def global_pool(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """Pooling over all of space; not of rank 3, where converters write any mean over the last axis so."""
    if _channels_first(node, sizes) != "NCL":
        yield from spatial(node, sizes)


def channels_last(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """The same operators in onnxruntime's graphs with channels last."""
    layout = _channels_first(node, sizes)
    yield from _both_sides(node, None if layout is None else layout[0] + layout[2:] + layout[1])


def group_norm(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """GroupNorm of onnxruntime: its maps have channels last, unless the node says otherwise."""
    yield from _both_sides(node, "NHWC" if node.integer("channels_last", 1) else "NCHW")


def channel_norm(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """Norms with statistics or parameters for each channel, which lie along axis 1."""
    rank = sizes.rank(node.inputs[0], 0) or sizes.rank(node.outputs[0], 0)
    yield from _both_sides(node, channels_first(rank))


def rows_of_channels(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """Gemm: a row an item, a column a unit."""
    yield node.outputs[0], Axes("NC")
    if not node.integer("transA", 0):
        yield node.inputs[0], Axes("NC")


def recurrent(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """LSTM, GRU and RNN: time, batch, channels; with the attribute `layout` batch first. Directions are groups."""
    sequence, all_states, state = ("NLC", "NLGC", "NGC") if node.integer("layout", 0) else ("LNC", "LGNC", "GNC")
    yield node.inputs[0], Axes(sequence)
    yield node.outputs[0], Axes(all_states)
    for value in (*node.outputs[1:], *node.inputs[5:7]):
        yield value, Axes(state)


def attention(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """Attention: query, keys, values and result are (N, T, C) or (N, heads, T, C), caches always the second.

    The fourth output has a map of queries by keys for each head.
    """
    values = (*node.inputs[:3], *node.outputs[:1])
    rank = next(filter(None, (sizes.rank(value, 0) for value in values)), 0)
    for value in values:
        yield value, _ATTENTION.get(sizes.rank(value, rank))
    for value in (*node.inputs[4:6], *node.outputs[1:3]):
        yield value, _ATTENTION[4]
    yield from _weights(node)


def fused_attention(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """The attention of onnxruntime, whose result is (N, T, C) whatever it takes."""
    yield node.outputs[0], _ATTENTION[3]
    for value in node.inputs[:3]:
        yield value, _ATTENTION.get(sizes.rank(value, 0))
    yield from _weights(node) if node.operator != "Attention" else ()


def rollout(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """The product of attention weights: queries by keys."""
    yield node.outputs[0], Axes("NTT")


def tokens(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """What makes (N, T, C) and nothing else."""
    yield node.outputs[0], _ATTENTION[3]


def channels_in_last(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """What works on the last axis: that most often holds the channels."""
    for value in (node.inputs[0], node.outputs[0]):
        yield value, _CHANNELS_LAST.get(sizes.rank(value, 0))


def bias(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """A sum with a constant of rank 1, wider than one number: most often a bias, one number a channel."""
    for value, other in (node.inputs[:2], node.inputs[1::-1]):
        shape = sizes.shape(other)
        if sizes.graph.is_constant(other) and shape is not None and len(shape) == 1 and shape[0] != 1:
            yield from _on_tokens(node, (value, node.outputs[0]), sizes)


def skip_norm(node: Node, sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """The norm of a residual sum, over the last axis; the last output is the sum itself."""
    yield from _on_tokens(node, (*node.inputs[:2], node.outputs[0], *node.outputs[3:4]), sizes)


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
    is_table = sizes.rank(node.inputs[0], 0) == 2 and sizes.graph.is_constant(node.inputs[0])
    if is_table and node.integer("axis", 0) in (0, -2):
        rank = sizes.rank(node.outputs[0], 0)
        yield node.outputs[0], _CHANNELS_LAST.get(rank) if rank > 2 else None


_CHANNELS_LAST: Mapping[int, Axes] = {rank: Axes(layout, assumed=True) for rank, layout in CHANNELS_LAST.items()}
_ATTENTION: Mapping[int, Axes] = {3: Axes("NTC"), 4: Axes("NGTC")}


def _weights(node: Node) -> Iterator[tuple[str, Axes]]:
    return ((value, Axes("NCTT")) for value in node.outputs[3:4])


def _on_tokens(node: Node, values: Sequence[str], sizes: KnownSizes) -> Iterator[tuple[str, Axes | None]]:
    """Values of one rank from 3 up, whose last axis is the channels; inference knows no rank of onnxruntime's own."""
    known = next(filter(None, (sizes.rank(value, 0) for value in values)), 3 if node.domain == "com.microsoft" else 0)
    for value in values if known > 2 else ():
        yield value, _CHANNELS_LAST.get(known)


def _channels_first(node: Node, sizes: KnownSizes) -> str | None:
    kernel = node.integers("kernel_shape")
    ranks = (sizes.rank(value, 0) for value in (node.outputs[0], node.inputs[0], *node.inputs[1:2]))
    return channels_first(len(kernel) + 2 if kernel else next(filter(None, ranks), 0))


def _both_sides(node: Node, layout: str | None) -> Iterator[tuple[str, Axes | None]]:
    axes = None if layout is None else Axes(layout)
    yield node.outputs[0], axes
    yield node.inputs[0], axes

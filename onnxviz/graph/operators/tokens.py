"""Where each token of a transformer lies in the picture, followed through the graph and not taken from their count.

1. A convolution with stride 16 makes a map of 9 x 16 positions; each axis is one digit (token_digits.py).
2. Reshape and Transpose make (N, 144, C): the token axis is the digits 9 and 16, token t lies at (t // 16, t % 16).
3. A class token is joined before them, 145 in all: the axis is a line of cells, the first of them OUTSIDE.

So 145 tokens are 9 x 16 + 1 here, though 12 x 12 + 1 would be as many. Which axis of an operand goes where, the rules
of reads/ say; here only digits are moved. Windows, rolls, patches that are cut without a convolution and merged patches
follow from the same few steps, whoever made the model. What cannot be followed has no grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph
from onnxviz.graph.node import Node
from onnxviz.graph.operators.reads.rule import NOTHING, KnownSizes, Operand
from onnxviz.graph.operators.receptive_field import follow_input, main_input
from onnxviz.graph.operators.table import operator_of, reads_of
from onnxviz.graph.operators.token_arrangement import grids_of
from onnxviz.graph.operators.token_digits import Places, has_places, whole
from onnxviz.graph.operators.token_moves import Contribution, contribution_of
from onnxviz.graph.operators.token_unions import joined
from onnxviz.layout import Dimension, TensorSpec, TokenGrid

_MOST_POSITIONS = 1 << 24
"""What is longer along an axis is a damaged or hostile size and not a map."""


def token_grids(graph: Graph, types: Mapping[str, TensorSpec]) -> Mapping[str, TokenGrid]:
    """Return where the positions of each value lie in the picture, for the values of which that is followed.

    Args:
        graph: the model.
        types: type and shape of its values; what stands behind one whose size is not a number is not followed. An open
            batch counts as one item.
    """
    sizes = _ItemSizes(graph, types)
    found: dict[str, Places] = dict(_seeds(graph, sizes, types))
    for node in graph.nodes if found else ():
        seen = [place for place, value in enumerate(node.inputs) if value in found]
        for output, value in enumerate(node.outputs if seen else ()):
            shape = _numbers(sizes, value)
            with suppress(*MALFORMED):  # sizes that the file declares contradict its nodes
                places = None if shape is None else _made(node, output, seen, shape, found, sizes)
                if places is not None and has_places(places):
                    found[value] = places
    return grids_of({value: places for value, places in found.items() if value in graph.producers})


class _ItemSizes(KnownSizes):
    """Sizes of values for one item, where the size of the batch is open."""

    def __init__(self, graph: Graph, types: Mapping[str, TensorSpec]) -> None:
        super().__init__(graph, types)
        source = main_input(graph)
        self._batch = next(iter(source.shape or ()), None) if source is not None else None

    def shape(self, value: str) -> tuple[Dimension, ...] | None:
        shape = super().shape(value)
        if shape is None or not isinstance(self._batch, str):
            return shape
        return tuple(1 if size == self._batch else size for size in shape)


def _seeds(graph: Graph, sizes: KnownSizes, types: Mapping[str, TensorSpec]) -> Iterator[tuple[str, Places]]:
    """Give the main input, each of whose axes is a line of its own; the first counts items."""
    source = main_input(graph)
    shape = None if source is None else _numbers(sizes, source.name)
    if source is None or shape is None:
        return
    if len(shape) == 4 or (len(shape) == 3 and len(follow_input(graph, types).space) == 2):
        yield source.name, tuple(whole(axis, size) for axis, size in enumerate(shape, 3 - len(shape)))


def _numbers(sizes: KnownSizes, value: str) -> tuple[int, ...] | None:
    shape = sizes.shape(value) if value else None
    numbers = tuple(size for size in shape or () if isinstance(size, int) and 0 < size <= _MOST_POSITIONS)
    return None if shape is None or len(numbers) != len(shape) else numbers


def _made(
    node: Node, output: int, seen: Sequence[int], shape: tuple[int, ...], found: Mapping[str, Places], sizes: KnownSizes
) -> Places | None:
    """Return where the positions of an output lie, as all operands that are followed say."""
    parts: list[Contribution] = []
    for place in seen:
        places = found[node.inputs[place]]
        rule = reads_of(Operand(node, place, len(places), output, sizes))
        if rule is None or (rule is not NOTHING and len(rule.axes) != len(places)):
            return None
        if rule is not NOTHING:
            part = contribution_of(node, place, places, rule, shape)
            if part is None:
                return None
            parts.append(part)
    together = joined(parts, shape)
    if together is not None or operator_of(node).kind != "dense":
        return together
    return joined(parts[:1], shape)  # the rows of a product are those of its left side, whatever it is multiplied by

"""Attention written out: a product of queries and keys, a Softmax, and a product of its weights with the values.

    queries (N, heads, T, C) -.
                               MatMul -> scale, mask -> Softmax -> weights (N, heads, T, T) -.
    keys    (N, heads, C, T) -'                                                              MatMul -> (N, heads, T, C)
                                                    values (N, heads, T, C) -----------------'

Between them exporters put scales, masks, casts, quantisers, Dropout and Reshapes. The weights are a matrix for each
head: its rows are the queries, its columns the keys, and each row sums to 1. Some put the heads beside the items, into
one axis. Queries may be learned, and so constant (DETR); a product with weights of rank 2 is a dense layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from onnxviz.graph.attributes import MALFORMED
from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.product import equation_of, layouts_around, names_of_scores, sides_of
from onnxviz.graph.node import Node
from onnxviz.graph.operators.axis_letters import Axes
from onnxviz.layout import Dimension, TensorSpec


@dataclass(frozen=True, slots=True)
class AttentionMatrix:
    """The weights of an attention: where they lie, and the values that they come from and weigh.

    Attributes:
        value: the weights, behind the Softmax.
        scores: the product that makes them, of `queries` and `keys`.
        mixed: what the weights make of `values`.
        axes: the layouts that follow from all this, by value.
    """

    value: str
    scores: Node
    queries: str
    keys: str
    values: str
    mixed: str
    axes: Mapping[str, Axes]


def find_attention(graph: Graph, types: Mapping[str, TensorSpec]) -> Mapping[int, AttentionMatrix]:
    """Return the attentions of a graph, by the index of the product that makes their scores."""
    found: dict[int, AttentionMatrix] = {}
    for node in graph.nodes:
        if node.operator in _SOFTMAX:
            try:
                matrix = _Search(graph, types, node).matrix()
            except MALFORMED:
                continue
            if matrix is not None:
                found[matrix.scores.index] = matrix
    return found


_SOFTMAX = frozenset({"Softmax", "QLinearSoftmax"})
_LONGEST = 8
_QUANTISERS = frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"})
_BETWEEN = frozenset({"Cast", "Reshape", "Identity", "Where", "Mul", "Unsqueeze", "Squeeze"}) | _QUANTISERS
_BEFORE_SOFTMAX = _BETWEEN | {"Add", "Sub", "Div", "Tanh", "Clip", "QLinearAdd", "QLinearMul", "Max"}
_AFTER_SOFTMAX = _BETWEEN | {"Dropout", "Transpose"}
_MOVES = frozenset({"Reshape", "Unsqueeze", "Squeeze", "Transpose", "Gather", "Split", "Slice"})
_KEEP_AXES = (_BEFORE_SOFTMAX | _AFTER_SOFTMAX) - _MOVES

_LAYOUTS: Mapping[int, str] = {2: "TT", 3: "NTT", 4: "NCTT", 5: "NGCTT"}
_OPERANDS: Mapping[int, tuple[str, str]] = {
    2: ("TC", "CT"), 3: ("NTC", "NCT"), 4: ("NGTC", "NGCT"), 5: ("", ""),
}  # fmt: skip
"""The layouts of weights, of queries and values, and of keys, by their rank."""


@dataclass(frozen=True, slots=True)
class _Search:
    """Looks around a Softmax for the two products of an attention."""

    graph: Graph
    types: Mapping[str, TensorSpec]
    softmax: Node

    def matrix(self) -> AttentionMatrix | None:
        """Return the attention whose weights the Softmax makes, None where it makes others."""
        after = self._product_after()
        scores = self._product_before() if after is not None else None
        if after is None or scores is None:
            return None
        product, read = after
        values = next(side for side in sides_of(product) if side != read)
        queries, keys = self._turned(scores)
        layouts = self._layouts(scores, product, read).items()
        axes = {value: Axes(layout) for value, layout in layouts if layout and self._rank(value) in (None, len(layout))}
        return AttentionMatrix(self.softmax.outputs[0], scores, queries, keys, values, product.outputs[0], axes)

    def _product_before(self) -> Node | None:
        layer = [self.softmax]
        for _ in range(_LONGEST):
            layer = [source for node in layer for source in self._makers(node)]
            for node in layer:
                if self._is_product(node):
                    return node
            layer = [node for node in layer if node.operator in _BEFORE_SOFTMAX]
        return None

    def _makers(self, node: Node) -> Iterator[Node]:
        return (self.graph.producers[value] for value in node.inputs if value in self.graph.producers)

    def _product_after(self) -> tuple[Node, str] | None:
        """Return the product that the weights reach, and the side of it that they are."""
        layer = [self.softmax.outputs[0]]
        for _ in range(_LONGEST):
            readers = [(reader, value) for value in layer for reader in self.graph.consumers.get(value, ())]
            for reader, value in readers:
                if value in sides_of(reader) and self._is_product(reader):
                    return reader, value
            layer = [reader.outputs[0] for reader, _ in readers if reader.operator in _AFTER_SOFTMAX]
        return None

    def _is_product(self, node: Node) -> bool:
        """Return whether a product is of two matrices that are computed, or of one and a learned stack of them."""
        sides = sides_of(node)
        constant = [side for side in sides if self.graph.is_constant(side)]
        learned = all((self._rank(side) or 0) > 2 and node.operator != "Einsum" for side in constant)
        return len(set(sides)) == 2 and len(constant) < 2 and learned

    def _turned(self, scores: Node) -> tuple[str, str]:
        """Return queries and keys: of an Einsum the keys are the side with the letter of the Softmax's axis."""
        left, right = sides_of(scores)
        sides, result = equation_of(scores)
        return (right, left) if result and result[-1] in sides[0] else (left, right)

    def _layouts(self, scores: Node, product: Node, read: str) -> Mapping[str, str]:
        """Return the layouts of weights, queries, keys, values and of what becomes of them, as far as they follow."""
        weights = self.softmax.outputs[0]
        names = names_of_scores(scores)
        rank = len(names) or self._rank(weights) or self._rank(sides_of(scores)[0]) or 0
        if self.softmax.integer("axis", -1 if self.graph.opset >= 13 else 1) not in (-1, rank - 1):
            return {}
        if names:
            found = dict(layouts_around(scores, equation_of(scores)[1], names))
            if product.operator == "Einsum":
                letters = dict(zip(sides_of(product), equation_of(product)[0], strict=True))[read]
                found |= layouts_around(product, letters, names) if len(letters) == len(names) else ()
            return found | {weights: _LAYOUTS[rank] if rank < 5 else names.replace("Q", "T").replace("K", "T")}
        if rank not in _LAYOUTS or "Einsum" in (scores.operator, product.operator):
            return {}
        queries, keys = sides_of(scores)
        folded = rank == 3 and self._is_folded(queries)
        rows, columns = ("GTC", "GCT") if folded else _OPERANDS[rank]
        columns = rows if scores.operator == "FusedMatMul" and scores.integer("transB", 0) else columns
        found = {queries: rows, keys: columns, **dict(self._unfolded(rank)), **dict(self._time_first(queries))}
        if read == sides_of(product)[0]:
            found |= {sides_of(product)[1]: rows, product.outputs[0]: rows}
        return found | {weights: "CTT" if folded else _LAYOUTS[rank]}

    def _unfolded(self, rank: int) -> Iterator[tuple[str, str]]:
        """Give what holds the weights behind a Reshape that takes the heads apart from the items."""
        weights = self.softmax.outputs[0]
        for reader in self.graph.consumers.get(weights, ()):
            before, after = self._shape(weights), self._shape(reader.outputs[0])
            if reader.operator != "Reshape" or rank != 3 or before is None or after is None:
                continue
            if len(after) == 4 and before[-2:] == after[-2:]:
                yield reader.outputs[0], "NCTT"

    def _is_folded(self, value: str) -> bool:
        """Return whether the first axis of queries (items, T, C) holds the heads as well: a Reshape has put them there.

        Followed back: an axis that a Reshape keeps, with all before it, holds what it held.
        """
        axis = 0
        for _ in range(_LONGEST):
            maker = self.graph.producers.get(value)
            if maker is None:
                return False
            if maker.operator == "Transpose":
                order = maker.integers("perm") or (2, 1, 0)
                axis = order[axis]
            elif maker.operator == "Reshape":
                before, after = self._shape(maker.inputs[0]), self._shape(value)
                kept = before is not None and after is not None and before[: axis + 1] == after[: axis + 1]
                return not kept or None in (after or ())[: axis + 1]
            elif maker.operator not in _KEEP_AXES:
                return False
            value = next((each for each in maker.inputs if not self.graph.is_constant(each)), "")
        return False

    def _time_first(self, queries: str) -> Iterator[tuple[str, str]]:
        """Give what attention of time-first tokens begins with in PyTorch: (T, N, C).

        It becomes (T, N heads, C) and (N heads, T, C). Before, queries, keys and values were taken apart, in ways that
        say nothing of the axes.
        """
        value, turned, sizes = queries, False, None
        for _ in range(2 * _LONGEST):
            maker = self.graph.producers.get(value)
            if maker is None or maker.operator not in _KEEP_AXES | _MOVES:
                return
            source = next((each for each in maker.inputs if not self.graph.is_constant(each)), "")
            before, after = self._shape(source) or (), self._shape(value) or ()
            turned = turned or (maker.operator == "Transpose" and maker.integers("perm") == (1, 0, 2))
            if maker.operator == "Reshape" and turned and len(before) == len(after) == 3:
                sizes = before[:2] if before[0] == after[0] is not None and before[1] != after[1] else sizes
            if sizes is not None and len(before) == 3 and before[:2] == sizes:
                yield source, "TNC"
            value = source

    def _shape(self, value: str) -> tuple[Dimension, ...] | None:
        spec = self.types.get(value)
        return spec.shape if spec is not None and spec.shape is not None else self.graph.dims(value)

    def _rank(self, value: str) -> int | None:
        shape = self._shape(value)
        return None if shape is None else len(shape)

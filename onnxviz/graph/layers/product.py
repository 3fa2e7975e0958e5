"""Products of two matrices, as MatMul and its kin or as an Einsum, whose letters name the axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from onnxviz.graph.node import Node

_SIDES: Mapping[str, tuple[int, int]] = {
    "MatMul": (0, 1), "FusedMatMul": (0, 1), "QLinearMatMul": (0, 3), "MatMulInteger": (0, 1),
    "MatMulIntegerToFloat": (0, 1), "Einsum": (0, 1),
}  # fmt: skip
"""The products, and at which places their sides stand."""


def sides_of(node: Node) -> tuple[str, ...]:
    """Return the two sides of a product; empty for a node that is not one."""
    places = _SIDES.get(node.operator, ())
    return tuple(node.inputs[place] for place in places) if all(place < len(node.inputs) for place in places) else ()


def equation_of(node: Node) -> tuple[tuple[str, str], str]:
    """Return the letters of both sides of an Einsum and of its result; empty ones for anything else.

    >>> import onnx
    >>> from onnxviz.graph.graph import Graph
    >>> text = '''<ir_version: 8, opset_import: ["" : 13]> g (float[1,5,2,3] k, float[1,4,2,3] q) => (float[] s) {
    ...     s = Einsum <equation="aecd, abcd -> acbe"> (k, q)
    ... }'''
    >>> equation_of(Graph.from_proto(onnx.parser.parse_model(text)).nodes[0])
    (('aecd', 'abcd'), 'acbe')
    """
    text = node.text("equation", "").replace(" ", "") if node.operator == "Einsum" else ""
    sides, arrow, result = text.partition("->")
    left, comma, right = sides.partition(",")
    is_plain = bool(arrow and comma) and "," not in right and "." not in text
    return ((left, right), result) if is_plain else (("", ""), "")


def names_of_scores(scores: Node) -> str:
    """Return what each axis of the scores of an Einsum is: N, G for heads, Q for queries, K for keys; empty if unclear.

    Of what lies on both sides the first axis is the batch. Heads that only queries have share the keys of a group: C.

    >>> import onnx
    >>> from onnxviz.graph.graph import Graph
    >>> text = '''<ir_version: 8, opset_import: ["" : 13]> g (float[1,4,2,3,8] q, float[1,5,2,8] k) => (float[] s) {
    ...     s = Einsum <equation="btkgd, bskd -> bkgts"> (q, k)
    ... }'''
    >>> names_of_scores(Graph.from_proto(onnx.parser.parse_model(text)).nodes[0])
    'NGCQK'
    """
    (left, right), result = equation_of(scores)
    queries = right if result[-1:] in left else left
    names = "".join("G" if letter in left and letter in right else "C" for letter in result[:-2]).replace("G", "N", 1)
    of_queries = [letter in queries for letter, name in zip(result, names + "QK", strict=False) if name in "CQ"]
    is_matrix = names in ("N", "NG", "NGC", "NCG") and set(result[-2:]).isdisjoint(set(left) & set(right))
    return names + "QK" if is_matrix and all(of_queries) else ""


def layouts_around(node: Node, letters: str, names: str) -> Iterator[tuple[str, str]]:
    """Give the layouts of sides and result of an Einsum, of which some letters are named; the others are channels.

    What would have two axes of channels has none.
    """
    known = dict(zip(letters, names.replace("Q", "T").replace("K", "T"), strict=True))
    sides, result = equation_of(node)
    for value, text in zip((*sides_of(node), node.outputs[0]), (*sides, result), strict=True):
        layout = "".join(known.get(letter, "C") for letter in text)
        yield value, layout if layout.count("C") < 2 else ""

"""Attentions written out in the ways of exporters, by hand: where the weights lie, and which axis is what."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from onnx import parser

from onnxviz.graph.graph import Graph
from onnxviz.graph.layers.attention_matrices import AttentionMatrix, find_attention
from onnxviz.graph.layers.families import Families
from onnxviz.graph.shapes import infer_types

HEADS = "float[1,2,4,3] q, float[1,2,3,5] k, float[1,2,5,3] v, float[1,1,4,5] mask, bool[1,1,4,5] hidden"
CONSTANTS = (
    f"float root = {{1.4}}, float low = {{-10000}}, float[1,2,4,3] learned = {{{','.join('1' * 24)}}}, "
    f"float[3,5] w = {{{','.join('1' * 15)}}}"
)


def graph_of(nodes: str, inputs: str = HEADS, constants: str = CONSTANTS) -> Graph:
    head = '<ir_version: 10, opset_import: ["": 18, "com.microsoft": 1]>\n'
    return Graph.from_proto(parser.parse_model(f"{head}g ({inputs}) => (float[] y) <{constants}> {{ {nodes} }}"))


def attention_of(nodes: str, inputs: str = HEADS, constants: str = CONSTANTS) -> AttentionMatrix | None:
    graph = graph_of(nodes, inputs, constants)
    return next(iter(find_attention(graph, infer_types(graph)).values()), None)


def layouts_of(nodes: str, inputs: str = HEADS, constants: str = CONSTANTS) -> Mapping[str, str]:
    graph = graph_of(nodes, inputs, constants)
    axes = Families(graph, infer_types(graph)).axes
    return {value: found.layout for value, found in axes.items() if not found.assumed}


WAYS = [
    "s = MatMul (q, k) d = Div (s, root) p = Softmax <axis=-1> (d) y = MatMul (p, v)",
    "s = MatMul (q, k) a = Add (s, mask) p = Softmax <axis=3> (a) o, n = Dropout (p) y = MatMul (o, v)",
    "s = MatMul (q, k) a = Where (hidden, low, s) p = Softmax (a) i = IsNaN (p) o = Where (i, low, p) "
    "y = MatMul (o, v)",
    "s = MatMul (q, k) c = Cast <to=1> (s) p = Softmax (c) o = Cast <to=1> (p) y = MatMul (o, v)",
    "s = com.microsoft.FusedMatMul <alpha=0.5> (q, k) p = Softmax (s) y = MatMul (p, v)",
    'e = Transpose <perm=[0,1,3,2]> (k) s = Einsum <equation="bhqd,bhkd->bhqk"> (q, e) p = Softmax (s) '
    'y = Einsum <equation="bhqk,bhkd->bhqd"> (p, v)',
]


@pytest.mark.parametrize("nodes", WAYS)
def test_the_weights_lie_behind_the_softmax_between_two_products(nodes: str) -> None:
    matrix = attention_of(nodes)
    assert matrix is not None
    assert (matrix.value, matrix.scores.outputs[0], matrix.queries, matrix.values) == ("p", "s", "q", "v")
    assert matrix.mixed == "y"
    known = layouts_of(nodes)
    assert [known[value] for value in "qspvy"] == ["NGTC", "NCTT", "NCTT", "NGTC", "NGTC"]


def test_keys_that_the_product_itself_turns_round_lie_as_the_queries_do() -> None:
    nodes = "s = com.microsoft.FusedMatMul <transB=1> (q, k) p = Softmax (s) y = MatMul (p, v)"
    known = layouts_of(nodes, "float[1,2,4,3] q, float[1,2,5,3] k, float[1,2,5,3] v")
    assert [known[value] for value in "qkvp"] == ["NGTC", "NGTC", "NGTC", "NCTT"]


def test_what_is_added_to_the_scores_is_queries_by_keys_too() -> None:
    assert layouts_of(WAYS[1])["mask"] == "NCTT"


def test_queries_may_be_learned_but_a_dense_layer_is_no_attention() -> None:
    """The decoder of DETR begins with queries that no input changes."""
    learned = attention_of("s = MatMul (learned, k) p = Softmax (s) y = MatMul (p, v)")
    assert learned is not None
    assert (learned.queries, learned.keys) == ("learned", "k")
    assert attention_of("s = MatMul (q, w) p = Softmax (s) y = MatMul (p, v)") is None


@pytest.mark.parametrize(
    "nodes",
    [
        "s = MatMul (q, k) y = Softmax (s)",
        "s = Add (q, q) p = Softmax (s) y = MatMul (p, k)",
        "s = MatMul (q, k) p = Softmax (s) y = MatMul (p, u)",
        "p = Softmax () y = MatMul (p, v)",
    ],
)
def test_a_softmax_without_two_products_around_it_is_none(nodes: str) -> None:
    assert attention_of(nodes, constants=f"{CONSTANTS}, float[5,1] u = {{1,1,1,1,1}}") is None


def test_keras_asks_for_keys_before_queries() -> None:
    """In the Einsum of Keras the keys come first, and the heads lie between tokens and channels."""
    nodes = (
        'e = Einsum <equation="aecd,abcd->acbe"> (k, q) p = Softmax <axis=-1> (e) '
        'y = Einsum <equation="acbe,aecd->abcd"> (p, v)'
    )
    inputs = "float[1,4,2,3] q, float[1,5,2,3] k, float[1,5,2,3] v"
    matrix, known = attention_of(nodes, inputs), layouts_of(nodes, inputs)
    assert matrix is not None
    assert (matrix.queries, matrix.keys, matrix.values) == ("q", "k", "v")
    assert [known[value] for value in "qkvpy"] == ["NTGC", "NTGC", "NTGC", "NCTT", "NTGC"]


# 6 heads of queries share 2 of keys, in groups of 3 or repeated, or 1, which the product broadcasts.
GROUPED = {
    "grouped": (
        "s = MatMul (q, k) p = Softmax (s) y = MatMul (p, v)",
        "float[1,2,3,4,8] q, float[1,2,1,8,5] k, float[1,2,1,5,8] v",
        "NGCTT",
    ),
    "grouped Einsum": (
        'e = Einsum <equation="btkgd,bskd->bkgts"> (q, k) s = Div (e, root) p = Softmax (s) '
        'y = Einsum <equation="bkgts,bskd->btkgd"> (p, v)',
        "float[1,4,2,3,8] q, float[1,5,2,8] k, float[1,5,2,8] v",
        "NGCTT",
    ),
    "groups last": (
        's = Einsum <equation="btgkd,bskd->bgkts"> (q, k) p = Softmax (s) '
        'y = Einsum <equation="bgkts,bskd->btgkd"> (p, v)',
        "float[1,4,3,2,8] q, float[1,5,2,8] k, float[1,5,2,8] v",
        "NCGTT",
    ),
    "repeated": (
        "u = Unsqueeze (k, two) x = Expand (u, five) r = Reshape (x, four) s = MatMul (q, r) p = Softmax (s) "
        "w = Unsqueeze (v, two) z = Expand (w, wide) m = Reshape (z, tall) y = MatMul (p, m)",
        "float[1,6,4,8] q, float[1,2,8,5] k, float[1,2,5,8] v",
        "NCTT",
    ),
    "one head of keys": (
        "s = MatMul (q, k) p = Softmax (s) y = MatMul (p, v)",
        "float[1,6,4,8] q, float[1,1,8,5] k, float[1,1,5,8] v",
        "NCTT",
    ),
}
REPEATED = (
    "float root = {2.8}, int64[1] two = {2}, int64[5] five = {1,2,3,8,5}, int64[4] four = {1,6,8,5}, "
    "int64[5] wide = {1,2,3,5,8}, int64[4] tall = {1,6,5,8}"
)


@pytest.mark.parametrize("way", GROUPED)
def test_fewer_heads_of_keys_than_of_queries_are_one_attention_with_all_heads_of_the_queries(way: str) -> None:
    nodes, inputs, layout = GROUPED[way]
    graph = graph_of(nodes, inputs, REPEATED)
    families = Families(graph, infer_types(graph))
    (attention,) = find_attention(graph, infer_types(graph)).values()
    assert (families.kinds[attention.scores.index], attention.queries) == ("attention", "q")
    known = layouts_of(nodes, inputs, REPEATED)
    assert (known["p"], known["s"]) == (layout, layout)


ONE_HEAD = "float[2,4,3] q, float[2,3,5] k, float[2,5,3] v"


def test_one_head_has_a_matrix_for_each_item() -> None:
    nodes = "s = MatMul (q, k) p = Softmax (s) y = MatMul (p, v)"
    known = layouts_of(nodes, ONE_HEAD)
    assert [known[value] for value in "qkvspy"] == ["NTC", "NCT", "NTC", "NTT", "NTT", "NTC"]


FOLDED = (
    "a = Reshape (x, heads) q = Transpose <perm=[1,0,2]> (a) k = Transpose <perm=[0,2,1]> (q) s = MatMul (q, k) "
    "p = Softmax (s) m = MatMul (p, q) r = Reshape (p, apart) y = ReduceMean <keepdims=0> (r, one)"
)
SHAPES = "int64[3] heads = {10,6,4}, int64[4] apart = {2,3,10,10}, int64[1] one = {1}"


def test_heads_that_lie_beside_the_items_are_channels_and_the_tokens_before_them_come_first() -> None:
    """PyTorch's MultiheadAttention of (10 tokens, 2 items, 12 channels) with 3 heads, which returns their mean."""
    known = layouts_of(FOLDED, "float[10,2,12] x", SHAPES)
    expected = {"x": "TNC", "a": "TGC", "q": "GTC", "k": "GCT", "s": "CTT", "p": "CTT", "m": "GTC", "r": "NCTT"}
    assert known == {**expected, "y": "NTT"}


def test_weights_that_are_turned_round_have_no_rows_of_queries() -> None:
    nodes = "s = MatMul (q, k) p = Softmax (s) t = Transpose <perm=[0,1,3,2]> (p) y = MatMul (v, t)"
    known = layouts_of(nodes, "float[1,2,4,3] q, float[1,2,3,5] k, float[1,2,3,5] v")
    assert known["p"] == "NCTT"
    assert "t" not in known


def test_a_softmax_over_another_axis_says_nothing_of_the_axes() -> None:
    nodes = "s = MatMul (q, k) p = Softmax <axis=2> (s) y = MatMul (p, v)"
    assert layouts_of(nodes) == {}

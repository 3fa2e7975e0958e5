"""Whose attention is shown, and where it lies, by matrices that were worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from onnxviz.draw.arrange import ATTENDED, ATTENDED_BANDS, ATTENTION, Arranged, arrange_axes
from onnxviz.draw.attention import Query, parse_query
from onnxviz.draw.kinds import draw_maps
from onnxviz.draw.palette import INK, INK_STEPS
from onnxviz.draw.style import Caption, Style
from onnxviz.errors import UsageError
from onnxviz.layout import AttentionLayout, TokenGrid

# A class token before 2 x 3 patches; the weight of query q on key k in head h is 100 h + 10 q + k.
CELLS = (-1, 0, 1, 2, 3, 4, 5)
WEIGHTS = (np.arange(2)[:, None, None] * 100 + np.arange(7)[None, :, None] * 10 + np.arange(7)[None, None, :]).astype(
    np.float32
)[None]
KEYS = TokenGrid((2, 3), prefix=1, split=(2, 7, 7), tokens=(2,), cells=CELLS)
VIT = TokenGrid((2, 3), prefix=1, split=(2, 7, 7), tokens=(1,), cells=CELLS, keys=KEYS)


def vit(query: str) -> Arranged:
    return arrange_axes(WEIGHTS, AttentionLayout("NCTT", VIT, query))


@pytest.mark.parametrize("query", ["auto", "class", "0"])
def test_the_class_token_s_weights_lie_where_its_keys_do_and_its_own_beside_them(query: str) -> None:
    shown = vit(query)
    assert shown.kind == ATTENDED
    assert shown.values[1].tolist() == [[101, 102, 103], [104, 105, 106]]
    assert shown.prefix is not None
    assert shown.prefix.tolist() == [[0], [100]]
    assert (shown.labels, shown.mark) == (("0 · class 0", "1 · class 100"), None)
    assert shown.notes == ("query 0" if query == "0" else "class token's attention",)


def test_a_query_is_the_token_at_a_place_and_is_marked() -> None:
    shown = vit("1,2")  # the last of seven tokens
    assert shown.values[0].tolist() == [[61, 62, 63], [64, 65, 66]]
    assert (shown.mark, shown.notes) == ((1, 2), ("query 1,2",))


def test_the_mean_is_over_all_queries() -> None:
    shown = vit("mean")
    assert shown.values.reshape(2, 6).tolist() == WEIGHTS[0].mean(axis=1)[:, 1:].tolist()
    assert (shown.mark, shown.notes) == (None, ("mean over queries",))


@pytest.mark.parametrize("query", ["2,0", "0,3", "7"])
def test_a_place_that_the_layer_does_not_have_is_said(query: str) -> None:
    shown = vit(query)
    assert shown.notes == (f"no query {query}: class token's attention",)
    assert shown.values.tolist() == vit("class").values.tolist()


def test_the_whole_matrix_can_be_asked_for() -> None:
    shown = vit("matrix")
    assert (shown.kind, shown.values.tolist()) == (ATTENTION, WEIGHTS[0].tolist())
    assert shown.notes == ("rows are queries",)


# Two windows of 1 x 2 over a map of 2 x 2, the upper and the lower, one head; (windows, heads, queries, keys).
WINDOWED = np.array([[[[0.9, 0.1], [0.4, 0.6]]], [[[0.3, 0.7], [0.2, 0.8]]]], np.float32)
WINDOWS = TokenGrid(
    (2, 2),
    split=(2, 2, 2),
    tokens=(0, 1),
    cells=(0, 1, 2, 3),
    keys=TokenGrid((2, 2), split=(2, 2, 2), tokens=(0, 2), cells=(0, 1, 2, 3)),
)


def test_what_a_query_in_a_window_cannot_see_is_nothing() -> None:
    shown = arrange_axes(WINDOWED, AttentionLayout("NCTT", WINDOWS, "1,0"))
    np.testing.assert_array_equal(shown.values, np.array([[[0, 0], [0.3, 0.7]]], np.float32))
    assert (shown.mark, shown.notes, shown.prefix) == ((1, 0), ("query 1,0",), None)


def test_the_mean_of_windows_is_put_together() -> None:
    shown = arrange_axes(WINDOWED, AttentionLayout("NCTT", WINDOWS))
    np.testing.assert_allclose(shown.values, [[[0.65, 0.35], [0.25, 0.75]]], rtol=1e-6)


def test_a_number_says_nothing_of_windows() -> None:
    shown = arrange_axes(WINDOWED, AttentionLayout("NCTT", WINDOWS, "1"))
    assert shown.notes == ("no query 1: mean over queries",)


def test_padded_queries_do_not_count() -> None:
    """A window of 1 x 2 at the border, of which only the first token lies in the picture."""
    keys = TokenGrid((1, 1), split=(2, 2), tokens=(1,), cells=(0, -2))
    grid = TokenGrid((1, 1), split=(2, 2), tokens=(0,), cells=(0, -2), keys=keys)
    shown = arrange_axes(np.array([[[[0.9, 0.1], [0.5, 0.5]]]]), AttentionLayout("NCTT", grid))
    assert shown.values.tolist() == [[[0.9]]]


def test_learned_queries_look_at_the_picture() -> None:
    """The decoder of DETR: 2 items, 3 queries, 1 x 2 places."""
    array = np.arange(12, dtype=np.float32).reshape(2, 1, 3, 2)
    keys = TokenGrid((1, 2), split=(2, 3, 2), items=(0,), tokens=(2,), cells=(0, 1))
    shown = arrange_axes(array, AttentionLayout("NCTT", keys, "1"))
    assert (shown.values.tolist(), shown.notes) == ([[[2, 3]]], ("item 0 of 2", "query 1"))
    shown = arrange_axes(array, AttentionLayout("NCTT", keys, "0,1"))
    assert (shown.values.tolist(), shown.notes[1]) == ([[[2, 3]]], "no query 0,1: mean over queries")
    assert arrange_axes(array, AttentionLayout("NCTT", keys, "class")).notes[1] == "no class token: mean over queries"


def test_a_query_is_marked_in_the_cell_of_coarser_keys() -> None:
    keys = TokenGrid((1, 2), split=(4, 2), tokens=(1,), cells=(0, 1))
    grid = TokenGrid((1, 4), split=(4, 2), tokens=(0,), cells=(0, 1, 2, 3), keys=keys)
    array = np.arange(8, dtype=np.float32).reshape(1, 1, 4, 2)
    shown = arrange_axes(array, AttentionLayout("NCTT", grid, "0,2"))
    assert (shown.values.tolist(), shown.mark) == ([[[4, 5]]], (0, 1))


def test_heads_that_are_channels_of_all_items_are_all_shown() -> None:
    array = np.arange(16, dtype=np.float32).reshape(4, 2, 2)
    assert arrange_axes(array, AttentionLayout("CTT")).values.shape == (4, 2, 2)


TEXT = np.arange(18, dtype=np.float32).reshape(1, 2, 3, 3)


def test_text_is_a_matrix_and_one_word_s_attention_a_band() -> None:
    assert arrange_axes(TEXT, AttentionLayout("NCTT")).kind == ATTENTION
    shown = arrange_axes(TEXT, AttentionLayout("NCTT", None, "1"))
    assert (shown.kind, shown.values.tolist()) == (ATTENDED_BANDS, [[3, 4, 5], [12, 13, 14]])
    assert shown.notes == ("query 1",)
    mean = arrange_axes(TEXT, AttentionLayout("NCTT", None, "mean"))
    assert (mean.kind, mean.values[0].tolist()) == (ATTENDED_BANDS, [3, 4, 5])


@pytest.mark.parametrize("query", ["1,1", "3"])
def test_text_has_no_places(query: str) -> None:
    shown = arrange_axes(TEXT, AttentionLayout("NCTT", None, query))
    assert (shown.kind, shown.notes) == (ATTENTION, ("rows are queries", f"no query {query}"))


@pytest.mark.parametrize("text", ["", "-1", "1,2,3", "a", "1,", "1.5", "²", "9" * 12])
def test_what_is_no_query_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="a query is a token's row and column, such as 7,3"):
        parse_query(text)


def test_blanks_in_a_place_are_free() -> None:
    assert parse_query("7, 3") == Query("", (7, 3))


def test_a_ring_stands_around_the_marked_position_alone() -> None:
    style = Style(tile=60, bare=True)
    marked, without = (
        np.asarray(draw_maps(WEIGHTS, AttentionLayout("NCTT", VIT, query), Caption("a"), style)[0].image)
        for query in ("1,2", "class")
    )
    # The map's three columns stand behind the class token's and a gap: five of 12 pixels, from a margin of 4 on.
    ring = np.zeros((12, 12), bool)
    ring[[0, -1]] = ring[:, [0, -1]] = True
    ink = INK + INK_STEPS - 1
    assert (without != ink).all()
    assert (marked[: 4 + 24] == ink).sum() == ring.sum() == 44
    assert ((marked[4 + 12 : 4 + 24, 4 + 48 : 4 + 60] == ink) == ring).all()


def test_bands_of_one_query_are_drawn_with_lifted_colours() -> None:
    layout = AttentionLayout("NCTT", None, "1")
    (drawing,) = draw_maps(TEXT, layout, Caption("a", "MatMul"), Style())
    assert drawing.text["Description"] == "MatMul · query 1"
    assert drawing.text["Colormap"] == "magma"

"""Where everything on a figure stands."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxviz.draw.arrange import arrange_axes
from onnxviz.draw.figure.cells import GAP, tile_columns
from onnxviz.draw.figure.common_scale import RowStyle
from onnxviz.draw.figure.figure_parts import Figure, FigureText, Rectangle
from onnxviz.draw.figure.figure_rows import FigureRow, layer_row
from onnxviz.draw.figure.layout_cm import COLORBARS, FigureFrame, lay_out
from onnxviz.draw.figure.look import Look
from onnxviz.draw.style import Style
from onnxviz.errors import UsageError

SHAPES = {"maps": ("NCHW", (1, 12, 6, 8)), "bands": ("NCL", (1, 5, 40)), "bars": ("NC", (1, 30))}


def row(kind: str = "maps", inputs: int = 2, head: str = "conv", **changes: object) -> FigureRow:
    layout, shape = SHAPES[kind]
    rng = np.random.default_rng(0)
    arrays = [rng.random(shape, np.float32) for _ in range(inputs)]
    how = replace(RowStyle(Style(theme="light")), **changes)
    return layer_row(head, [arrange_axes(array, layout) for array in arrays], how)


def extent(text: FigureText, look: Look) -> Rectangle:
    """Return the room that a text takes, its letters as high as its size."""
    length, height = look.width(text.text, text.size), text.size / 72 * 2.54
    back = length * {"l": 0.0, "m": 0.5, "r": 1.0}[text.anchor]
    if text.turned:
        return Rectangle(text.x - height * 0.75, text.y + back - length, height * 0.75, length)
    return Rectangle(text.x - back, text.y - height * 0.75, length, height * 0.75)


def overlap(one: Rectangle, other: Rectangle) -> bool:
    apart = one.right <= other.left or other.right <= one.left or one.bottom <= other.top or other.bottom <= one.top
    return not apart


def check(figure: Figure, look: Look) -> None:
    """Hold that all lies on the paper, that no text lies on a map or another text, and that none is below 6 points."""
    marks = figure.marks
    words = [extent(text, look) for text in marks.texts if text.text]
    for place in (*words, *(image.place for image in marks.images)):
        assert place.left > -0.01
        assert place.top > -0.01
        assert place.right < figure.width_cm + 0.01
        assert place.bottom < figure.height_cm + 0.01
    assert not [pair for pair in itertools.combinations(words, 2) if overlap(*pair)]
    maps = [image.place for image in marks.images]
    assert not [pair for pair in itertools.combinations(maps, 2) if overlap(*pair)]
    assert not [pair for pair in itertools.product(words, maps) if overlap(*pair)]
    assert all(text.size >= 6 for text in marks.texts)


@settings(max_examples=60)
@given(
    kinds=st.lists(st.sampled_from(list(SHAPES)), min_size=1, max_size=3),
    inputs=st.integers(1, 3),
    width=st.sampled_from([6.0, 8.9, 17.0]),
    colorbar=st.sampled_from(COLORBARS),
    same_scale=st.booleans(),
    numbers=st.booleans(),
    heads=st.sampled_from(["conv", "stage3/block2/expand/a/long/name/of/a/layer"]),
)
def test_nothing_overlaps_or_leaves_the_paper(
    kinds: list[str], inputs: int, width: float, colorbar: str, same_scale: bool, numbers: bool, heads: str
) -> None:
    rows = [row(kind, inputs, heads, same_scale=same_scale, numbers=numbers) for kind in kinds]
    columns = ("cat", "a very long name of a picture that does not fit", "rocket")[:inputs]
    frame = FigureFrame(width, "A title", columns, colorbar=colorbar)
    check(lay_out(rows, frame), frame.look)


def test_grids_of_all_inputs_and_rows_line_up_exactly() -> None:
    figure = lay_out([row(), row("bands"), row(head="a longer name")], FigureFrame(12.0, columns=("cat", "coffee")))
    first, second = (panel.marks.images for panel in figure.panels[:2])
    shifts = {round(b.place.left - a.place.left, 9) for a, b in zip(first, second, strict=True)}
    assert len(shifts) == 1
    assert [image.place.top for image in first] == [image.place.top for image in second]
    assert {panel.place.left for panel in figure.panels[::2]} == {figure.panels[0].place.left}
    assert {panel.place.width for panel in figure.panels} == {figure.panels[0].place.width}


def test_tiles_have_one_gap() -> None:
    (panel,) = lay_out([row(inputs=1)], FigureFrame(10.0)).panels
    first, second, *_ = (image.place for image in panel.marks.images)
    assert second.left - first.right == pytest.approx(GAP)
    # 12 maps of 6 x 8 in 4 columns: 3 rows.
    below = panel.marks.images[4].place
    assert (below.left, below.top - first.bottom) == (first.left, pytest.approx(GAP))
    assert first.width / first.height == pytest.approx(8 / 6)


def test_the_numbers_of_a_vector_stand_below_its_bars_where_they_fit() -> None:
    few = row("bars", 1, numbers=True, style=Style(theme="light", channels="3,4,29"))
    (panel,) = lay_out([few], FigureFrame(8.0)).panels
    bars = panel.marks.areas[:3]
    below = [text for text in panel.marks.texts if text.anchor == "m"]
    assert [text.text for text in below] == ["3", "4", "29"]
    for text, bar in zip(below, bars, strict=True):
        assert text.x == pytest.approx(bar.place.left + bar.place.width / 2)
        assert text.y > bar.place.bottom
    (panel,) = lay_out([row("bars", 1, numbers=True)], FigureFrame(4.0)).panels
    assert [text for text in panel.marks.texts if text.anchor == "m"] == []


def test_heads_read_upwards_where_they_fit_and_stand_above_where_one_does_not() -> None:
    short = lay_out([row(), row()], FigureFrame(12.0))
    assert {text.turned for text in short.around.texts} == {True}
    mixed = lay_out([row(), row(head="a name that is much longer than a row of this width is high")], FigureFrame(6.0))
    assert {text.turned for text in mixed.around.texts} == {False}
    assert short.around.texts[0].y == pytest.approx(short.panels[0].place.top + short.panels[0].place.height / 2)


@pytest.mark.parametrize(("same_scale", "colorbar", "bars"), [
    (True, "auto", 2), (True, "bottom", 2), (True, "none", 0), (False, "auto", 1), (False, "right", 1),
])  # fmt: skip
def test_scales_with_numbers_have_a_bar_a_row_and_the_others_one_for_all(
    same_scale: bool, colorbar: str, bars: int
) -> None:
    rows = [row(head="a", same_scale=same_scale), row(head="b", same_scale=same_scale)]
    figure = lay_out(rows, FigureFrame(12.0, colorbar=colorbar))
    assert len(figure.bars) == bars
    for bar, panel in zip(figure.bars, figure.panels[::2], strict=False):
        right = colorbar == "right" or (colorbar == "auto" and same_scale)
        assert (bar.place.left > figure.panels[1].place.right) == right
        assert (bar.layers == (panel.layer,)) == same_scale
        assert np.isnan(bar.low) != same_scale
    if not same_scale:
        assert figure.bars[0].layers == ("a", "b")


def test_the_numbers_of_a_bar_stand_at_their_colours() -> None:
    array = np.array([[[[0.0, 2.0], [5.0, 10.0]]]], np.float32)
    found = layer_row("conv", [arrange_axes(array, "NCHW")], RowStyle(Style(theme="light", scale="layer")))
    (bar,) = lay_out([found], FigureFrame(6.0)).bars
    assert (bar.low, bar.high) == (0.0, 10.0)
    ticks = {text.text: area.place for text, area in zip(bar.marks.texts, bar.marks.areas, strict=True)}
    four = ticks["4"]
    assert four.top + four.height / 2 == pytest.approx(bar.place.bottom - 0.4 * bar.place.height)
    # At the ends of the bar, too.
    below = {text.y - ticks[text.text].top for text in bar.marks.texts}
    assert max(below) - min(below) < 1e-9
    (image,) = bar.marks.images
    assert (image.pixels[0, 0], image.pixels[-1, 0], image.pixels.shape) == (231, 0, (232, 1))


def test_a_figure_that_is_too_narrow_or_too_high_is_refused() -> None:
    with pytest.raises(UsageError, match=r"3 columns have no room in 0\.96 cm: make the figure wider"):
        lay_out([row(inputs=3)], FigureFrame(1.0))
    with pytest.raises(UsageError, match=r"30 rows make a figure [0-9]+ cm high, more than 100: select fewer layers"):
        lay_out([row(inputs=1)] * 30, FigureFrame(17.0))


@given(count=st.integers(1, 400), height=st.integers(1, 50), width=st.integers(1, 50))
def test_columns_are_at_most_the_tiles(count: int, height: int, width: int) -> None:
    assert 1 <= tile_columns(count, height, width) <= count

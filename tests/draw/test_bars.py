"""Bars on hand-worked vectors, pixel by pixel, and what is said beside them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from onnxviz.draw import bars
from onnxviz.draw.bars import BAR, plot, spans, vertical_limits
from onnxviz.draw.kinds import draw_maps
from onnxviz.draw.page import Page
from onnxviz.draw.palette import NAN, NEGATIVE_INFINITY, PANEL, POSITIVE_INFINITY, RULE, palette
from onnxviz.draw.style import Caption, Drawing, Style

CAPTION = Caption("fc", "Gemm · 1 x 4")


def draw(values: np.ndarray, style: Style) -> list[Drawing]:
    return draw_maps(values, "C", CAPTION, style)


def plotted(values: list[float], limits: tuple[float, float], height: int, thick: int = 1) -> list[list[int]]:
    view = np.full((height, len(values) * thick), PANEL, np.uint8)
    plot(view, spans(np.array(values), len(values)), limits, thick)
    return view.tolist()


def words(monkeypatch: pytest.MonkeyPatch, values: object, labels: list[str] | None = None) -> list[str]:
    """Return what a drawing says, in the order in which it was written."""
    said: list[str] = []
    write = Page.text

    def listen(self: Page, x: float, y: float, text: str, *rest: object, **more: object) -> None:
        said.append(text)
        write(self, x, y, text, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Page, "text", listen)
    draw_maps(np.array(values, np.float32), "C", replace(CAPTION, labels=labels), Style())
    return said


def test_bars_stand_on_zero_and_reach_their_value() -> None:
    assert plotted([2, 1, 0, -1], (-1.0, 2.0), 4) == [
        [BAR, PANEL, PANEL, PANEL],
        [BAR, BAR, PANEL, PANEL],
        [RULE, RULE, RULE, RULE],
        [PANEL, PANEL, PANEL, BAR],
    ]


def test_thick_bars_have_a_gap_of_one_pixel() -> None:
    assert plotted([1, 1], (0.0, 1.0), 2, thick=4) == [
        [BAR, BAR, BAR, PANEL, BAR, BAR, BAR, PANEL],
        [RULE] * 8,
    ]


def test_nan_and_infinities_fill_their_columns() -> None:
    """Also where the axis ends at zero, so that a bar towards the edge would not be seen."""
    colours = [NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY]
    assert plotted([np.nan, np.inf, -np.inf], (-1.0, 1.0), 3) == [colours, [RULE] * 3, colours]
    assert plotted([np.nan, np.inf, -np.inf], (0.0, 1.0), 2) == [colours, [RULE] * 3]


def test_values_outside_given_limits_end_at_the_edge() -> None:
    assert plotted([100, -100], (-1.0, 1.0), 3) == [[BAR, PANEL], [RULE, RULE], [PANEL, BAR]]


def test_columns_keep_the_least_and_the_greatest() -> None:
    columns = spans(np.array([1.0, -5, 3, 7, 2, 9]), 2)
    assert columns.low.tolist() == [-5, 0]
    assert columns.high.tolist() == [3, 9]


@given(arrays.arrays(np.float64, some.integers(1, 60), elements=some.floats(width=32)), some.data())
def test_no_value_is_lost_in_columns(values: np.ndarray, data: some.DataObject) -> None:
    width = data.draw(some.integers(1, len(values)))
    columns = spans(values, width)
    assert len(columns.low) == width
    known = values[~np.isnan(values)]
    assert columns.high.max() == max(known.max(initial=0), 0)
    assert columns.low.min() == min(known.min(initial=0), 0)
    assert (columns.marks == NAN).any() == np.isnan(values).any()


@pytest.mark.parametrize(
    ("ends", "limits"),
    [
        ((1, 3), (0, 3)),
        ((-4, -2), (-4, 0)),
        ((-1, 2), (-1, 2)),
        ((0, 0), (0, 1)),
        ((np.nan, np.nan), (0, 1)),
    ],
)
def test_zero_is_always_inside(ends: tuple[float, float], limits: tuple[float, float]) -> None:
    assert vertical_limits(*ends) == limits


def test_the_picture_holds_the_bars() -> None:
    (drawing,) = draw(np.array([4.0, -4.0]), Style())
    image = np.asarray(drawing.image)
    rows, columns = np.nonzero(image == BAR)
    assert drawing.image.mode == "P"
    assert np.unique(columns).tolist() == [*range(72, 111), *range(112, 151)]
    assert rows.max() - rows.min() == bars.HEIGHT - 1
    assert (image[rows.min(), 72:111] == BAR).all()
    assert (image[rows.max(), 112:151] == BAR).all()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_theme_and_colormap_are_palettes_only(theme: str) -> None:
    values = np.arange(5.0)
    (plain,) = draw(values, Style())
    (other,) = draw(values, Style(theme=theme, colormap="magma"))
    assert np.array_equal(np.asarray(plain.image), np.asarray(other.image))
    assert other.image.getpalette() == palette("magma", theme).reshape(-1).tolist()


def test_the_largest_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    said = words(monkeypatch, [0.5, np.nan, 2.0, -np.inf], ["ant", "bee", "cat", "dog"])
    listed = said[said.index("cat") - 2 :]
    assert listed == ["2", "2", "cat", "0", "0.5", "ant", "3", "-inf", "dog", "1", "NaN", "bee"]


def test_labels_of_another_count_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ant" not in words(monkeypatch, [0.5, 1.0], ["ant"])


def test_what_is_said_of_the_values(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"range -1 .. 3  ·  NaN in 1 of 4", "live 3 of 4"} <= set(words(monkeypatch, [0, -1, 3, np.nan]))
    assert any("2 values to 1 px, least and greatest" in text for text in words(monkeypatch, np.arange(2000)))
    assert any("no finite value" in text for text in words(monkeypatch, [np.nan]))
    assert "value 0.5" in words(monkeypatch, [0.5])
    assert "all 2  ·  live 3 of 3" in words(monkeypatch, [2, 2, 2])


def test_many_values_fit_on_a_page() -> None:
    (drawing,) = draw(np.arange(50000.0), Style())
    assert drawing.image.width < 2000
    assert not drawing.enlarged


def test_a_fixed_scale_is_kept() -> None:
    half, whole = (np.asarray(draw(np.array([1.0]), Style(limits=ends))[0].image) for ends in ((0, 2), (0, 1)))
    assert (half == BAR).sum() < (whole == BAR).sum()
    fixed = np.asarray(draw(np.array([1.0]), Style(scale="fixed:0,2"))[0].image)
    assert np.array_equal(half, fixed)

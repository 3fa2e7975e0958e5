"""Montages: canvases compared index by index without their words, words by their boxes."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onnxviz.draw.grid import PAGE
from onnxviz.draw.header import ticks
from onnxviz.draw.montage import draw_montage, plan_montage
from onnxviz.draw.page import Page, PageText
from onnxviz.draw.palette import (
    ACCENT,
    FAINT_RULE,
    FRAME,
    HATCH_BACK,
    HATCH_LINE,
    INK,
    LEVELS,
    NAN,
    NEGATIVE_INFINITY,
    POSITIVE_INFINITY,
    RULE,
    SIGNS,
    palette,
)
from onnxviz.draw.prepare import prepare
from onnxviz.draw.style import Caption, Drawing, Style
from onnxviz.errors import UsageError

CAPTION = Caption("stem/conv", "Conv · 1 x 2 x 2 x 2 · float32")
B = INK


def pages(maps: np.ndarray, style: Style | None = None, caption: Caption = CAPTION, gamma: float = 1.0) -> list[Page]:
    return list(plan_montage(replace(prepare(maps, caption, style or Style()), gamma=gamma)).pages())


def draw(maps: np.ndarray, style: Style) -> list[Drawing]:
    return draw_montage(prepare(maps, CAPTION, style))


def texts(page: Page) -> list[str]:
    return [word.text for word in page.words]


def first_row(page: Page) -> int:
    """Return the row where the tiles begin, below a header of any height."""
    return 84 + int(np.argmax(page.canvas[84:, 28] != B))


def natural(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).random(shape).astype(np.float32)


def test_a_page_by_hand() -> None:
    maps = np.array([[[0, 1], [2, 4]], [[2, 2], [2, 6]]], np.float32)
    (page,) = pages(maps, Style(tile=16, columns=2))
    # Tiles of 16 px, 8 times enlarged, too narrow for labels: axis labels at the left and above.
    (low, first, second, high), x, y = (0, 57, 115, 231), 68, 128
    assert page.canvas.shape == (y + 16 + 5 + 28, 640)
    left = np.kron([[low, first], [second, high]], np.ones((8, 8)))
    right = np.kron([[low, low], [low, high]], np.ones((8, 8)))
    assert (page.canvas[y : y + 16, x : x + 16] == left).all()
    assert (page.canvas[y : y + 16, x + 16 : x + 18] == B).all()
    assert (page.canvas[y : y + 16, x + 18 : x + 34] == right).all()
    # Range bars: 0..4 and 2..6 within 0..6.
    assert (page.canvas[y + 16 : y + 18, x : x + 34] == B).all()
    for row in range(y + 18, y + 21):
        assert page.canvas[row, x : x + 16].tolist() == [RULE] * 11 + [HATCH_BACK] * 5
        assert page.canvas[row, x + 18 : x + 34].tolist() == [HATCH_BACK] * 5 + [RULE] * 11
    # The colour bar, and nothing else.
    assert page.canvas[36, 392:612].tolist() == [place * LEVELS // 220 for place in range(220)]
    rest = page.canvas.copy()
    rest[y : y + 21, x : x + 34] = B
    rest[36:44, 392:612] = B
    assert (rest == B).all()
    assert texts(page) == [
        "stem/conv",
        "Conv  ·  1 x 2 x 2 x 2  ·  float32",
        "each channel on its own, top 2 % clipped  ·  8:1  ·  range 0 .. 6",
        "min of channel",
        "max less 2 %",
        "0",
        "+0",
    ]


def test_a_constant_channel_is_hatched_and_says_its_value() -> None:
    maps = natural(6, 8, 8)
    maps[2] = 0.5
    (page,) = pages(maps, Style(columns=3))
    y = first_row(page)
    tile = page.canvas[y : y + 128, 28 + 2 * 132 : 28 + 2 * 132 + 128]
    rows, columns = np.indices(tile.shape)
    assert (tile == np.where((rows + columns) % 6 == 0, HATCH_LINE, HATCH_BACK)).all()
    bar = page.canvas[y + 130, 28 + 2 * 132 : 28 + 2 * 132 + 128]
    assert np.flatnonzero(bar == FAINT_RULE).size == 1
    assert "0.5" in texts(page)
    assert "constant" in texts(page)
    assert any("live 5 of 6" in text for text in texts(page))


def test_what_is_not_finite_is_shown_and_counted() -> None:
    maps = natural(4, 8, 8)
    maps[0, 7, 0] = np.nan
    maps[1, 7, 0] = np.inf
    maps[2, 7, 0] = -np.inf
    maps[3] = np.nan
    (page,) = pages(maps, Style(tile=64, columns=4))
    y, width = first_row(page), 68
    corners = [page.canvas[y + 60, 28 + width * column] for column in range(3)]
    assert corners == [NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY]
    # A mark in the corner of each in the colour of what is not finite; all of a tile where nothing is.
    signs = NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY, NAN
    for column, sign in enumerate(signs):
        assert page.canvas[y, 28 + width * column + 63] == sign
        assert page.canvas[y + 9, 28 + width * column + 61] != sign or column == 3
    assert (page.canvas[y : y + 64, 28 + width * 3 : 28 + width * 3 + 64] == NAN).all()
    assert {"NaN", "inf", "-inf"} <= set(texts(page))
    assert any("NaN in 2, inf in 1, -inf in 1 of 4" in text for text in texts(page))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_channel_of_one_value_that_is_not_finite_is_named_for_it(value: float) -> None:
    maps = natural(6, 8, 8)
    maps[2] = value
    (page,) = pages(maps, Style(columns=3))
    tile = page.canvas[first_row(page) :, 28 + 2 * 132 :][:128, :128]
    assert np.unique(tile).tolist() == [SIGNS[f"{value:g}".replace("nan", "NaN")]]
    below = [word.text for word in page.words if word.size == 10]
    assert below[2] == f"{value:g}".replace("nan", "NaN")


@pytest.mark.parametrize(("sign", "framed"), [(1, False), (-1, True)])
def test_tiles_whose_zero_is_the_colour_of_the_page_have_a_frame(sign: int, framed: bool) -> None:
    maps = natural(6, 8, 8)
    maps[1::2] *= sign
    (page,) = pages(maps, Style(columns=3))
    y = first_row(page) + framed
    ring = page.canvas[y - 1 : y + 129, 28 + 132 - 1 : 28 + 132 + 129].copy()
    inner = ring[1:-1, 1:-1].copy()
    ring[1:-1, 1:-1] = FRAME if framed else B
    assert (ring == (FRAME if framed else B)).all()
    assert (inner < LEVELS).all()


def test_a_range_stands_nearer_to_its_own_name_than_to_the_next() -> None:
    (page,) = pages(natural(6, 8, 8), Style(columns=3, tile=96))
    names = {word.text: word for word in page.words if word.text in ("0", "1", "2")}
    ranges = [word for word in page.words if " .. " in word.text and word.size == 10]
    for name, following in (("0", "1"), ("1", "2")):
        own = min(ranges, key=lambda word: (word.baseline, abs(word.left - names[name].right)))
        assert own.left - names[name].right < 10
        assert names[following].left - own.right >= 10


def test_many_constant_channels_fold_into_a_strip() -> None:
    maps = natural(60, 7, 7)
    maps[::3] = 0
    (page,) = pages(maps)
    shown = texts(page)
    assert "live 40 of 60" in shown
    assert "3" not in shown
    assert {"1", "58"} <= set(shown)
    # One tick a channel: the first is constant, the next two are live.
    strip = page.canvas[94, 28:-28]
    cell = len(strip) / 60
    assert [strip[int(cell * (channel + 0.5))] for channel in range(4)] == [HATCH_BACK, RULE, RULE, HATCH_BACK]
    # Chosen channels are drawn, whatever they are.
    (page,) = pages(maps, Style(channels=(0, 3, 6, 1)))
    assert "live 40 of 60" not in texts(page)
    assert {"0", "3", "6", "1"} <= set(texts(page))


def test_maps_that_are_all_constant_are_drawn() -> None:
    (page,) = pages(np.ones((20, 4, 4)))
    assert HATCH_LINE in page.canvas
    assert any("all 1" in text for text in texts(page))


def test_a_tile_that_cannot_be_drawn() -> None:
    with pytest.raises(UsageError, match="tile must be 1 or more"):
        draw(natural(4, 8, 8), Style(tile=0))


def test_tokens_beside_a_map_stand_nearer_to_it_than_to_the_map_before() -> None:
    prepared = replace(prepare(natural(8, 6, 10), CAPTION, Style()), prefix=natural(8, 4))
    montage = plan_montage(prepared)
    inner = montage.grid.tile.zoom[1]  # one value's width between the tokens and their own map
    assert montage.beside == 2
    assert 2 * (montage.grid.step[1] - montage.grid.tile.width) >= 3 * inner - 1


def test_a_given_scale_is_the_scale() -> None:
    maps = natural(4, 8, 8)
    (drawing,) = draw(maps, Style(limits=(0.0, 10.0)))
    assert drawing.text["Scale"] == "fixed: fixed scale 0 .. 10"
    assert np.asarray(drawing.image)[112:156, 28:60].max() <= LEVELS // 10


def test_signed_maps_take_the_diverging_colormap_of_the_theme() -> None:
    maps = natural(4, 8, 8) - 0.5
    for theme, colormap in (("dark", "berlin"), ("light", "vik")):
        (drawing,) = draw(maps, Style(theme=theme))
        assert drawing.text["Colormap"] == colormap
        assert drawing.image.getpalette() == palette(colormap, theme).ravel().tolist()
        assert drawing.image.mode == "P"


def test_both_themes_have_the_same_indices() -> None:
    maps = natural(4, 8, 8)
    dark, light = (draw(maps, Style(theme=theme))[0].image for theme in ("dark", "light"))
    assert (np.asarray(dark) == np.asarray(light)).all()


def test_ranges_stand_under_every_tile_or_under_none() -> None:
    maps = natural(8, 16, 16)
    assert sum(" .. " in text and "range" not in text for text in texts(pages(maps)[0])) == 8
    maps[3] *= -1.2345e-12
    maps[3] -= 1.2345e-9
    style = Style(scale="channel", tile=70)
    assert sum(" .. " in text and "range" not in text for text in texts(pages(maps, style)[0])) == 0


def test_names_stand_under_tiles_where_each_fits() -> None:
    names = ["head 0", "head 1"]
    assert set(names) <= set(texts(pages(natural(2, 8, 8), caption=Caption("conv", labels=names))[0]))
    long = ["head 0", "a very long name of a head " * 9]
    (page,) = pages(natural(2, 8, 8), Style(columns=1), Caption("conv", labels=long))
    shown = texts(page)
    assert "head 0" in shown
    assert any(text.startswith("a very long") and "…" in text for text in shown)


def test_a_slice_out_of_order_has_no_column_labels() -> None:
    maps = natural(300, 4, 4)
    assert "+0" in texts(pages(maps, Style(tile=8))[0])
    assert "+0" not in texts(pages(maps, Style(tile=8, order="deviation"))[0])


def test_pages() -> None:
    maps = natural(900, 7, 7)
    drawn = pages(maps)
    assert len(drawn) > 1
    assert all(max(page.canvas.shape) <= PAGE for page in drawn)
    assert len({page.width for page in drawn}) == 1
    numbers = [int(text) for page in drawn for text in texts(page)[5:] if text.isdigit()]
    assert numbers == list(range(900))
    assert any(f"page 1 of {len(drawn)}" in text for text in texts(drawn[0]))


def test_the_title_is_never_wider_than_the_picture() -> None:
    name = "/模型/😀/" + "block/" * 60
    (page,) = pages(natural(1, 8, 8), caption=Caption(name, " · ".join(["word"] * 60 + [name])))
    for word in page.words:
        assert word.right <= page.width - 28
    assert page.words[0].text.startswith("/??/?/block")
    assert "…" in page.words[0].text


def test_a_long_description_leaves_the_page_its_size() -> None:
    maps = natural(200, 7, 7)
    maps[::4] = 0
    maps[1] = np.nan
    caption = Caption("conv", " · ".join(["a part of some length"] * 60))
    drawn = pages(maps, Style(columns=1, order="deviation"), caption)
    assert all(page.height <= PAGE for page in drawn)
    assert sum(word.size == 13 for word in drawn[0].words) == 3


def test_gamma_is_written_and_bends_the_ticks() -> None:
    maps = np.linspace(0, 1, 64).reshape(1, 8, 8)
    (page,) = pages(maps, Style(scale="layer"), gamma=0.5)
    assert any("gamma 0.5" in text for text in texts(page))
    places = np.flatnonzero(page.canvas[45, 392:612] == RULE)
    assert places.tolist() == [round(value**0.5 * 219) for value in (0, 0.2, 0.4, 0.6, 0.8, 1.0)]


def test_file_text_says_what_was_done() -> None:
    (drawing,) = draw(natural(4, 8, 8), Style())
    assert drawing.text["Title"] == "stem/conv"
    assert drawing.text["Scale"] == "clipped: each channel on its own, top 2 % clipped"
    assert drawing.text["Zoom"] == "32:1"
    assert drawing.text["Range"].startswith("range 0.00")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 6, [0, 1, 2, 3, 4, 5, 6]),
        (-1, 1, [-1, -0.5, 0, 0.5, 1]),
        (0.1, 0.35, [0.1, 0.15, 0.2, 0.25, 0.3, 0.35]),
        (3, 3, [3]),
        (np.nan, 1, [np.nan]),
        (0, 5e-324, [0, 5e-324]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected, nan_ok=True)


def overlap(one: PageText, other: PageText) -> bool:
    return (
        one.left < other.right
        and other.left < one.right
        and one.baseline - one.size * 0.7 < other.baseline
        and other.baseline - other.size * 0.7 < one.baseline
    )


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 12), st.integers(1, 12)),
    seed=st.integers(0, 99),
    dtype=st.sampled_from([np.float16, np.float32, np.float64]),
    odd=st.lists(st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 6e4]), max_size=8),
    style=st.builds(
        Style,
        scale=st.sampled_from(["auto", "channel", "layer", "percentile", "symmetric", "std", "fixed:0,1"]),
        tile=st.none() | st.integers(1, 150),
        columns=st.none() | st.integers(1, 70),
        order=st.sampled_from(["index", "deviation", "mean"]),
        top=st.none() | st.integers(1, 60),
    ),
)
def test_any_maps_any_style(
    shape: tuple[int, int, int], seed: int, dtype: type[np.floating], odd: list[float], style: Style
) -> None:
    random = np.random.default_rng(seed)
    maps = (random.normal(size=shape) * random.choice([0, 1, 1e-3, 50], size=(shape[0], 1, 1))).astype(dtype)
    maps.flat[random.integers(maps.size, size=len(odd))] = odd
    for page in pages(maps, style):
        assert max(page.canvas.shape) <= PAGE
        used = np.unique(page.canvas)
        allowed = {B, RULE, FAINT_RULE, FRAME, NAN, POSITIVE_INFINITY, NEGATIVE_INFINITY, HATCH_BACK, HATCH_LINE}
        assert set(used[used >= LEVELS].tolist()) <= allowed
        assert ACCENT not in used
        for word in page.words:
            assert word.left >= 0
            assert word.right <= page.width
            assert word.baseline + word.size // 3 <= page.height
        for one, other in itertools.combinations(page.words, 2):
            assert not overlap(one, other), (one, other)


@pytest.mark.parametrize("style", [Style(), Style(channels="0-3", columns=2), Style(order="mean"), Style(scale="std")])
def test_maps_of_a_layer_stand_at_one_place_whatever_is_said_of_an_input(style: Style) -> None:
    """On pictures of two inputs, of which one has a constant channel, NaN and long numbers, or is constant."""
    plain = natural(12, 8, 8)
    broken = plain * -1.234e-7
    broken[0] = 0
    broken[1, 0, 0] = np.nan
    # Without the frame that a diverging colormap may need.
    style = replace(style, colormap="viridis")
    drawn = [pages(maps, style)[0] for maps in (plain, broken, np.abs(broken), np.ones_like(plain))]
    assert len({page.canvas.shape for page in drawn}) == 1
    assert len({first_row(page) for page in drawn}) == 1

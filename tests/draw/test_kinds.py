"""Which drawing an activation gets, and that anything at all can be drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from onnxviz.draw.arrange import item_channels
from onnxviz.draw.bands import draw_bands
from onnxviz.draw.bars import BAR, draw_bars, draw_wave
from onnxviz.draw.filmstrip import draw_filmstrip
from onnxviz.draw.kinds import attention_style, draw_maps
from onnxviz.draw.montage import draw_montage
from onnxviz.draw.overview import summarise
from onnxviz.draw.page import BARE, Page
from onnxviz.draw.palette import FRAME, INK, LEVELS, PANEL, RULE
from onnxviz.draw.prepare import prepare
from onnxviz.draw.statistics import channel_statistics
from onnxviz.draw.style import Caption, Drawing, Style
from onnxviz.errors import UsageError

CAPTION = Caption("conv1", "Conv")
STYLE = Style()
VIRIDIS = Style(colormap="viridis")


def same(drawings: list[Drawing], others: list[Drawing]) -> bool:
    pairs = zip(drawings, others, strict=True)
    return all(
        np.array_equal(np.asarray(one.image), np.asarray(other.image)) and one.text == other.text
        for one, other in pairs
    )


def values(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


def test_maps_of_either_layout_are_the_same_montage() -> None:
    maps = values(3, 5, 6)
    expected = draw_montage(prepare(maps, CAPTION, STYLE))
    assert same(draw_maps(maps[None], "NCHW", CAPTION, STYLE), expected)
    assert same(draw_maps(maps.transpose(1, 2, 0)[None], "NHWC", CAPTION, STYLE), expected)


def test_sequences_are_bands() -> None:
    maps = values(3, 40)
    expected = draw_bands(prepare(maps, CAPTION, STYLE))
    assert same(draw_maps(maps[None], "NCL", CAPTION, STYLE), expected)
    assert same(draw_maps(maps.T[None], "NLC", CAPTION, STYLE), expected)
    assert same(draw_maps(maps[None, :, :, None], "NCHW", CAPTION, STYLE), expected)


def test_a_single_sequence_is_a_wave() -> None:
    wave = values(9000)
    (drawing,) = draw_maps(wave[None, None, None], "NCHW", CAPTION, STYLE)
    assert same([drawing], draw_wave(prepare(wave[None], CAPTION, VIRIDIS)))
    # The least and the greatest of 9 samples: never nothing, as their mean nearly is.
    image = np.asarray(drawing.image)
    plotted = image[:, 72:1072] == BAR
    assert (plotted.sum(axis=0) > 10).all()


@pytest.mark.parametrize(
    ("shape", "layout", "size"),
    [
        ((1, 4, 7, 7), "NCHW", (2 * 259 + 4, 2 * 259 + 4)),
        ((1, 4, 100), "NCL", (4 * 24, 1200)),
        ((1, 1, 100), "NCL", (220, 1000)),
        ((1, 50), "NC", (220, 1000)),
        ((1, 2, 3, 8, 8), "NCDHW", (2 * 128 + 4, 3 * 128 + 2 * 4)),
        ((1, 1, 5, 5), "NHTT", (510, 510)),
        ((1, 300, 5, 5), "NCHW", None),
        ((1, 0, 5, 5), "NCHW", (0, 0)),
    ],
)
def test_a_bare_picture_has_maps_and_no_words(
    shape: tuple[int, ...], layout: str, size: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(Page, "text", lambda self, x, y, text, *_, **__: said.append(text))
    drawings = draw_maps(np.abs(values(*shape)), layout, CAPTION, Style(bare=True))
    assert said == []
    for drawing in drawings:
        image = np.asarray(drawing.image)
        if size is not None:
            assert image.shape == (size[0] + 2 * BARE, size[1] + 2 * BARE)
        # Neither range bars nor rulers: nothing but data and background, a frame, and bars on their panel.
        around = {INK, FRAME} if "Scale" in drawing.text else {INK, PANEL, RULE}
        assert set(np.unique(image[image >= LEVELS]).tolist()) <= around
        assert (image[: BARE - 1] == INK).all()


def test_vectors_and_maps_of_one_value_are_bars() -> None:
    vector = values(4)
    caption = Caption("conv1", "Conv", ["ant", "bee", "cat", "dog"])
    expected = draw_bars(prepare(vector, caption, VIRIDIS))
    assert same(draw_maps(vector[None], "NC", caption, STYLE), expected)
    assert same(draw_maps(vector[None, :, None, None], "NCHW", caption, STYLE), expected)
    assert same(draw_maps(vector, None, caption, STYLE), expected)


def test_labels_name_the_values_of_a_vector_only(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(Page, "text", lambda self, x, y, text, *_, **__: said.append(text))
    for shape, labels in (((1, 2, 9, 9), ["ant", "bee"]), ((1, 2, 9), ["ant", "bee"]), ((1, 3), ["ant", "bee"])):
        draw_maps(values(*shape), None, Caption("conv1", labels=labels), STYLE)
    assert "ant" not in said
    draw_maps(values(1, 2), None, Caption("conv1", labels=["ant", "bee"]), STYLE)
    assert "ant" in said


def test_a_wave_is_drawn_whole_whatever_channels_are_named() -> None:
    named = Style(channels="0-15", order="mean", top=2)
    (asked,), (plain,) = (draw_maps(values(1, 1, 90), None, CAPTION, replace(s, bare=True)) for s in (named, STYLE))
    assert same([asked], [plain])


def said_of(monkeypatch: pytest.MonkeyPatch, array: np.ndarray, style: Style) -> str:
    """Return all words on the picture of an array, with " | " between them."""
    said: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(Page, "text", lambda self, x, y, text, *_, **__: said.append(text))
        draw_maps(array, None, CAPTION, style)
    return " | ".join(said)


def bars_of(array: np.ndarray, style: Style) -> list[int]:
    """Return how high each bar of a vector is, from its picture without words."""
    (drawing,) = draw_maps(array, "NC", CAPTION, replace(style, bare=True))
    image = np.asarray(drawing.image)[BARE:-BARE, BARE:-BARE]
    return [int(count) for count in (image == BAR).sum(axis=0)[::40]]


def test_a_vector_shows_the_values_that_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    vector = np.array([[1.0, -4, 2, 3, 0]])
    whole = bars_of(vector, STYLE)
    assert len(whole) == 5 and whole[1] > whole[3] > whole[2] > whole[0] > whole[4]
    assert bars_of(vector, Style(channels="2,0")) == [whole[2], whole[0]]
    assert bars_of(vector, Style(order="mean", top=2)) == [whole[1], whole[3]]
    # Values have no deviation over space.
    assert bars_of(vector, Style(order="deviation")) == [whole[place] for place in (1, 3, 2, 0, 4)]
    said = said_of(monkeypatch, vector, Style(channels="3-9", order="mean"))
    assert "greatest magnitude first" in said and "2 of 5 channels" in said
    assert said.count(" 3 |") and "| 1 |" not in said
    with pytest.raises(UsageError, match="no channel 7: the layer has 5, 0 to 4"):
        draw_maps(vector, "NC", CAPTION, Style(channels="7,8"))


@pytest.mark.parametrize(
    ("scale", "top", "bottom"),
    [("auto", 10, -1), ("symmetric", 10, -10), ("fixed:-4,8", 8, -4), ("layer", 10, -1), ("std", None, None)],
)
def test_the_axis_of_a_vector_is_the_scale_that_is_asked_for(scale: str, top: float | None, bottom: float) -> None:
    vector = np.full((1, 200), 0.5)
    vector[0, 7], vector[0, 50] = 10, -1
    (drawing,) = draw_maps(vector, "NC", CAPTION, Style(scale=scale, bare=True))
    image = np.asarray(drawing.image)[BARE:-BARE, BARE:-BARE]
    zero = int(np.flatnonzero((image == RULE).all(axis=1))[0])
    if top is None:
        top, bottom = (0.5425 + sign * 3 * vector.std() for sign in (1, -1))
    assert zero == pytest.approx(219 * top / (top - bottom), abs=1)


@pytest.mark.parametrize(
    ("shape", "unused"),
    [((1, 4), "tile, columns, rows"), ((1, 3, 90), "columns"), ((1, 1, 90), "tile, columns")],
)
def test_what_a_picture_has_no_use_for_is_said(
    shape: tuple[int, ...], unused: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Style(tile=60, columns=3, rows=None if shape == (1, 1, 90) else 2)
    assert f"no use here for {unused}" in said_of(monkeypatch, values(*shape), asked)
    assert "no use" not in said_of(monkeypatch, values(*shape), STYLE)
    assert "no use" not in said_of(monkeypatch, values(1, 4, 5, 5), asked)


def test_bands_keep_to_the_size_and_the_rows_that_are_asked_for() -> None:
    drawings = draw_maps(values(1, 6, 90), None, CAPTION, Style(tile=400, rows=4, bare=True))
    assert [drawing.image.size for drawing in drawings] == [(360 + 2 * BARE, rows * 24 + 2 * BARE) for rows in (4, 2)]


def test_volumes_are_filmstrips() -> None:
    maps = values(2, 3, 5, 6)
    expected = draw_filmstrip(prepare(maps, CAPTION, STYLE))
    assert same(draw_maps(maps[None], "NCDHW", CAPTION, STYLE), expected)
    assert same(draw_maps(np.moveaxis(maps, 0, -1)[None], "NDHWC", CAPTION, STYLE), expected)


def test_tokens_are_bands() -> None:
    tokens = values(10, 5)
    assert same(draw_maps(tokens[None], "NTC", CAPTION, STYLE), draw_bands(prepare(tokens.T, CAPTION, STYLE)))


def test_attention_is_one_scale_with_lifted_colours() -> None:
    heads = np.abs(values(2, 7, 7))
    (drawing,) = draw_maps(heads[None], "NATT", CAPTION, STYLE)
    caption = Caption("conv1", "Conv · rows are queries")
    prepared = prepare(heads, caption, Style(scale="layer", colormap="magma"))
    assert same([drawing], draw_montage(replace(prepared, gamma=0.5)))
    assert not same([drawing], draw_montage(prepared))


def test_what_is_asked_for_holds_for_attention_too() -> None:
    style = Style(scale="channel", colormap="gray")
    assert attention_style(style) == style


def test_item_0_is_drawn_and_told() -> None:
    batch = values(3, 2, 5, 6)
    (drawing,) = draw_maps(batch, "NCHW", CAPTION, STYLE)
    assert drawing.text["Description"] == "Conv · item 0 of 3"
    (first,) = draw_maps(batch[:1], "NCHW", CAPTION, STYLE)
    assert drawing.image.size == first.image.size


def test_an_assumed_layout_is_told() -> None:
    (drawing,) = draw_maps(values(1, 2, 5, 6), None, CAPTION, STYLE)
    assert drawing.text["Description"] == "Conv · layout NCHW assumed"


@pytest.mark.parametrize("shape", [(1, 0), (0, 3, 4, 4), (0,)])
def test_no_values_are_a_page_that_says_so(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(Page, "text", lambda self, x, y, text, *_, **__: said.append(text))
    (drawing,) = draw_maps(np.zeros(shape), None, CAPTION, STYLE)
    assert said == ["conv1", "Conv", "no values"]
    assert drawing.image.mode == "P"


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "u1", "i2", "i4", "i8", "u8", "?", "c8"])
@pytest.mark.parametrize("shape", [(), (3,), (1, 3), (1, 3, 5), (1, 3, 5, 5), (1, 2, 3, 5, 5), (1, 2, 2, 3, 5, 5)])
def test_every_dtype_at_every_rank(dtype: str, shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    before = array.copy()
    assert draw_maps(array, None, CAPTION, STYLE)
    assert np.array_equal(array, before)


def test_text_is_no_picture() -> None:
    (drawing,) = draw_maps(np.array(["a", "b"]), None, CAPTION, STYLE)
    assert drawing.image.size[0] == 480


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.float32, arrays.array_shapes(min_dims=0, max_dims=5, max_side=5), elements=some.floats(width=32)),
    some.sampled_from(["auto", "channel", "layer", "symmetric", "percentile", "std"]),
    some.sampled_from([None, "NC", "NTC", "NHWC", "NDHWC", "NATT"]),
)
def test_anything_can_be_drawn(array: np.ndarray, scale: str, layout: str | None) -> None:
    drawings = draw_maps(array, layout, CAPTION, Style(scale=scale))
    assert all(max(drawing.image.size) <= 2000 for drawing in drawings)


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 5), (1, 3, 5, 5), (1, 2, 3, 5, 5)])
def test_an_unknown_scale_theme_or_colormap_is_an_error(shape: tuple[int, ...]) -> None:
    for style in (Style(scale="loud"), Style(theme="pink"), Style(colormap="no such map")):
        with pytest.raises(UsageError):
            draw_maps(np.ones(shape, np.float32), None, CAPTION, style)


@pytest.mark.parametrize(
    ("shape", "layout"), [((1, 3, 4, 5), "NCHW"), ((1, 3, 9), "NCL"), ((1, 10, 3), "NTC"), ((1, 2, 3, 4, 5), "NXCHW")]
)
def test_known_statistics_change_no_picture(shape: tuple[int, ...], layout: str) -> None:
    """Nor do those of other channels, which folded axes have."""
    array = values(*shape)
    known = channel_statistics(item_channels(array, layout))
    expected = draw_maps(array, layout, CAPTION, STYLE)
    assert same(draw_maps(array, layout, CAPTION, STYLE, known), expected)
    summary = summarise(array, layout, CAPTION, known)
    assert repr(summary) == repr(summarise(array, layout, CAPTION))

"""Bands on hand-worked sequences, pixel by pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxviz.draw.bands import AXIS, GROUP_GAP, RANGE_BAR, WIDTH, choose_bands, draw_bands, strongest
from onnxviz.draw.grid import PAGE
from onnxviz.draw.header import RULER
from onnxviz.draw.kinds import draw_maps
from onnxviz.draw.page import BARE, MARGIN, Page
from onnxviz.draw.palette import HATCH_BACK, HATCH_LINE, INK, LEVELS, NAN, RULE
from onnxviz.draw.prepare import prepare
from onnxviz.draw.style import Caption, Drawing, Style

CAPTION = Caption("encoder/conv", "Conv · 1 x C x L")
LEFT = MARGIN + AXIS


def below_header(drawing: Drawing, bands: int) -> np.ndarray:
    """Return the page from the first of so many bands on; bands are 24 rows, the ruler is below."""
    image = np.asarray(drawing.image)
    return image[len(image) - MARGIN - RULER - 24 * bands :]


@pytest.fixture
def without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Page, "text", lambda *_, **__: None)


@pytest.mark.usefixtures("without_words")
def test_channels_go_down_and_samples_across() -> None:
    (drawing,) = draw_bands(prepare(np.array([[0.0, 1, 2], [4, 2, 0]], np.float32), CAPTION, Style(scale="layer")))
    grid = choose_bands(2, 3)
    assert (grid.zoom, grid.thickness) == (48, 24)
    image = below_header(drawing, 2)
    bands = image[:48, LEFT : LEFT + 144]
    half, quarter = LEVELS // 2 - 1, LEVELS // 4 - 1
    assert [bands[0, x] for x in (0, 48, 96)] == [0, quarter, half]
    assert [bands[24, x] for x in (0, 48, 96)] == [LEVELS - 1, half, 0]
    assert (bands[:24] == bands[0]).all()
    assert (bands[24:] == bands[24]).all()
    assert (image[:, :LEFT] == INK).all()


@pytest.mark.usefixtures("without_words")
@pytest.mark.parametrize("bare", [False, True])
def test_groups_of_channels_stand_apart(bare: bool) -> None:
    maps = np.arange(12, dtype=np.float32).reshape(4, 3)
    style = Style(scale="layer", bare=bare)
    apart, joined = (
        np.asarray(draw_bands(replace(prepare(maps, CAPTION, style), groups=groups))[0].image) for groups in (2, 1)
    )
    bands = 24 * 4 + (0 if bare else MARGIN + RULER) + (BARE if bare else 0)
    start, left = len(joined) - bands, BARE if bare else LEFT
    of_two, of_one = apart[start:, left : left + 144], joined[start:, left : left + 144]
    assert len(of_two) - len(of_one) == GROUP_GAP
    assert np.array_equal(of_two[:48], of_one[:48])
    assert (of_two[48 : 48 + GROUP_GAP] == of_two[-1, 0]).all()
    assert np.array_equal(of_two[48 + GROUP_GAP :][:48], of_one[48:96])


def test_channels_in_an_order_of_their_own_are_not_parted() -> None:
    maps = np.arange(12, dtype=np.float32).reshape(4, 3)
    by_mean = replace(prepare(maps, CAPTION, Style(order="mean")), groups=2)
    assert [block.tolist() for block in by_mean.blocks(by_mean.channels)] == [[3, 2, 1, 0]]
    chosen = replace(prepare(maps, CAPTION, Style(channels="0,2,3")), groups=2)
    assert [block.tolist() for block in chosen.blocks(chosen.channels)] == [[0], [2, 3]]


@pytest.mark.usefixtures("without_words")
def test_of_long_sequences_a_pixel_shows_what_is_farthest_from_zero() -> None:
    samples = np.tile(np.array([0.0, 2.0], np.float32), WIDTH)
    samples[:8] = [0, 0, 4, 4, -4, 3, 3, -1]
    (drawing,) = draw_bands(prepare(samples[None], CAPTION, Style(scale="symmetric")))
    band = below_header(drawing, 1)[0, LEFT : LEFT + WIDTH]
    assert band[:4].tolist() == [LEVELS // 2 - 1, LEVELS - 1, 0, LEVELS * 7 // 8 - 1]
    assert (band[4:] == LEVELS * 3 // 4 - 1).all()
    assert drawing.text["Zoom"] == "2 samples to 1 px, the one farthest from 0"


@pytest.mark.usefixtures("without_words")
def test_a_fast_oscillation_stays_as_loud_as_it_is() -> None:
    # 0.4 in every burst, as in the sound of which the mean of 19 samples left nearly nothing.
    time = np.arange(19 * WIDTH) / 22050
    wave = 0.4 * np.sin(2 * np.pi * (3000 * time + 2500 * time**2)) * (np.sin(12 * time) > 0)
    (drawing,) = draw_bands(prepare(np.stack([wave, wave]).astype(np.float32), CAPTION, Style(scale="fixed:-0.4,0.4")))
    band = below_header(drawing, 2)[0, LEFT : LEFT + WIDTH].astype(float)
    loudness = np.abs(band - (LEVELS - 1) / 2) / (LEVELS / 2) * 0.4
    bursts = np.abs(wave.reshape(WIDTH, 19)).max(axis=1)
    assert loudness == pytest.approx(bursts, abs=0.005)


def test_nan_among_the_samples_of_a_pixel_is_seen() -> None:
    starts = np.array([0, 2])
    assert np.isnan(strongest(np.array([[np.nan, -9.0, 1, 2]]), starts)).tolist() == [[True, False]]
    assert strongest(np.array([[-np.inf, np.inf, -3, 2]], np.float16), starts).tolist() == [[np.inf, -3]]


@pytest.mark.usefixtures("without_words")
def test_the_last_pixel_of_an_odd_length_shows_what_is_left() -> None:
    samples = np.zeros(2 * WIDTH - 1, np.float32)
    samples[-1] = 1
    (drawing,) = draw_bands(prepare(samples[None], CAPTION, Style(scale="layer")))
    assert below_header(drawing, 1)[0, LEFT + WIDTH - 2 : LEFT + WIDTH + 1].tolist() == [0, LEVELS - 1, INK]


@pytest.mark.usefixtures("without_words")
def test_constant_channels_are_hatched_and_nan_is_its_own_colour() -> None:
    maps = np.array([[1.0, 1, 1], [0, np.nan, 2]], np.float32)
    (drawing,) = draw_bands(prepare(maps, CAPTION, Style()))
    image = below_header(drawing, 2)
    assert set(np.unique(image[:24, LEFT : LEFT + 144])) == {HATCH_BACK, HATCH_LINE}
    assert [image[24, LEFT + x] for x in (0, 48, 96)] == [0, NAN, LEVELS - 1]


@pytest.mark.usefixtures("without_words")
def test_ranges_stand_at_the_right_where_channels_have_their_own_scale() -> None:
    maps = np.array([[0.0, 4], [1, 2]], np.float32)
    (drawing,) = draw_bands(prepare(maps, CAPTION, Style()))
    start = LEFT + choose_bands(2, 2).width + 12
    ranges = below_header(drawing, 2)[:48, start : start + RANGE_BAR]
    assert (ranges[11] == RULE).all()
    quarter = RANGE_BAR // 4
    assert ranges[35].tolist() == [HATCH_BACK] * quarter + [RULE] * quarter + [HATCH_BACK] * 2 * quarter
    (same,) = draw_bands(prepare(maps, CAPTION, Style(scale="layer")))
    assert not (below_header(same, 2)[:48, start : start + RANGE_BAR] == RULE).any()


@pytest.mark.usefixtures("without_words")
def test_order_and_channels_are_those_of_the_style() -> None:
    maps = np.array([[0.0, 1], [0, 3], [0, 2]], np.float32)
    (drawing,) = draw_bands(prepare(maps, CAPTION, Style(scale="layer", order="deviation", top=2)))
    ends = [below_header(drawing, 2)[row, LEFT + 48] for row in (0, 24)]
    assert ends == [LEVELS - 1, LEVELS * 2 // 3]
    (drawing,) = draw_bands(prepare(maps, CAPTION, Style(scale="layer", channels=(1,))))
    assert below_header(drawing, 1)[0, LEFT + 48] == LEVELS - 1


@pytest.mark.parametrize("channels", [1, 24, 64, 300, 900, 901, 5000])
@pytest.mark.parametrize("length", [2, 100, 1201, 30000])
def test_pages_have_a_sound_size(channels: int, length: int) -> None:
    grid = choose_bands(channels, length)
    assert grid.page_rows * grid.thickness < PAGE
    assert 0 < grid.width <= WIDTH
    assert grid.zoom == 1 or grid.shrink == 1


def test_sequences_of_one_value_say_it() -> None:
    assert draw_bands(prepare(np.full((2, 9), 2.0), CAPTION, Style()))[0].text["Range"] == "all 2"


def test_many_channels_take_several_pages() -> None:
    maps = np.zeros((4000, 3), np.float32)
    maps[:, 0] = np.arange(4000)
    drawings = draw_bands(prepare(maps, CAPTION, Style()))
    assert len(drawings) == 3
    assert all(max(drawing.image.size) <= PAGE for drawing in drawings)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, 1e38, -1e-38])
def test_any_value_can_be_drawn(value: float) -> None:
    maps = np.full((3, 5), value, np.float32)
    maps[1, 1:3] = 2
    for scale in ("auto", "layer", "percentile", "symmetric", "std"):
        (drawing,) = draw_bands(prepare(maps, CAPTION, Style(scale=scale)))
        assert drawing.image.size[0] >= 640


def test_the_array_stays_as_it_is() -> None:
    maps = np.random.default_rng(0).normal(size=(4, 3000)).astype(np.float32)
    before = maps.copy()
    draw_bands(prepare(maps, CAPTION, Style()))
    assert np.array_equal(maps, before)


def test_steps_have_their_own_numbers_along_the_ruler(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(Page, "text", lambda _page, _x, _y, text, *_, **__: said.append(text))
    (drawing,) = draw_maps(np.eye(4, 3, dtype=np.float32)[:, None], "SNC", Caption("fc", first_step=30), Style())
    assert drawing.text["Description"] == "columns are steps"
    assert said[-4:] == ["30", "31", "32", "33"]

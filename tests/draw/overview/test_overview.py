"""The overview: what goes where, and what it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxviz.draw.bars import BAR
from onnxviz.draw.overview import UNDER, Head, OverviewRow, draw_overview, summarise
from onnxviz.draw.overview.boxes import LABEL, SAMPLES, STRIP, TILE
from onnxviz.draw.overview.row import VectorLook
from onnxviz.draw.overview.sheet import MEAN, PROJECTION, TILES, WIDTH
from onnxviz.draw.page import MARGIN, Page
from onnxviz.draw.palette import THEMES, palette
from onnxviz.draw.projection import pca_rgb
from onnxviz.draw.style import Caption, Style

ROW = TILE + UNDER
"""Pixels that a layer with square maps takes."""


def draw(rows: list[OverviewRow], style: Style | None = None) -> np.ndarray:
    """Return an overview with rows only, from the first row on."""
    drawing = draw_overview(Caption("net", "3 layers"), Head(None, [], []), rows, style or Style())
    pixels = np.asarray(drawing.image)
    return pixels[len(pixels) - MARGIN - ROW * len(rows) :]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    texts: list[str] = []
    monkeypatch.setattr(Page, "text", lambda self, x, y, text, *_, **__: texts.append(text))
    return texts


def test_sequences_lie_below_one_another(said: list[str]) -> None:
    waves = np.zeros((1, 2, 30), np.float32)
    waves[0, 0, 10:20] = 3
    waves[0, 1, 20:] = 1
    pixels = draw([summarise(waves, "NCL", Caption("conv1d", "Conv"))])
    colours, left, third = palette("viridis", "dark"), MEAN + LABEL, SAMPLES // 3
    # The mean, the principal components, channel 0 and channel 1, 24 pixels each.
    for line, loud in ((2, 1), (3, 2)):
        band = pixels[24 * line : 24 * line + 22, left : left + SAMPLES]
        for part in range(3):
            expected = colours[231 if part == loud else 0]
            assert (band[:, third * part : third * (part + 1)] == expected).all()
    assert [text for text in said if text in ("mean", "PCA", "0", "1")] == ["mean", "PCA", "0", "1"]
    assert "PCA to RGB" not in said


def test_a_single_sequence_has_bars_and_no_curve(said: list[str]) -> None:
    row = summarise(np.sin(np.arange(9000.0))[None, None], "NCL", Caption("conv1d", "Conv"))
    assert isinstance(row.look, VectorLook)
    assert len(row.look.columns.low) == STRIP
    assert row.look.columns.low.max() < -0.4
    assert row.curve is None
    draw([row])
    assert "magnitudes, sorted" not in said


def test_of_a_single_channel_there_is_no_projection_and_no_curve(said: list[str]) -> None:
    maps = np.zeros((1, 1, 4, 4), np.float32)
    maps[0, 0, 0] = 1
    pixels = draw([summarise(maps, "NCHW", Caption("conv", "Conv"))])
    background = np.array(THEMES["dark"].background)
    assert (pixels[:TILE, MEAN + TILE :] == background).all()
    assert (pixels[0, MEAN] == palette("viridis", "dark")[231]).all()
    assert not any("variance" in text or text.startswith("max ") for text in said)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_tiles_go_to_their_place_in_their_colours(steps: np.ndarray, said: list[str], theme: str) -> None:
    pixels = draw([summarise(steps, "NCHW", Caption("conv1", "Conv"))], Style(theme=theme))
    colours = palette("viridis", theme)
    for x in (TILES, TILES + TILE + 6):
        tile = pixels[:TILE, x : x + TILE]
        corners = (colours[0], colours[231]) if x == TILES else (colours[0], colours[0])
        assert (tile[:56, :56] == corners[0]).all()
        assert (tile[56:, :56] == corners[1]).all()
        assert (pixels[:TILE, x + TILE : x + TILE + 6] == THEMES[theme].background).all()
    assert (pixels[0, MEAN] == colours[0]).all()
    assert (pixels[TILE - 1, MEAN + TILE - 1] == colours[231]).all()
    picture, _ = pca_rgb(steps[0])
    assert (pixels[:56, PROJECTION + 56 : PROJECTION + TILE] == picture[0, 1]).all()
    hatched = pixels[:TILE, TILES + 2 * (TILE + 6) :][:, :TILE].reshape(-1, 3)
    hatch = {THEMES[theme].hatch_back, THEMES[theme].hatch_line}
    assert {tuple(colour) for colour in np.unique(hatched, axis=0).tolist()} == hatch
    assert "100 % of variance" in said


def test_signed_tiles_are_about_zero(said: list[str]) -> None:
    maps = np.array([[[[-2.0, 0], [0, 1]], [[0, 0], [0, 0]]]], np.float32)
    pixels = draw([summarise(maps, "NCHW", Caption("conv1", "Conv"))])
    colours = palette("berlin", "dark")
    assert (pixels[0, TILES] == colours[0]).all()
    assert (pixels[0, TILES + 60] == colours[115]).all() or (pixels[0, TILES + 60] == colours[116]).all()
    assert (pixels[60, TILES + 60] == colours[173]).all()


def test_what_is_said(said: list[str], steps: np.ndarray) -> None:
    steps[0, 1, 0, 0] = np.nan
    rows = [summarise(steps, None, Caption("conv1", "Conv · 1 x 3 x 2 x 2"))]
    draw_overview(
        Caption("net", "3 layers"),
        Head(None, ["x · 1 x 3", "range 0 .. 1"], [("cat", 0.873), ("dog", 0.1)]),
        rows,
        Style(),
    )
    for text in ("net", "3 layers", "x · 1 x 3", "cat", "87.3 %", "conv1", "range 0 .. 5", "live 2 of 3", "0 .. 4"):
        assert text in said
    notes = "  ".join(said)
    assert "layout NCHW assumed" in notes
    assert "NaN in 1 of 3" in notes


@pytest.mark.parametrize(
    ("style", "title"),
    [
        (Style(), "most varied channels (largest spatial deviation), each on its own scale"),
        (
            Style(channels="0-1"),
            "most varied of the channels asked for (largest spatial deviation), each on its own scale",
        ),
        (Style(order="mean", scale="layer"), "channels, greatest mean first, scale layer"),
        (Style(order="mean", top=2), "channels asked for, greatest mean first, each on its own scale"),
        (Style(limits=(0, 1)), "most varied channels (largest spatial deviation), one scale for all inputs"),
    ],
)
def test_the_channels_that_are_shown_are_said(said: list[str], steps: np.ndarray, style: Style, title: str) -> None:
    draw([summarise(steps, "NCHW", Caption("conv1", "Conv"), style=style)], replace(style, limits=None))
    assert title in said


def test_scores_that_are_no_shares_are_numbers(said: list[str]) -> None:
    draw_overview(
        Caption("net", ""), Head(None, [], [("cat", 9.26), ("dog", -1.5), ("ant", float("nan"))]), [], Style()
    )
    assert {"9.26", "-1.5", "NaN"} <= set(said)


@pytest.mark.parametrize(("size", "shown"), [((20, 40), (120, 240)), ((48, 320), (36, 240)), ((400, 100), (160, 40))])
def test_the_input_is_shown_as_it_was_fed(said: list[str], size: tuple[int, int], shown: tuple[int, int]) -> None:
    picture = np.full((*size, 3), (200, 10, 30), np.uint8)
    drawing = draw_overview(Caption("net", ""), Head(picture, ["x"], []), [], Style())
    rows, columns = np.nonzero((np.asarray(drawing.image) == (200, 10, 30)).all(axis=2))
    assert (len(set(rows.tolist())), len(set(columns.tolist()))) == shown
    # No higher than the picture, or the words beside it.
    assert drawing.image.height == 92 + max(shown[0], 42) + 44 + MARGIN


@pytest.mark.parametrize(("top", "width"), [([], 720), ([("cat", 0.5)], 240)])
def test_a_sound_is_shown_as_a_wave(top: list[tuple[str, float]], width: int) -> None:
    sound = np.zeros(72000, np.float32)
    sound[36000:] = np.tile([0.5, -0.5], 18000)
    pixels = np.asarray(draw_overview(Caption("net", ""), Head(sound[None], ["x"], top), [], Style()).image)
    wave = (pixels[92 : 92 + 90, MARGIN : MARGIN + width] == palette("viridis", "dark")[BAR]).all(axis=2)
    assert not wave[:, : width // 2].any()
    # All but the line of zero.
    assert (wave[:, width // 2 :].sum(axis=0) == 89).all()


def test_both_channels_of_a_sound_are_waves_on_one_scale() -> None:
    sound = np.stack([np.tile([0.5, -0.5], 720), np.tile([0.25, -0.25], 720)])
    pixels = np.asarray(draw_overview(Caption("net", ""), Head(sound, ["x"], []), [], Style()).image)
    wave = (pixels[92 : 92 + 90, MARGIN : MARGIN + 720] == palette("viridis", "dark")[BAR]).all(axis=2)
    # All but the line of zero; nothing lies between them.
    assert wave[:44].sum(axis=0).tolist() == [43] * 720
    assert not wave[44:46].any()
    assert set(wave[46:].sum(axis=0).tolist()) <= {21, 22, 23}


@pytest.mark.parametrize(("channels", "height"), [(4, 96), (80, 160), (320, 160)])
def test_many_channels_are_bands(said: list[str], channels: int, height: int) -> None:
    spectrum = np.zeros((channels, 800), np.float32)
    spectrum[channels // 2 :, :400] = 1
    drawing = draw_overview(Caption("net", ""), Head(spectrum, ["x"], []), [], Style())
    bands = np.asarray(drawing.image)[92 : 92 + height, MARGIN : MARGIN + 720]
    low, high = palette("viridis", "dark")[[0, 231]]
    assert (bands[: height // 2] == low).all()
    assert (bands[height // 2 :, :360] == high).all()
    assert (bands[height // 2 :, 360:] == low).all()
    assert f"input as fed, {channels} channels downwards" in said


def test_fifty_rows_are_one_tall_page(steps: np.ndarray) -> None:
    row = summarise(steps, "NCHW", Caption("conv1", "Conv"))
    drawing = draw_overview(Caption("net", ""), Head(None, [], []), [row] * 50, Style())
    assert (drawing.image.mode, drawing.image.width) == ("RGB", WIDTH)
    assert drawing.image.height > 50 * ROW


@pytest.mark.parametrize("layout", [None, "NATT", "NTC", "NHWC"])
@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, -np.inf, 3e38, 1e-40, True])
@pytest.mark.parametrize("shape", [(), (4,), (1, 3), (1, 2, 9), (1, 2, 5, 5), (1, 2, 300, 3), (1, 2, 3, 4, 5)])
def test_any_values_can_be_shown(shape: tuple[int, ...], value: float, layout: str | None) -> None:
    row = summarise(np.full(shape, value), layout, Caption("any", "Any"))
    mixed = np.full(shape, value, np.float32)
    mixed.reshape(-1)[:2] = -1
    drawing = draw_overview(
        Caption("net", ""), Head(None, [], []), [row, summarise(mixed, layout, Caption("any", "Any"))], Style()
    )
    assert drawing.image.width == WIDTH


def test_a_long_vector_fits(said: list[str]) -> None:
    row = summarise(np.arange(40000.0), None, Caption("vocabulary", "MatMul"))
    assert isinstance(row.look, VectorLook)
    assert len(row.look.columns.high) == STRIP
    assert draw([row]).shape[1] == WIDTH


def test_vectors_alone_have_titles_of_their_own(said: list[str], steps: np.ndarray) -> None:
    vector = summarise(np.arange(5.0)[None], "NC", Caption("fc", ""))
    draw([vector])
    assert "values by index" in said and "PCA to RGB" not in said
    said.clear()
    draw([vector, summarise(steps, "NCHW", Caption("conv", ""))])
    assert "values by index" not in said and "PCA to RGB" in said

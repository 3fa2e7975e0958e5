"""The overview: what is kept of a layer, and where it goes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from onnxviz.draw.bars import BAR
from onnxviz.draw.overview import ROW, Head, OverviewRow, draw_overview, summarise
from onnxviz.draw.overview.boxes import CURVE, LABEL, SAMPLES, STRIP, TILE
from onnxviz.draw.overview.row import MapsLook, VectorLook, shrink
from onnxviz.draw.overview.sheet import MEAN, PROJECTION, TILES, WIDTH
from onnxviz.draw.overview.strips import enlarged
from onnxviz.draw.overview.strips import tile_limits as limits_of_tiles
from onnxviz.draw.page import MARGIN, Page
from onnxviz.draw.palette import THEMES, palette
from onnxviz.draw.projection import pca_rgb
from onnxviz.draw.style import Caption, Style


def maps_look(row: OverviewRow) -> MapsLook:
    assert isinstance(row.look, MapsLook)
    return row.look


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


@pytest.fixture
def steps() -> np.ndarray:
    """Return maps (1, 3, 2, 2): constant, deviation 1, deviation 2."""
    return np.array([[[[5, 5], [5, 5]], [[0, 2], [0, 2]], [[0, 0], [4, 4]]]], np.float32)


def test_maps_are_summarised(steps: np.ndarray) -> None:
    row = summarise(steps, "NCHW", Caption("conv1", "Conv"))
    look = maps_look(row)
    assert (row.caption, row.kind, row.notes) == (Caption("conv1", "Conv"), "maps", ())
    assert (row.channels, row.live, row.irregular, row.range) == (3, 2, 0, (0, 5))
    assert look.mean == pytest.approx(np.array([[5, 7], [9, 11]]) / 3)
    assert look.mean_range == pytest.approx((5 / 3, 11 / 3))
    assert look.top == (2, 1, 0)
    assert np.array_equal(look.tiles, steps[0, [2, 1, 0]])
    picture, share = pca_rgb(steps[0])
    assert np.array_equal(look.projection, picture)
    assert look.share == share
    assert row.curve is not None
    assert row.curve.points.tolist() == [2, 1, 0]
    assert (row.curve.greatest, row.curve.median) == (2, 1)


def test_only_small_arrays_are_kept() -> None:
    maps = np.random.default_rng(0).random((1, 300, 150, 100), np.float32)
    row = summarise(maps, "NCHW", Caption("conv1", "Conv"))
    assert row.curve is not None
    kept = [row.curve.points]
    kept += [value for value in dataclasses.asdict(maps_look(row)).values() if isinstance(value, np.ndarray)]
    assert sum(array.nbytes for array in kept) < 500_000
    assert not any(np.shares_memory(array, maps) for array in kept)
    assert maps_look(row).tiles.shape == (7, TILE, 75)
    assert len(row.curve.points) == CURVE


def test_the_mean_of_large_maps_is_their_area_mean() -> None:
    maps = np.zeros((1, 1, 2 * TILE, 2 * TILE), np.float32)
    maps[0, 0, 0, 0] = 4
    assert maps_look(summarise(maps, "NCHW", Caption("conv1", "Conv"))).mean[0, :2].tolist() == [1, 0]


def test_channels_are_ranked_by_deviation_not_by_strength() -> None:
    maps = np.zeros((1, 3, 4, 4), np.float32)
    maps[0, 0] = 100
    maps[0, 1, 0, 0] = 1
    maps[0, 2, 0, :2] = 1
    assert maps_look(summarise(maps, "NCHW", Caption("conv1", "Conv"))).top == (2, 1, 0)


def test_a_volume_is_shown_by_its_middle_slice() -> None:
    maps = np.zeros((1, 2, 5, 3, 3), np.float32)
    maps[0, :, 0, 0, 0] = 9
    maps[0, 1, 2, 0, 0] = 4
    row = summarise(maps, "NCDHW", Caption("conv3d", "Conv"))
    assert row.notes == ("slice 2 of 5",)
    assert (row.range, row.live) == ((0, 9), 2)
    assert maps_look(row).top == (1, 0)
    assert maps_look(row).tiles[0, 0, 0] == 4


def test_sequences_are_as_long_as_the_strip_and_keep_what_is_loud() -> None:
    waves = np.stack([np.tile([0.0, 0.5, -2, 1], 1000), np.tile([0.0, 1, 0, -1], 1000)]).astype(np.float32)
    look = maps_look(summarise(waves[None], "NCL", Caption("conv1d", "Conv")))
    assert look.tiles.shape == (2, 1, SAMPLES)
    assert look.projection.shape == (1, SAMPLES, 3)
    assert (look.tiles[0] == -2).all()
    short = maps_look(summarise(waves[None, :, :500], "NCL", Caption("conv1d", "Conv")))
    assert np.array_equal(short.tiles[:, 0], waves[:, :500])
    assert np.array_equal(short.mean[0], waves[:, :500].mean(axis=0))


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


@pytest.mark.parametrize("channels", [1, 2, 7, 40])
@pytest.mark.parametrize("size", [(24, 160), (12, 160), (6, 80), (3, 80), (4, 2100), (2, 3), (40, 90), (300, 900)])
def test_wide_maps_stay_in_their_boxes(channels: int, size: tuple[int, int]) -> None:
    maps = np.random.default_rng(0).random((channels, *size)).astype(np.float32)
    look = maps_look(summarise(maps[None], "NCHW", Caption("conv", "Conv")))
    count = len(look.tiles) + 2 * (channels > 1)
    for tile in look.tiles:
        image = enlarged(np.zeros((*tile.shape, 3), np.uint8), look.boxes.size)
        assert image.height <= look.boxes.size[0]
        assert image.width <= look.boxes.size[1]
    if not look.boxes.usual:
        assert count <= look.boxes.lines * look.boxes.columns
        bottom, right = look.boxes.place(look.boxes.lines * look.boxes.columns - 1)
        assert bottom + look.boxes.size[0] <= TILE
        assert right + look.boxes.size[1] <= STRIP


def test_maps_of_text_lines_are_larger_than_a_tile() -> None:
    look = maps_look(summarise(np.random.default_rng(0).random((1, 16, 24, 160)), "NCHW", Caption("conv", "Conv")))
    assert enlarged(look.projection, look.boxes.size).size == (210, 32)


def test_a_vector_keeps_its_bars_and_its_largest() -> None:
    row = summarise(np.array([[0.0, -3, 2, np.nan]]), "NC", Caption("fc", "Gemm"))
    assert isinstance(row.look, VectorLook)
    assert (row.channels, row.live, row.irregular, row.range) == (4, 3, 1, (-3, 2))
    assert row.look.top == (2, 0, 1, 3)
    assert row.look.columns.high.tolist() == [0, 0, 2, 0]
    assert row.curve is not None
    assert row.curve.points.tolist() == [3, 2, 0, 0]


def test_no_values_are_a_row_all_the_same() -> None:
    row = summarise(np.zeros((1, 0, 4)), None, Caption("boxes", "NonMaxSuppression"))
    assert (row.kind, row.notes, row.look) == ("nothing", ("no values",), None)


def test_what_is_not_finite_does_not_count_in_the_mean() -> None:
    maps = np.ones((1, 2, 2, 2), np.float32)
    maps[0, 0, 0] = [np.nan, np.inf]
    maps[0, 1, 0, 0] = np.nan
    row = summarise(maps, "NCHW", Caption("conv1", "Conv"))
    assert np.array_equal(maps_look(row).mean, np.array([[np.nan, 1], [1, 1]]), equal_nan=True)
    assert row.irregular == 2


@pytest.mark.parametrize(
    ("shape", "shrunk"),
    [((5, 7), (5, 7)), ((224, 224), (112, 112)), ((224, 112), (112, 56)), ((1, 900), (1, 112)), ((20, 9000), (8, 112))],
)
def test_pictures_are_shrunk_to_a_tile(shape: tuple[int, int], shrunk: tuple[int, int]) -> None:
    assert shrink(np.zeros(shape, np.float32), (TILE, TILE)).shape == shrunk
    assert shrink(np.zeros((*shape, 3), np.uint8), (TILE, TILE)).shape == (*shrunk, 3)


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


@pytest.mark.parametrize(
    ("style", "low", "high"),
    [
        (Style(), [0, 0, 5], [4, 2, 5]),
        (Style(scale="channel"), [0, 0, 5], [4, 2, 5]),
        (Style(scale="layer"), [0, 0, 0], [5, 5, 5]),
        (Style(scale="symmetric"), [-5, -5, -5], [5, 5, 5]),
        (Style(limits=(1, 2)), [1, 1, 1], [2, 2, 2]),
        (Style(scale="fixed:1,2"), [1, 1, 1], [2, 2, 2]),
    ],
)
def test_scales_of_tiles(steps: np.ndarray, style: Style, low: list[float], high: list[float]) -> None:
    row = summarise(steps, "NCHW", Caption("conv1", "Conv"))
    limits = limits_of_tiles(row, maps_look(row), style)
    assert (limits.low.tolist(), limits.high.tolist()) == (low, high)


def test_the_scale_of_a_layer_is_that_of_all_its_channels() -> None:
    maps = np.random.default_rng(0).random((1, 9, 4, 4)).astype(np.float32)
    maps[0, 8] = 50
    row = summarise(maps, "NCHW", Caption("conv1", "Conv"))
    assert 8 not in maps_look(row).top
    assert limits_of_tiles(row, maps_look(row), Style(scale="layer")).high[0] == 50


def test_tiles_of_a_signed_layer_have_zero_in_the_middle(steps: np.ndarray) -> None:
    steps[0, 0, 0, 0] = -9
    row = summarise(steps, "NCHW", Caption("conv1", "Conv"))
    found = limits_of_tiles(row, maps_look(row), Style())
    # All of them, those that have one sign alone as well.
    assert (found.low == -found.high).all()
    assert found.diverging


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
    assert "not finite in 1" in notes


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
    pixels = np.asarray(draw_overview(Caption("net", ""), Head(sound, ["x"], top), [], Style()).image)
    wave = (pixels[92 : 92 + 90, MARGIN : MARGIN + width] == palette("viridis", "dark")[BAR]).all(axis=2)
    assert not wave[:, : width // 2].any()
    # All but the line of zero.
    assert (wave[:, width // 2 :].sum(axis=0) == 89).all()


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


def test_a_channel_without_a_finite_value_is_not_live(steps: np.ndarray) -> None:
    steps[0, 2] = np.nan
    assert summarise(steps, "NCHW", Caption("conv", "")).live == 1
    assert summarise(np.full((1, 32, 4, 4), np.nan), "NCHW", Caption("conv", "")).live == 0


def test_vectors_alone_have_titles_of_their_own(said: list[str], steps: np.ndarray) -> None:
    vector = summarise(np.arange(5.0)[None], "NC", Caption("fc", ""))
    draw([vector])
    assert "values by index" in said and "PCA to RGB" not in said
    said.clear()
    draw([vector, summarise(steps, "NCHW", Caption("conv", ""))])
    assert "values by index" not in said and "PCA to RGB" in said


@pytest.mark.parametrize(
    ("height", "width", "size"),
    [
        (7, 7, (112, 112)),
        (100, 100, (100, 100)),
        (64, 64, (112, 112)),
        (24, 80, (112, 34)),
        (1, 64, (112, 14)),
        (3, 64, (112, 15)),
        (1, 1, (112, 112)),
    ],
)
def test_maps_of_any_size_fill_a_tile(height: int, width: int, size: tuple[int, int]) -> None:
    image = enlarged(np.full((height, width, 3), 77, np.uint8), (TILE, TILE))
    assert image.size == size
    assert image.getextrema() == ((77, 77),) * 3


def test_a_map_between_two_factors_keeps_its_values_apart() -> None:
    colours = np.zeros((64, 64, 3), np.uint8)
    colours[:, 32:] = 200
    pixels = np.asarray(enlarged(colours, (TILE, TILE)))[:, :, 0]
    # Pixel 56 begins where value 32 does: 56 / 112 = 32 / 64.
    assert (pixels[:, :56] == 0).all()
    assert (pixels[:, 56:] == 200).all()

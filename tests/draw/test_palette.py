"""Colours: what each index of a page is."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from onnxviz.draw import palette
from onnxviz.errors import UsageError


# First, middle and last colours as the colormaps' authors publish them.
@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("viridis", (68, 1, 84), (253, 231, 37)),
        ("magma", (0, 0, 4), (252, 253, 191)),
        ("inferno", (0, 0, 4), (252, 255, 164)),
        ("plasma", (13, 8, 135), (240, 249, 33)),
        ("cividis", (0, 34, 78), (254, 232, 56)),
        ("turbo", (48, 18, 59), (122, 4, 3)),
        ("gray", (0, 0, 0), (255, 255, 255)),
        ("coolwarm", (59, 76, 192), (180, 4, 38)),
        ("RdBu_r", (5, 48, 97), (103, 0, 31)),
        ("vik", (0, 18, 97), (89, 0, 8)),
        ("berlin", (158, 176, 255), (255, 173, 173)),
        ("batlow", (1, 25, 89), (250, 204, 250)),
    ],
)
def test_ends_of_the_bundled_colormaps(name: str, first: tuple[int, ...], last: tuple[int, ...]) -> None:
    colours = palette.data_colours(name).astype(int)
    assert np.abs(colours[0] - first).max() <= 1
    assert np.abs(colours[-1] - last).max() <= 1


def test_every_bundled_colormap_is_smooth() -> None:
    for name in palette.COLORMAPS:
        steps = np.abs(np.diff(palette.data_colours(name).astype(int), axis=0))
        assert steps.max() <= 16, name


def test_the_middle_of_a_diverging_map_is_near_the_page() -> None:
    for theme in palette.THEMES:
        look = palette.palette(palette.default_colormap(True, theme), theme).astype(int)
        middle, ends = look[palette.LEVELS // 2], look[[0, palette.LEVELS - 1]]
        background = look[palette.INK]
        assert np.abs(middle - background).sum() < np.abs(ends - background).sum(axis=1).min() / 3


def test_ink_goes_from_the_background_to_the_ink() -> None:
    look = palette.palette("viridis", "light")
    ramp = look[palette.INK : palette.INK + palette.INK_STEPS].astype(int)
    assert tuple(ramp[0]) == (255, 255, 255)
    assert tuple(ramp[-1]) == (24, 28, 34)
    assert (np.diff(ramp, axis=0) < 0).all()


def test_special_indices_have_their_colours() -> None:
    look = palette.palette("viridis", "dark")
    assert tuple(look[palette.NAN]) == (255, 64, 196)
    assert tuple(look[palette.POSITIVE_INFINITY]) == (255, 112, 32)
    assert tuple(look[palette.NEGATIVE_INFINITY]) == (0, 214, 230)
    assert tuple(look[palette.ACCENT]) == (255, 176, 59)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_what_is_not_finite_differs_from_the_page_and_from_each_other(theme: str) -> None:
    look = palette.palette("viridis", theme).astype(int)
    colours = [look[index] for index in (*palette.SIGNS.values(), palette.INK)]
    for place, colour in enumerate(colours):
        assert all(np.abs(colour - other).max() >= 90 for other in colours[:place])


def test_a_palette_is_shared_and_so_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        palette.palette("viridis", "dark")[0] = 0


def test_names_are_found_in_any_case_and_reversed() -> None:
    assert (palette.data_colours("VIRIDIS_r") == palette.data_colours("viridis")[::-1]).all()
    assert (palette.data_colours("RdBu") == palette.data_colours("rdbu_R")[::-1]).all()


def test_other_names_come_from_cmap() -> None:
    cmap = pytest.importorskip("cmap")
    expected = np.rint(np.array(cmap.Colormap("crameri:lajolla")(0.0)[:3]) * 255)
    assert (palette.data_colours("lajolla")[0] == expected).all()
    assert (palette.data_colours("lajolla_r")[-1] == expected).all()


def test_an_unknown_name_gets_near_ones() -> None:
    with pytest.raises(UsageError, match="no colormap 'virids'; near: `viridis`"):
        palette.palette("virids", "dark")


def test_without_cmap_the_way_to_more_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cmap", None)
    with pytest.raises(UsageError) as caught:
        palette.palette("magna", "dark")
    assert "near: `magma`" in str(caught.value)
    assert "pip install 'onnxviz[colors]'" in str(caught.value)
    assert str(caught.value).count("\n") == 1


def test_an_unknown_theme() -> None:
    with pytest.raises(UsageError, match="no theme 'dusk': dark or light"):
        palette.palette("viridis", "dusk")


@pytest.mark.parametrize("theme", sorted(palette.THEMES))
def test_the_faintest_words_have_the_contrast_that_wcag_asks_for(theme: str) -> None:
    colours = palette.palette("viridis", theme)
    linear = np.where(colours <= 10, colours / 255 / 12.92, ((colours / 255 + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722] + 0.05
    faintest, page = luminance[palette.INK + 7], luminance[palette.INK]
    assert max(faintest, page) / min(faintest, page) >= 4.5
    # No words are fainter: inks below 120 of 255 are of lines alone.
    sources = [path.read_text("utf-8") for path in Path(palette.__file__).parent.rglob("*.py")]
    inks = [int(ink) for text in sources for ink in re.findall(r"\.text\([^)]*?, (?:\d\d|SMALL), (\d{2,3})\b", text)]
    assert inks and min(inks) >= 120

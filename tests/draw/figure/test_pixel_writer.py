"""Figures as pixels: where everything lies, and that nothing is smoothed."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from onnxviz.draw.figure.figure_parts import Figure, FigureImage, FigureMarks, FigureText, Rectangle
from onnxviz.draw.figure.pixel_writer import rasterised
from onnxviz.errors import UsageError
from tests.draw.figure.reading import INK, example


def alone(image: FigureImage) -> Figure:
    return Figure(2.0, 1.0, around=FigureMarks(images=(image,)))


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".tif"])
def test_the_file_has_the_size_that_it_states(suffix: str, tmp_path: Path) -> None:
    example().save(tmp_path / f"figure{suffix}", dpi=254)
    with Image.open(tmp_path / f"figure{suffix}") as image:
        assert image.size == (800, 400)
        assert [float(dots) for dots in image.info["dpi"]] == pytest.approx([254, 254], abs=0.1)


def test_a_map_that_fits_a_whole_number_of_times_is_repeated_exactly() -> None:
    pixels = rasterised(example(), 254)
    (first, *_) = example().marks.images
    np.testing.assert_array_equal(pixels[100:240, 100:280], first.rgb.repeat(20, axis=0).repeat(20, axis=1))
    assert (pixels[100:240, 720:730] == (200, 30, 0)).all()
    assert (pixels[300:310] == 255).all()


def test_where_it_does_not_fit_a_pixel_is_the_mean_of_what_it_covers() -> None:
    # 2 values on 3 pixels: the middle one is half of each.
    values = np.array([[[0, 0, 0], [200, 100, 50]]], np.uint8)
    pixels = rasterised(alone(FigureImage(Rectangle(0, 0, 0.3, 0.1), values)), 25.4 * 1.0)
    assert pixels[0, :3].tolist() == [[0, 0, 0], [100, 50, 25], [200, 100, 50]]


def test_larger_maps_are_averaged() -> None:
    values = np.arange(4, dtype=np.uint8)[None, :, None].repeat(3, axis=2) * 20
    pixels = rasterised(alone(FigureImage(Rectangle(0, 0, 0.2, 0.1), values)), 25.4)
    assert pixels[0, :2, 0].tolist() == [10, 50]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("anchor", "share"), [("l", 0.0), ("m", 0.5), ("r", 1.0)])
def test_text_stands_where_it_is_anchored(anchor: str, share: float, turned: bool) -> None:
    text = FigureText("HHHH", 2.0, 2.0, 14, INK, anchor, turned)
    pixels = rasterised(Figure(4.0, 4.0, around=FigureMarks(texts=(text,))), 254)
    rows, columns = np.nonzero((pixels < 128).all(axis=2))
    if turned:
        # It reads upwards: its end lies above, its baseline at the right.
        rows, columns = 400 - columns, 400 - rows
        assert rows.min() == pytest.approx(200, abs=2)
    else:
        assert rows.max() == pytest.approx(199, abs=2)
    length = columns.max() - columns.min()
    assert columns.min() + share * length == pytest.approx(200, abs=6)
    capitals = 14 / 72 * 254 * 0.7
    assert rows.max() - rows.min() == pytest.approx(capitals, rel=0.1)


def test_a_figure_of_too_many_pixels_is_refused() -> None:
    with pytest.raises(UsageError, match="at 30000 dpi the figure has 94489 x 47245 px; at most 20000 a side"):
        replace(example()).encoded(".png", dpi=30000)


def test_it_shows_itself_in_a_notebook() -> None:
    with Image.open(io.BytesIO(example()._repr_png_())) as image:
        assert image.size == (473, 237)

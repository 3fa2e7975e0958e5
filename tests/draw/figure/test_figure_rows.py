"""Rows of a figure: the same channels on the same scale for all inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from onnxviz.draw.arrange import arrange_axes
from onnxviz.draw.figure.cells import BandCell, TileCell, WordCell
from onnxviz.draw.figure.common_scale import RowStyle
from onnxviz.draw.figure.figure_parts import Rectangle
from onnxviz.draw.figure.figure_rows import SIGNED, FigureRow, layer_row, picture_row
from onnxviz.draw.figure.look import Look
from onnxviz.draw.figure.plot_cell import PlotCell
from onnxviz.draw.palette import HATCH_BACK, HATCH_LINE, LEVELS, NAN, POSITIVE_INFINITY
from onnxviz.draw.style import Style
from onnxviz.errors import UsageError
from onnxviz.layout import TokenGrid

TOP = LEVELS - 1
PLAIN = RowStyle(Style(theme="light", scale="channel"))


def row(*arrays: np.ndarray, layout: str = "NCHW", how: RowStyle = PLAIN) -> FigureRow:
    return layer_row("conv", [arrange_axes(array, layout) for array in arrays], how)


def maps(*channels: list[list[float]]) -> np.ndarray:
    return np.array([channels], np.float32)


def tiles(found: FigureRow) -> list[list[np.ndarray]]:
    cells = [cell for cell in found.cells if isinstance(cell, TileCell)]
    assert len(cells) == len(found.cells)
    return [list(cell.tiles) for cell in cells]


def test_a_channel_has_one_scale_for_all_inputs() -> None:
    first, second = maps([[0, 4], [1, 2]]), maps([[2, 2], [8, 0]])
    found = row(first, second)
    # By hand: 0 to 8 are 232 levels, 29 a unit, and 8 itself has the last.
    assert tiles(found)[0][0].tolist() == [[0, 115], [28, 57]]
    assert tiles(found)[1][0].tolist() == [[57, 57], [TOP, 0]]
    assert found.scale is not None
    assert found.scale.words == ("min of channel", "", "max of channel")


def test_the_same_scale_is_that_of_the_drawn_channels() -> None:
    array = maps([[0, 1], [2, 4]], [[0, 0], [0, 2]], [[900, 900], [900, 901]])
    found = row(array, how=replace(PLAIN, style=replace(PLAIN.style, channels="0,1"), same_scale=True))
    assert found.scale is not None
    assert (found.scale.low, found.scale.high, found.scale.words) == (0.0, 4.0, None)
    assert tiles(found)[0][1].tolist() == [[0, 0], [0, 115]]


def test_a_percentile_leaves_out_what_is_farthest() -> None:
    array = np.arange(101, dtype=np.float32).reshape(1, 1, 1, 101)
    wide = np.concatenate([array, array], axis=2)
    found = row(wide, how=replace(PLAIN, percentile=10))
    assert found.scale is not None
    assert (found.scale.low, found.scale.high) == (10.0, 90.0)
    signed = row(wide - 50, how=replace(PLAIN, percentile=10))
    assert signed.scale is not None
    assert (signed.scale.low, signed.scale.high) == (-45.0, 45.0)
    assert signed.scale.colormap == SIGNED


def test_the_order_is_that_of_all_inputs() -> None:
    quiet, loud = [[1, 1], [1, 2]], [[0, 9], [0, 9]]
    first, second = maps(quiet, quiet, quiet), maps(quiet, loud, quiet)
    how = replace(PLAIN, style=replace(PLAIN.style, order="deviation", top=1), numbers=True)
    found = row(first, second, how=how)
    assert found.channels == (1,)
    assert found.count == 3
    (cell, _) = found.cells
    assert isinstance(cell, TileCell)
    assert list(cell.names) == ["1"]


def test_a_channel_is_hatched_only_if_it_is_constant_in_all_inputs() -> None:
    first, second = maps([[0, 0], [0, 0]], [[5, 5], [5, 5]]), maps([[0, 1], [0, 1]], [[5, 5], [5, 5]])
    found = row(first, second)
    assert found.signs == ("constant",)
    assert tiles(found)[0][0].tolist() == [[0, 0], [0, 0]]
    assert set(np.unique(tiles(found)[0][1])) == {HATCH_BACK, HATCH_LINE}
    shared = row(first, second, how=replace(PLAIN, same_scale=True))
    assert shared.signs == ()
    assert (tiles(shared)[0][1] == TOP).all()


def test_what_is_not_finite_has_its_colour_and_is_named() -> None:
    found = row(maps([[np.nan, 1], [np.inf, 3]]))
    assert tiles(found)[0][0].tolist() == [[NAN, 0], [POSITIVE_INFINITY, TOP]]
    assert found.signs == ("NaN", "inf")


def test_where_nothing_is_finite_there_is_still_a_figure() -> None:
    found = row(maps([[np.nan, np.nan], [np.nan, np.nan]]), how=replace(PLAIN, same_scale=True, percentile=1))
    assert (tiles(found)[0][0] == NAN).all()


def test_sequences_are_one_picture_of_bands() -> None:
    sequences = np.array([[[0, 1, 2], [4, 2, 0], [7, 7, 7]]], np.float32)
    (cell,) = row(sequences, layout="NCL").cells
    assert isinstance(cell, BandCell)
    assert cell.bands[:2].tolist() == [[0, 115, TOP], [TOP, 115, 0]]
    assert (cell.bands[2] == HATCH_LINE).all()


def test_a_long_sequence_keeps_what_is_farthest_from_zero() -> None:
    sequence = np.zeros((1, 2, 4000), np.float32)
    sequence[0, 0, 1234] = 1
    (cell,) = row(sequence, layout="NCL").cells
    assert isinstance(cell, BandCell)
    assert cell.bands.shape == (2, 1000)
    assert np.flatnonzero(cell.bands[0]).tolist() == [308]


def test_vectors_and_single_sequences_are_plots_on_one_axis() -> None:
    first, second = np.array([[1.0, -2.0, 3.0]]), np.array([[0.0, 5.0, 0.0]])
    found = row(first, second, layout="NC")
    one, other = found.cells
    assert isinstance(one, PlotCell)
    assert isinstance(other, PlotCell)
    assert (one.ends, other.ends) == ((-2.0, 5.0), (-2.0, 5.0))
    assert (one.numbered, other.numbered) == (True, False)
    assert found.scale is None
    numbered = row(first, layout="NC", how=replace(PLAIN, numbers=True, style=replace(PLAIN.style, channels="2,0")))
    assert isinstance(numbered.cells[0], PlotCell)
    assert numbered.cells[0].names == ("2", "0")
    wave = row(np.array([[[0.0, 1.0, 0.5]]]), layout="NCL")
    assert isinstance(wave.cells[0], PlotCell)


def test_a_volume_is_a_row_of_slices_a_channel() -> None:
    volume = np.arange(2 * 3 * 4, dtype=np.float32).reshape(1, 2, 3, 2, 2)
    found = row(volume, layout="NCDHW", how=replace(PLAIN, numbers=True))
    (cell,) = found.cells
    assert isinstance(cell, TileCell)
    assert (len(cell.tiles), cell.columns, found.count) == (6, 3, 2)
    assert list(cell.names)[:4] == ["0 · 0", "0 · 1", "0 · 2", "1 · 0"]
    # A channel's slices are on the channel's scale, 0 to 11.
    assert [int(tile.flat[0]) for tile in cell.tiles] == [0, 84, 168, 0, 84, 168]


def test_attention_is_lifted_by_its_gamma() -> None:
    heads = np.array([[[[0.25, 1.0], [0.0, 1.0]]]], np.float32)
    found = row(heads, layout="NCTT", how=RowStyle(Style(theme="light")))
    assert found.scale is not None
    assert (found.scale.colormap, found.scale.gamma) == ("magma", 0.5)
    assert tiles(found)[0][0].tolist() == [[115, TOP], [0, TOP]]


def test_text_says_that_there_is_nothing() -> None:
    (cell,) = row(np.array([["a", "b"]], dtype=object), layout="NC").cells
    assert cell == WordCell("no numbers")


def test_inputs_of_other_kinds_make_no_row() -> None:
    with pytest.raises(UsageError, match="the inputs give 'conv' different kinds of maps: draw one figure for each"):
        row(np.zeros((1, 2, 3, 3), np.float32), np.zeros((1, 2, 1, 3), np.float32))


def test_inputs_of_other_sizes_share_a_row() -> None:
    found = row(np.zeros((1, 2, 3, 3), np.float32), np.ones((1, 2, 4, 5), np.float32))
    assert [tile[0].shape for tile in tiles(found)] == [(3, 3), (4, 5)]


def test_a_row_of_pictures_leaves_a_cell_empty_without_one() -> None:
    picture = np.zeros((4, 4, 3), np.uint8)
    first, second = picture_row("input", [picture, None]).cells
    assert isinstance(first, TileCell)
    assert second == WordCell("")


def test_tokens_of_no_place_stand_beside_their_map_on_its_scale() -> None:
    # A class token and a register, then 2 x 3 tokens of one channel, 0 to 8: 29 levels a unit; beyond the ends these.
    grid = TokenGrid((2, 3), prefix=2, split=(8, 1), tokens=(0,), cells=(-1, -1, 0, 1, 2, 3, 4, 5))
    array = np.array([4, 99, 0, 1, 2, 3, 4, 8], np.float32).reshape(1, 8, 1)
    (cell,) = layer_row("norm", [arrange_axes(array, grid)], PLAIN).cells
    assert isinstance(cell, TileCell)
    assert [each.tolist() for each in cell.besides] == [[[115], [TOP]]]
    # 3 values of the map, one beside it, gaps of 0.3 before the map and 0.7 before both: 5 values in 5 cm.
    beside, own = (image.place for image in cell.drawn(Rectangle(1, 2, 5, 9), Look()).images)
    assert (beside.left, beside.top, beside.width, beside.height) == pytest.approx((1.7, 2, 1, 2))
    assert (own.left, own.top, own.width, own.height) == pytest.approx((3, 2, 3, 2))


def test_five_tokens_beside_a_map_of_two_rows_stand_in_a_row() -> None:
    grid = TokenGrid((2, 3), prefix=5, split=(11, 1), tokens=(0,), cells=(*[-1] * 5, 0, 1, 2, 3, 4, 5))
    (cell,) = layer_row("norm", [arrange_axes(np.arange(11.0).reshape(1, 11, 1), grid)], PLAIN).cells
    assert isinstance(cell, TileCell)
    assert cell.besides[0].shape == (1, 5)


def test_groups_of_bands_stand_apart() -> None:
    array = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4)
    (cell,) = layer_row("lstm", [arrange_axes(array, "NGCL")], PLAIN).cells
    assert isinstance(cell, BandCell)
    images = cell.drawn(Rectangle(0, 0, 4.0, 2.0), Look()).images
    assert [image.pixels.shape for image in images] == [(3, 4), (3, 4)]
    assert images[0].place.bottom < images[1].place.top < images[1].place.bottom == pytest.approx(2.0)

"""Patches cut out of pictures, and pictures lit by maps, against the same worked out by hand."""

from __future__ import annotations

import numpy as np

from onnxviz.draw.patches import cut_out, lights_of, lit, thumbnail

GREY = (9, 9, 9)


def ramp(height: int = 6, width: int = 8) -> np.ndarray:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.mgrid[:height, :width] * 10
    return pixels


def test_a_box_inside_at_its_own_size() -> None:
    np.testing.assert_array_equal(cut_out(ramp(), (1, 2, 4, 5), 3, GREY), ramp()[1:4, 2:5])


def test_few_pixels_are_enlarged_without_smoothing() -> None:
    tile = cut_out(ramp(), (1, 2, 3, 4), 12, GREY)
    np.testing.assert_array_equal(tile, ramp()[1:3, 2:4].repeat(6, axis=0).repeat(6, axis=1))


def test_what_lies_beyond_the_picture_is_grey() -> None:
    tile = cut_out(ramp(), (-2, -1, 2, 3), 4, GREY)
    assert (tile[:2] == 9).all()
    assert (tile[:, :1] == 9).all()
    np.testing.assert_array_equal(tile[2:, 1:], ramp()[:2, :3])
    assert (cut_out(ramp(), (-9, -9, -5, -5), 4, GREY) == 9).all()
    np.testing.assert_array_equal(cut_out(ramp(), (4, 6, 8, 10), 4, GREY)[:2, :2], ramp()[4:, 6:])


def test_lights_are_full_from_half_of_the_greatest_number() -> None:
    maps = np.array([[[8, 4, 2, 0, -3]], [[-1, -2, -3, -4, -5]], [[0, 0, 0, 0, 0]]], np.float32)
    assert lights_of(maps).tolist() == [[[255, 255, 128, 0, 0]], [[255, 255, 255, 128, 0]], [[0, 0, 0, 0, 0]]]


def test_large_maps_keep_their_greatest_numbers() -> None:
    maps = np.zeros((1, 40, 20), np.float32)
    maps[0, 39, 19] = 1
    lights = lights_of(maps)
    assert lights.shape == (1, 14, 10)
    assert lights[0, 13, 9] == 255
    assert lights.sum() == 255


def test_a_picture_is_dim_where_the_light_is_low() -> None:
    thumb = np.full((4, 4, 3), 200, np.uint8)
    tiles = lit(thumb, np.array([[[0, 255]], [[255, 255]]], np.uint8))
    assert tiles.shape == (2, 4, 4, 3)
    assert abs(int(tiles[0, 0, 0, 0]) - 80) <= 1
    assert (tiles[1] == 200).all()
    assert (np.diff(tiles[0, 0, :, 0].astype(int)) >= 0).all()


def test_a_thumbnail_is_square() -> None:
    assert thumbnail(ramp(), 5).shape == (5, 5, 3)

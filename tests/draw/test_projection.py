"""Principal components as colours, against numpy's singular value decomposition."""

from __future__ import annotations

import numpy as np
import pytest

from onnxviz.draw.projection import SAMPLE, leading_eigenvectors, pca_rgb, principal_axes


def random_maps(channels: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    few = random.exponential(size=(4, height * width)) * np.array([[9], [5], [3], [1]])
    mixed = random.normal(size=(channels, 4)) @ few + random.normal(size=(channels, height * width)) * 0.1
    maps: np.ndarray = mixed.reshape(channels, height, width).astype(np.float32)
    return maps


def test_one_ramp_is_grey_and_all_of_the_variance() -> None:
    picture, share = pca_rgb(np.array([[[0.0, 1.0], [3.0, 5.0]]]))
    for colour in range(3):
        assert picture[:, :, colour].tolist() == [[0, 51], [153, 255]]
    assert share == pytest.approx(1)


def test_two_independent_maps_are_red_and_green() -> None:
    strong, weak = np.array([[0.0, 9], [0, 9]]), np.array([[0.0, 0], [4, 4]])
    picture, share = pca_rgb(np.stack([weak, strong]))
    assert picture.tolist() == [[[0, 0, 0], [255, 0, 0]], [[0, 255, 0], [255, 255, 0]]]
    assert share == pytest.approx(1)


@pytest.mark.parametrize(("channels", "pixels"), [(5, 60), (60, 25), (16, 16), (200, 700), (700, 200)])
def test_axes_and_share_agree_with_the_singular_values(channels: int, pixels: int) -> None:
    values = random_maps(channels, 1, pixels).reshape(channels, pixels)
    values -= values.mean(axis=1, keepdims=True)
    axes, share = principal_axes(values)
    left, singular, _ = np.linalg.svd(values.astype(np.float64), full_matrices=False)
    assert np.abs((axes * left.T[:3]).sum(axis=1)) == pytest.approx([1, 1, 1], abs=1e-3)
    assert share == pytest.approx((singular[:3] ** 2).sum() / (singular**2).sum(), abs=1e-4)


@pytest.mark.parametrize("rank", [0, 1, 2, 5, 90])
def test_leading_eigenvectors_are_those_of_the_whole_matrix(rank: int) -> None:
    random = np.random.default_rng(rank)
    factor = random.normal(size=(90, rank)) * 0.7 ** np.arange(rank)
    matrix = factor @ factor.T
    values, vectors = leading_eigenvectors(matrix, 3)
    assert values == pytest.approx(np.linalg.eigvalsh(matrix)[::-1][:3].clip(0), rel=1e-9, abs=1e-9)
    assert matrix @ vectors == pytest.approx(vectors * values, abs=1e-6)
    assert vectors.T @ vectors == pytest.approx(np.eye(3), abs=1e-9)


@pytest.mark.parametrize("shape", [(6, 20, 30), (80, 7, 7)])
def test_colours_agree_with_the_singular_value_decomposition(shape: tuple[int, int, int]) -> None:
    maps = random_maps(*shape)
    picture, _ = pca_rgb(maps)
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    left, _, _ = np.linalg.svd(flat - flat.mean(axis=1, keepdims=True), full_matrices=False)
    components = left.T[:3] @ flat
    for colour in range(3):
        shown = picture[:, :, colour].reshape(-1).astype(float)
        inside = (shown > 0) & (shown < 255)
        assert abs(np.corrcoef(shown[inside], components[colour][inside])[0, 1]) > 0.999


def test_the_longer_tail_is_bright() -> None:
    maps = np.zeros((3, 10, 10), np.float32)
    maps[1, 4, 4] = -5
    picture, _ = pca_rgb(maps)
    assert picture[4, 4, 0] == picture[:, :, 0].max() == 255


def test_a_single_spike_does_not_set_the_scale() -> None:
    maps = np.tile(np.linspace(0, 1, 40, dtype=np.float32), (1, 40, 1))
    spiked = maps.copy()
    spiked[0, 3, 3] = 50
    assert np.abs(pca_rgb(spiked)[0][:, :, 0].astype(int) - pca_rgb(maps)[0][:, :, 0]).mean() < 3


@pytest.mark.parametrize("value", [0.0, 3.5, np.nan, np.inf])
def test_constant_maps_are_black_without_variance(value: float) -> None:
    picture, share = pca_rgb(np.full((4, 5, 6), value, np.float32))
    assert picture.shape == (5, 6, 3)
    assert not picture.any()
    assert share == 0


def test_no_values_are_no_picture() -> None:
    assert pca_rgb(np.empty((0, 5, 6), np.float32))[0].shape == (5, 6, 3)
    assert pca_rgb(np.empty((3, 0, 6), np.float32))[0].shape == (0, 6, 3)


def test_not_finite_values_leave_the_rest_as_it_is() -> None:
    maps = random_maps(5, 12, 12)
    hurt = maps.copy()
    hurt[2, 0, 0], hurt[3, 5, 5], hurt[4, 1, 1] = np.nan, np.inf, -np.inf
    picture, share = pca_rgb(hurt)
    assert 0 < share <= 1
    assert np.abs(picture.astype(int) - pca_rgb(maps)[0]).mean() < 20


@pytest.mark.parametrize(("factor", "offset"), [(1e-30, 0.0), (1e30, 0.0), (1.0, 1000.0)])
def test_scale_and_offset_do_not_matter(factor: float, offset: float) -> None:
    maps = np.round(random_maps(5, 12, 12) * 64) / 64
    moved = (maps * factor + offset).astype(np.float32)
    assert np.abs(pca_rgb(moved)[0].astype(int) - pca_rgb(maps)[0]).max() <= 2


def test_digits_of_float64_are_kept() -> None:
    maps = np.round(random_maps(5, 12, 12) * 64).astype(np.float64) / 64
    assert np.array_equal(pca_rgb(maps + 2.0**40)[0], pca_rgb(maps)[0])


@pytest.mark.parametrize("shape", [(3, 640, 480), (3, 4, 30000), (3, 30000, 4), (600, 40, 40)])
def test_large_maps_are_sampled_evenly(shape: tuple[int, int, int]) -> None:
    maps = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    picture, share = pca_rgb(maps)
    assert picture.shape == (*shape[1:], 3)
    assert share == pytest.approx(1, abs=1e-3)
    ends = picture.reshape(-1, 3)[[0, -1], 0].tolist()
    assert sorted(ends) == [0, 255]
    assert np.prod(shape[1:]) > SAMPLE or len(maps) > 512


def test_the_same_maps_give_the_same_picture_and_stay_as_they_are() -> None:
    maps = random_maps(9, 20, 20)
    before = maps.copy()
    assert np.array_equal(pca_rgb(maps)[0], pca_rgb(maps)[0])
    assert np.array_equal(maps, before)


def test_halves_and_whole_numbers_are_taken() -> None:
    maps = np.round(random_maps(4, 6, 6))
    expected = pca_rgb(maps)[0].astype(int)
    for dtype in (np.float16, np.int16, np.int64):
        assert np.abs(pca_rgb(maps.astype(dtype))[0] - expected).max() <= 1
    assert pca_rgb(maps > 0)[0].any()

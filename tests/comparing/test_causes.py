from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from onnxviz.comparing.causes import cause
from onnxviz.layout import Array


def maps(seed: int = 0) -> Array:
    """Smooth maps (1, 12, 20, 20), so that a position resembles its neighbours."""
    noise = np.random.default_rng(seed).normal(size=(1, 12, 24, 24))
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    for axis in (2, 3):
        noise = np.apply_along_axis(np.convolve, axis, noise, kernel, "valid")
    return (noise * 5).astype(np.float32)


def each(values: float, *, apart: float) -> Array:
    return np.linspace(values - apart, values + apart, 12).reshape(1, 12, 1, 1).astype(np.float32)


def border(a: Array) -> Array:
    b = a.copy()
    b[:, :, 0], b[:, :, :, -1] = 0, 0
    return b


def one_channel(a: Array) -> Array:
    b = a.copy()
    b[:, 5] = b[:, 5] * a[:, 7]
    return b


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: np.clip(a, -1, 2), "clipped to -1 to 2"),
        (lambda a: a + 0.5, "all shifted by 0.5"),
        (lambda a: a * 1.25, "all scaled by 1.25: a scale"),
        (lambda a: a * 0.25 + 2, "all scaled by 0.25 and shifted by 2"),
        (lambda a: a[:, [*range(1, 12), 0]], "channels in another order: 11 of 11"),
        (lambda a: np.roll(a, (1, 2), (2, 3)), "maps moved by 1, 2 positions (y, x)"),
        (border, "of the error lies on the border: padding"),
        (lambda a: a + each(0, apart=2), "shifted each by its own"),
        (lambda a: a * each(1, apart=0.6), "scaled each by its own (0.4 to 1.6)"),
        (lambda a: np.where(np.arange(12)[:, None, None] < 7, 0.5, a), "7 of 12 channels are constant in B"),
        (one_channel, "in 1 of 12 channels: 5"),
        (lambda a: np.where(a > 3, np.inf, a), "values are not finite: overflow"),
    ],
)
def test_what_was_done_to_maps_is_named(change: Callable[[Array], Array], words: str) -> None:
    a = maps()
    with np.errstate(invalid="ignore"):
        b = change(a).astype(np.float32)
    assert words in cause(a, b, "NCHW")
    assert words in cause(a.transpose(0, 2, 3, 1), b.transpose(0, 2, 3, 1), "NHWC")


def test_values_in_other_places_are_named_a_layout() -> None:
    a = maps()
    flat = a.reshape(1, -1), a.transpose(0, 2, 3, 1).reshape(1, -1)
    assert cause(*flat, "NC") == "the same values in other places: the order of channels, a Transpose or a layout"
    assert cause(*flat, None) == "the same values in other places: the order of channels, a Transpose or a layout"
    turned = cause(a, a.transpose(0, 1, 3, 2), "NCHW")
    assert turned == "the same values in other places: the order of channels, a Transpose or a layout"


def test_a_lost_nonlinearity_is_named() -> None:
    b = maps()
    assert "a nonlinearity or Clip is lost" in cause(b.clip(0, 1), b, "NCHW")


def test_noise_and_equal_values_have_no_cause() -> None:
    a = maps()
    assert cause(a, a, "NCHW") == ""
    assert cause(a, a + np.random.default_rng(1).normal(size=a.shape).astype(np.float32), "NCHW") == ""


def test_values_without_space_or_channels_are_looked_at_too() -> None:
    a = np.random.default_rng(0).normal(size=(3, 40)).astype(np.float32)
    assert cause(a, a * 2, "NC") == "all scaled by 2: a scale"
    assert cause(a, a * 2, None) == "all scaled by 2: a scale"


def test_ends_of_a_quantiser_are_not_a_lost_nonlinearity() -> None:
    """A ends at 0 and 3; B's codes reach from -1.5 to 1.5, as with a wrong zero point, or it has no ends at all."""
    free = maps()
    a = np.clip(free, 0, 3)
    codes = np.clip(np.rint(free / 0.01), -150, 150)
    words = cause(a, (codes * 0.01).astype(np.float32), "NCHW")
    assert words.startswith("A ends at 0 and 3, B at -1.5 and 1.5: ") and words.endswith("range of a quantiser or Clip")
    assert cause(a, free, "NCHW").endswith("B's values lie beyond, 100 % of the error: a nonlinearity or Clip is lost")
    # A shift that moves A's own ends, too, is a shift.
    assert cause(a, a - np.float32(0.75), "NCHW") == "all shifted by -0.75: a zero point or bias"


def test_a_few_clipped_values_of_a_small_layer_are_seen() -> None:
    a = np.linspace(0, 5, 24, dtype=np.float32).reshape(1, 24, 1, 1)
    assert cause(a, np.minimum(a, 3.6), "NCHW").startswith("clipped to 0 to 3.6: 29 % of the values lie beyond")


def test_values_that_are_only_distributed_alike_are_not_in_other_places() -> None:
    """A kernel that is flipped leads to maps with almost the same values."""
    a = maps()
    moved = np.random.default_rng(1).permutation(a.ravel()).reshape(a.shape)
    assert cause(a, moved, "NCHW").startswith("the same values in other places")
    assert "other places" not in cause(a, moved * np.float32(1.01), "NCHW")


def large_maps() -> Array:
    """Smooth maps (1, 4, 1200, 1024), of which the rules look at a part."""
    rows, columns = np.meshgrid(np.arange(1200), np.arange(1024), indexing="ij")
    return np.stack([np.sin(rows / (7 + each)) + np.cos(columns / (5 + each)) for each in range(4)], dtype=np.float32)[
        None
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a * 1.3, "all scaled by 1.3"),
        (lambda a: np.roll(a, 2, axis=2), "maps moved by 2, 0 positions"),
        (lambda a: np.pad(a[:, :, :-1], ((0, 0), (0, 0), (0, 1), (0, 0))), "of the error lies on the border"),
    ],
    ids=["scaled", "moved", "border"],
)
def test_the_part_of_large_maps_that_is_looked_at_says_the_same(change: Callable[[Array], Array], words: str) -> None:
    a = large_maps()
    assert words in cause(a, change(a), "NCHW")


def test_every_value_of_large_maps_that_is_not_finite_counts() -> None:
    a = large_maps()
    b = a.copy()
    b[0, :, :, 0] = np.inf
    assert cause(a, b, "NCHW") == "4,800 values are not finite: overflow"


def test_causes_of_large_maps_take_less_memory_than_the_maps() -> None:
    a = np.tile(large_maps(), (1, 4, 1, 1))
    b = a + np.random.default_rng(0).standard_normal(a.shape, np.float32) * np.abs(a)
    tracemalloc.start()
    try:
        assert cause(a, b, "NCHW") == ""
        assert tracemalloc.get_traced_memory()[1] < 1.5 * (a.nbytes + b.nbytes)
    finally:
        tracemalloc.stop()

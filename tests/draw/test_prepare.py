"""What is worked out once for every kind of picture: channels, statistics, scale and words."""

from __future__ import annotations

import numpy as np
import pytest

from onnxviz.draw.prepare import prepare
from onnxviz.draw.statistics import channel_statistics
from onnxviz.draw.style import Caption, Style
from onnxviz.errors import UsageError

CAPTION = Caption("stem/conv", "Conv")


def natural(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).random(shape).astype(np.float32)


def chosen(maps: np.ndarray, style: Style) -> list[int]:
    return prepare(maps, CAPTION, style).channels.tolist()


def test_order_top_and_channels() -> None:
    maps = np.stack([level * natural(8, 8) for level in (1, 5, 3, 4)])
    assert chosen(maps, Style(order="deviation")) == [1, 3, 2, 0]
    assert chosen(maps, Style(order="deviation", top=2)) == [1, 3]
    assert chosen(maps, Style(channels=(3, 0, -2))) == [3, 0, 2]
    signed = maps * np.array([1, -1, 1, 1])[:, None, None]
    assert chosen(signed, Style(order="mean")) == [1, 3, 2, 0]
    with_nan = maps.copy()
    with_nan[1] = np.nan
    assert chosen(with_nan, Style(order="deviation")) == [3, 2, 0, 1]


@pytest.mark.parametrize(
    ("style", "words"),
    [
        (Style(channels=(4,)), "no channel 4: the layer has 4, 0 to 3"),
        (Style(channels=(-5,)), "no channel -5"),
        (Style(order="size"), "no order 'size': index, deviation, mean or listed"),
        (Style(top=0), "top must be 1 or more"),
        (Style(scale="log"), "no scale 'log'"),
    ],
)
def test_a_style_that_cannot_be_honoured(style: Style, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        prepare(natural(4, 8, 8), CAPTION, style)


def test_an_empty_array_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to draw in an array of shape 0 x 7 x 7"):
        prepare(np.zeros((0, 7, 7)), CAPTION, Style())


@pytest.mark.parametrize("style", [Style(), Style(order="deviation"), Style(scale="std"), Style(scale="percentile")])
def test_what_is_found_is_what_known_statistics_say(style: Style) -> None:
    maps = natural(5, 8, 8) - 0.3
    found, known = prepare(maps, CAPTION, style), prepare(maps, CAPTION, style, channel_statistics(maps))
    assert (found.limits.low.tolist(), found.limits.high.tolist()) == (
        known.limits.low.tolist(),
        known.limits.high.tolist(),
    )
    assert found.channels.tolist() == known.channels.tolist()
    assert (found.colormap, found.framed, found.range_words) == (known.colormap, known.framed, known.range_words)


@pytest.mark.parametrize(
    ("constant", "style", "left", "folded"),
    [
        (9, Style(), [9, 10, 11], True),
        (8, Style(), list(range(12)), False),
        (12, Style(), list(range(12)), False),
        (9, Style(top=12), list(range(12)), False),
        (9, Style(channels="0-11"), list(range(12)), False),
    ],
)
def test_many_constant_channels_are_left_out_unless_the_style_says_which_are_drawn(
    constant: int, style: Style, left: list[int], folded: bool
) -> None:
    maps = natural(12, 4, 4)
    maps[:constant] = 3
    prepared = prepare(maps, CAPTION, style).without_constant()
    assert (prepared.channels.tolist(), prepared.folded) == (left, folded)


@pytest.mark.parametrize(
    ("values", "words"), [([1, 2], "range 1 .. 2"), ([2, 2], "all 2"), ([np.nan, np.inf], "no finite value")]
)
def test_the_range_in_words(values: list[float], words: str) -> None:
    assert prepare(np.array([values]), CAPTION, Style()).range_words == words


def test_a_legend_names_what_the_channels_show() -> None:
    maps = natural(5, 4, 4)
    maps[1], maps[2, 0, 0], maps[3, 0, 0], maps[4, 0, 0] = 7, np.nan, np.inf, -np.inf
    prepared = prepare(maps, CAPTION, Style())
    assert prepared.legend(np.arange(5)) == ["constant", "NaN", "inf", "-inf"]
    assert prepared.legend(np.array([0, 3])) == ["inf"]


def test_channels_are_called_by_their_labels_or_numbered() -> None:
    assert prepare(natural(2, 4, 4), CAPTION, Style()).name(1) == "1"
    assert prepare(natural(2, 4, 4), Caption("a", labels=["ant", "bee"]), Style()).name(1) == "bee"

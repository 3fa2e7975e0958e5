"""What a style is made of, and the channels that it names."""

from __future__ import annotations

from typing import get_type_hints

import pytest

from onnxviz.draw.style import Style, StyleChanges, channel_numbers
from onnxviz.errors import UsageError


def test_every_field_is_a_keyword_of_the_same_type() -> None:
    assert get_type_hints(StyleChanges) == get_type_hints(Style)


@pytest.mark.parametrize(
    ("channels", "numbers"),
    [("3", (3,)), ("0-2,7", (0, 1, 2, 7)), ("4, 4,3-4", (4, 3)), ((2, 0, 2, -1), (2, 0, -1)), ([], ())],
)
def test_channels_are_named_once_in_the_order_given(channels: str | list[int], numbers: tuple[int, ...]) -> None:
    assert channel_numbers(channels) == numbers


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "3-1", "1,,2", "1-2-3", "1.5"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="channels are numbers and ranges"):
        channel_numbers(text)


def test_a_range_that_no_layer_has_is_refused() -> None:
    with pytest.raises(UsageError, match="0-9999999 are more than any layer has"):
        channel_numbers("0-9999999")

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from onnxviz.feed.input_shapes import picture_input, picture_layout
from onnxviz.layout import InputUse, TensorSpec
from tests.feed.feeding import spec


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((1, 3, 2, 2), "NCHW"),
        (("N", 3, "h", "w"), "NCHW"),
        ((1, 2, 2, 3), "NHWC"),
        ((None, 3, 2, 3), "NCHW"),
        ((1, 1, 4, 3), "NHWC"),
        ((1, 4, 4, 3), "NHWC"),
        ((1, 1, 28, 28), "NCHW"),
        ((1, 76, 32, 1), "NHWC"),
        ((1, 2, 3, 4), "NHWC"),
        ((1, 2, 4, 4), None),
        ((1, 4, 4, 4), "NCHW"),
        ((-1, 3, None, None), "NCHW"),
        ((None, None, None, None), "NCHW"),
        ((None, 224, 224, None), "NCHW"),
        ((1, None, 224, None), "NHWC"),
        ((3, 5, 5), "CHW"),
        ((5, 5, 4), "HWC"),
        (("h", "w", 3), "HWC"),
        (("N", 1024, 3), None),
        ((1, 16, 96), "CHW"),
        (("N", 43844, 1), None),
        ((3, 1, 512), None),
        ((3, "batch", 512), None),
        ((1, 1, 512), None),
        (("h", "w", 1), None),
        (("N", 13, 5, 5), None),
        (("N", 7), None),
        ((), None),
    ],
)
def test_where_the_channels_are(shape: tuple[Any, ...], layout: str | None) -> None:
    expected = None if shape == (None, 224, 224, None) else layout
    assert picture_layout(TensorSpec("x", "float32", shape)) == expected


def test_what_is_not_a_picture_whatever_its_shape() -> None:
    plain = TensorSpec("x", "float32", (1, 80, 3000))
    assert picture_layout(plain) == "CHW"
    assert picture_layout(replace(plain, layout="NCL")) is None
    assert picture_layout(replace(plain, use=InputUse(is_weight=True))) is None
    assert picture_layout(TensorSpec("x", "float32", (2, 0, 3))) is None
    assert picture_layout(TensorSpec("x", "float32", ("batch", 4, "past_sequence_length", 8))) is None
    assert picture_layout(TensorSpec("x", "float32", ("batch", 3, "height", "width"))) == "NCHW"


@pytest.mark.parametrize(
    ("shape", "appended", "layout"),
    [
        (("b", 2, "P", 4), 2, None),
        ((1, 2, 6, 4), 2, None),
        (("b", "P", 2, 4), 1, None),
        ((1, 4, 6, 8), 2, None),
        ((1, 3, 32, 32), 1, "NCHW"),
        ((1, 32, 32, 3), 3, "NHWC"),
        ((1, 3, 32, 32), 0, "NCHW"),
        ((1, 2, 6, 4), None, "NHWC"),
    ],
)
def test_a_cache_is_no_picture(shape: tuple[Any, ...], appended: int | None, layout: str | None) -> None:
    assert picture_layout(TensorSpec("x", "float32", shape, use=InputUse(appended=appended))) == layout


def test_the_input_of_rank_4_is_the_picture() -> None:
    inputs = [spec(3, 4, 4, name="small"), spec(1, 3, 4, 4, name="big"), spec(1, name="number")]
    chosen = picture_input(inputs)
    assert chosen is not None
    assert chosen.name == "big"
    assert picture_input([spec(1, name="number")]) is None

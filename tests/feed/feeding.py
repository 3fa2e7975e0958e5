"""What the tests of feeding share: inputs of models, a small picture, and one call that feeds."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnxviz.errors import InputError
from onnxviz.feed.feed import Feed
from onnxviz.feed.feed_options import FeedOptions
from onnxviz.feed.geometry import Geometry
from onnxviz.feed.make import make_feed
from onnxviz.layout import TensorSpec

RAW = FeedOptions(preset="raw")
COLOURS = np.array([[[1, 2, 3], [4, 5, 6]], [[7, 8, 9], [10, 11, 12]]], np.uint8)


def spec(*shape: Any, dtype: str = "float32", name: str = "x") -> TensorSpec:
    return TensorSpec(name, dtype, shape)


def feed(inputs: TensorSpec | list[TensorSpec], source: Any, options: FeedOptions = RAW, **metadata: str) -> Feed:
    return make_feed(inputs if isinstance(inputs, list) else [inputs], source, options, metadata)


def refusal(inputs: TensorSpec | list[TensorSpec], source: Any, options: FeedOptions = RAW) -> str:
    with pytest.raises(InputError) as caught:
        feed(inputs, source, options)
    return str(caught.value)


def in_picture(geometry: Geometry, y: float, x: float) -> tuple[float, float]:
    """Return the place in the picture of a position of the fed array, by the formula of `Geometry`."""
    (down, across), (top, left) = geometry.scale, geometry.offset
    return (y + 0.5) * down + top - 0.5, (x + 0.5) * across + left - 0.5


def write_wav(path: Path, data: bytes, *, width: int, channels: int = 1, rate: int = 16000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return path


SILERO = [
    spec("batch", "sequence", name="input"),
    spec(2, "batch", 128, name="state"),
    spec(dtype="int64", name="sr"),
]

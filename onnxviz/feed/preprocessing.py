"""Preprocessing: how pixels become the numbers that a model was trained on. Presets, the model's metadata, the formula.

value = (pixel / 255 * (high - low) + low - mean) / std        pixel in 0..255, mean and std by channel as fed
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxviz.errors import ModelError, UsageError
from onnxviz.feed.geometry import PictureFit, Size, crop, letterbox, squash

METADATA_PREPROCESSING = "onnxviz.preprocessing"
METADATA_LABELS = "onnxviz.labels"
RESIZES = ("squash", "crop", "letterbox")
FILTERS = ("nearest", "bilinear", "bicubic", "lanczos")
CHANNEL_ORDERS = ("rgb", "bgr")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What is done to a picture before a model sees it.

    `range` is what 0..255 is brought to before `mean` is subtracted and the result divided by `std`; these have one
    number, or one for each channel in the order in which channels are fed. `size` is `(H, W)`, None for the model's
    own. `crop` keeps the share `crop_fraction` of the largest central part that fits; `letterbox` fills up with the
    grey `pad`, in 0..255; a size that the model leaves open is rounded to a multiple of `multiple`.

    >>> lite = PRESETS["efficientnet-lite"]
    >>> lite.normalise(np.array([[[0, 127, 255]]], dtype=np.uint8)).tolist()
    [[[-0.9921875, 0.0, 1.0]]]
    """

    name: str
    range: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    size: Size | None = None
    resize: str = "squash"
    filter: str = "bilinear"
    channel_order: str = "rgb"
    crop_fraction: float = 1.0
    pad: int = 114
    multiple: int = 32

    def __post_init__(self) -> None:
        """Raise UsageError for values that make no sense."""
        for name, choices in (("resize", RESIZES), ("filter", FILTERS), ("channel_order", CHANNEL_ORDERS)):
            value = getattr(self, name)
            if value not in choices:
                raise UsageError(f"{name.replace('_', ' ')} {value!r} is not known: it is one of {', '.join(choices)}")
        numbers = (*self.range, *self.mean, *self.std, self.crop_fraction)
        if not all(math.isfinite(number) for number in numbers):
            raise UsageError("range, mean, std and crop fraction must be finite numbers")
        if len(self.range) != 2 or self.range[0] == self.range[1]:
            raise UsageError(f"range must be two different numbers, not {_numbers(self.range)}")
        if not self.mean or not self.std or 0 in self.std:
            raise UsageError("mean and std must have one number, or one a channel, and no std may be 0")
        if self.size is not None and (len(self.size) != 2 or min(self.size) < 1):
            raise UsageError(f"size must be HxW with both at least 1, not {'x'.join(map(str, self.size))}")
        if not 0 < self.crop_fraction <= 1:
            raise UsageError(f"crop fraction must be above 0 and at most 1, not {self.crop_fraction:g}")
        if not 0 <= self.pad <= 255:
            raise UsageError(f"pad must be within 0..255, not {self.pad}")
        if self.multiple < 1:
            raise UsageError(f"multiple must be at least 1, not {self.multiple}")

    @property
    def is_of_fractions(self) -> bool:
        """Whether mean and std are of pixels in fractions, such as 0..1 or -1..1, and not in 0..255."""
        return abs(self.range[1] - self.range[0]) <= 2

    def in_bytes(self) -> Preprocessing:
        """Return the same with a range of 0..255, and mean and std of that.

        >>> PRESETS["inception"].in_bytes().mean
        (127.5,)
        """
        low, unit = self.range[0], 255 / (self.range[1] - self.range[0])
        mean = tuple((number - low) * unit for number in self.mean)
        return replace(self, range=(0.0, 255.0), mean=mean, std=tuple(number * unit for number in self.std))

    def place(self, picture: Size, fed: Size) -> PictureFit:
        """Return how a picture of one size is drawn into an array of another."""
        if self.resize == "crop":
            return crop(picture, fed, self.crop_fraction)
        return letterbox(picture, fed) if self.resize == "letterbox" else squash(picture, fed)

    def normalise(self, pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return RGB pixels `(H, W, C)` in 0..255 as the values that are fed, float32, in the model's channel order."""
        channels = pixels.shape[-1]
        low, high = self.range
        mean, std = per_channel(self.mean, channels, 0.0), per_channel(self.std, channels, 1.0)
        # Factors in float64 first: one multiplication and one addition a pixel, exact for powers of two.
        factor = ((high - low) / 255 / std).astype(np.float32)
        addend = ((low - mean) / std).astype(np.float32)
        if self.channel_order == "bgr" and channels >= 3:
            pixels = pixels[..., [2, 1, 0, *range(3, channels)]]
        # A plane at a time, which most models take: over the last axis, of three numbers, it takes three times as long.
        planes = np.empty((channels, *pixels.shape[:-1]), np.float32)
        for channel, plane in enumerate(planes):
            np.multiply(pixels[..., channel], factor[channel], out=plane, dtype=np.float32)
            plane += addend[channel]
        return np.moveaxis(planes, 0, -1)

    def to_json(self) -> str:
        """Return the text that is kept in a model under the metadata key `onnxviz.preprocessing`."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Preprocessing:
        """Read the text of `to_json`; what it leaves out is taken from its `preset`, else from `zero-one`.

        Raises:
            ModelError: The text cannot be read.
        """
        try:
            return _read(text)
        except (ValueError, RecursionError, UsageError) as error:
            raise ModelError(
                f"the model's metadata {METADATA_PREPROCESSING!r} cannot be read: {error}; "
                "give a preset to go without it"
            ) from error


PRESETS: Mapping[str, Preprocessing] = {
    preset.name: preset
    for preset in (
        Preprocessing(
            "imagenet", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), resize="crop", crop_fraction=0.875
        ),
        Preprocessing("inception", range=(-1.0, 1.0), resize="crop", crop_fraction=0.875),
        Preprocessing(
            "caffe",
            range=(0.0, 255.0),
            mean=(103.939, 116.779, 123.68),
            resize="crop",
            channel_order="bgr",
            crop_fraction=0.875,
        ),
        Preprocessing("efficientnet-lite", range=(0.0, 255.0), mean=(127.0,), std=(128.0,), filter="bicubic"),
        Preprocessing("yolo", resize="letterbox"),
        Preprocessing("zero-one"),
        Preprocessing("raw", range=(0.0, 255.0)),
    )
}


def per_channel(numbers: tuple[float, ...], channels: int, neutral: float) -> npt.NDArray[np.float64]:
    """Return one number for each channel: one number serves all, three are averaged for grey, alpha gets `neutral`.

    Raises:
        UsageError: The numbers are neither one, nor as many as the channels, nor three for grey or RGBA.
    """
    if len(numbers) == 1:
        numbers = numbers * min(channels, 3)
    elif channels == 1 and len(numbers) == 3:
        numbers = (sum(numbers) / 3,)
    if channels == 4 and len(numbers) == 3:
        numbers = (*numbers, neutral)
    if len(numbers) != channels:
        raise UsageError(f"mean or std has {len(numbers)} numbers ({_numbers(numbers)}), the model {channels} channels")
    return np.array(numbers, dtype=np.float64)


def model_preprocessing(metadata: Mapping[str, str]) -> Preprocessing | None:
    """Return the preprocessing in a model's metadata, or None.

    It is read from the key `onnxviz.preprocessing` (a JSON object), or from `imgsz`, `stride` and `task` as Ultralytics
    writes them.

    Raises:
        ModelError: `onnxviz.preprocessing` is there and cannot be read.
    """
    if METADATA_PREPROCESSING in metadata:
        return Preprocessing.from_json(metadata[METADATA_PREPROCESSING])
    sides = _literal(metadata.get("imgsz", ""))
    sides = [sides, sides] if isinstance(sides, int) else sides
    if not {"imgsz", "stride", "names"} <= metadata.keys() or not _is_size(sides):
        return None
    stride = _literal(metadata["stride"])
    yolo = replace(PRESETS["yolo"], size=(sides[0], sides[1]))
    if metadata.get("task") == "classify":
        # Ultralytics classifiers take the central square, without mean and std.
        yolo = replace(yolo, resize="crop")
    return replace(yolo, multiple=stride) if isinstance(stride, int) and 0 < stride <= 4096 else yolo


def model_labels(metadata: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the names of a model's classes from `onnxviz.labels` (one a line) or Ultralytics' `names`, or None."""
    if METADATA_LABELS in metadata:
        return tuple(metadata[METADATA_LABELS].rstrip("\n").split("\n"))
    names = _literal(metadata.get("names", ""))
    if isinstance(names, dict):
        # A class left out would move the names of all that follow.
        names = [names[index] for index in range(len(names))] if set(names) == set(range(len(names))) else None
    if isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names):
        return tuple(names)
    return None


@lru_cache(16)
def _read(text: str) -> Preprocessing:
    """Return what a text says; it is the same for each of 10^6 pictures."""
    return _from_mapping(json.loads(text))


def _from_mapping(values: Any) -> Preprocessing:
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")
    given = dict(values)
    preset = given.pop("preset", None)
    if preset is not None and not (isinstance(preset, str) and preset in PRESETS):
        raise ValueError(f"its preset {preset!r} is not one of {', '.join(PRESETS)}")
    known = {field.name for field in fields(Preprocessing)}
    if unknown := sorted(set(given) - known):
        raise ValueError(f"{', '.join(map(repr, unknown))} is not one of {', '.join(sorted(known))}")
    for key, value in given.items():
        is_right, kind = _KINDS[key]
        if not is_right(value):
            raise ValueError(f"its {key} is not {kind}")
        if isinstance(value, list):
            given[key] = tuple(value)
    base = PRESETS[preset] if preset is not None else replace(PRESETS["zero-one"], name="the model's own")
    return replace(base, **given)


def _is_number(value: Any) -> bool:
    # A whole number of JSON may be too large for a float.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _is_size(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and all(type(side) is int and side > 0 for side in value)


_TEXT = (lambda value: isinstance(value, str), "a text")
_NUMBERS = (_are_numbers, "a list of numbers")
_WHOLE = (lambda value: type(value) is int, "a whole number")
_KINDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("name", "resize", "filter", "channel_order"), _TEXT),
    **dict.fromkeys(("range", "mean", "std"), _NUMBERS),
    **dict.fromkeys(("pad", "multiple"), _WHOLE),
    "size": (lambda value: value is None or _is_size(value), "two whole numbers"),
    "crop_fraction": (_is_number, "a number"),
}


def _literal(text: str) -> Any:
    # Ultralytics writes Python literals, which are neither long nor deep.
    if not text or len(text) > 1_000_000:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def _numbers(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)

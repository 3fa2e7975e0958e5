"""Resizes and normalises pictures to the shape and dtype of an input."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from onnxviz.errors import InputError
from onnxviz.feed.arrays import numbers_dtype
from onnxviz.feed.feed import Fitted
from onnxviz.feed.feed_options import Job, choose_preprocessing
from onnxviz.feed.free_sizes import check_size, fed_size, repeat_batch
from onnxviz.feed.geometry import Size
from onnxviz.feed.input_shapes import no_picture, picture_channels, picture_layout
from onnxviz.feed.pictures import PICTURE_CHANNELS, Picture, as_rgb, place
from onnxviz.feed.preprocessing import Preprocessing
from onnxviz.layout import Array, TensorSpec


def fit_pictures(job: Job, spec: TensorSpec, pictures: Sequence[Picture], name: str, *, whole: bool = False) -> Fitted:
    """Return pictures as one batch, all resized to what the first of them is fed as.

    With `whole` nothing is cropped unless `FeedOptions.resize` asks for it.

    Raises:
        InputError: The input does not take pictures.
        UsageError: An option does not fit the model.
    """
    layout = picture_layout(spec)
    notes = list(pictures[0].notes)
    channels = 0 if layout is None else picture_channels(spec, layout, notes)
    if layout is None or channels not in PICTURE_CHANNELS:
        raise no_picture((spec,), name)
    preprocessing, remarks = choose_preprocessing(job.options, job.metadata, spec)
    notes.extend(remarks)
    if whole and job.options.resize is None:
        preprocessing = replace(preprocessing, resize="squash")
    check_size(spec, layout, job.sizes, job.options.size)
    size = fed_size(spec, layout, preprocessing, job.sizes, (pictures[0].size, notes))
    if 0 in size:
        raise InputError(f"{name}: a picture cannot be fed in {size[0]}x{size[1]} pixels")
    _note_channels(preprocessing, channels, notes)
    fits = [preprocessing.place(picture.size, size) for picture in pictures]
    pixels = [
        place(picture, channels, fit, preprocessing.filter, preprocessing.pad)
        for picture, fit in zip(pictures, fits, strict=True)
    ]
    # Of one picture, the usual case, nothing is copied.
    single = preprocessing.normalise(pixels[0])[None]
    values = single if len(pixels) == 1 else np.stack([preprocessing.normalise(each) for each in pixels])
    array = _in_layout(_in_dtype(values, spec, notes), layout, name)
    if layout.startswith("N"):
        array = repeat_batch(job.sizes, spec, array, notes)
    array = np.ascontiguousarray(array)
    job.sizes.bind(spec, array.shape, name)
    return Fitted(array, name, notes, layout, preprocessing.name, as_rgb(pixels[0]), fits[0].geometry)


def needed_size(job: Job, spec: TensorSpec, picture: Size) -> Size:
    """Return the size in which a picture of a size has two pixels along each side of one that is fed."""
    layout = picture_layout(spec)
    if layout is None:
        return picture
    preprocessing, _ = choose_preprocessing(job.options, job.metadata, spec)
    fit = preprocessing.place(picture, fed_size(spec, layout, preprocessing, job.sizes, (picture, [])))
    left, top, right, bottom = fit.box
    height, width = picture[0] * fit.size[0] / (bottom - top), picture[1] * fit.size[1] / (right - left)
    return max(1, math.ceil(2 * height)), max(1, math.ceil(2 * width))


def _note_channels(preprocessing: Preprocessing, channels: int, notes: list[str]) -> None:
    numbers = max(len(preprocessing.mean), len(preprocessing.std))
    if channels == 1 and numbers == 3:
        notes.append("the model is grey: the mean of the three channels' mean and std is used")
    if channels == 4:
        notes.append("alpha is fed as the fourth channel, without mean and std" if numbers < 4 else "alpha is fed")


def _in_dtype(values: npt.NDArray[np.float32], spec: TensorSpec, notes: list[str]) -> Array:
    dtype = numbers_dtype(spec.dtype or "float32")
    if dtype.kind not in "iu":
        return values.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    rounded = np.rint(values)
    if rounded.min() < limits.min or rounded.max() > limits.max:
        notes.append(
            f"values from {rounded.min():g} to {rounded.max():g} are clipped to what {dtype} holds: "
            "the preprocessing may be wrong for this model"
        )
    elif float(np.ptp(rounded)) <= 1 < float(np.ptp(values)) * 255:
        notes.append(f"almost all is lost by rounding to {dtype}: the preset raw feeds 0..255")
    # In float64 the limits of 32 bit integers are exact.
    return np.clip(rounded.astype(np.float64), limits.min, limits.max).astype(dtype)


def _in_layout(values: Array, layout: str, name: str) -> Array:
    """Return values `(N, H, W, C)` in the layout of an input."""
    if "N" in layout:
        return np.transpose(values, ["NHWC".index(letter) for letter in layout])
    if len(values) > 1:
        raise InputError(f"{name}: the input has no batch axis ({layout}), {len(values)} pictures do not fit")
    return np.transpose(values[0], ["HWC".index(letter) for letter in layout])

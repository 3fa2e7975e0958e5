"""How pictures, sounds and arrays are brought to the shape and dtype of one input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from onnxviz.errors import InputError
from onnxviz.feed.arrays import cast, numbers_dtype
from onnxviz.feed.feed import Shown
from onnxviz.feed.feed_options import choose_preprocessing
from onnxviz.feed.fit_sounds import fit_sounds
from onnxviz.feed.fitted import Fitted, Job, Source, batched
from onnxviz.feed.geometry import Geometry
from onnxviz.feed.input_shapes import check_size, fed_size, no_picture, picture_channels, picture_layout
from onnxviz.feed.load import Item
from onnxviz.feed.matrices import Matrix, matrix_picture
from onnxviz.feed.pictures import PICTURE_MODES, Picture, as_rgb, picture_from_array, place, with_channels
from onnxviz.feed.preprocessing import Preprocessing
from onnxviz.feed.sounds import Sound
from onnxviz.layout import Array, TensorSpec, shape_text


def fit_items(job: Job, spec: TensorSpec, items: Sequence[Item]) -> Fitted:
    """Return the array that one input is fed for the items of one batch, most often one item.

    Raises:
        InputError: the items do not fit the input.
        UsageError: an option does not fit the model.
    """
    pictures = [picture for item in items for picture in _as_pictures(job, spec, item)]
    if pictures:
        if len(pictures) < len(items):
            raise InputError("a batch must hold pictures alone or arrays alone")
        matrix = isinstance(items[0].content, Matrix)
        return fit_pictures(job, spec, pictures, Source(items[0].name, len(items), matrix))
    sounds = [item.content for item in items if isinstance(item.content, Sound)]
    if not sounds:
        return _fit_arrays(job, spec, items)
    if len(sounds) < len(items):
        raise InputError("a batch must hold sounds alone or arrays alone")
    return fit_sounds(job, spec, sounds, Source(items[0].name, len(items)))


def fit_pictures(job: Job, spec: TensorSpec, pictures: Sequence[Picture], source: Source) -> Fitted:
    """Resize and normalise pictures into one batch; all get the size of the first."""
    layout = picture_layout(spec)
    notes = list(pictures[0].notes)
    channels = 0 if layout is None else picture_channels(spec, layout, notes)
    if layout is None or channels not in PICTURE_MODES:
        raise no_picture((spec,), source.name)
    preprocessing, said = choose_preprocessing(job.options, job.metadata, spec)
    notes.extend(said)
    if source.matrix and job.options.resize is None:
        # Cropping would cut regions off a connectome.
        preprocessing = replace(preprocessing, resize="squash")
    check_size(spec, layout, job.sizes, job.options.size)
    size = fed_size(spec, layout, preprocessing, job.sizes, (pictures[0].size, notes))
    _say_channels(preprocessing, channels, notes)
    placements = [preprocessing.place(picture.size, size) for picture in pictures]
    pixels = [
        place(with_channels(picture.pixels, channels), placement, preprocessing.filter, preprocessing.pad)
        for picture, placement in zip(pictures, placements, strict=True)
    ]
    values = np.stack([preprocessing.normalise(each) for each in pixels])
    array = _in_layout(_in_dtype(values, spec, notes), layout, source.name)
    array = batched(job, spec, array, layout.startswith("N"), notes)
    array = np.ascontiguousarray(array)
    job.sizes.bind(spec, array.shape, source.name)
    shown = Shown(
        layout=layout,
        preset=preprocessing.name,
        source=source.words,
        picture=as_rgb(pixels[0]),
        geometry=placements[0].geometry,
    )
    return Fitted(array, shown, notes)


def _as_pictures(job: Job, spec: TensorSpec, item: Item) -> list[Picture]:
    content, transform = item.content, job.options.transform
    if isinstance(content, Matrix):
        return [matrix_picture(content, transform)] if picture_layout(spec) is not None else []
    if isinstance(content, Picture):
        if transform != "none":
            raise InputError(f"{item.name}: the transform {transform} is for matrices (.csv, .tsv), not for pictures")
        return [content]
    if isinstance(content, Sound) or picture_layout(spec) is None or not 2 <= content.ndim <= 4:
        return []
    if transform != "none" and content.ndim == 2:
        if not np.isfinite(content).all():
            raise InputError(f"{item.name} holds NaN or infinite numbers, which no matrix picture can show")
        return [matrix_picture(Matrix(content.astype(np.float64)), transform)]
    if not job.options.asks:
        return []
    return [picture_from_array(each, item.name) for each in (content if content.ndim == 4 else [content])]


def _say_channels(preprocessing: Preprocessing, channels: int, notes: list[str]) -> None:
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
    if "N" in layout:
        return np.transpose(values, ["NHWC".index(letter) for letter in layout])
    if len(values) > 1:
        raise InputError(f"{name}: the input has no batch axis ({layout}), {len(values)} pictures do not fit")
    return np.transpose(values[0], ["HWC".index(letter) for letter in layout])


def _fit_arrays(job: Job, spec: TensorSpec, items: Sequence[Item]) -> Fitted:
    notes: list[str] = []
    name = items[0].name
    contents = [item.content.values if isinstance(item.content, Matrix) else item.content for item in items]
    arrays = [_with_rank(job, spec, np.asarray(content), notes) for content in contents]
    if len({array.shape[1:] for array in arrays}) > 1 or (len(arrays) > 1 and arrays[0].ndim == 0):
        raise InputError("the arrays of a batch must have one shape: " + ", ".join(shape_text(a.shape) for a in arrays))
    array = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]
    layout = picture_layout(spec) or spec.layout
    layout = layout if layout is not None and len(layout) == array.ndim else None
    array = batched(job, spec, array, layout is None or layout.startswith("N"), notes)
    _check_fit(job, spec, array, name)
    array = np.array(cast(array, spec.dtype or str(array.dtype), name, notes), order="C")
    picture = _shown_picture(array, layout)
    geometry = None if picture is None else Geometry.identity((picture.shape[0], picture.shape[1]))
    if job.options.asks and picture_layout(spec) is None:
        notes.append("it is fed as it is: preprocessing is for pictures")
    return Fitted(array, Shown(layout, "none", name, picture, geometry), notes)


def _check_fit(job: Job, spec: TensorSpec, array: Array, name: str) -> None:
    try:
        job.sizes.bind(spec, array.shape, name)
    except InputError as error:
        if picture_layout(spec) is None:
            raise
        raise InputError(
            f"{error}; an array is fed as it is: a preset, such as imagenet, has it prepared as a picture"
        ) from error


def _with_rank(job: Job, spec: TensorSpec, array: Array, notes: list[str]) -> Array:
    if spec.shape is None:
        return array
    if array.ndim == 0 and spec.shape:
        shape = tuple(job.sizes.known(size) or 1 for size in spec.shape)
        if np.prod(shape) > 1:
            notes.append(f"{array} fills {shape_text(shape)}")
        return np.full(shape, array)
    if array.size == 1 and not spec.shape:
        return array.reshape(())
    if array.ndim == len(spec.shape) - 1:
        notes.append(f"a batch axis is put before its shape {shape_text(array.shape)}")
        return array[None]
    return array


def _shown_picture(array: Array, layout: str | None) -> npt.NDArray[np.uint8] | None:
    """Draw a fed array back to RGB: uint8 as it is, anything else from its smallest to its largest number."""
    if layout is None or sorted(layout.replace("N", "")) != ["C", "H", "W"]:
        return None
    first = array[0] if layout.startswith("N") else array
    pixels = first.transpose([layout.replace("N", "").index(letter) for letter in "HWC"])
    if pixels.shape[2] not in PICTURE_MODES:
        return None
    if pixels.dtype == np.uint8:
        return as_rgb(pixels)
    numbers = pixels[..., :3].astype(np.float64)
    finite = np.isfinite(numbers)
    if not finite.any():
        return None
    low, high = float(numbers[finite].min()), float(numbers[finite].max())
    scaled = (np.where(finite, numbers, low) - low) / ((high - low) or 1) * 255
    return as_rgb(scaled.astype(np.float32))

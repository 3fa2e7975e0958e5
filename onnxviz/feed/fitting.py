"""How pictures, sounds and arrays are brought to the shape and dtype of one input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxviz.errors import InputError
from onnxviz.feed.arrays import Array, cast, numbers_dtype
from onnxviz.feed.fed import Shown
from onnxviz.feed.geometry import Geometry
from onnxviz.feed.items import Item
from onnxviz.feed.matrices import Matrix, matrix_picture
from onnxviz.feed.options import FeedOptions, choose_preprocessing
from onnxviz.feed.pictures import PICTURE_MODES, Picture, as_rgb, picture_from_array, place, with_channels
from onnxviz.feed.preprocessing import Preprocessing
from onnxviz.feed.sounds import Sound
from onnxviz.feed.targets import Sizes, check_size, fed_size, no_picture, picture_channels, picture_layout
from onnxviz.layout import TensorSpec, shape_text

# Up to so many channels an axis of a sound is taken as its channels, not its time.
_SOUND_CHANNELS = 2


@dataclass(frozen=True, slots=True)
class Job:
    """What the inputs of one run share; `sizes` learns the model's symbols as arrays are made."""

    inputs: tuple[TensorSpec, ...]
    options: FeedOptions
    metadata: Mapping[str, str]
    sizes: Sizes


@dataclass(frozen=True, slots=True)
class Fitted:
    """An array for an input, how it is shown, and what is to be said."""

    array: Array
    shown: Shown
    notes: list[str]


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
    if any(isinstance(item.content, Sound) for item in items):
        if len(items) > 1:
            raise InputError("a batch takes pictures or arrays: sounds are fed one by one")
        return _fit_sound(job, spec, items[0])
    return _fit_arrays(job, spec, items)


@dataclass(frozen=True, slots=True)
class Source:
    """What pictures come from: a name for messages, the number of files, and whether it is a matrix."""

    name: str
    files: int = 1
    matrix: bool = False


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
    array = _batched(job, spec, array, layout.startswith("N"), notes)
    array = np.ascontiguousarray(array)
    job.sizes.bind(spec, array.shape, source.name)
    shown = Shown(
        layout=layout,
        preset=preprocessing.name,
        source=source.name if source.files == 1 else f"{source.name} and {source.files - 1} more",
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


def _batched(job: Job, spec: TensorSpec, array: Array, has_batch: bool, notes: list[str]) -> Array:
    """Repeat a batch of one where the model is fixed at more."""
    wanted = job.sizes.known(spec.shape[0]) if spec.shape and has_batch else None
    if wanted is None or array.ndim == 0 or array.shape[0] == wanted or array.shape[0] != 1:
        return array
    notes.append(f"the model takes batches of {wanted}: the one input is repeated, item 0 is shown")
    return np.repeat(array, wanted, axis=0)


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
    array = _batched(job, spec, array, layout is None or layout.startswith("N"), notes)
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
            f"{error}; an array is fed as it is: a preset, such as zero-one, has it resized as a picture"
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


def _fit_sound(job: Job, spec: TensorSpec, item: Item) -> Fitted:
    sound = item.content
    assert isinstance(sound, Sound)
    shape = spec.shape or ()
    layout = {1: "L", 2: "NL", 3: "NCL"}.get(len(shape))
    if layout is None:
        raise InputError(f"{item.name}: input {spec.name!r} takes {shape_text(spec.shape)}, no sound (L, NxL or NxCxL)")
    if layout == "NCL" and _few(shape[2]) and not _few(shape[1]):
        layout = "NLC"
    notes = [f"{sound.rate} Hz, {sound.bits} bit, {sound.samples.shape[1] / sound.rate:.2f} s; the rate is not changed"]
    channels = job.sizes.known(shape[layout.index("C")]) if "C" in layout else 1
    samples = _channels(sound.samples, channels, item.name, notes)
    samples = _length(samples, job.sizes.known(shape[layout.index("L")]), notes)
    if spec.dtype == "int16":
        samples = np.clip(np.rint(samples * 32768), -32768, 32767)
    array = samples.astype(spec.dtype or "float32")
    array = {"L": array[0], "NL": array, "NCL": array[None], "NLC": array.T[None]}[layout]
    array = _batched(job, spec, array, layout.startswith("N"), notes)
    job.sizes.bind(spec, array.shape, item.name)
    if job.options.asks:
        notes.append("samples are fed in -1..1: preprocessing is for pictures")
    return Fitted(np.ascontiguousarray(array), Shown(layout, "none", item.name), notes)


def _few(size: Any) -> bool:
    return isinstance(size, int) and 0 < size <= _SOUND_CHANNELS


def _channels(
    samples: npt.NDArray[np.float32], wanted: int | None, name: str, notes: list[str]
) -> npt.NDArray[np.float32]:
    has = samples.shape[0]
    if wanted is None or wanted == has:
        return samples
    if wanted == 1:
        notes.append(f"the mean of its {has} channels is fed")
        mean: npt.NDArray[np.float32] = np.mean(samples, axis=0, keepdims=True, dtype=np.float32)
        return mean
    if has == 1 and wanted == 2:
        notes.append("its one channel is fed twice")
        return np.repeat(samples, 2, axis=0)
    raise InputError(f"{name} has {has} channel{'s' if has > 1 else ''} of sound, the input takes {wanted}")


def _length(samples: npt.NDArray[np.float32], wanted: int | None, notes: list[str]) -> npt.NDArray[np.float32]:
    has = samples.shape[1]
    if wanted is None or wanted == has:
        return samples
    if has > wanted:
        notes.append(f"the model takes {wanted} samples: the first of its {has} are fed")
        return samples[:, :wanted]
    notes.append(f"the model takes {wanted} samples: zeros follow its {has}")
    return np.pad(samples, ((0, 0), (0, wanted - has)))

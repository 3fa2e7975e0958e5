"""Brings the item that is given for an input to the input's shape and dtype."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from onnxviz.errors import InputError
from onnxviz.feed.arrays import cast
from onnxviz.feed.feed import Fitted
from onnxviz.feed.feed_options import FOR_PICTURES, Job, choose_preprocessing
from onnxviz.feed.fit_pictures import fit_pictures
from onnxviz.feed.fit_sounds import fit_sound
from onnxviz.feed.free_sizes import repeat_batch
from onnxviz.feed.geometry import Geometry
from onnxviz.feed.input_shapes import can_be_fed, picture_layout, type_text
from onnxviz.feed.load import Item
from onnxviz.feed.matrices import Matrix, matrix_picture
from onnxviz.feed.pictures import PICTURE_CHANNELS, Picture, as_rgb, pictures_from_array, within
from onnxviz.feed.sounds import Sound
from onnxviz.layout import Array, TensorSpec, shape_text


def fit_item(job: Job, spec: TensorSpec, item: Item) -> Fitted:
    """Return the array that an input is fed for an item.

    Raises:
        InputError: The item does not fit the input.
        UsageError: An option does not fit the model.
    """
    if not can_be_fed(spec):
        raise InputError(f"input {spec.name!r} is of type {type_text(spec)}, which cannot be fed")
    content = item.content
    pictures = _as_pictures(job, spec, item)
    if pictures or isinstance(content, Picture):
        # Cropping would cut regions off a connectome, which may come as an array, too.
        whole = isinstance(content, Matrix) or job.options.transform != "none"
        return fit_pictures(job, spec, pictures, item.name, whole=whole)
    if isinstance(content, Sound):
        return fit_sound(job, spec, content, item.name)
    return _fit_array(job, spec, content.values if isinstance(content, Matrix) else content, item.name)


def _as_pictures(job: Job, spec: TensorSpec, item: Item) -> list[Picture]:
    """Return an item as the pictures of a batch; none if it is to be fed as a sound or an array."""
    content, transform = item.content, job.options.transform
    if isinstance(content, Matrix):
        return [matrix_picture(content, transform)] if picture_layout(spec) is not None else []
    if isinstance(content, Picture):
        if transform != "none":
            raise InputError(f"{item.name}: the transform {transform} is for matrices (.csv, .tsv), not for pictures")
        return [within(content, choose_preprocessing(job.options, job.metadata, spec)[0].range)]
    if isinstance(content, Sound) or picture_layout(spec) is None or not 2 <= content.ndim <= 4 or not content.size:
        return []
    if transform != "none" and content.ndim == 2 and content.dtype.kind != "O":
        if not np.isfinite(content).all():
            raise InputError(f"{item.name} holds NaN or infinite numbers, which a picture of a matrix cannot show")
        return [matrix_picture(Matrix(content.astype(np.float64)), transform)]
    if not job.options.asks:
        return []
    preprocessing, _ = choose_preprocessing(job.options, job.metadata, spec)
    return pictures_from_array(content, item.name, preprocessing.range)


def _fit_array(job: Job, spec: TensorSpec, content: Array, name: str) -> Fitted:
    notes: list[str] = []
    array = _with_rank(job, spec, np.asarray(content), notes)
    layout = picture_layout(spec) or spec.layout
    layout = layout if layout is not None and len(layout) == array.ndim else None
    if layout is None or layout.startswith("N"):
        array = repeat_batch(job.sizes, spec, array, notes)
    _check_fit(job, spec, array, name)
    # A copy: the caller's array is never handed out.
    array = np.array(cast(array, spec.dtype or str(array.dtype), name, notes), order="C")
    picture = _shown_picture(array, layout)
    geometry = None if picture is None else Geometry.identity((picture.shape[0], picture.shape[1]))
    if job.options.asks and picture_layout(spec) is None:
        notes.append(f"it is fed as it is: {FOR_PICTURES}")
    return Fitted(array, name, notes, layout, picture=picture, geometry=geometry)


def _check_fit(job: Job, spec: TensorSpec, array: Array, name: str) -> None:
    try:
        job.sizes.bind(spec, array.shape, name)
    except InputError as error:
        missing = len(spec.shape or ()) - array.ndim
        first = [size or 1 for size in job.sizes.known(spec)[: max(missing, 0)]]
        if first:
            whole = shape_text((*first, *array.shape))
            raise InputError(f"{error}; give it all of its axes, such as {whole}") from error
        if picture_layout(spec) is None:
            raise
        raise InputError(
            f"{error}; an array is fed as it is, unless a preset, such as imagenet, has it prepared as a picture"
        ) from error


def _with_rank(job: Job, spec: TensorSpec, array: Array, notes: list[str]) -> Array:
    """Return an array with the axes before it that alone are missing, and a number or text in the shape of its input.

    Axes are missing alone where the first is a batch and the model fixes the others at 1, such as the channels of
    grey pictures and volumes.
    """
    if spec.shape is None:
        return array
    sizes, missing = job.sizes.known(spec), len(spec.shape) - array.ndim
    if array.ndim == 0 and spec.shape:
        shape = tuple(1 if size is None else size for size in sizes)
        if np.prod(shape) > 1:
            notes.append(f"{array} fills {shape_text(shape)}")
        return np.full(shape, array)
    if array.size == 1 and not spec.shape:
        return array.reshape(())
    if array.dtype.kind == "O" and (array.ndim, missing) == (1, 1) and sizes[1] == 1 and array.size > 1:
        return array[:, None]  # a text a row
    if missing == 1 or (missing > 1 and sizes[1:missing] == [1] * (missing - 1)):
        axes = "a batch axis is" if missing == 1 else f"{missing} axes of size 1 are"
        notes.append(f"{axes} put before its shape {shape_text(array.shape)}")
        return array.reshape((1,) * missing + array.shape)
    return array


def _shown_picture(array: Array, layout: str | None) -> npt.NDArray[np.uint8] | None:
    """Return a fed array as RGB: uint8 as it is, other numbers from the smallest (black) to the largest (white)."""
    if layout is None or sorted(layout.replace("N", "")) != ["C", "H", "W"]:
        return None
    first = array[0] if layout.startswith("N") else array
    pixels = first.transpose([layout.replace("N", "").index(letter) for letter in "HWC"])
    if pixels.shape[2] not in PICTURE_CHANNELS:
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

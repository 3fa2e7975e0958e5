"""Brings a sound to the axes, channels and length of an input."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from onnxviz.errors import InputError
from onnxviz.feed.feed import Fitted
from onnxviz.feed.feed_options import FOR_PICTURES, Job
from onnxviz.feed.free_sizes import repeat_batch
from onnxviz.feed.sounds import Sound
from onnxviz.layout import TensorSpec, shape_text

# An axis of at most this size holds the channels of a sound; a longer one is time.
_SOUND_CHANNELS = 2


def fit_sound(job: Job, spec: TensorSpec, sound: Sound, name: str) -> Fitted:
    """Return a sound as the array of an input, cut or followed by zeros where the model's length is fixed.

    Raises:
        InputError: The input does not take a sound, or not one of so many channels.
    """
    layout = _sound_layout(spec)
    if layout is None:
        raise InputError(f"{name}: input {spec.name!r} takes {shape_text(spec.shape)}, not a sound (L, NxL or NxCxL)")
    duration = sound.samples.shape[1] / sound.rate
    notes = [f"{sound.rate} Hz, {sound.bits} bit, {duration:.2f} s; the rate is not changed"]
    known = job.sizes.known(spec)
    channels = known[layout.index("C")] if "C" in layout else 1
    samples = _channels(sound.samples, channels, name, notes)
    samples = _length(samples, known[layout.index("L")], notes)
    if spec.dtype == "int16":
        samples = np.clip(np.rint(samples * 32768), -32768, 32767)
    array = samples.astype(spec.dtype or "float32")
    array = {"L": array[0], "NL": array[:1], "NCL": array[None], "NLC": array.T[None]}[layout]
    if layout.startswith("N"):
        array = repeat_batch(job.sizes, spec, array, notes)
    job.sizes.bind(spec, array.shape, name)
    if job.options.asks:
        notes.append(f"samples are fed in -1..1: {FOR_PICTURES}")
    return Fitted(np.ascontiguousarray(array), name, notes, layout)


def _sound_layout(spec: TensorSpec) -> str | None:
    """Return the axes of an input for sound, None if it does not take one; channels are few, time is long."""
    shape = spec.shape or ()
    if len(shape) == 3 and _few(shape[2]) and not _few(shape[1]):
        return "NLC"
    return {1: "L", 2: "NL", 3: "NCL"}.get(len(shape))


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
    notes.append(f"{wanted} samples are fed: zeros follow its {has}")
    return np.pad(samples, ((0, 0), (0, wanted - has)))

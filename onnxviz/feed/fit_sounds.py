"""How sounds are brought to the axes, channels and length of an input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxviz.errors import InputError
from onnxviz.feed.feed import Shown
from onnxviz.feed.fitted import Fitted, Job, Source, batched
from onnxviz.feed.sounds import Sound
from onnxviz.layout import TensorSpec, shape_text

# Up to so many channels an axis of a sound is taken as its channels, not its time.
_SOUND_CHANNELS = 2


def fit_sounds(job: Job, spec: TensorSpec, sounds: Sequence[Sound], source: Source) -> Fitted:
    """Return sounds as one batch; all get the length of the longest, or the model's."""
    name, shape = source.name, spec.shape or ()
    layout = _sound_layout(spec)
    if layout is None:
        raise InputError(f"{name}: input {spec.name!r} takes {shape_text(spec.shape)}, no sound (L, NxL or NxCxL)")
    if layout == "L" and len(sounds) > 1:
        raise InputError(f"{name}: the input has no batch axis (L), {len(sounds)} sounds do not fit")
    rates = sorted({sound.rate for sound in sounds})
    if len(rates) > 1:
        raise InputError(f"the sounds of a batch must have one rate, not {', '.join(map(str, rates))} Hz")
    first, longest = sounds[0], max(sound.samples.shape[1] for sound in sounds)
    notes = [f"{first.rate} Hz, {first.bits} bit, {first.samples.shape[1] / first.rate:.2f} s; the rate is not changed"]
    channels = job.sizes.known(shape[layout.index("C")]) if "C" in layout else 1
    length = job.sizes.known(shape[layout.index("L")]) or longest
    fitted = [_length(_channels(sound.samples, channels, name, notes), length, notes) for sound in sounds]
    if len({samples.shape for samples in fitted}) > 1:
        raise InputError("the sounds of a batch must have one number of channels")
    samples = np.stack(fitted)
    if spec.dtype == "int16":
        samples = np.clip(np.rint(samples * 32768), -32768, 32767)
    array = samples.astype(spec.dtype or "float32")
    array = {"L": array[0, 0], "NL": array[:, 0], "NCL": array, "NLC": array.transpose(0, 2, 1)}[layout]
    array = batched(job, spec, array, layout.startswith("N"), notes)
    job.sizes.bind(spec, array.shape, name)
    if job.options.asks:
        notes.append("samples are fed in -1..1: preprocessing is for pictures")
    return Fitted(np.ascontiguousarray(array), Shown(layout, "none", source.words), list(dict.fromkeys(notes)))


def _sound_layout(spec: TensorSpec) -> str | None:
    """Return the axes of an input for sound, None where it takes none; channels are few, time is not."""
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

"""Sound files (.wav) as samples, by the standard library; the rate is told and never changed."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from onnxviz.errors import InputError

_OTHERWISE = "save it as PCM with 8, 16, 24 or 32 bit, or give an array (.npy)"


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples `(C, L)` float32 in -1..1 and their rate in Hz."""

    samples: npt.NDArray[np.float32]
    rate: int
    bits: int


def read_sound(path: Path, name: str) -> Sound:
    """Read a PCM .wav file of 8 (unsigned), 16, 24 or 32 bit; full scale becomes 1.

    Raises:
        InputError: the file is missing, broken, compressed or holds no sound.
    """
    try:
        size = path.stat().st_size
        with wave.open(str(path), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            # The header may claim more than the file holds.
            data = file.readframes(min(file.getnframes(), size // max(1, channels * width)))
    except FileNotFoundError as error:
        raise InputError(f"{name}: there is no such file") from error
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from error
    except (wave.Error, EOFError, RuntimeError, ValueError) as error:
        why = str(error) or "it ends too early"
        raise InputError(f"{name} is no sound that can be read: {why}; {_OTHERWISE}") from error
    if width not in (1, 2, 3, 4):
        raise InputError(f"{name} has {8 * width} bit samples; {_OTHERWISE}")
    frames = len(data) // (channels * width)
    if not frames:
        raise InputError(f"{name} holds no sound")
    samples = _samples(data[: frames * channels * width], width)
    return Sound(np.ascontiguousarray(samples.reshape(frames, channels).T), rate, 8 * width)


def _samples(data: bytes, width: int) -> npt.NDArray[np.float32]:
    if width == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / np.float32(128)
    if width == 2:
        return np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
    if width == 4:
        return (np.frombuffer(data, "<i4").astype(np.float64) / 2**31).astype(np.float32)
    # 24 bit: three bytes become the upper three of an int32.
    wide: npt.NDArray[Any] = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)

"""Reads sound files (.wav) as samples; the rate is kept beside them and never changed.

The chunks of RIFF are read here, as Python's `wave` refuses samples of floats and, before 3.12, files with an extended
header, which those of more than two channels or 16 bit have.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from onnxviz.errors import InputError

_OTHERWISE = "save it as PCM with 8, 16, 24 or 32 bit, or give an array (.npy)"
_PCM, _FLOAT, _EXTENDED = 1, 3, 0xFFFE
_WIDTHS = {_PCM: (1, 2, 3, 4), _FLOAT: (4, 8)}


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples `(C, L)` float32, in -1..1 where the file holds whole numbers, their rate in Hz and bits a sample."""

    samples: npt.NDArray[np.float32]
    rate: int
    bits: int


@dataclass(frozen=True, slots=True)
class _Format:
    """The content of the chunk `fmt `: the kind of samples, channels, rate in Hz and bytes a sample."""

    kind: int
    channels: int
    rate: int
    width: int


def read_sound(path: Path, name: str) -> Sound:
    """Read a .wav file: floats as they are; 8 (unsigned), 16, 24 or 32 bit PCM in -1..1, where 1 is full scale.

    Raises:
        InputError: The file is missing, broken, compressed or holds no samples.
    """
    try:
        with path.open("rb") as file:
            form, data = _read(file)
    except FileNotFoundError as error:
        raise InputError(f"{name}: there is no such file") from error
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{name} cannot be read as a sound: {error}; {_OTHERWISE}") from error
    frames = len(data) // (form.channels * form.width)
    if not frames:
        raise InputError(f"{name} holds no sound")
    samples = _samples(data[: frames * form.channels * form.width], form)
    return Sound(np.ascontiguousarray(samples.reshape(frames, form.channels).T), form.rate, 8 * form.width)


def _read(file: BinaryIO) -> tuple[_Format, bytes]:
    """Return the format and the bytes of the samples; a ValueError says what is broken."""
    start = file.read(12)
    if start[:4] != b"RIFF" or start[8:] != b"WAVE":
        raise ValueError("it does not begin as a RIFF file of sound" if start else "it is empty")
    form = None
    for name, size in _chunks(file):
        if name == b"fmt ":
            form = _format(file.read(min(size, 40)))
        elif name == b"data":
            if form is None:
                raise ValueError("its samples come before their format")
            # The header may claim more than the file holds: recorders that write into a pipe claim 4 GiB.
            return form, file.read(size)
    raise ValueError("it ends before its samples")


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Yield the name and size of each chunk while the file is at the chunk's first byte."""
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack("<4sI", head)
        begin = file.tell()
        yield name, size
        # Chunks of an odd size are followed by a byte of padding.
        file.seek(begin + size + size % 2)


def _format(chunk: bytes) -> _Format:
    if len(chunk) < 16:
        raise ValueError("its format ends too early")
    kind, channels, rate, _, _, bits = struct.unpack("<HHIIHH", chunk[:16])
    if kind == _EXTENDED and len(chunk) >= 26:
        kind = struct.unpack("<H", chunk[24:26])[0]
    width = (bits + 7) // 8
    if kind not in _WIDTHS:
        raise ValueError(f"its samples are of kind {kind}, neither PCM nor floats")
    if width not in _WIDTHS[kind]:
        raise ValueError(f"it has {'floats' if kind == _FLOAT else 'samples'} of {bits} bit")
    if not channels or not rate:
        raise ValueError(f"it has {channels} channels at {rate} Hz")
    return _Format(kind, channels, rate, width)


def _samples(data: bytes, form: _Format) -> npt.NDArray[np.float32]:
    if form.kind == _FLOAT:
        with np.errstate(over="ignore"):
            return np.frombuffer(data, f"<f{form.width}").astype(np.float32)
    if form.width == 1:
        return (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / np.float32(128)
    if form.width in (2, 4):
        return np.frombuffer(data, f"<i{form.width}").astype(np.float32) / np.float32(2 ** (8 * form.width - 1))
    # 24 bit: three bytes become the upper three of an int32.
    wide: npt.NDArray[Any] = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4")[:, 0].astype(np.float32) / np.float32(2**31)

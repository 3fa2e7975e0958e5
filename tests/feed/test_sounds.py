from __future__ import annotations

import struct
import wave
from pathlib import Path

import pytest

from onnxviz.errors import InputError
from onnxviz.feed.sounds import read_sound


def write_wav(path: Path, data: bytes, *, width: int, channels: int = 1, rate: int = 16000) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return path


@pytest.mark.parametrize(
    ("width", "data"),
    [
        (1, bytes([0, 128, 192])),
        (2, struct.pack("<3h", -32768, 0, 16384)),
        (3, b"\x00\x00\x80" + b"\x00\x00\x00" + b"\x00\x00\x40"),
        (4, struct.pack("<3i", -(2**31), 0, 2**30)),
    ],
)
def test_samples_of_every_width(tmp_path: Path, width: int, data: bytes) -> None:
    sound = read_sound(write_wav(tmp_path / "s.wav", data, width=width), "s.wav")
    assert sound.samples.tolist() == [[-1, 0, 0.5]]
    assert (sound.rate, sound.bits) == (16000, 8 * width)


def test_channels_are_taken_apart(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "s.wav", struct.pack("<4h", 0, 16384, -16384, 0), width=2, channels=2)
    assert read_sound(path, "s").samples.tolist() == [[0, -0.5], [0.5, 0]]


def test_a_header_that_claims_too_much(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "s.wav", struct.pack("<4h", 1, 2, 3, 4), width=2)
    data = bytearray(path.read_bytes())
    data[40:44] = struct.pack("<I", 2**31 - 2)
    path.write_bytes(data)
    assert read_sound(path, "s").samples.shape == (1, 4)


def test_refusals(tmp_path: Path) -> None:
    otherwise = "; save it as PCM with 8, 16, 24 or 32 bit, or give an array (.npy)"
    floating = write_wav(tmp_path / "f.wav", bytes(8), width=4)
    data = bytearray(floating.read_bytes())
    data[20] = 3
    floating.write_bytes(data)
    (tmp_path / "t.wav").write_text("no sound at all, only text")
    (tmp_path / "e.wav").touch()
    for name, why in (
        ("f.wav", "f.wav is no sound that can be read: unknown format: 3" + otherwise),
        ("t.wav", "t.wav is no sound that can be read: file does not start with RIFF id" + otherwise),
        ("e.wav", "e.wav is no sound that can be read: it ends too early" + otherwise),
        ("none.wav", "none.wav: there is no such file"),
    ):
        with pytest.raises(InputError) as caught:
            read_sound(tmp_path / name, name)
        assert str(caught.value) == why
    with pytest.raises(InputError, match=r"^h\.wav holds no sound$"):
        read_sound(write_wav(tmp_path / "h.wav", b"", width=2), "h.wav")

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from onnxviz.errors import InputError
from onnxviz.feed.sounds import read_sound
from tests.feed.feeding import write_wav


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


@pytest.mark.parametrize("tail", [b"", b"LIST\x03\0\0\0abc\0"])
@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize(("kind", "letter", "width"), [(1, "h", 2), (3, "f", 4), (3, "d", 8)])
def test_floats_and_extended_headers(
    tmp_path: Path, kind: int, letter: str, width: int, extended: bool, tail: bytes
) -> None:
    values = [16384, -32768] if kind == 1 else [0.5, -1.25]
    data = struct.pack(f"<2{letter}", *values)
    form = struct.pack("<HHIIHH", 0xFFFE if extended else kind, 1, 8000, 8000 * width, width, 8 * width)
    if extended:
        # cbSize, valid bits, speakers, and a GUID that begins with the kind.
        form += struct.pack("<HHIH", 22, 8 * width, 4, kind) + bytes(14)
    chunks = tail + b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(data)) + data
    path = tmp_path / "f.wav"
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    sound = read_sound(path, "f.wav")
    assert sound.samples.tolist() == [[0.5, -1.0 if kind == 1 else -1.25]]
    assert (sound.rate, sound.bits) == (8000, 8 * width)


def test_refusals(tmp_path: Path) -> None:
    otherwise = "; save it as PCM with 8, 16, 24 or 32 bit, or give an array (.npy)"
    for name, place, value in (("law.wav", 20, 7), ("half.wav", 20, 3), ("mute.wav", 22, 0)):
        data = bytearray(write_wav(tmp_path / name, bytes(8), width=2).read_bytes())
        data[place] = value
        (tmp_path / name).write_bytes(data)
    whole = write_wav(tmp_path / "cut.wav", bytes(8), width=2).read_bytes()
    (tmp_path / "cut.wav").write_bytes(whole[:30])
    (tmp_path / "headless.wav").write_bytes(whole[:12] + whole[36:])
    (tmp_path / "no_data.wav").write_bytes(whole[:36])
    (tmp_path / "text.wav").write_text("only text")
    (tmp_path / "empty.wav").touch()
    for name, why in (
        ("law.wav", "its samples are of kind 7, neither PCM nor floats"),
        ("half.wav", "it has floats of 16 bit"),
        ("mute.wav", "it has 0 channels at 16000 Hz"),
        ("cut.wav", "its format ends too early"),
        ("headless.wav", "its samples come before their format"),
        ("no_data.wav", "it ends before its samples"),
        ("text.wav", "it does not begin as a RIFF file of sound"),
        ("empty.wav", "it is empty"),
    ):
        with pytest.raises(InputError) as caught:
            read_sound(tmp_path / name, name)
        assert str(caught.value) == f"{name} cannot be read as a sound: {why}{otherwise}"
    with pytest.raises(InputError, match=r"^none\.wav: there is no such file$"):
        read_sound(tmp_path / "none.wav", "none.wav")
    with pytest.raises(InputError, match=r"^h\.wav holds no sound$"):
        read_sound(write_wav(tmp_path / "h.wav", b"", width=2), "h.wav")

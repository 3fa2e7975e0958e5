"""What a source holds: a picture, a matrix, a sound or an array, told by what the caller handed over."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from onnxviz.errors import InputError
from onnxviz.feed.arrays import read_npy, read_npz
from onnxviz.feed.matrices import Matrix, read_matrix
from onnxviz.feed.pictures import Picture, open_picture
from onnxviz.feed.sounds import Sound, read_sound
from onnxviz.files import is_folder, is_plain_file

PICTURE_SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".apng",
        ".gif",
        ".bmp",
        ".dib",
        ".webp",
        ".tif",
        ".tiff",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
        ".tga",
        ".ico",
        ".avif",
        ".jp2",
        ".j2k",
        ".psd",
        ".sgi",
        ".pcx",
        ".dds",
        ".heic",
        ".heif",
    ]
)
ARRAY_SUFFIXES = frozenset((".npy", ".npz"))
MATRIX_SUFFIXES = frozenset((".csv", ".tsv"))
SOUND_SUFFIXES = frozenset((".wav", ".wave"))
STANDARD_INPUT = "-"

Content = Picture | Matrix | Sound | npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Item:
    """The content of a source, what it is called in messages (`name`) and in folders (`stem`)."""

    content: Content
    name: str
    stem: str


def load(source: Any) -> tuple[Item, ...] | dict[str, Item]:
    """Read a source: a path or text, `-`, an array, a PIL image, or a sequence of these as a batch.

    Returns:
        The items of a batch, most often one; or for a .npz file its arrays by name.

    Raises:
        InputError: it cannot be read, or is no kind of source.
    """
    if isinstance(source, str | os.PathLike):
        return _load_text(os.fspath(source))
    if isinstance(source, Image.Image):
        name = str(getattr(source, "filename", "") or "picture")
        return (Item(open_picture(source, name), name, Path(name).stem),)
    if isinstance(source, np.ndarray | np.generic | int | float):
        return (Item(_numbers(source), "array", "array"),)
    if isinstance(source, Sequence) and source:
        if all(isinstance(entry, int | float | Sequence) and not isinstance(entry, str) for entry in source):
            return (Item(_numbers(source), "array", "array"),)
        return tuple(_single(entry) for entry in source)
    raise InputError(
        f"{type(source).__name__} cannot be fed: give a path, a picture, an array, a list of these or a mapping by "
        "input"
    )


def load_value(text: str) -> tuple[Item, ...] | dict[str, Item]:
    """Read what follows `NAME=`: a file, else a number, `true`, `false` or numbers between commas."""
    if text == STANDARD_INPUT or is_plain_file(text):
        return load(text)
    words = text.split(",")
    try:
        values = [_value(word.strip()) for word in words]
    except ValueError:
        return load(text)
    return (Item(np.array(values if len(values) > 1 else values[0]), text, "values"),)


def _value(word: str) -> int | float | bool:
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    try:
        return int(word)
    except ValueError:
        return float(word)


def _single(source: Any) -> Item:
    items = load(source)
    if isinstance(items, dict) or len(items) != 1:
        raise InputError("a batch takes one picture or array an entry, no .npz file and no list in the list")
    return items[0]


def _numbers(source: Any) -> npt.NDArray[Any]:
    try:
        array = np.asarray(source)
    except ValueError as error:
        raise InputError(f"the list cannot be fed: {error}") from error
    if array.dtype.kind not in "biuf" or not array.size:
        raise InputError(f"an array of {array.dtype} and shape {array.shape} cannot be fed: it must hold numbers")
    return array


def _load_text(text: str | bytes) -> tuple[Item, ...] | dict[str, Item]:
    name = os.fsdecode(text)
    if name == STANDARD_INPUT:
        return _load_bytes(_standard_input(sys.stdin.buffer), "standard input", "stdin")
    path = Path(name)
    suffix = path.suffix.lower()
    if is_folder(path):
        raise InputError(f"{name} is a folder: one file was expected here")
    if suffix == ".npz":
        arrays = read_npz(path, name)
        return {key: Item(array, f"{name}[{key!r}]", path.stem) for key, array in arrays.items()}
    content: Content
    if suffix == ".npy":
        content = read_npy(path, name)
    elif suffix in MATRIX_SUFFIXES:
        content = read_matrix(path, name)
    elif suffix in SOUND_SUFFIXES:
        content = read_sound(path, name)
    else:
        content = open_picture(path, name)
    return (Item(content, name, path.stem),)


def _load_bytes(data: bytes, name: str, stem: str) -> tuple[Item, ...] | dict[str, Item]:
    if data.startswith(b"\x93NUMPY"):
        return (Item(read_npy(data, name), name, stem),)
    if data.startswith(b"PK\x03\x04"):
        return {key: Item(array, f"{name}[{key!r}]", stem) for key, array in read_npz(data, name).items()}
    return (Item(open_picture(data, name), name, stem),)


def _standard_input(stream: BinaryIO) -> bytes:
    if stream.isatty():
        raise InputError("nothing is piped into standard input: '-' stands for a picture or .npy file from a pipe")
    data = stream.read()
    if not data:
        raise InputError("standard input is empty: '-' stands for a picture or .npy file from a pipe")
    return data

"""Reads sources: paths, standard input, arrays and Pillow images become pictures, matrices, sounds and arrays."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from PIL import Image

from onnxviz.errors import InputError
from onnxviz.feed.arrays import NARROW_FLOATS, as_text, read_npy, read_npz, read_text
from onnxviz.feed.draft import Needed
from onnxviz.feed.matrices import Matrix, read_matrix
from onnxviz.feed.pictures import Picture, open_picture
from onnxviz.feed.sounds import Sound, read_sound
from onnxviz.files import is_folder, is_plain_file
from onnxviz.layout import Array
from onnxviz.words import shown

PICTURE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .gif .bmp .dib .webp .tif .tiff .ppm .pgm .pbm .pnm .tga .ico .avif .jp2 .j2k "
    ".psd .sgi .pcx .dds .heic .heif".split()
)
ARRAY_SUFFIXES = frozenset((".npy", ".npz"))
MATRIX_SUFFIXES = frozenset((".csv", ".tsv"))
SOUND_SUFFIXES = frozenset((".wav", ".wave"))
TEXT_SUFFIXES = frozenset((".txt",))
STANDARD_INPUT = "-"

Content: TypeAlias = "Picture | Matrix | Sound | Array"
_READERS: Mapping[str, Callable[[Path, str], Content]] = {
    ".npy": read_npy,
    **dict.fromkeys(MATRIX_SUFFIXES, read_matrix),
    **dict.fromkeys(SOUND_SUFFIXES, read_sound),
    **dict.fromkeys(TEXT_SUFFIXES, read_text),
}


@dataclass(frozen=True, slots=True)
class Item:
    """The content of a source, its name in messages (`name`) and in folders (`stem`)."""

    content: Content
    name: str
    stem: str


def load(source: Any, needed: Needed | None = None) -> Item | dict[str, Item]:
    """Read a source: a path, `-` for standard input, an array, a list of numbers, a Pillow image or a Picture.

    `needed` says how large a picture in a file is needed; None takes it as it is.

    Returns:
        The item, or for a `.npz` file its arrays by name.

    Raises:
        InputError: The source cannot be read, or is a list of sources: each of those is a run of its own.
    """
    if isinstance(source, str | os.PathLike):
        return _load_path(os.fsdecode(source), needed)
    if isinstance(source, Picture):
        return Item(source, "picture", "picture")
    if isinstance(source, Image.Image):
        name = str(getattr(source, "filename", "") or "picture")
        return Item(open_picture(source, name), name, Path(name).stem)
    if isinstance(source, np.ndarray | np.generic | int | float):
        return Item(_numbers(source), "array", "array")
    if isinstance(source, Sequence) and source:
        if all(isinstance(entry, int | float | np.generic | list | tuple) for entry in source):
            return Item(_numbers(source), "array", "array")
        raise several_runs(source)
    raise InputError(
        f"{type(source).__name__} cannot be fed: give a path, a picture, an array, numbers or a mapping by input"
    )


def several_runs(sources: Sequence[Any]) -> InputError:
    """Return the error for a list of sources where one run is fed."""
    return InputError(
        f"a list of {len(sources)} inputs is {len(sources)} runs, and one run is fed here: give them one by one, "
        "or a batch as one array (numpy.stack)"
    )


def load_value(text: str, needed: Needed | None = None) -> Item | dict[str, Item]:
    """Read what follows `NAME=`: a file, else a number, `true`, `false` or several of these between commas."""
    if text == STANDARD_INPUT or is_plain_file(text):
        return load(text, needed)
    words = text.split(",")
    try:
        values = [_value(word.strip()) for word in words]
    except ValueError:
        return load(text)
    return Item(np.array(values if len(values) > 1 else values[0]), text, "values")


def load_text(text: str) -> Item | dict[str, Item]:
    """Read what follows `NAME=` where the input takes text: a file, else the text itself."""
    path = Path(text)
    if path.suffix.lower() in ARRAY_SUFFIXES | TEXT_SUFFIXES:
        return load(text)
    if is_plain_file(path):
        return Item(read_text(path, text), text, path.stem)
    return Item(np.array(text, object), repr(shown(text)), "text")


def _value(word: str) -> int | float | bool:
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    try:
        return int(word)
    except ValueError:
        return float(word)


def _numbers(source: Any) -> Array:
    try:
        array = np.asarray(source)
    except ValueError as error:
        raise InputError(f"the list cannot be fed: {error}") from error
    if array.dtype.kind in "SU" or (array.dtype.kind == "O" and all(isinstance(each, str) for each in array.flat)):
        return as_text(array, "the array")
    if array.dtype.kind not in "biuf" and array.dtype.name not in NARROW_FLOATS:
        raise InputError(f"an array of {array.dtype} cannot be fed: it must hold numbers or text")
    return array


def _load_path(name: str, needed: Needed | None) -> Item | dict[str, Item]:
    if name == STANDARD_INPUT:
        return _load_bytes(_standard_input(sys.stdin.buffer), ("standard input", "stdin"), needed)
    path = Path(name)
    suffix = path.suffix.lower()
    if is_folder(path):
        raise InputError(f"{name} is a folder: one file was expected here")
    if suffix == ".npz":
        return _members(path, name, path.stem)
    read = _READERS.get(suffix)
    content = open_picture(path, name, needed=needed) if read is None else read(path, name)
    return Item(content, name, path.stem)


def _load_bytes(data: bytes, names: tuple[str, str], needed: Needed | None) -> Item | dict[str, Item]:
    name, stem = names
    if data.startswith(b"PK\x03\x04"):
        return _members(data, name, stem)
    is_array = data.startswith(b"\x93NUMPY")
    content = read_npy(data, name) if is_array else open_picture(data, name, needed=needed)
    return Item(content, name, stem)


def _members(source: Path | bytes, name: str, stem: str) -> dict[str, Item]:
    return {key: Item(array, f"{name}[{key!r}]", stem) for key, array in read_npz(source, name).items()}


def _standard_input(stream: BinaryIO) -> bytes:
    if stream.isatty():
        raise InputError("nothing is piped into standard input: '-' stands for a picture or .npy file from a pipe")
    data = stream.read()
    if not data:
        raise InputError("standard input is empty: '-' stands for a picture or .npy file from a pipe")
    return data

"""Reads arrays from .npy and .npz files, and casts them to an input's dtype without changing their numbers."""

from __future__ import annotations

import io
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from onnxviz.errors import InputError
from onnxviz.layout import Array

# An archive may unpack to this many bytes, or to this many times its own size if that is more.
_UNPACKED = 1 << 30
_PACKING = 20

NARROW_FLOATS = frozenset(("bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"))
"""Floats that onnx adds to numpy and runtimes take; its numbers of four and two bits they take packed alone."""

BROKEN = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What numpy, zipfile and Pillow raise for damaged files: some on purpose, others where they trust what they read."""

# A .npy header is parsed as Python (tokenize), and zipfile has a RuntimeError for encryption and a NotImplementedError,
# which is one, for kinds of compression.
_BROKEN = (*BROKEN, tokenize.TokenError, zipfile.BadZipFile)


def read_npy(source: Path | bytes, name: str) -> Array:
    """Read one array from a .npy file; pickled objects are refused.

    Raises:
        InputError: The file is missing, broken or holds something other than numbers or text.
    """
    with _reading(name):
        array = np.load(io.BytesIO(source), allow_pickle=False) if isinstance(source, bytes) else _mapped(source)
    return _checked(array, name)


def read_npz(source: Path | bytes, name: str) -> Mapping[str, Array]:
    """Read the arrays of a .npz file by name; pickled objects are refused.

    Raises:
        InputError: The file is missing, broken, without an array or holds something other than numbers or text.
    """
    with opened_npz(source, name) as archive:
        members = {key: _checked(array, f"{name}[{key!r}]") for key, array in archive.items()}
    if not members:
        raise InputError(f"{name} holds no array")
    return members


@contextmanager
def opened_npz(source: Path | bytes, name: str) -> Iterator[Mapping[str, Array]]:
    """Open a .npz file, whose arrays are read when they are asked for; pickled objects are refused.

    Raises:
        InputError: The file is missing, broken or unpacks to far more than its size; also when a broken array is read.
    """
    with ExitStack() as stack:
        with _reading(name):
            # Opened here: numpy leaves a file open that turns out to be broken.
            stream = stack.enter_context(io.BytesIO(source) if isinstance(source, bytes) else source.open("rb"))
            if stream.read(2) != b"PK":
                raise ValueError("it does not begin as a .npz file")
            stream.seek(0)
            archive = stack.enter_context(np.load(stream, allow_pickle=False))
        _check_unpacked(archive.zip.infolist(), name)
        yield _Archive(archive, name)


def cast(array: Array, dtype: str, name: str, notes: list[str]) -> Array:
    """Return an array in the input's dtype; a cast is noted, and refused if it would change the numbers.

    Raises:
        InputError: The numbers do not fit the dtype.
    """
    wanted = numbers_dtype(dtype)
    if array.dtype == wanted:
        return array
    if "O" in (wanted.kind, array.dtype.kind):
        given, takes = ("text" if each.kind == "O" else str(each) for each in (array.dtype, wanted))
        raise InputError(f"{name} is {given}, the input takes {takes}")
    with np.errstate(all="ignore"):
        result = array.astype(wanted)
        if wanted.kind in "biu":
            kept = bool((result.astype(np.float64) == array.astype(np.float64)).all())
        else:
            kept = bool((np.isfinite(result) == np.isfinite(array)).all())
    if not kept:
        low, high = array.min(), array.max()
        raise InputError(f"{name} is {array.dtype} with {low:g}..{high:g}, which the input's {wanted} cannot hold")
    notes.append(f"{array.dtype} is fed as {wanted}")
    return result


def as_text(array: Array, name: str) -> Array:
    """Return an array of numpy's texts, or of UTF-8 bytes, as Python's texts, which runtimes take.

    Raises:
        InputError: The bytes are not UTF-8.
    """
    try:
        texts = np.char.decode(array, "utf-8") if array.dtype.kind == "S" else array
    except UnicodeDecodeError:
        raise InputError(f"{name} holds bytes that are not UTF-8 text") from None
    return texts.astype(object)


def read_text(path: Path, name: str) -> Array:
    """Read a file of text, a text a line.

    Raises:
        InputError: It is missing or not UTF-8.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise InputError(f"{name}: there is no such file") from error
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 text") from error
    return np.array(lines or [""], object)


def numbers_dtype(name: str) -> np.dtype[Any]:
    """Return the dtype of a name: numpy's own, `object` for text, or a narrow float.

    Raises:
        InputError: It is not a dtype of numbers that runtimes take.
    """
    if not is_fed(name):
        raise InputError(f"the input is of dtype {name}, which runtimes do not take from numpy: it cannot be fed")
    return np.dtype(name)


def is_fed(name: str) -> bool:
    """Return whether arrays of a dtype of this name can be fed; text can, as `object`."""
    try:
        dtype = np.dtype(name)
    except TypeError:
        return False
    return name == "object" or name in NARROW_FLOATS or (dtype.kind in "biuf" and dtype.isbuiltin == 1)


class _Archive(Mapping[str, Array]):
    """The arrays of an open .npz file."""

    def __init__(self, arrays: Mapping[str, Array], name: str) -> None:
        self._arrays = arrays
        self._name = name

    def __getitem__(self, key: str) -> Array:
        if key not in self._arrays:
            raise KeyError(f"{key} is not a file in the archive")
        with _reading(self._name):
            return self._arrays[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn what numpy raises for a broken file into an InputError; the block calls numpy and nothing else of weight."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{name}: there is no such file") from error
    except _BROKEN as error:
        text = str(error)
        if "pickle" in text.lower() or "Python objects" in text:
            raise InputError(
                f"{name} holds Python objects, which are not read: they could run code; save numbers with their dtype, "
                "text with dtype=str (or in a .txt file, a text a line)"
            ) from error
        why = (text or type(error).__name__).splitlines()[0]
        raise InputError(f"{name} cannot be read as an array: {why}") from error


def _mapped(path: Path) -> Array:
    with path.open("rb") as stream:
        if stream.read(6) != b"\x93NUMPY":
            raise ValueError("it does not begin as a .npy file")
    # Mapping first checks the size that the header claims against the file's own, and allocates nothing.
    return np.array(np.load(path, mmap_mode="r", allow_pickle=False), order="C")


def _check_unpacked(entries: Sequence[zipfile.ZipInfo], name: str) -> None:
    """Refuse an archive that unpacks to far more than its own size, by what its directory says, which zipfile obeys."""
    unpacked, packed = sum(entry.file_size for entry in entries), sum(entry.compress_size for entry in entries)
    if unpacked > max(_UNPACKED, _PACKING * packed):
        raise InputError(
            f"{name} unpacks to {unpacked / 2**30:.1f} GiB from {packed / 2**20:.1f} MiB, more than is taken from an "
            "archive (a guard against decompression bombs): give the array as .npy, or save it without compression"
        )


def _checked(array: Array, name: str) -> Array:
    if not isinstance(array, np.ndarray):
        raise InputError(f"{name} holds several arrays, one was expected: name it .npz")
    if array.dtype.kind in "SU":
        return as_text(array, name)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} is {array.dtype}: only numbers and text can be fed")
    # Files may hold the other byte order, which no runtime takes.
    return array.astype(array.dtype.newbyteorder("="), copy=False)

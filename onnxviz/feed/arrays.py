"""Arrays from .npy and .npz files, and how an array is made to fit an input without changing its numbers."""

from __future__ import annotations

import io
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from onnxviz.errors import InputError
from onnxviz.layout import Array

# An archive may unpack to so many bytes whatever its own size, and beyond them to so many times its size.
_UNPACKED = 1 << 30
_PACKING = 20

# All that numpy and zipfile raise for damaged files: a .npy header is parsed as Python (tokenize), and zipfile has a
# RuntimeError for encryption and a NotImplementedError, which is one, for kinds of compression.
_BROKEN = (
    AttributeError,
    EOFError,
    KeyError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_npy(source: Path | bytes, name: str) -> Array:
    """Read one array from a .npy file; pickled objects are refused.

    Raises:
        InputError: the file is missing, broken, empty or holds something other than numbers.
    """
    try:
        if isinstance(source, bytes):
            return _checked(np.load(io.BytesIO(source), allow_pickle=False), name)
        with source.open("rb") as stream:
            if stream.read(6) != b"\x93NUMPY":
                raise ValueError("it does not begin as a .npy file")
        # Mapping first checks the size that the header claims against the file's own, and allocates nothing.
        return _checked(np.array(np.load(source, mmap_mode="r", allow_pickle=False), order="C"), name)
    except FileNotFoundError as error:
        raise InputError(f"{name}: there is no such file") from error
    except _BROKEN as error:
        raise _broken(name, error) from error


def read_npz(source: Path | bytes, name: str) -> Mapping[str, Array]:
    """Read the arrays of a .npz file by name; pickled objects are refused.

    Raises:
        InputError: the file is missing, broken, empty or holds something other than numbers.
    """
    with opened_npz(source, name) as archive:
        members = {key: _checked(archive[key], f"{name}[{key!r}]") for key in archive}
    if not members:
        raise InputError(f"{name} holds no array")
    return members


@contextmanager
def opened_npz(source: Path | bytes, name: str) -> Iterator[Mapping[str, Array]]:
    """Open a .npz file for its arrays to be read one by one; pickled objects are refused.

    Raises:
        InputError: the file is missing, broken or unpacks to far more than its size; also for what the block raises
            because a member is missing or broken.
    """
    try:
        # Opened here: numpy leaves a file open that turns out to be broken.
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as stream:
            if stream.read(2) != b"PK":
                raise ValueError("it does not begin as a .npz file")
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as archive:
                _check_unpacked(archive.zip.infolist(), name)
                yield archive
    except FileNotFoundError as error:
        raise InputError(f"{name}: there is no such file") from error
    except _BROKEN as error:
        raise _broken(name, error) from error


def cast(array: Array, dtype: str, name: str, notes: list[str]) -> Array:
    """Return an array with the input's dtype, said in `notes`; a cast that would change its numbers is refused.

    Raises:
        InputError: its numbers do not fit the dtype.
    """
    wanted = numbers_dtype(dtype)
    if array.dtype == wanted:
        return array
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


def numbers_dtype(name: str) -> np.dtype[Any]:
    """Return numpy's own dtype of a name, for numbers.

    Raises:
        InputError: numpy has none such, as for bfloat16 (which onnx may have added to it, but runtimes do not take).
    """
    try:
        dtype = np.dtype(name)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind not in "biuf" or not dtype.isbuiltin:
        raise InputError(f"the input is of dtype {name}, which numpy does not have as a number: it cannot be fed")
    return dtype


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
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} is {array.dtype}: only numbers can be fed")
    if not array.size:
        raise InputError(f"{name} is empty: its shape is {'x'.join(map(str, array.shape))}")
    # Files may hold the other byte order, which no runtime takes.
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _broken(name: str, error: BaseException) -> InputError:
    if "pickle" in str(error).lower() or "Python objects" in str(error):
        return InputError(f"{name} holds Python objects, which are not read: they could run code; save plain numbers")
    why = (str(error) or type(error).__name__).splitlines()[0]
    return InputError(f"{name} is no array that can be read: {why}")

"""The wire format of protobuf: the fields of a message and their places in a file, read without reading the rest.

See https://protobuf.dev/programming-guides/encoding. What is skipped is never read, so a file of any size can be
listed in little memory; every length is checked against its message and the file before anything is read by it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from onnxviz.errors import ModelError

VARINT, FIXED64, DELIMITED, FIXED32 = 0, 1, 2, 5

_WINDOW = 1 << 14
_LONGEST_VARINT = 10
_LARGEST_FIELD = (1 << 29) - 1
_FIXED_SIZES = {FIXED64: 8, FIXED32: 4}


class Field(NamedTuple):
    """A field of a message: `start` is the place of its key, `payload` to `end` that of its content.

    `value` is the number of a VARINT field, else 0.
    """

    number: int
    wire_type: int
    start: int
    payload: int
    end: int
    value: int

    @property
    def length(self) -> int:
        """Bytes of the content."""
        return self.end - self.payload


class Reader:
    """Reads a file by place, with one window of read-ahead.

    Reads are positioned where the system has `pread`, else by seek and read (`positioned` forces one of them). A
    mapped file would kill the process with SIGBUS if another program cut it short meanwhile; this raises ModelError.
    """

    def __init__(self, path: str | os.PathLike[str], *, positioned: bool = hasattr(os, "pread")) -> None:
        self._read_at = self._positioned if positioned else self._seeking
        self._window = b""
        self._window_start = 0
        self.bytes_read = 0
        self._descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
        status = os.fstat(self._descriptor)
        self.size = status.st_size
        self.modified = status.st_mtime_ns
        self.links = status.st_nlink

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def read(self, start: int, length: int) -> bytes:
        """Return exactly these bytes.

        Raises:
            ModelError: The file ends before, or has become shorter since it was opened.
        """
        first = start - self._window_start
        if first >= 0 and first + length <= len(self._window):
            return self._window[first : first + length]
        if start + length > self.size:
            raise ModelError(f"the file is truncated at byte {self.size}: bytes to {start + length} are needed")
        if length > _WINDOW:
            return self._exactly(start, length)
        self._fill(start)
        return self._window[:length]

    def varint(self, start: int, end: int) -> tuple[int, int]:
        """Return the number at a place, and the place after it, which is not past `end`."""
        first = start - self._window_start
        if first < 0 or first + _LONGEST_VARINT > len(self._window):
            self._fill(start)
            first = 0
        window = self._window
        value = shift = 0
        for place in range(first, min(first + _LONGEST_VARINT, len(window), first + end - start)):
            byte = window[place]
            value |= (byte & 127) << shift
            if byte < 128:
                return value & 0xFFFF_FFFF_FFFF_FFFF, start + place - first + 1
            shift += 7
        raise ModelError(f"the file is damaged at byte {start}: a number has no end")

    def _fill(self, start: int) -> None:
        self._window = self._exactly(start, min(_WINDOW, self.size - start))
        self._window_start = start

    def _exactly(self, start: int, length: int) -> bytes:
        pieces: list[bytes] = []
        while length > 0:
            # One call returns at most 2 GiB on Linux.
            piece = self._read_at(length, start)
            if not piece:
                raise ModelError(f"the file has become shorter while it was read: nothing is left at byte {start}")
            pieces.append(piece)
            start += len(piece)
            length -= len(piece)
            self.bytes_read += len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _positioned(self, length: int, start: int) -> bytes:
        return os.pread(self._descriptor, length, start)

    def _seeking(self, length: int, start: int) -> bytes:
        os.lseek(self._descriptor, start, os.SEEK_SET)
        return os.read(self._descriptor, length)


def open_reader(path: Path) -> Reader:
    """Open a file, with one clear ModelError where that fails."""
    try:
        if path.is_dir():
            raise ModelError(
                f"'{path}' is a folder, not an ONNX file; a TensorFlow SavedModel becomes one by: onnxviz convert"
            )
        if path.exists() and not path.is_file():
            raise ModelError(f"'{path}' is not a regular file")
        return Reader(path)
    except FileNotFoundError:
        raise ModelError(f"there is no file '{path}'") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"'{path}' cannot be opened: {getattr(error, 'strerror', None) or error}") from None


def fields(reader: Reader, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message that lies at `start` to `end`, in order.

    Raises:
        ModelError: A field runs past its message or is of a wire type that ONNX does not have; says the byte.
    """
    varint = reader.varint
    while start < end:
        key, place = varint(start, end)
        number, wire_type = key >> 3, key & 7
        if not 0 < number <= _LARGEST_FIELD:
            raise ModelError(f"the file is damaged at byte {start}: there is not a field of number {number}")
        value = 0
        if wire_type == DELIMITED:
            length, payload = varint(place, end)
            after = payload + length
        elif wire_type == VARINT:
            payload = place
            value, after = varint(place, end)
        elif wire_type in _FIXED_SIZES:
            payload = place
            after = place + _FIXED_SIZES[wire_type]
        else:
            raise ModelError(f"the file is damaged at byte {start}: wire type {wire_type} does not occur in ONNX")
        if after > end:
            raise ModelError(_too_long(reader, number, start, after, end))
        yield Field(number, wire_type, start, payload, after, value)
        start = after


def encode_varint(value: int) -> bytes:
    """Return a number as protobuf writes it; a negative one as its 64-bit two's complement."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    result = bytearray()
    while value > 127:
        result.append(value & 127 | 128)
        value >>= 7
    result.append(value)
    return bytes(result)


def varint_field(number: int, value: int) -> bytes:
    """Return a field that holds a number."""
    return encode_varint(number << 3 | VARINT) + encode_varint(value)


def delimited_field(number: int, payload: bytes) -> bytes:
    """Return a field that holds a text, bytes or a message."""
    return encode_varint(number << 3 | DELIMITED) + encode_varint(len(payload)) + payload


def _too_long(reader: Reader, number: int, start: int, after: int, end: int) -> str:
    if end == reader.size:
        return f"the file is truncated at byte {end}: its field {number} at byte {start} goes on to byte {after}"
    return f"the file is damaged at byte {start}: field {number} runs {after - end} bytes past its message"

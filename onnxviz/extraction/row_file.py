"""A `.npy` file of known size whose rows are written in place: what was written before a stop is there after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from onnxviz.layout import Array

_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class RowFile:
    """A file of one array, `(rows, *row)`.

    Attributes:
        name: the file's, in the folder of results.
        rows: how many.
        row: the sizes of one.
        dtype: of its numbers.
    """

    name: str
    rows: int
    row: tuple[int, ...]
    dtype: str

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return prod(self.row) * np.dtype(self.dtype).itemsize

    @property
    def bytes(self) -> int:
        """Bytes of the whole file, but for its head of 128 bytes or a few more."""
        return self.rows * self.row_bytes

    def create(self, folder: Path) -> None:
        """Make the file with its head, and with room for all rows on the disk where the system can keep it.

        Raises:
            OSError: It cannot be written, or the disk has too little room.
        """
        array = np.lib.format.open_memmap(
            folder / self.name, mode="w+", dtype=np.dtype(self.dtype), shape=(self.rows, *self.row)
        )
        head = int(array.offset)
        del array
        if hasattr(os, "posix_fallocate"):
            with (folder / self.name).open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, head + self.bytes)

    def is_in(self, folder: Path) -> bool:
        """Return whether the file is there, as `create` made it."""
        try:
            array = np.load(folder / self.name, mmap_mode="r")
        except (OSError, ValueError):
            return False
        return bool(array.shape == (self.rows, *self.row) and array.dtype == np.dtype(self.dtype))

    @contextmanager
    def opened(self, folder: Path) -> Iterator[RowWriter]:
        """Yield what writes rows of the file in a folder; all are on their way to the disk when the block ends."""
        with (folder / self.name).open("r+b", buffering=_BUFFER) as stream:
            yield RowWriter(self, stream)


class RowWriter:
    """Writes rows in place; those that follow each other are written together."""

    def __init__(self, file: RowFile, stream: BinaryIO) -> None:
        """Take what the file is like, and it open."""
        self.file = file
        self._stream = stream
        self._head = os.fstat(stream.fileno()).st_size - file.bytes
        self._next = -1

    def write(self, number: int, row: Array) -> None:
        """Write the row of this number, of the sizes and the dtype of the file."""
        if number != self._next:
            self._stream.seek(self._head + number * self.file.row_bytes)
        self._stream.write(np.ascontiguousarray(row, self.file.dtype).tobytes())
        self._next = number + 1

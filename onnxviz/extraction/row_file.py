"""A `.npy` file of known size whose rows are written in place: what was written before a stop is there after it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from onnxviz.extraction.row_store import RowStore
from onnxviz.layout import Array

_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class RowFile(RowStore):
    """A `.npy` file."""

    def create(self, folder: Path) -> None:
        """Make the file with its head, and with room for all rows on the disk where the system can keep it."""
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
            return self.is_like(np.load(folder / self.name, mmap_mode="r"))
        except (OSError, ValueError):
            return False

    @contextmanager
    def opened(self, folder: Path) -> Iterator[_FileWriter]:
        """Yield what writes rows of the file in a folder."""
        with (folder / self.name).open("r+b", buffering=_BUFFER) as stream:
            yield _FileWriter(self, stream)


class _FileWriter:
    """Writes rows in place; those that follow each other are written together."""

    def __init__(self, file: RowFile, stream: BinaryIO) -> None:
        """Take what the file is like, and it open."""
        self._file = file
        self._stream = stream
        self._head = os.fstat(stream.fileno()).st_size - file.bytes
        self._next = -1

    def write(self, number: int, row: Array) -> None:
        if number != self._next:
            self._stream.seek(self._head + number * self._file.row_bytes)
        self._stream.write(np.ascontiguousarray(row, self._file.dtype).tobytes())
        self._next = number + 1

    def leave_out(self, number: int) -> None:
        self.write(number, np.full(self._file.row, np.nan, self._file.dtype))

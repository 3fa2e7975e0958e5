"""The blocks of a report while it is made: on disk, so that memory stays flat."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from pathlib import Path


class BlockStore(AbstractContextManager["BlockStore"]):
    """Blocks of bytes, numbered from 0, in a temporary file that is deleted when the store is closed."""

    def __init__(self, folder: Path) -> None:
        """Open the temporary file in `folder`: on the disk that needs room for the report anyway."""
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `__exit__`
        self._places: list[tuple[int, int]] = []
        self._end = 0

    def add(self, data: bytes) -> int:
        """Store a block and return its number."""
        self._file.seek(self._end)
        self._file.write(data)
        self._places.append((self._end, len(data)))
        self._end += len(data)
        return len(self._places) - 1

    def read(self, number: int) -> bytes:
        """Return the block with this number."""
        start, length = self._places[number]
        self._file.seek(start)
        return self._file.read(length)

    def size(self, number: int) -> int:
        """Return the bytes of the block with this number."""
        return self._places[number][1]

    def __exit__(self, *details: object) -> None:
        self._file.close()

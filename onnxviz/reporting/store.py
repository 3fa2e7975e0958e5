"""The blocks of a report while it is made: in a file without a name, so that memory stays flat."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from pathlib import Path


class BlockStore(AbstractContextManager["BlockStore"]):
    """Bytes that are put away and read again by their number."""

    def __init__(self, folder: Path) -> None:
        """Open a nameless file in a folder, on the disk that the report will need anyway; it goes when it is closed."""
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `__exit__`
        self._places: list[tuple[int, int]] = []
        self._end = 0

    def add(self, data: bytes) -> int:
        """Put bytes away and return their number."""
        self._file.seek(self._end)
        self._file.write(data)
        self._places.append((self._end, len(data)))
        self._end += len(data)
        return len(self._places) - 1

    def read(self, number: int) -> bytes:
        """Return the bytes that have this number."""
        start, length = self._places[number]
        self._file.seek(start)
        return self._file.read(length)

    def size(self, number: int) -> int:
        """Return how many bytes have this number."""
        return self._places[number][1]

    def __exit__(self, *details: object) -> None:
        self._file.close()

"""`RowStore`: an array of known sizes on disk, a row a picture, whichever format it is in."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Protocol

import numpy as np

from onnxviz.layout import Array


@dataclass(frozen=True, slots=True)
class RowStore:
    """An array of `(rows, *row)` in a file or folder.

    Attributes:
        name: the file's or folder's, in the folder of results.
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
        """Bytes of all rows, without what a format adds to describe them, and before it makes them smaller."""
        return self.rows * self.row_bytes

    def is_like(self, array: Array) -> bool:
        """Return whether an array that was found has the sizes and the dtype of this one."""
        return bool(array.shape == (self.rows, *self.row) and array.dtype == np.dtype(self.dtype))

    def create(self, folder: Path) -> None:
        """Make it in a folder, without rows.

        Raises:
            OSError: It cannot be written, or the disk has too little room.
        """
        raise NotImplementedError

    def is_in(self, folder: Path) -> bool:
        """Return whether it is in a folder, as `create` made it."""
        raise NotImplementedError

    def opened(self, folder: Path) -> AbstractContextManager[RowWriter]:
        """Return a context that yields what writes rows; all are on their way to the disk when it ends."""
        raise NotImplementedError


class RowWriter(Protocol):
    """Writes rows of a store; of several writers each has pictures of its own."""

    def write(self, number: int, row: Array) -> None:
        """Write the row of this number."""

    def leave_out(self, number: int) -> None:
        """Make the row of this number NaN."""

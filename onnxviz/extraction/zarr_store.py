"""Rows in a zarr (v3) array, compressed, in shards that no two writers share; it alone knows zarr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from onnxviz.errors import RunError
from onnxviz.extraction.row_store import RowStore
from onnxviz.layout import Array

SUFFIX = ".zarr"
_SHARD_BYTES, _CHUNK_BYTES = 8 << 20, 1 << 20
"""A shard of each layer is held in memory while it is filled: of 49 layers not more than 392 MiB."""
_LEVEL = 1
"""Of zstd: 0.6 of the size for ReLU maps; higher levels win little for their time."""


@dataclass(frozen=True, slots=True)
class ZarrRows(RowStore):
    """A folder that holds a zarr array; what is not written is NaN.

    Attributes:
        step: how many pictures that follow each other one writer has at least; shards do not reach beyond.
    """

    step: int = 1

    @property
    def shard(self) -> int:
        """Rows of a shard, which is a file, and of what a writer holds in memory."""
        return _most_rows(self.step, self.row_bytes, _SHARD_BYTES)

    def create(self, folder: Path) -> None:
        """Make the array without shards.

        Raises:
            RunError: zarr is not installed.
        """
        zarr, shard = _zarr(), self.shard
        zarr.create_array(
            store=folder / self.name,
            shape=(self.rows, *self.row),
            dtype=self.dtype,
            chunks=(_most_rows(shard, self.row_bytes, _CHUNK_BYTES), *self.row),
            shards=(shard, *self.row),
            compressors=zarr.codecs.ZstdCodec(level=_LEVEL),
            fill_value=np.nan,
            overwrite=True,
        )

    def is_in(self, folder: Path) -> bool:
        """Return whether the array is there, as `create` made it."""
        try:
            array = open_rows(folder / self.name)
        except (OSError, ValueError):
            return False
        return self.is_like(array) and array.shards == (self.shard, *self.row)

    @contextmanager
    def opened(self, folder: Path) -> Iterator[_ShardWriter]:
        """Yield what writes rows of the array in a folder."""
        writer = _ShardWriter(self, _zarr().open_array(folder / self.name, mode="r+"))
        yield writer
        writer.flush()


class _ShardWriter:
    """Holds rows until their shard is whole: part of one can only be written by writing all of it again."""

    def __init__(self, rows: ZarrRows, array: Any) -> None:
        """Take what the array is like, and it open."""
        self._rows, self._array = rows, array
        self._first, self._held = -1, np.empty(0)

    def write(self, number: int, row: Array) -> None:
        self._block(number)[number - self._first] = row

    def leave_out(self, number: int) -> None:
        self._block(number)[number - self._first] = np.nan

    def _block(self, number: int) -> Array:
        """Return the rows of the shard that a row is in."""
        size = self._rows.shard
        first = number // size * size
        if first != self._first:
            self.flush()
            count = min(size, self._rows.rows - first)
            self._first, self._held = first, self._array[first : first + count]
        return self._held

    def flush(self) -> None:
        """Write what is held."""
        if self._first >= 0:
            self._array[self._first : self._first + len(self._held)] = self._held


def open_rows(folder: Path) -> Any:
    """Return the zarr array in a folder, read only.

    Raises:
        RunError: zarr is not installed.
        OSError: There is none.
    """
    return _zarr().open_array(folder, mode="r")


def _most_rows(count: int, row_bytes: int, most: int) -> int:
    """Return the largest divisor of a count of rows that take no more bytes than `most`, and at least 1."""
    fitting = (rows for rows in range(count, 1, -1) if count % rows == 0 and rows * row_bytes <= most)
    return next(fitting, 1)


def _zarr() -> Any:
    try:
        import zarr
    except ImportError as error:
        raise RunError(
            f"the format zarr needs zarr, which cannot be imported ({error}); "
            "install it with: pip install 'onnxviz[zarr]'"
        ) from None
    return zarr

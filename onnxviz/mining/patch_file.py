"""`PatchFile`: the patches of all units in one file while they are cut, each written where its sheet will look for it.

Held in memory those of 21,008 units take 0.8 GB. Pictures are opened one by one, and each has won in many layers.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from onnxviz.files import check_space
from onnxviz.layout import Array
from onnxviz.mining.contact_sheets import SheetPlan

_NAME = "patches.part"


class PatchFile:
    """The patches of planned sheets, in a file of a folder; use it in a `with` block, which removes the file."""

    def __init__(self, folder: Path, plans: Sequence[Sequence[SheetPlan]], count: int, blank: tuple[int, int, int]):
        """Take the sheets of each layer, how many patches a unit has, and the colour of one that is missing.

        Raises:
            OutputError: The disk has no room for it.
        """
        self._plans, self._count, self._blank = plans, count, blank
        sizes = [[len(plan.units) * count * plan.size.patch**2 * 3 for plan in each] for each in plans]
        self._layers = np.concatenate([[0], np.cumsum([sum(each) for each in sizes], dtype=np.int64)])
        self._filled = [np.zeros((sum(len(plan.units) for plan in each), count), bool) for each in plans]
        self._path = folder / _NAME
        check_space(self._path, int(self._layers[-1]))
        self._file = self._path.open("w+b", buffering=0)

    def __enter__(self) -> PatchFile:
        return self

    def __exit__(self, *details: object) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)

    @property
    def missing(self) -> int:
        """How many patches were not put."""
        return sum(int((~filled).sum()) for filled in self._filled)

    def put(self, layer: int, places: Array, ranks: Array, tiles: npt.NDArray[np.uint8]) -> None:
        """Write the patches of some units of a layer, by their places among those that are shown, and their ranks."""
        size = tiles[0].nbytes if len(tiles) else 0
        for place, rank, tile in zip(places.tolist(), ranks.tolist(), tiles, strict=True):
            self._file.seek(int(self._layers[layer]) + (place * self._count + rank) * size)
            if self._file.write(np.ascontiguousarray(tile).data) != size:
                raise OSError(errno.ENOSPC, "the disk is full", str(self._path))
        self._filled[layer][places, ranks] = True

    def of(self, layer: int, sheet: int) -> npt.NDArray[np.uint8]:
        """Return the patches of a sheet of a layer, `(units, k, size, size, 3)`."""
        plans = self._plans[layer]
        first, plan = sum(len(each.units) for each in plans[:sheet]), plans[sheet]
        shape = len(plan.units), self._count, plan.size.patch, plan.size.patch, 3
        tile = plan.size.patch**2 * 3
        tiles = np.zeros(shape, np.uint8)
        self._file.seek(int(self._layers[layer]) + first * self._count * tile)
        self._file.readinto(tiles.reshape(-1).data)
        tiles[~self._filled[layer][first : first + len(plan.units)]] = self._blank
        return tiles

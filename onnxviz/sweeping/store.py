"""`ShardStore`: results of shards on disk, merged along the binary tree that their numbers fix.

Result `(level, place)` is that of `(level - 1, 2 * place)` merged with that of `(level - 1, 2 * place + 1)`, and level
0 are the shards. Sums of floats so come out the same in whatever order the shards come in. A result waits on disk for
its neighbour, so that memory stays flat, and what waits there is all that a stop leaves behind.

    shards  0   1   2   3   4
            |___|   |___|   |
              |_______|     |       a shard without a neighbour goes up as it is
                  |_________|
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from onnxviz.sweeping.npz_file import write_npz
from onnxviz.sweeping.shard_job import ShardJob, ShardResult

_FAILED = "failed.json"


class Knot(NamedTuple):
    """A place in the tree."""

    level: int
    place: int

    @property
    def shards(self) -> range:
        """The numbers of the shards below it, if there are so many."""
        return range(self.place << self.level, (self.place + 1) << self.level)

    @property
    def file(self) -> str:
        """Its file's name."""
        return f"state-{self.level:02}-{self.place:08}.npz"


class ShardStore:
    """The results of a sweep in a folder; one that is there from an earlier start is gone on with."""

    def __init__(self, folder: Path, job: ShardJob, count: int) -> None:
        """Take up what waits in the folder, of so many shards."""
        self._folder, self._job, self._count = folder, job, count
        self._waiting = set(_there(folder))
        # A stop between writing a merged result and removing its parts leaves both.
        for knot in [knot for knot in self._waiting if any(_covers(other, knot) for other in self._waiting)]:
            self._remove(knot)

    @property
    def done(self) -> frozenset[int]:
        """The numbers of the shards whose results are here."""
        return frozenset(number for knot in self._waiting for number in knot.shards if number < self._count)

    def add(self, number: int, result: ShardResult) -> None:
        """Take the result of a shard, merged with those of its neighbours that wait."""
        if number in self.done:
            return
        knot, used = Knot(0, number), []
        while self._width(knot.level) > 1:
            other = Knot(knot.level, knot.place ^ 1)
            if other.place < self._width(knot.level):
                if other not in self._waiting:
                    break
                first, second = (result, self._read(other)) if other.place % 2 else (self._read(other), result)
                result = self._job.merge(first, second)
                used.append(other)
            knot = Knot(knot.level + 1, knot.place >> 1)
        self._write(knot, result)
        for each in used:
            self._remove(each)

    def result(self) -> ShardResult:
        """Return what all shards together became."""
        (knot,) = self._waiting
        return self._read(knot)

    def clear(self) -> None:
        """Remove the files."""
        for knot in list(self._waiting):
            self._remove(knot)

    def _width(self, level: int) -> int:
        return -(-self._count >> level)

    def _read(self, knot: Knot) -> ShardResult:
        with np.load(self._folder / knot.file) as archive:
            arrays = {name: archive[name] for name in archive.files if name != _FAILED}
            failed = json.loads(archive[_FAILED].tobytes())
        return ShardResult(arrays, tuple((number, reason) for number, reason in failed))

    def _write(self, knot: Knot, result: ShardResult) -> None:
        part = self._folder / f"{knot.file}.part"
        failed = np.frombuffer(json.dumps(result.failed).encode(), np.uint8)
        write_npz(part, {**result.arrays, _FAILED: failed})
        os.replace(part, self._folder / knot.file)  # noqa: PTH105 - Windows' rename replaces nothing
        self._waiting.add(knot)

    def _remove(self, knot: Knot) -> None:
        self._waiting.discard(knot)
        (self._folder / knot.file).unlink(missing_ok=True)


def _there(folder: Path) -> Iterator[Knot]:
    for path in folder.glob("state-*.npz"):
        _, level, place = path.stem.split("-")
        yield Knot(int(level), int(place))


def _covers(upper: Knot, lower: Knot) -> bool:
    return upper.level > lower.level and lower.place >> (upper.level - lower.level) == upper.place

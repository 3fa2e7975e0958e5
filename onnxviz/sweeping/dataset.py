"""`Dataset`: the pictures of a data set in one fixed order, each with its class, as texts so that 10^6 fit in memory.

A folder stands for all pictures below it, and what lies in `photos/cat/` is of class `cat`. `@list.txt` names a file a
line, with its class behind a tab. An array file (`.npy`) holds a batch: its items are `batch.npy[0]` and so on.
"""

from __future__ import annotations

import csv
import glob
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from onnxviz.errors import InputError, UsageError
from onnxviz.feed.arrays import read_npy
from onnxviz.feed.load import PICTURE_SUFFIXES
from onnxviz.files import is_folder
from onnxviz.words import quoted

MOST_CLASSES = 100
"""Classes up to which their means are kept unless they are asked for: 8 bytes a class and channel in every result."""
SHARD = 256
"""Pictures of a shard, unless the channels are very many."""
_LISTINGS = ("view.json", "explain.json", "compare.json", "mine.json", "extract.json")
CLASS_SOURCES = ("auto", "folder", "none")


@dataclass(frozen=True, slots=True)
class Shard:
    """Some pictures that follow each other in a data set: all that a worker has to know of them.

    Attributes:
        number: which shard it is.
        first: the number of its first picture in the data set.
        sources: the pictures' texts.
        stamps: size and time of change in nanoseconds of each one's file, -1 where there was no file.
        classes: the number of each one's class, -1 for none.
    """

    number: int
    first: int
    sources: tuple[str, ...]
    stamps: tuple[tuple[int, int], ...]
    classes: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Pictures in the order of their paths, items of an array in their own.

    Attributes:
        sources: a path each, of an item of an array `path.npy[3]`.
        classes: the names of the classes, sorted; empty where there are none.
        class_of: the number of each picture's class, -1 for none, `(N,) int32`.
        stamps: size and time of change of each file, `(N, 2) int64`.
    """

    sources: Sequence[str]
    classes: tuple[str, ...]
    class_of: npt.NDArray[np.int32]
    stamps: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def fingerprint(self) -> str:
        """The hash of all paths, sizes, times and classes."""
        found = hashlib.sha256("\n".join(self.sources).encode("utf-8", "surrogateescape"))
        found.update(self.stamps.tobytes())
        found.update(self.class_of.tobytes())
        found.update("\n".join(self.classes).encode("utf-8", "surrogateescape"))
        return found.hexdigest()

    def shards(self, size: int, skip: Iterable[int] = ()) -> Iterator[Shard]:
        """Yield the shards of so many pictures, without those whose numbers are to be skipped."""
        done = frozenset(skip)
        for number in range(shard_count(len(self), size)):
            if number not in done:
                part = slice(number * size, (number + 1) * size)
                stamps = tuple((int(bytes), int(time)) for bytes, time in self.stamps[part])
                classes = tuple(self.class_of[part].tolist())
                yield Shard(number, number * size, tuple(self.sources[part]), stamps, classes)

    def without_classes(self) -> Dataset:
        """Return the same pictures without classes."""
        return Dataset(self.sources, (), np.full(len(self), -1, np.int32), self.stamps)


def shard_count(pictures: int, size: int) -> int:
    """Return how many shards of a size there are."""
    return -(-pictures // size)


def find_dataset(texts: Sequence[str], classes: str = "auto", every: int = 1) -> Dataset:
    """Find the pictures that texts name: files, folders with all below them, globs, `@list.txt` and `.npy` batches.

    Args:
        texts: what was asked for.
        classes: `auto` takes the classes of lists and folders if there are at most MOST_CLASSES, `folder` however many,
            `none` no classes; a path is a table of path and class.
        every: take every so many-th picture.

    Raises:
        InputError: There is no picture, or a list cannot be read.
    """
    if every < 1:
        raise UsageError(f"every must be at least 1, not {every}")
    found: dict[str, str] = {}
    for text in texts:
        for source, name in _found(text):
            found.setdefault(source, name)
    if not found:
        raise InputError(f"{', '.join(texts) or 'the data set'} holds no pictures (and no .npy batches)")
    sources = sorted(found, key=_order)[::every]
    if classes == "none":
        names: Mapping[str, str] = {}
    elif classes in CLASS_SOURCES:
        names = found
    else:
        names = _table_of_classes(Path(classes), sources)
    return _dataset(sources, names, classes)


def _dataset(sources: list[str], names: Mapping[str, str], asked: str) -> Dataset:
    labels = tuple(sorted({names.get(source, "") for source in sources} - {""}))
    if len(labels) < 2 or (asked == "auto" and len(labels) > MOST_CLASSES):
        labels = ()
    number = {label: place for place, label in enumerate(labels)}
    class_of = np.fromiter((number.get(names.get(source, ""), -1) for source in sources), np.int32, len(sources))
    stamps = np.array([stamp_of(source) for source in sources], np.int64).reshape(-1, 2)
    return Dataset(sources, labels, class_of, stamps)


def stamp_of(source: str) -> tuple[int, int]:
    """Return size and time of change of a picture's file; -1 where there is no file."""
    try:
        found = os.stat(file_of(source)[0])  # noqa: PTH116 - a Path for each of 10^6 texts takes seconds
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


def file_of(source: str) -> tuple[str, int | None]:
    """Return the file of a picture's text, and which item of an array in it the picture is.

    >>> file_of("batch.npy[12]"), file_of("cat[1].jpg")
    (('batch.npy', 12), ('cat[1].jpg', None))
    """
    path, mark, rest = source.rpartition(".npy[")
    if mark and rest.endswith("]") and rest[:-1].isdecimal():
        return f"{path}.npy", int(rest[:-1])
    return source, None


def _order(source: str) -> tuple[str, int]:
    """Return what pictures are sorted by: their paths, and the items of an array by their numbers."""
    path, item = file_of(source)
    return path, -1 if item is None else item


def _found(text: str) -> Iterator[tuple[str, str]]:
    """Yield the pictures that a text names, each with its class or an empty text."""
    if text.startswith("@"):
        yield from _listed(Path(text[1:]))
    elif is_folder(text):
        root = text.rstrip("/\\") or text
        for path in _below(root):
            yield from _items(path, _class_below(root, path))
    elif glob.has_magic(text) and not os.path.lexists(text):
        for path in glob.glob(text, recursive=True):  # noqa: PTH207 - Path.glob takes no absolute pattern
            if _is_fed(path):
                yield from _items(path, Path(path).parent.name)
    elif not os.path.lexists(text):
        raise InputError(f"{text}: there is no such file or folder")
    else:
        yield from _items(text, "")


def _below(folder: str) -> Iterator[str]:
    """Yield the pictures and arrays below a folder; what is hidden, and what onnxviz made, is passed by."""
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{folder} cannot be read: {error.strerror}") from None
    for entry in listed:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if not _is_made(entry.path):
                yield from _below(entry.path)
        elif _is_fed(entry.path):
            yield entry.path


def _is_made(folder: str) -> bool:
    """Return whether a folder holds the listing of a command: its pictures are drawn, and no part of a data set."""
    for name in _LISTINGS:
        with suppress(OSError), open(os.path.join(folder, name), "rb") as listing:  # noqa: PTH118, PTH123 - as above
            if b'"onnxviz.' in listing.read(100):
                return True
    return False


def _is_fed(path: str) -> bool:
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 - as above
    return suffix in PICTURE_SUFFIXES or suffix == ".npy"


def _class_below(root: str, path: str) -> str:
    return os.path.dirname(path)[len(root) :].strip("/\\")  # noqa: PTH120 - as above


def _items(path: str, name: str) -> Iterator[tuple[str, str]]:
    if not path.lower().endswith(".npy"):
        yield path, name
        return
    array = read_npy(Path(path), path)
    if array.ndim < 2:
        raise InputError(f"{path} is not a batch: its shape is {array.shape}")
    for place in range(array.shape[0]):
        yield f"{path}[{place}]", name


def _listed(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what a list names: a path a line, seen from the list's folder, and behind a tab its class."""
    for line in _lines(path):
        if line.strip():
            name, _, label = line.rstrip("\r\n").partition("\t")
            file = name if os.path.isabs(name) else os.path.join(path.parent, name)  # noqa: PTH117, PTH118
            yield from _items(file, label)


def _table_of_classes(path: Path, sources: Sequence[str]) -> Mapping[str, str]:
    """Return the class of each picture by a table of two columns, path (or name of the file) and class."""
    rows = [row for row in csv.reader(_lines(path)) if len(row) >= 2]
    table = {row[0]: row[1] for row in rows}
    names = {source: next((table[key] for key in _keys(source, path) if key in table), "") for source in sources}
    if not any(names.values()):
        raise InputError(f"{quoted(str(path))} has a class for none of the {len(sources):,} pictures")
    return names


def _keys(source: str, table: Path) -> tuple[str, str, str]:
    return source, os.path.relpath(source, table.parent), os.path.basename(source)  # noqa: PTH119


def _lines(path: Path) -> Sequence[str]:
    try:
        return path.read_text(encoding="utf-8-sig", errors="surrogateescape").splitlines()
    except OSError as error:
        raise InputError(f"the list {path} cannot be read: {error.strerror}") from None

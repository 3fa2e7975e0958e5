"""Converted models, kept for the next time: each under a digest of its source and of what converted it.

A source is converted once, however often it is opened. When all models take more than `LIMIT` bytes, those used longest
ago go; `clear` removes all.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from onnxviz.conversion.convert import convert, default_stem
from onnxviz.conversion.convert_options import Converted, ConvertOptions
from onnxviz.conversion.source import ConversionSource, find_source
from onnxviz.errors import ModelError, OutputError
from onnxviz.files import safe_name
from onnxviz.version import __version__

LIMIT = 4 << 30
FOLDER = "ONNXVIZ_CACHE"
_FORMAT = "2"
# The folder that ONNXVIZ_CACHE names may hold other things: only folders with our names are ever removed.
_PREFIX = "onnxviz-"
_OURS = re.compile(rf"{_PREFIX}[0-9a-f]{{32}}")
_GRACE = 24 * 3600  # seconds
_VERSIONS = """
import importlib.metadata
for name in ("tensorflow", "tensorflow-cpu", "tf2onnx", "tf_keras", "keras"):
    try:
        print(name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        pass
"""


@dataclass(frozen=True, slots=True)
class Cached:
    """A converted model in the cache; `converted` describes the conversion, None if that was done earlier."""

    path: Path
    source: ConversionSource
    converted: Converted | None


def cached(
    source: Path, options: ConvertOptions | None = None, *, stage: Callable[[str], None] = lambda name: None
) -> Cached:
    """Return the ONNX model of a source, converted now if it is not in the cache.

    Raises:
        OnnxvizError: As `convert` does.
    """
    options = options or ConvertOptions()
    found = find_source(source)
    stage("looking into the cache")
    place = cache_folder() / f"{_PREFIX}{digest(found, options)}" / f"{safe_name(default_stem(source))}.onnx"
    if place.is_file():
        with suppress(OSError):
            os.utime(place)
        return Cached(place, found, None)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the cache {place.parent} cannot be made: {error.strerror}; {FOLDER} names another"
        ) from None
    try:
        converted = convert(source, place, replace(options, force=True), stage=stage)
    except BaseException:
        with suppress(OSError):
            place.parent.rmdir()
        raise
    trim(LIMIT, spare=place)
    return Cached(place, found, converted)


def cache_folder() -> Path:
    """Return the folder of converted models: what ONNXVIZ_CACHE names, else the system's usual place for caches."""
    if named := os.environ.get(FOLDER):
        return Path(named)
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "onnxviz" / "converted"


def clear() -> tuple[int, int]:
    """Remove all converted models from the cache and return how many there were and their bytes."""
    entries = list(_entries())
    freed = sum(size for _, size, _ in entries)
    for folder, _, _ in entries:
        shutil.rmtree(folder, ignore_errors=True)
    return len(entries), freed


def trim(limit: int, spare: Path) -> None:
    """Remove the models used longest ago until the rest takes `limit` bytes, but never the model at `spare`."""
    entries = sorted(_entries(), key=lambda entry: entry[2])
    total = sum(size for _, size, _ in entries)
    for folder, size, _ in entries:
        if total <= limit:
            return
        if folder != spare.parent:
            shutil.rmtree(folder, ignore_errors=True)
            total -= size


def digest(source: ConversionSource, options: ConvertOptions) -> str:
    """Return the name of a conversion: a digest of the source's bytes, the options and the versions that convert.

    Raises:
        ModelError: A file of the source cannot be read.
    """
    total = hashlib.blake2b(digest_size=16)
    asked = replace(options, force=False, python=None)
    for text in (_FORMAT, __version__, repr(asked), source.kind, _versions(options.python)):
        total.update(f"{text}\0".encode())
    base = source.path if source.path.is_dir() else source.path.parent
    try:
        for path in source.files:
            name = path.relative_to(base).as_posix()
            total.update(f"{name}\0{path.stat().st_size}\0".encode("utf-8", "surrogatepass"))
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    total.update(block)
    except OSError as error:
        raise ModelError(f"'{error.filename or source.path}' cannot be read: {error.strerror or error}") from None
    return total.hexdigest()


def _versions(python: Path | None) -> str:
    """Return an interpreter's versions of the libraries that convert, an empty text if it does not start."""
    with suppress(OSError, subprocess.SubprocessError):
        command = [str(python or sys.executable), "-c", _VERSIONS]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    return ""


def _entries() -> Iterator[tuple[Path, int, float]]:
    """Give each folder that is ours and that no process writes to, with its bytes and the time of its last use."""
    with suppress(OSError):
        for folder in cache_folder().iterdir():
            with suppress(OSError):  # another process may remove what it has just made
                if _OURS.fullmatch(folder.name) and folder.is_dir() and not _is_busy(folder):
                    stats = [path.stat() for path in folder.iterdir()]
                    yield folder, sum(stat.st_size for stat in stats), max((stat.st_mtime for stat in stats), default=0)


def _is_busy(folder: Path) -> bool:
    """Return whether another process may still be writing here: there is no model yet and the folder is recent."""
    return not any(folder.glob("*.onnx")) and time.time() - folder.stat().st_mtime < _GRACE

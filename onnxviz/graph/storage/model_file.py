"""A model on disk: its skeleton, which is all of it but the weights, and where each weight lies.

Inference, checker and session all take the skeleton (see skeleton.py); the session also needs the folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from onnxviz.errors import ModelError, NotAModelError
from onnxviz.files import check_apart
from onnxviz.graph.storage.other_formats import what_it_is
from onnxviz.graph.storage.skeleton import External, make_skeleton
from onnxviz.graph.storage.wire import Reader, open_reader


@dataclass(frozen=True, slots=True)
class Part:
    """A file that a model lies in, as it was when the model was opened."""

    path: Path
    size: int
    modified: int


@dataclass(frozen=True, slots=True)
class ModelFile:
    """An ONNX file that was opened: its skeleton, and the folder to which the skeleton's locations are relative.

    `size` is in bytes, `modified` in ns. `parts` are the real files that hold the weights, the model's own first.
    `missing` says which of them is absent or too short, or is empty: such a model can be listed, not run.
    `made_from` is what a converted model was made from, as it was named, then the files in it.
    """

    path: Path
    folder: Path
    skeleton: bytes = field(repr=False)
    size: int
    modified: int
    parts: tuple[Part, ...] = ()
    missing: str = ""
    made_from: tuple[Path, ...] = ()

    @property
    def origin(self) -> Path:
        """What was named to open the model: its file, or the source that it was converted from."""
        return self.made_from[0] if self.made_from else self.path

    @property
    def needed(self) -> tuple[Path, ...]:
        """What must not be written over: the model's files, and its source with all files in that."""
        return (self.path, *(part.path for part in self.parts), *self.made_from)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> ModelFile:
        """Read a model, without its weights.

        Raises:
            NotAModelError: The file is something else; the text says what.
            ModelError: The file is absent, damaged or truncated, or its weights lie where they must not.
        """
        path = Path(path)
        with open_reader(path) as reader:
            try:
                return _open(path, reader)
            except (ModelError, OSError) as error:
                what = what_it_is(path, reader)
                if what:
                    raise NotAModelError(f"'{path}' is not an ONNX model: {what}") from None
                kind = type(error) if isinstance(error, ModelError) else ModelError
                raise kind(f"'{path}': {error}") from None

    def check_apart(self, path: Path, *more: Path) -> None:
        """Refuse a file to write that the model needs, such as one that holds its weights, or that is one of `more`.

        Raises:
            OutputError: It is one of them.
        """
        check_apart(path, (*self.needed, *more))

    def check_unchanged(self) -> None:
        """Raise ModelError if a file that the model lies in differs from when it was opened."""
        for part in self.parts:
            try:
                status = part.path.stat()
            except OSError as error:
                raise ModelError(f"'{part.path}' cannot be read any more: {error.strerror}") from None
            if (status.st_size, status.st_mtime_ns) != (part.size, part.modified):
                raise ModelError(f"'{part.path}' has changed since the model was opened; open it again")

    def check_complete(self) -> None:
        """Raise ModelError if weights are missing, so that the model cannot be run or written."""
        if self.missing:
            raise ModelError(f"'{self.path}': {self.missing}")


def _open(path: Path, reader: Reader) -> ModelFile:
    real = _real(path)
    own = Part(real, reader.size, reader.modified)
    skeleton = make_skeleton(reader, _location(real, real.parent), {})
    if not skeleton.external:
        return ModelFile(path, real.parent, skeleton.content, reader.size, reader.modified, (own,))
    outside = {entry.location: _resolve(entry.location, path, real) for entry in skeleton.external}
    found = {location: target for location, target in outside.items() if target.is_file()}
    folder = _common_folder([real, *found.values()])
    renamed = {location: _location(target, folder) for location, target in found.items()}
    if folder != real.parent or any(old != new for old, new in renamed.items()):
        skeleton = make_skeleton(reader, _location(real, folder), renamed)
    parts = {target: Part(target, target.stat().st_size, target.stat().st_mtime_ns) for target in found.values()}
    missing = next(filter(None, (_lack(entry, outside, parts) for entry in skeleton.external)), "")
    return ModelFile(path, folder, skeleton.content, reader.size, reader.modified, (own, *parts.values()), missing)


def _common_folder(files: Sequence[Path]) -> Path:
    try:
        return Path(os.path.commonpath([file.parent for file in files]))
    except ValueError:
        raise ModelError("its external data lie on another drive, which onnxruntime cannot read them from") from None


def _location(target: Path, folder: Path) -> str:
    location = target.relative_to(folder).as_posix()
    try:
        location.encode()
    except UnicodeEncodeError:
        raise ModelError(f"its name {location!r} is not valid UTF-8 text, as ONNX needs it; rename the file") from None
    return location


def _resolve(location: str, path: Path, real: Path) -> Path:
    """Return the real file of a location, which must lie in the model's folder as given or as resolved.

    In the cache of Hugging Face both the model and its data are links into one folder `blobs`.
    """
    target = _real(path.parent / location)
    if not target.exists():
        target = _real(real.parent / location)
    if not any(target.is_relative_to(folder) for folder in (_real(path.parent), real.parent)):
        raise ModelError(
            f"its external data {location!r} lead outside the model's folder, to '{target}'; such a model is not opened"
        )
    return target


def _real(path: Path) -> Path:
    # Path.resolve raises RuntimeError for a circle of links, in some versions only.
    return Path(os.path.realpath(path))


def _lack(entry: External, outside: Mapping[str, Path], parts: Mapping[Path, Part]) -> str:
    part = parts.get(outside[entry.location])
    if part is None:
        return f"its weights are in {entry.location!r}, which is missing beside it"
    end = entry.offset + entry.length
    if end > part.size:
        return f"its weights need {end} bytes of {entry.location!r}, which has {part.size}: it is truncated"
    return ""

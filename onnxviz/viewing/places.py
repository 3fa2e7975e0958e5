"""Where one call of `view` writes, and the refusal to write over what it needs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxviz.errors import OutputError
from onnxviz.files import safe_name
from onnxviz.model import Model
from onnxviz.viewing.options import ViewOptions

REPORT = "report.html"
"""The report's name among the pictures."""


@dataclass(frozen=True, slots=True)
class Places:
    """The folder of pictures, and the files beside it: None for arrays not asked for, and for a page in the folder."""

    folder: Path
    raw: Path | None
    page: Path | None


def find_places(model: Model, inputs: Any, directory: str | os.PathLike[str] | None, options: ViewOptions) -> Places:
    """Return where to write.

    Raises:
        OutputError: A place is, or holds, the model, an input or another file that is needed, or lies in the folder.
    """
    folder = Path(directory) if directory is not None else default_directory(model, inputs)
    needed = [*model.file.needed, *_paths(inputs), *_named(options)]
    model.file.check_apart(folder)
    _refuse_to_replace(folder, needed)
    page = _own_place(options.html, folder)
    for option, path in (("--raw", options.raw), ("--html", page)):
        if path is not None:
            model.file.check_apart(path)
            _refuse_to_replace(path, needed)
            if folder.resolve() in path.resolve().parents:
                raise OutputError(f"{path} lies in {folder}, which is replaced whole: give {option} another place")
    return Places(folder, options.raw, page)


def default_directory(model: Model, inputs: Any) -> Path:
    """Return where pictures go when nothing is said: `MODEL-INPUT-maps` in the current folder."""
    listed = inputs if isinstance(inputs, list | tuple) else [inputs]
    texts = [os.fspath(text) for text in listed if isinstance(text, str | os.PathLike)]
    stem = Path(texts[0].partition("=")[2] or texts[0]).stem if texts else "array" if len(listed) else "random"
    more = f"-and-{len(texts) - 1}-more" if len(texts) > 1 else ""
    return Path(f"{safe_name(model.file.origin.stem)}-{safe_name(stem)}{more}-maps")


def _own_place(html: bool | Path, folder: Path) -> Path | None:
    """Return where the report goes if that is not its usual place among the pictures."""
    if isinstance(html, bool) or Path(html).resolve() == (folder / REPORT).resolve():
        return None
    return Path(html)


def _named(options: ViewOptions) -> list[Path]:
    """Return the files that the options read."""
    labels = [options.labels] if isinstance(options.labels, Path) else []
    return [*labels, *([Path(options.style.font)] if options.style.font is not None else [])]


def _paths(inputs: Any) -> list[Path]:
    """Return the files and folders among the inputs; of `NAME=FILE` the file."""
    if isinstance(inputs, Mapping):
        inputs = list(inputs.values())
    listed = inputs if isinstance(inputs, list | tuple) else [inputs]
    texts = [os.fspath(text) for text in listed if isinstance(text, str | os.PathLike)]
    return [Path(part) for text in texts for part in (text, text.partition("=")[2]) if part]


def _refuse_to_replace(target: Path, needed: Sequence[Path]) -> None:
    """Refuse to write what is, or holds, the model or an input: it is replaced whole, and they would go with it."""
    for path in needed:
        # Not only what exists: a glob such as pictures/*.jpg is no file, and means those in the folder.
        if path.resolve() == target.resolve() or target.resolve() in path.resolve().parents:
            raise OutputError(f"{target} is or holds {path}, which is needed: write to another place")

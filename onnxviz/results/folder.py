"""Where a command writes its results, and the refusal to write over what it needs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from onnxviz.errors import OutputError
from onnxviz.files import safe_name
from onnxviz.model import Model
from onnxviz.results.record import LISTING

REPORT = "report.html"
"""The report's name among the pictures."""

LEFT_BY_SYSTEMS = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
"""What macOS and Windows leave in a folder that somebody looked into: files of nobody's."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of the results, and the files of arrays and of the page; None for those that are not wanted."""

    path: Path
    arrays: Path | None = None
    page: Path | None = None

    @property
    def report(self) -> str:
        """The page as seen from the folder; empty if there is none."""
        if self.page is None:
            return ""
        return REPORT if self._has(self.page) else str(self.page.resolve())

    def check(self, model: Model, needed: Sequence[Path]) -> None:
        """Refuse a place that is, or holds, the model or a needed file, and a file that lies in the folder.

        Raises:
            OutputError: There is such a place.
        """
        beside = {"--raw": self.arrays, "--html": None if self.page is None or self._has(self.page) else self.page}
        for option, path in {"": self.path, **beside}.items():
            if path is not None:
                model.file.check_apart(path)
                refuse_to_replace(path, [*model.file.needed, *needed])
                if option and self.path.resolve() in path.resolve().parents:
                    raise OutputError(
                        f"{path} lies in {self.path}, which is replaced whole: give {option} another place"
                    )

    def _has(self, page: Path) -> bool:
        return page.resolve() == (self.path / REPORT).resolve()


def default_directory(model: Model, inputs: Any) -> Path:
    """Return where results go when nothing is said: `MODEL-INPUT-maps` in the current folder."""
    listed = inputs if isinstance(inputs, list | tuple) else [inputs]
    texts = [os.fspath(text) for text in listed if isinstance(text, str | os.PathLike)]
    stem = Path(texts[0].partition("=")[2] or texts[0]).stem if texts else "array" if len(listed) else "random"
    more = f"-and-{len(texts) - 1}-more" if len(texts) > 1 else ""
    return Path(f"{safe_name(model.file.origin.stem)}-{safe_name(stem)}{more}-maps")


def paths_of(inputs: Any) -> Iterator[Path]:
    """Yield the files and folders among the inputs of a command; of `NAME=FILE` the file."""
    if isinstance(inputs, str | os.PathLike):
        text = os.fspath(inputs)
        yield from (Path(part) for part in (text, text.partition("=")[2]) if part)
    elif isinstance(inputs, Mapping | list | tuple):
        for entry in inputs.values() if isinstance(inputs, Mapping) else inputs:
            yield from paths_of(entry)


def is_ours(folder: Path) -> bool:
    """Return whether a folder holds what its view.json lists, and no file of anybody else's."""
    listing = folder / LISTING
    try:
        found = listing.stat()
        made = _listed(listing, found.st_mtime_ns, found.st_size)
        return all(path in made or path.name in LEFT_BY_SYSTEMS for path in folder.rglob("*"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def holds_only(folder: Path, listing: str, schema: str) -> bool:
    """Return whether a folder holds the listing of a schema, the files that its key `files` names, and no other."""
    try:
        document = json.loads((folder / listing).read_text(encoding="utf-8"))
        made = {listing, *document["files"]}
        ours = document["schema"].startswith(schema)
        files = [path for path in folder.rglob("*") if path.is_file() and path.name not in LEFT_BY_SYSTEMS]
        return ours and all(path.relative_to(folder).as_posix() in made for path in files)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


@lru_cache(1)
def _listed(listing: Path, changed: int, size: int) -> frozenset[Path]:
    """Return the paths that a view.json lists; kept, as they are asked for before and after the work (0.05 s each)."""
    document, folder = json.loads(listing.read_text(encoding="utf-8")), listing.parent
    if not document["schema"].startswith("onnxviz.view/"):
        raise ValueError("another schema")
    made = {listing, folder / (document.get("report") or LISTING)}
    for run in document["runs"]:
        place = folder / run["directory"]
        made |= {place, *(place / name for name in (run["overview"], run.get("film")) if name)}
        made |= {place / picture for layer in run["layers"] for picture in layer["pictures"]}
    return frozenset(made)


def refuse_to_replace(target: Path, needed: Sequence[Path]) -> None:
    """Refuse to write what is, or holds, the model or an input: it is replaced whole, and they would go with it."""
    for path in needed:
        # Not only what exists: a glob such as pictures/*.jpg is not a file, and means those in the folder.
        if path.resolve() == target.resolve() or target.resolve() in path.resolve().parents:
            raise OutputError(f"{target} is or holds {path}, which is needed: write to another place")

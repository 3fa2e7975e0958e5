"""What `compare` leaves in a folder: `compare.json` and the sheet `compare.png`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxviz.errors import OutputError
from onnxviz.files import making_folder
from onnxviz.results.folder import LEFT_BY_SYSTEMS
from onnxviz.version import __version__

if TYPE_CHECKING:
    from onnxviz.comparing.comparison_result import Comparison

SCHEMA = "onnxviz.compare/1"
LISTING, SHEET = "compare.json", "compare.png"


def document(comparison: Comparison, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return `compare.json` as a dictionary; `more` are members that the command adds."""
    return {"schema": SCHEMA, "onnxviz": __version__, **comparison.as_json(), **more}


def save(
    comparison: Comparison, path: Path, more: Mapping[str, Any], *, theme: str, force: bool, needed: Sequence[Path]
) -> None:
    """Write the folder, which appears whole or not at all.

    Raises:
        OutputError: It is there and onnxviz compare did not make it, holds what is needed, or cannot be written.
    """
    for file in needed:
        if path.resolve() in (file.resolve(), *file.resolve().parents):
            raise OutputError(f"{path} is or holds {file}, which is needed: write to another place")
    with making_folder(path, force=force, ours=_is_ours) as folder:
        text = json.dumps(document(comparison, more), ensure_ascii=False, allow_nan=False, indent=1)
        (folder / LISTING).write_bytes(text.encode("utf-8", "backslashreplace"))
        comparison.sheet(theme).save(folder / SHEET, optimize=True)


def _is_ours(folder: Path) -> bool:
    """Return whether a folder holds what `save` writes and nothing else."""
    try:
        names = {path.name for path in folder.iterdir()} - LEFT_BY_SYSTEMS
        schema = json.loads((folder / LISTING).read_text(encoding="utf-8"))["schema"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return names <= {LISTING, SHEET} and str(schema).startswith("onnxviz.compare/")

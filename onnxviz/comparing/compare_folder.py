"""What `compare` leaves in a folder: `compare.json`, the sheet `compare.png` and the page `index.html`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxviz.comparing.comparison_page import write_page
from onnxviz.files import making_folder
from onnxviz.results.folder import holds_only, refuse_to_replace
from onnxviz.version import __version__

if TYPE_CHECKING:
    from onnxviz.comparing.comparison_result import Comparison

SCHEMA = "onnxviz.compare/"
LISTING, SHEET, PAGE = "compare.json", "compare.png", "index.html"


def document(comparison: Comparison, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return `compare.json` as a dictionary; `more` are members that the command adds."""
    return {"schema": f"{SCHEMA}1", "onnxviz": __version__, **comparison.as_json(), **more}


def save(
    comparison: Comparison, path: Path, more: Mapping[str, Any], *, theme: str, force: bool, needed: Sequence[Path]
) -> None:
    """Write the folder, which appears whole or not at all.

    Raises:
        OutputError: It is there and onnxviz compare did not make it, holds what is needed, or cannot be written.
    """
    refuse_to_replace(path, needed)
    with making_folder(path, force=force, ours=lambda folder: holds_only(folder, LISTING, SCHEMA)) as folder:
        text = json.dumps(
            {**document(comparison, more), "files": [SHEET, PAGE]}, ensure_ascii=False, allow_nan=False, indent=1
        )
        (folder / LISTING).write_bytes(text.encode("utf-8", "backslashreplace"))
        comparison.sheet(theme).save(folder / SHEET, optimize=True)
        write_page(comparison, folder / PAGE)

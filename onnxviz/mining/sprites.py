"""Where the patches of units lie on their contact sheets, for a browser, which cuts them out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from onnxviz.mining.mined import MinedUnits


def sheets_of(units: MinedUnits, folder: str = "") -> dict[str, Any]:
    """Return the addresses and sizes of a layer's sheets, the pixels of a patch, and how many stand in a row.

    `folder` is the address of the folder that holds `sheets/`, empty for the page's own.
    """
    sheets = units.facts["sheets"]
    return {
        "patch": sheets[0]["patch"] if sheets else 0,
        "side": int(np.ceil(np.sqrt(len(units.state.value)))),
        "sheets": [
            {"file": folder + quoted_path(sheet["file"]), "height": sheet["pixels"][0], "width": sheet["pixels"][1]}
            for sheet in sheets
        ],
    }


def spots_of(units: MinedUnits) -> Sequence[Sequence[int]]:
    """Return the sheet of each unit, and the row and the column of pixels where its patches begin; -1 for none."""
    spots = [[-1, 0, 0]] * len(units)
    for number, sheet in enumerate(units.facts["sheets"]):
        for unit, corner in zip(sheet["units"], sheet["corners"], strict=True):
            spots[unit] = [number, *corner]
    return spots


def address_of(folder: Path, page: Path) -> str:
    """Return the address of a folder as a page has it: relative, so that both can move together.

    On another drive than the page's it is absolute.
    """
    target, start = folder.resolve(), page.resolve().parent
    try:
        return f"{quoted_path(Path(os.path.relpath(target, start)).as_posix())}/"
    except ValueError:
        return f"{target.as_uri()}/"


def quoted_path(path: str) -> str:
    """Return a relative path as an address: no part of it is read as a scheme, a query or a place in a page."""
    return quote(os.fsencode(path))

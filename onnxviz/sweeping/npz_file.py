"""Writes arrays as a `.npz` file, of which nothing is left to be closed where the disk is full."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write arrays by name, packed in memory first: numpy itself closes its archive late, with a second error.

    Raises:
        OSError: It cannot be written.
    """
    members: dict[str, Any] = dict(arrays)
    packed = io.BytesIO()
    np.savez(packed, **members)
    path.write_bytes(packed.getbuffer())

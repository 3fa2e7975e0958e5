"""Files of the documentation that scripts make: written anew, or with `--check` compared with what is there."""

from __future__ import annotations

import sys
from pathlib import Path


def keep(path: Path, made: str) -> None:
    """Write what was made where it differs from the file; with `--check` say so and end with 1 instead."""
    if path.exists() and path.read_text("utf-8") == made:
        return
    if "--check" in sys.argv:
        raise SystemExit(f"{path.name} is not up to date: make reference")
    path.write_text(made, "utf-8")

"""The report that the child keeps for its parent: the stage it is in, and in the end what it did or why it failed."""

from __future__ import annotations

import json
import time
from typing import Any


class Refusal(Exception):  # noqa: N818 (it is an answer to the user, not a fault of the program)
    """A reason not to convert that the user is told as it stands; `kind` says which error the parent raises."""

    def __init__(self, text: str, kind: str = "model") -> None:
        """Keep the sentence and the kind: `model`, `unsupported`, `missing` or `usage`."""
        super().__init__(text)
        self.kind = kind


class Report:
    """Facts about one conversion: a line of JSON is appended at each stage, with all that is known by then.

    Appended and never replaced: on Windows a file that the parent is reading cannot be. A line without its end is not
    read yet.
    """

    def __init__(self, path: str) -> None:
        """Begin a report that is kept at `path`."""
        self._path = path
        self.facts: dict[str, Any] = {"stage": ""}

    def stage(self, name: str) -> None:
        """Begin a stage."""
        self.facts["stage"] = name
        self._write()

    def finish(self, **facts: Any) -> None:
        """Add the last facts and what the work cost."""
        self.facts.update(facts, cpu_seconds=round(time.process_time(), 2), peak_bytes=peak_bytes())
        self._write()

    def _write(self) -> None:
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(self.facts) + "\n")


def peak_bytes() -> int | None:
    """Return the most memory that this process had; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

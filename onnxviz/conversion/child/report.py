"""The report that the child keeps for its parent: the stage it is in, and in the end what it did or why it failed."""

from __future__ import annotations

import json
import os
import time
from typing import Any


class Refusal(Exception):  # noqa: N818 (it is an answer to the user, not a fault of the program)
    """A reason not to convert that the user is told as it stands; `kind` says which error the parent raises."""

    def __init__(self, text: str, kind: str = "model") -> None:
        """Keep the sentence and the kind: `model`, `unsupported`, `missing` or `usage`."""
        super().__init__(text)
        self.kind = kind


class Report:
    """Facts about one conversion, written whole to a file at each stage so that the parent can read it at any time."""

    def __init__(self, path: str) -> None:
        """Begin a report that is kept at `path`."""
        self._path = path
        self._started = time.monotonic()
        self.facts: dict[str, Any] = {"stage": "", "stages": []}

    def stage(self, name: str) -> None:
        """Begin a stage; the one before ends here."""
        self._end_stage()
        self.facts["stage"] = name
        self.facts["stages"].append({"name": name, "seconds": None})
        self._started = time.monotonic()
        self.write()

    def finish(self, **facts: Any) -> None:
        """Add the last facts and what the work cost."""
        self._end_stage()
        self.facts.update(facts)
        self.facts["cpu_seconds"] = round(time.process_time(), 2)
        self.facts["peak_bytes"] = peak_bytes()
        self.write()

    def write(self) -> None:
        """Write the report; its reader sees the old one or the new one, never half of one."""
        part = self._path + ".part"
        with open(part, "w", encoding="utf-8") as file:
            json.dump(self.facts, file)
        os.replace(part, self._path)

    def _end_stage(self) -> None:
        if self.facts["stages"] and self.facts["stages"][-1]["seconds"] is None:
            self.facts["stages"][-1]["seconds"] = round(time.monotonic() - self._started, 2)


def peak_bytes() -> int | None:
    """Return the most memory that this process had; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

"""One line on stderr that tells which stage a long work is in; on a terminal only."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager

from onnxviz.words import printable


class StageLine(AbstractContextManager["StageLine"]):
    """Rewrites one line with each stage, and takes it away at the end."""

    def __init__(self, *, quiet: bool) -> None:
        """Begin; `quiet` or a stderr that is no terminal shows nothing."""
        self._shown = not quiet and sys.stderr.isatty()
        self._started = time.monotonic()

    def stage(self, name: str) -> None:
        """Show a stage and the seconds since the beginning."""
        if self._shown:
            seconds = time.monotonic() - self._started
            print(f"\r\x1b[2K{printable(name)} ... ({seconds:.0f} s)", end="", file=sys.stderr, flush=True)

    def __exit__(self, *details: object) -> None:
        if self._shown:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)

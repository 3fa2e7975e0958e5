"""Opens the model that a command names; a line on stderr follows the stages of a conversion."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from onnxviz.cli.terminal import say
from onnxviz.results.observer import Observer
from onnxviz.words import printable, size_text

if TYPE_CHECKING:
    from onnxviz.conversion.cache import Cached
    from onnxviz.model import Model


def open_model(path: Path, *, quiet: bool = False) -> Model:
    """Open a model as `onnxviz.open` does, and say what was converted or taken from the cache.

    Raises:
        ModelError: It is not a model, or cannot be converted.
        ConversionError: TensorFlow is missing or fails.
    """
    from onnxviz.opening import open

    with StageLine(quiet=quiet) as line:
        return open(path, stage=line.stage, converted=line.converted)


class StageLine(Observer, AbstractContextManager["StageLine"]):
    """Rewrites one line of a terminal with each stage of a conversion, and removes it at the end."""

    def __init__(self, *, quiet: bool) -> None:
        """Begin; `quiet` says nothing, and a stderr that is not a terminal shows no stages."""
        self._quiet = quiet
        self._shown = not quiet and sys.stderr.isatty()
        self._started = time.monotonic()

    def stage(self, name: str) -> None:
        """Show a stage and the seconds since the beginning."""
        if self._shown:
            seconds = time.monotonic() - self._started
            print(f"\r\x1b[2K{printable(name)} ... ({seconds:.0f} s)", end="", file=sys.stderr, flush=True)

    def converted(self, found: Cached) -> None:
        """Remove the line, and say which file of the cache is taken."""
        self._clear()
        if not self._quiet:
            size = size_text(found.path.stat().st_size)
            if found.converted is None:
                say(f"converted before: {found.path} ({size}); onnxviz convert --clear-cache removes it")
            else:
                say(f"converted into the cache: {found.path} ({size}); the next time it is taken from there")

    def __exit__(self, *details: object) -> None:
        self._clear()

    def _clear(self) -> None:
        if self._shown:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)

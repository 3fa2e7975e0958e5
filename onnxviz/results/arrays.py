"""The arrays of all runs in one `.npz` file."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from onnxviz.activations import Activation, RawWriter


class RunArrays(AbstractContextManager["RunArrays"]):
    """Writes activations run by run, one array in memory at a time; of a run that fails nothing stays."""

    def __init__(self, path: Path, *, force: bool) -> None:
        """Prepare to write `path`, which appears whole when the block ends, or not at all."""
        self._writer = RawWriter(path, force=force)
        self._directory = "."
        self._begin = 0

    def __enter__(self) -> RunArrays:
        self._writer.__enter__()
        return self

    def begin_run(self, directory: str) -> None:
        """Begin a run, whose arrays are named after its directory, `.` for none."""
        self._directory, self._begin = directory, len(self._writer)

    def add(self, activation: Activation) -> None:
        """Write an activation of the run that is under way."""
        name = activation.name if self._directory == "." else f"{self._directory}/{activation.name}"
        self._writer.add(replace(activation, name=name))

    def drop_run(self) -> None:
        """Cut the file back to where the run that is under way began."""
        self._writer.cut(self._begin)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._writer.__exit__(kind, error, trace)

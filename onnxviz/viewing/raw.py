"""The arrays of all runs in one `.npz` file; those of a run lie aside until it has ended well."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np

from onnxviz.activations import Activation, RawWriter

_ASIDE = np.empty(0)
"""Stands for an array that lies on the disk."""


class RawRuns(AbstractContextManager["RawRuns"]):
    """Writes activations run by run, one array in memory at a time."""

    def __init__(self, path: Path, *, force: bool) -> None:
        """Prepare to write `path`, which appears whole when the block ends, or not at all."""
        self._path = path
        self._stack = ExitStack()
        self._writer = RawWriter(path, force=force)
        self._waiting: list[Activation] = []

    def __enter__(self) -> RawRuns:
        self._stack.enter_context(self._writer)
        # On the disk that the file will need anyway. A zip file takes nothing back that was written to it.
        self._aside = self._stack.enter_context(tempfile.TemporaryFile(dir=self._path.parent))
        return self

    def add(self, activation: Activation) -> None:
        """Take an activation of the run that is under way."""
        array = activation.array
        # onnxruntime's texts come as objects, which could only be pickled.
        np.save(self._aside, array.astype(np.str_) if array.dtype.kind == "O" else array, allow_pickle=False)
        self._waiting.append(replace(activation, array=_ASIDE))

    def end_run(self, directory: str) -> None:
        """Write the run under the name of its directory, `.` for none."""
        self._aside.seek(0)
        for activation in self._waiting:
            name = activation.name if directory == "." else f"{directory}/{activation.name}"
            self._writer.add(replace(activation, name=name, array=np.load(self._aside, allow_pickle=False)))
        self.drop_run()

    def drop_run(self) -> None:
        """Forget the run that is under way."""
        self._waiting = []
        self._aside.seek(0)
        self._aside.truncate()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)

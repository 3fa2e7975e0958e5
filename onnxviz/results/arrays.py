"""The arrays of all runs in one `.npz` file."""

from __future__ import annotations

from dataclasses import replace

from onnxviz.activations import Activation, RawWriter


class RunArrays(RawWriter):
    """Writes activations run by run, one array in memory at a time; nothing stays of a run that fails."""

    _prefix = ""
    _begin = 0

    def begin_run(self, directory: str) -> None:
        """Begin a run, whose arrays are named after its directory, `.` for none."""
        self._prefix, self._begin = "" if directory == "." else f"{directory}/", len(self)

    def add(self, item: Activation) -> None:
        """Write an activation of the run that is under way."""
        super().add(replace(item, name=self._prefix + item.name))

    def drop_run(self) -> None:
        """Cut the file back to where the run that is under way began."""
        self.cut(self._begin)

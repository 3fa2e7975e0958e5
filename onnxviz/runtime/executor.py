"""Carries out plans: pieces of a graph in order, with the values that later pieces read carried along."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxviz.errors import OnnxvizError, UnsupportedError
from onnxviz.runtime.devices import PROVIDERS, Placement, target_of
from onnxviz.runtime.placements import check_taken, joined
from onnxviz.runtime.session import RunOptions, Session


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a graph to run by itself: its skeleton, the values it reads and the values to fetch from it."""

    skeleton: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class Executor:
    """Runs plans on one device, which is looked for once.

    `placement` is where the last run was placed. Before the first run it names the device and counts no nodes.
    """

    def __init__(
        self,
        folder: Path,
        options: RunOptions,
        *,
        keep: bool = False,
        lends: bool = False,
        placed: Callable[[Placement], None] = lambda placement: None,
        quantised: str = "",
        newer: Callable[[bytes], bytes] | None = None,
    ) -> None:
        """Find the device.

        Args:
            folder: where the files with the weights lie.
            options: how to run.
            keep: keep the session of a plan of one piece open for the next run, at the cost of its memory.
            lends: hand out what a later piece reads itself, not a copy: whoever takes it does not change it.
            placed: called with the placement of the run so far whenever a session was opened.
            quantised: what the graph quantises (see `Session`).
            newer: returns a piece in newer operators, or raises UnsupportedError; asked where onnxruntime refuses it.

        Raises:
            UsageError: The device's name is unknown.
            RunError: onnxruntime is missing.
        """
        self.options = options
        self._folder = folder
        self._keep = keep
        self._lends = lends
        self._placed = placed
        self._quantised = quantised
        self._newer = newer
        self.placement = self._target = target_of(options.device)
        self._kept: tuple[bytes, Session] | None = None

    def run(self, pieces: Sequence[Piece], feed: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Run the pieces in order and yield the name and the array of each output as soon as it is there.

        An array is let go once no later piece reads it, so the largest piece bounds the memory, whatever the depth.

        Raises:
            DeviceError: The device that was asked for took no node of any piece.
            ExecutionError: onnxruntime fails on what is fed.
            RunError: onnxruntime cannot open a piece.
        """
        alive = dict(feed)
        placements: list[Placement] = []
        for place, piece in enumerate(pieces):
            session = self._session(piece, placements)
            if place == len(pieces) - 1:
                check_taken(self.placement)
            if self._keep and len(pieces) == 1:
                self._kept = piece.skeleton, session
            values = dict(zip(piece.outputs, session.run(alive, piece.outputs), strict=True))
            del session
            later = {name for following in pieces[place + 1 :] for name in following.inputs}
            alive = {name: value for name, value in (alive | values).items() if name in later}
            for name in piece.outputs:
                value = values.pop(name)
                # The caller may change what it gets: what a later piece reads is copied.
                yield name, value.copy() if not self._lends and name in later and hasattr(value, "copy") else value

    def prepare(self, piece: Piece) -> None:
        """Open, and keep, the session of a plan of one piece before its first run.

        Raises:
            DeviceError: The device that was asked for took no node.
            RunError: onnxruntime cannot open the piece.
        """
        self._kept = piece.skeleton, self._session(piece, [])
        check_taken(self.placement)

    def open(self, skeleton: bytes) -> Session:
        """Open a graph on the device; where its operators are too old, in newer ones."""
        try:
            return self._on_a_device(skeleton)
        except UnsupportedError as error:
            if self._newer is None:
                raise
            try:
                newer = self._newer(skeleton)
            except UnsupportedError as failure:
                raise UnsupportedError(f"{error}\nnor can onnx convert it to a newer opset: {failure}") from None
            return self._on_a_device(newer)

    def _on_a_device(self, skeleton: bytes) -> Session:
        """Open a graph; where an automatic device fails, on the CPU."""
        try:
            return self._opened(skeleton)
        except OnnxvizError:
            if not self._target.automatic or self._target.device == "cpu":
                raise
            device = self._target
            self._target = Placement("cpu", PROVIDERS["cpu"], f"{device.device} cannot open the model")
            try:
                return self._opened(skeleton)
            except OnnxvizError:
                self._target = device  # the fault is not the device's, which may open another part of the model
                raise

    def _session(self, piece: Piece, placements: list[Placement]) -> Session:
        """Return the session for a piece, the kept one or a new one, and add its placement to that of the run."""
        opened = self._kept is None or self._kept[0] != piece.skeleton
        if opened:
            self._kept = None  # let go before the next is opened: two would take twice the memory
        session = self._kept[1] if self._kept is not None else self.open(piece.skeleton)
        placements.append(session.placement)
        self.placement = joined(placements)
        if opened:
            self._placed(self.placement)
        return session

    def _opened(self, skeleton: bytes) -> Session:
        return Session(skeleton, self._folder, self.options, self._target, quantised=self._quantised)

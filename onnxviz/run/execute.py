"""Carries out a plan: pieces of a graph in order, with the values that later pieces read carried along."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxviz.run.session import Placement, RunOptions, Session, check_taken, joined


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a graph to run by itself: its skeleton, the values it reads and the values to fetch from it."""

    skeleton: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def execute(
    pieces: Sequence[Piece],
    feed: Mapping[str, Any],
    folder: Path,
    options: RunOptions,
    placed: Callable[[Placement], None] = lambda placement: None,
    sessions: dict[bytes, Session] | None = None,
) -> Iterator[tuple[str, Any]]:
    """Run the pieces in order and yield each output with its value as soon as it is there.

    A value is let go once no later piece reads it, so memory is bounded by the largest piece, whatever the depth.
    `sessions` keeps what was opened for the next call with the same single piece. `placed` is told where the pieces so
    far run, together.

    Raises:
        DeviceError: The device took no node of any piece.
    """
    kept = sessions if sessions is not None and len(pieces) == 1 else {}
    alive = dict(feed)
    placements: list[Placement] = []
    for place, piece in enumerate(pieces):
        session = kept.pop(piece.skeleton, None) or Session(piece.skeleton, folder, options)
        placements.append(session.placement)
        placed(joined(placements))
        if place == len(pieces) - 1:
            check_taken(joined(placements))
        values = dict(zip(piece.outputs, session.run(alive, piece.outputs), strict=True))
        if kept is sessions:
            kept[piece.skeleton] = session
        del session
        later = {name for following in pieces[place + 1 :] for name in following.inputs}
        alive = {name: value for name, value in (alive | values).items() if name in later}
        for name in piece.outputs:
            value = values.pop(name)
            # What a later piece reads is not handed out to be changed.
            yield name, value.copy() if name in later and hasattr(value, "copy") else value

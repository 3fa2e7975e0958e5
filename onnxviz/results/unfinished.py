"""What a command of several inputs leaves when it is interrupted, and what its repetition goes on with.

While a command of several inputs works, its folder is called NAME.unfinished. In it lies `unfinished.jsonl`: first a
line that says what the command is, then one with the scales that its inputs share, if they do, and one for each input
that is done. Each line is written whole, after the pictures that it speaks of; what lies in the folder beside them is
of an input that was not done.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from onnxviz.classes.scores import ClassScore
from onnxviz.errors import OutputError
from onnxviz.feed.load import STANDARD_INPUT
from onnxviz.files import lock, making_folder
from onnxviz.results.command_facts import CommandFacts, difference_words
from onnxviz.results.folder import is_ours
from onnxviz.results.journal import LINES, Journal
from onnxviz.results.pooled_health import Pool, PooledLayer, pooled
from onnxviz.results.record import RunRecord

SCHEMA = "onnxviz.unfinished/1"


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What is left of a command that did not end.

    Attributes:
        facts: what the command was.
        limits: the ends of the scales that its inputs share; None if they were not found yet.
        runs: of the inputs that are done, by the place of each among the inputs, in their order.
        size: bytes of the lines that say so.
        pool: the health of the layers of those inputs.
    """

    facts: CommandFacts
    limits: Mapping[str, tuple[float, float]] | None = None
    runs: Mapping[int, RunRecord] = field(default_factory=dict)
    size: int = 0
    pool: Pool = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a command works: its folder until it is done, the journal in it, and what is done already."""

    folder: Path
    journal: Journal
    done: Unfinished


@contextmanager
def working_in(path: Path, facts: CommandFacts, model: str, *, resume: bool, force: bool) -> Iterator[Workplace]:
    """Yield the workplace of a command, whose folder takes the name `path` when the block ends well.

    Of several inputs those that are done stay in NAME.unfinished when the block is interrupted, or when it fails after
    a resumption; the interrupt then says so.

    Raises:
        OutputError: `path` may not be replaced; or inputs are done and `resume` is not given, or fits another command.
    """
    several = len(facts["inputs"]) > 1
    place = unfinished_folder(path) if several else None
    done = _found(place, facts, resume=resume, force=force) if place is not None else Unfinished(facts)
    there = place is not None and place.exists()
    journal: Journal | None = None

    def stays(error: BaseException) -> bool:
        if journal is None:
            return there  # until it is locked it may be another process's
        return bool(done.runs) or (several and journal.count > 0 and isinstance(error, KeyboardInterrupt))

    try:
        with (
            making_folder(path, force=force, ours=is_ours, place=place, stays=stays) as folder,
            (folder / LINES).open("ab") as lines,
        ):
            lock(lines, folder)
            _clean(folder, done)
            journal = Journal(folder, lines, model, len(done.runs), done.pool if several else None)
            if not done.size:
                journal.add_line({"schema": SCHEMA, "command": facts})
            yield Workplace(folder, journal, done)
    except KeyboardInterrupt as interrupt:
        if place is None or journal is None or not place.exists():
            raise
        count = f"{journal.count} of {len(facts['inputs'])} inputs"
        words = f"interrupted; {count} are done and kept in {place}: the same command with --resume goes on"
        raise KeyboardInterrupt(words) from interrupt


def unfinished_folder(path: Path) -> Path:
    """Return where a command works whose results will lie at a path.

    >>> unfinished_folder(Path("/maps")).as_posix()
    '/maps.unfinished'
    """
    real = Path(os.path.realpath(path))
    return real.with_name(f"{real.name[:60]}.unfinished")


def _found(folder: Path, facts: CommandFacts, *, resume: bool, force: bool) -> Unfinished:
    """Return what an earlier start of a command left for this one; without a run if this one begins anew."""
    if force and not resume:
        return Unfinished(facts)
    if folder.exists() and not (folder / LINES).exists() and any(folder.iterdir()) and not is_ours(folder):
        raise OutputError(
            f"{folder} exists and holds what onnxviz did not make: --force (in Python force=True) removes it"
        )
    found = _read(folder)
    if not found.runs:
        return Unfinished(facts)
    if not resume:
        count = f"{len(found.runs)} of {len(found.facts['inputs'])} inputs"
        raise OutputError(
            f"{folder} holds {count} of a command that was interrupted or still runs: "
            "--resume (in Python resume=True) goes on with it, --force begins anew"
        )
    if any(STANDARD_INPUT in (each.values() if isinstance(each, dict) else [each]) for each in facts["inputs"]):
        raise OutputError(f"cannot go on with {folder}: standard input cannot be read a second time")
    difference = difference_words(found.facts, facts)
    if difference:
        raise OutputError(f"cannot go on with {folder}: {difference}; --force without --resume begins anew")
    return found


def _read(folder: Path) -> Unfinished:
    """Return what the lines of a folder say, up to the first that is not whole or whose pictures are gone."""
    facts: CommandFacts = {}
    limits, runs, size = None, {}, 0
    pool: Pool = {}
    path = folder / LINES
    for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else ():
        try:
            found = json.loads(line.partition(b"\t")[0])
        except ValueError:
            break
        if not line.endswith(b"\n"):
            break
        facts = found.get("command", facts)
        limits = found.get("limits", limits)
        if "run" in found:
            top = tuple(ClassScore(**each) for each in found["run"]["top"])
            run = RunRecord(**found["run"] | {"top": top})
            if run.overview and not (folder / run.directory / run.overview).is_file():
                break
            runs[found["place"]] = run
            pool = pooled(pool, map(PooledLayer.from_json, found.get("health", ())))
        size += len(line)
    limits = limits and {value: (low, high) for value, (low, high) in limits.items()}
    return Unfinished(facts, limits, runs, size, pool)


def _clean(folder: Path, done: Unfinished) -> None:
    """Remove from an unfinished folder all that is not of an input that is done."""
    stay = {LINES, *(run.directory for run in done.runs.values())}
    for path in folder.iterdir():
        if path.name not in stay:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    os.truncate(folder / LINES, done.size)

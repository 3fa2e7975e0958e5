"""`sweep`: a job over a data set into a folder, which goes on where an earlier start was stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxviz.errors import OutputError
from onnxviz.files import lock, making_folder
from onnxviz.results.command_facts import CommandFacts, difference_words
from onnxviz.results.folder import LEFT_BY_SYSTEMS, holds_only
from onnxviz.results.observer import Observer
from onnxviz.sweeping.dataset import Dataset, shard_count
from onnxviz.sweeping.engines import Engine
from onnxviz.sweeping.shard_job import ShardJob, ShardResult
from onnxviz.sweeping.store import ShardStore

PLAN = "plan.json"
_SCHEMA = "onnxviz.plan/1"
_LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Goal:
    """Where results go.

    Attributes:
        path: the folder.
        listing: the name of the file in it that lists all its files as `files`, such as `mine.json`.
        schema: how that file's schema begins.
        restart: begin anew where an earlier start left something.
        force: replace a folder that onnxviz did not make.
    """

    path: Path
    listing: str
    schema: str
    restart: bool = False
    force: bool = False

    def is_ours(self, folder: Path) -> bool:
        """Return whether a folder holds what its listing names, and no file of anybody else's."""
        return holds_only(folder, self.listing, self.schema)


def sweep(job: ShardJob, dataset: Dataset, size: int, folder: Path, engine: Engine, observer: Observer) -> ShardResult:
    """Return what all shards of a data set become; those whose results wait in the folder are not computed again."""
    count = shard_count(len(dataset), size)
    store = ShardStore(folder, job, count)
    done = sum(min(size, len(dataset) - number * size) for number in store.done)
    observer.planned(len(dataset), done, 1)
    with closing(engine(job, dataset.shards(size, store.done))) as results:
        for number, result in results:
            store.add(number, result)
            observer.swept(min(size, len(dataset) - number * size))
    return store.result()


@contextmanager
def working_folder(goal: Goal, facts: CommandFacts, total: int, observer: Observer) -> Iterator[Path]:
    """Yield the folder in which a sweep works, `NAME.part`, which takes the goal's name when the block ends well.

    What it holds stays when the block is interrupted or fails, and is gone on with by the same command.

    Raises:
        OutputError: Another command was begun there, or works there now; or the goal may not be replaced.
    """
    place = _workplace(goal.path)
    begun = _begun(place, facts, goal)
    started = False

    def stays(error: BaseException) -> bool:
        return not started or has_results(place) or begun

    try:
        with making_folder(goal.path, force=goal.force, ours=goal.is_ours, place=place, stays=stays) as folder:
            with (folder / _LOCK).open("ab") as file:
                lock(file, folder)
                started = True
                if not begun:
                    _empty(folder)
                    text = json.dumps({"schema": _SCHEMA, "pictures": total, "command": facts})
                    (folder / PLAN).write_text(text, encoding="utf-8")
                else:
                    observer.noted(f"going on with {place}")
                yield folder
            for name in (_LOCK, PLAN):
                (folder / name).unlink()
    except KeyboardInterrupt as interrupt:
        if not has_results(place):
            raise
        raise KeyboardInterrupt(
            f"interrupted; what is done is kept in {place}: the same command goes on"
        ) from interrupt


def has_results(folder: Path) -> bool:
    """Return whether results of shards wait in a folder."""
    return any(folder.glob("state-*.npz"))


def is_unfinished(folder: Path) -> bool:
    """Return whether a sweep works in a folder, or in the one beside it that will become this one."""
    return (folder / PLAN).exists() or (not folder.exists() and (_workplace(folder) / PLAN).exists())


def _workplace(folder: Path) -> Path:
    real = folder.resolve()
    return real.with_name(f"{real.name[:60]}.part")


def _begun(place: Path, facts: CommandFacts, goal: Goal) -> bool:
    """Return whether an earlier start of the same command left something.

    Raises:
        OutputError: It was of another command.
    """
    if not place.exists():
        return False
    found = _plan(place / PLAN)
    if found is None:
        foreign = [path for path in place.iterdir() if path.name not in (_LOCK, *LEFT_BY_SYSTEMS)]
        if foreign and not goal.force:
            raise OutputError(f"{place} exists and holds what onnxviz did not make: --force removes it")
        return False
    if goal.restart:
        return False
    difference = difference_words(found, facts)
    if difference:
        raise OutputError(f"cannot go on with {place}: {difference}; --restart begins anew")
    return True


def _plan(path: Path) -> Mapping[str, Any] | None:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return dict(document["command"]) if document["schema"] == _SCHEMA else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != _LOCK:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

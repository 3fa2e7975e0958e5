"""What `view` and `demo` say while they work: what is fed, a bar over all inputs, and a table for each run."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onnxviz.cli.terminal import print_table, say, say_choices
from onnxviz.errors import OnnxvizError
from onnxviz.feed.feed import Feed
from onnxviz.graph.selection.choices import Choice
from onnxviz.layout import shape_text
from onnxviz.results.observer import Observer
from onnxviz.results.record import LayerRecord, RunRecord, path_inside
from onnxviz.runtime.devices import Placement
from onnxviz.words import number_text, printable, size_text

LARGE = 256 * 2**20


class ProgressObserver(Observer, AbstractContextManager["ProgressObserver"]):
    """Says on stderr what goes on; a bar shows on a terminal only."""

    def __init__(self, *, quiet: bool, verbose: bool = False, tables: bool = True) -> None:
        """Begin; `quiet` says errors only, `verbose` each session and layer; `tables` prints a table for each run."""
        self._quiet = quiet
        self._verbose = verbose
        self._tables = tables
        self._start = time.perf_counter()
        self._bar: Any = None
        self._said: set[str] = set()
        self._work = Work()
        self.placed_text = ""

    def chosen(self, choices: Sequence[Choice], remark: str) -> None:
        """Say what was selected."""
        if not self._quiet:
            say_choices(choices, remark)

    def noted(self, text: str) -> None:
        """Say it."""
        if not self._quiet:
            say(text)

    def planned(self, inputs: int, done: int, passes: int) -> None:
        """Begin the bar."""
        self._work = Work(inputs, done, passes)
        self._show_bar()

    def scanned(self) -> None:
        """Move the bar on."""
        self._work.end_run()
        self._move_bar()

    def swept(self, inputs: int) -> None:
        """Move the bar on."""
        self._work.runs_done += inputs
        self._move_bar()

    def started(self, feed: Feed, layers: int, map_bytes: int) -> None:
        """Say what is fed, of several inputs what was not said of one before."""
        if self._quiet:
            for warning in filter(self._is_new, feed.warnings):
                say(warning)
            return
        self._end_bar()
        for fed in feed.fed:
            if self._is_new(f"{fed.name} {fed.shape} {fed.dtype} {fed.layout} {fed.preset}"):
                say(f"fed {fed.describe()}")
            for note in filter(self._is_new, fed.notes):
                say(f"  {note}")
        if self._work.inputs > 1 and self._is_new("alike"):
            say("the other inputs are fed alike, unless said")
        if map_bytes > LARGE and self._is_new(str(map_bytes)):
            say(f"the maps of {layers} layers take {size_text(map_bytes)}; they are drawn and freed piece by piece")
        self._work.layers, self._work.layers_done = layers, 0
        self._show_bar()

    def placed(self, placement: Placement) -> None:
        """Keep the sentence about the device for the end."""
        counted = placement.nodes is not None and placement.total is not None
        share = f", {placement.nodes} of {placement.total} nodes" if counted else ""
        self._detail(f"a session on {placement.device}{share}")
        self.placed_text = f"ran on {placement.device} ({placement.reason}){share}"

    def drawn(self, layer: LayerRecord) -> None:
        """Move the bar on, or name the layer."""
        self._detail(f"drawn {layer.name} in {layer.pictures[0]}" if layer.pictures else f"counted {layer.name}")
        self._work.layers_done += 1
        self._move_bar()

    def ended(self, run: RunRecord, layers: Sequence[LayerRecord], folder: Path) -> None:
        """Print the run's layers and classes."""
        self._work.end_run()
        self._end_bar()
        bad = ((layer.name, layer.health.totals.not_finite) for layer in layers)
        first = next((f"{name}, {words}" for name, words in bad if words), "")
        if first and not self._quiet:
            say(f"first not finite: {first}")
        if self._tables:
            try:
                _print_run(run, layers, folder)
                sys.stdout.flush()
            except BrokenPipeError:
                # `| head` has read enough; the pictures are still made.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                self._tables = False

    def failed(self, source: str, error: OnnxvizError) -> None:
        """Count it; the failures are listed at the end."""
        self._work.leave_out()
        self._end_bar()

    def _is_new(self, text: str) -> bool:
        """Return whether a text was not said before; from now on it was."""
        new = text not in self._said
        self._said.add(text)
        return new

    def _show_bar(self) -> None:
        if self._quiet or self._verbose or self._bar is not None or not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}")
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._bar.add_task("", total=1.0, left="")
        self._move_bar()
        self._bar.start()

    def _move_bar(self) -> None:
        if self._bar is not None:
            work = self._work
            left = work.left(time.perf_counter() - self._start)
            self._bar.update(self._bar.task_ids[0], description=work.words, completed=work.share, left=left)

    def _detail(self, text: str) -> None:
        if self._verbose:
            say(f"{time.perf_counter() - self._start:7.2f} s  {text}")

    def _end_bar(self) -> None:
        # Needed before a table is printed: while the bar lives, rich sends standard output to its own console.
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def __exit__(self, *details: object) -> None:
        self._end_bar()


@dataclass(slots=True)
class Work:
    """How much there is to do, counted in runs, and how much of it is done.

    Attributes:
        inputs: how many there are.
        done: how many of them were done before.
        passes: how often each other one is run.
        layers: of the run that is under way.
        layers_done: how many of these are drawn.
        runs_done: how many runs are done now.
        runs_spared: runs of inputs that were left out before their last.
    """

    inputs: int = 1
    done: int = 0
    passes: int = 1
    layers: int = 0
    layers_done: int = 0
    runs_done: int = 0
    runs_spared: int = 0

    @property
    def share(self) -> float:
        """The share of the work that is done, of what is to be done now."""
        total = (self.inputs - self.done) * self.passes - self.runs_spared
        drawn = self.layers_done / self.layers if self.layers else 0.0
        return min(1.0, (self.runs_done + drawn) / max(1, total))

    @property
    def scanning(self) -> bool:
        """Whether the inputs are run for the scale that they share, not drawn."""
        return self.passes > 1 and self.runs_done < self.inputs - self.done

    @property
    def words(self) -> str:
        """Which input is under way."""
        if self.inputs == 1:
            return "layers"
        if self.scanning:
            return f"scale of input {self.runs_done + 1} of {self.inputs}"
        before = (self.inputs - self.done) * (self.passes - 1)
        return f"input {min(self.done + self.runs_done - before + 1, self.inputs)} of {self.inputs}"

    def left(self, seconds: float) -> str:
        """Return how long the rest takes if it goes on as in these seconds; empty where it is too early to say."""
        if self.share < 0.02 and self.runs_done < 3:
            return ""
        rest = seconds * (1 - self.share) / self.share
        if rest < 90:
            return f"{rest:.0f} s left"
        minutes = round(rest / 60)
        return f"{minutes} min left" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min left"

    def end_run(self) -> None:
        """Count a run that is done."""
        self.runs_done, self.layers_done = self.runs_done + 1, 0

    def leave_out(self) -> None:
        """Count an input that is left out from now on."""
        self.runs_spared += self.scanning
        self.end_run()


def _print_run(run: RunRecord, layers: Sequence[LayerRecord], folder: Path) -> None:
    if run.directory != ".":
        print(f"\n{printable(', '.join(run.source.values()))}")
    codes = any(layer.quantised for layer in layers)
    more = ["codes", "at their ends"] if codes else []  # a narrow terminal shows the pictures rather than these
    path = path_inside(layers)
    first = f"layer in {path.removesuffix('/')}" if path else "layer"
    pictures = [f"picture in {folder.as_posix()}"] if any(layer.pictures for layer in layers) else []
    titles = (first, "tap", "shape", "range", "live", "health", *pictures, *more)
    rows = [_row(layer, layer.name.removeprefix(path), codes=codes) for layer in layers]
    print_table(titles, rows, left=(True,) * len(titles))
    for found in run.top:
        print(f"{found.value:8.3f}  {printable(found.name)}")


def _row(layer: LayerRecord, name: str, *, codes: bool) -> tuple[str, ...]:
    more = f" (+{len(layer.pictures) - 1})" if len(layer.pictures) > 1 else ""
    low, high = (number_text(end, 4) for end in layer.range)
    ends = [] if math.isnan(layer.range[0]) else [f"{low} .. {high}"]
    totals = layer.health.totals
    found = layer.quantised
    stored = [f"{found.dtype} {found.formula}" if found else "", found.shares if found else ""] if codes else []
    steps = f", {layer.steps.words}" if layer.steps is not None and layer.steps.total > layer.steps.count else ""
    shape = f"{shape_text(layer.shape)}{steps}"
    range = ends[0] if ends else "nothing finite" if totals.not_finite else "no numbers"
    picture = [f"{layer.pictures[0]}{more}"] if layer.pictures else []
    return name, layer.tap, shape, range, totals.live, totals.words, *picture, *stored

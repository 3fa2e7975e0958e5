"""What `view` and `demo` say while they work: what is fed, a bar of the layers drawn, and a table for each run."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from onnxviz.cli.terminal import print_table, say, say_choices, size_text
from onnxviz.errors import OnnxvizError
from onnxviz.feed.feed import Feed
from onnxviz.graph.selection.choices import Choice
from onnxviz.layout import shape_text
from onnxviz.results.observer import Observer
from onnxviz.results.record import LayerRecord, RunRecord
from onnxviz.runtime.devices import Placement
from onnxviz.words import number_text, printable

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
        self._task: Any = None
        self._warned: set[str] = set()
        self.placed_text = ""

    def chosen(self, choices: Sequence[Choice], remark: str) -> None:
        """Say what was selected."""
        if not self._quiet:
            say_choices(choices, remark)

    def noted(self, text: str) -> None:
        """Say it."""
        if not self._quiet:
            say(text)

    def started(self, feed: Feed, layers: int, map_bytes: int) -> None:
        """Say what is fed and begin a bar."""
        if self._quiet:
            for warning in feed.warnings:
                if warning not in self._warned:
                    say(warning)
            self._warned.update(feed.warnings)
            return
        for fed in feed.fed:
            say(f"fed {fed.describe()}")
            for note in fed.notes:
                say(f"  {note}")
        if map_bytes > LARGE:
            say(f"the maps of {layers} layers take {size_text(map_bytes)}; they are drawn and freed piece by piece")
        if sys.stderr.isatty() and not self._verbose:
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("layers", total=layers)
            self._bar.start()

    def placed(self, placement: Placement) -> None:
        """Keep the sentence about the device for the end."""
        counted = placement.nodes is not None and placement.total is not None
        share = f", {placement.nodes} of {placement.total} nodes" if counted else ""
        self._detail(f"a session on {placement.device}{share}")
        self.placed_text = f"ran on {placement.device} ({placement.reason}){share}"

    def drawn(self, layer: LayerRecord) -> None:
        """Move the bar on, or name the layer."""
        self._detail(f"drawn {layer.name} in {layer.pictures[0]}")
        if self._bar is not None:
            self._bar.advance(self._task)

    def ended(self, run: RunRecord, layers: Sequence[LayerRecord], folder: Path) -> None:
        """End the bar, and print the run's layers and classes."""
        self._end_bar()
        first = next((layer for layer in layers if layer.irregular), None)
        if first is not None and not self._quiet:
            say(f"first not finite: {first.name}: {first.irregular} channels")
        if self._tables:
            try:
                _print_run(run, layers, folder)
                sys.stdout.flush()
            except BrokenPipeError:
                # `| head` has read enough; the pictures are still made.
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
                self._tables = False

    def failed(self, source: str, error: OnnxvizError) -> None:
        """End the bar; the failures are listed at the end."""
        self._end_bar()

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


def _print_run(run: RunRecord, layers: Sequence[LayerRecord], folder: Path) -> None:
    if run.directory != ".":
        print(f"\n{printable(', '.join(run.source.values()))}")
    titles = ("layer", "tap", "shape", "range", f"picture in {folder.as_posix()}")
    print_table(titles, [_row(layer) for layer in layers], left=(True,) * 5)
    for found in run.top:
        print(f"{found.value:8.3f}  {printable(found.name)}")


def _row(layer: LayerRecord) -> tuple[str, ...]:
    more = f" (+{len(layer.pictures) - 1})" if len(layer.pictures) > 1 else ""
    low, high = (number_text(end, 4) for end in layer.range)
    ends = [] if math.isnan(layer.range[0]) else [f"{low} .. {high}"]
    words = ", ".join([*ends, *filter(None, [layer.irregular])])
    return layer.name, layer.tap, shape_text(layer.shape), words or "no numbers", f"{layer.pictures[0]}{more}"

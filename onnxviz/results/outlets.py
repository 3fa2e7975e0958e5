"""Who takes the layers and runs of a command one by one: `view.json`, the page, the arrays, the observer."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from onnxviz.activations import Activation, RawWriter
from onnxviz.draw.statistics import MOST_CHANNELS, ChannelStatistics, channel_statistics
from onnxviz.draw.style import Style
from onnxviz.feed.feed import Feed
from onnxviz.files import writing
from onnxviz.graph.layers.layer import Layer
from onnxviz.reporting.collect import MOST_RUNS, Collector
from onnxviz.reporting.contents import ReportLook, ReportModel, ReportRun
from onnxviz.reporting.html_file import write_report
from onnxviz.results.channels import LISTED
from onnxviz.results.folder import REPORT, Folder
from onnxviz.results.journal import Journal
from onnxviz.results.observer import Observer
from onnxviz.results.record import LayerRecord, RunRecord
from onnxviz.results.unfinished import Workplace


class RunArrays(RawWriter):
    """Writes the arrays of all runs to one `.npz` file, one in memory at a time; nothing stays of a run that fails."""

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


TokenWords = Mapping[int, Sequence[str]]
"""The words or ids of the tokens of a run, by how many there are."""


@dataclass(frozen=True, slots=True)
class ReportOutlet:
    """The page to explore: its open file, and what it will show."""

    file: BinaryIO
    collected: Collector


@dataclass(frozen=True, slots=True)
class Outlets:
    """Take a layer at a time and a run at its end; `made` is the folder while it is made, `path` will be its name."""

    made: Path
    path: Path
    journal: Journal
    arrays: RunArrays | None
    report: ReportOutlet | None
    observer: Observer

    @contextmanager
    def run(self, directory: str) -> Iterator[None]:
        """Make the folder of a run, `.` for that of the whole; if the run does not end, nothing of it is kept.

        A folder in which nothing was drawn is not kept either.
        """
        before = self.journal.count
        (self.made / directory).mkdir(exist_ok=True)
        if self.arrays is not None:
            self.arrays.begin_run(directory)
        try:
            yield
        except BaseException:
            if self.journal.count > before:
                raise  # an interrupt just after its end
            self.journal.drop_run()
            self._drop_run()
            if directory != ".":
                shutil.rmtree(self.made / directory)
            raise
        if directory != "." and not any((self.made / directory).iterdir()):
            (self.made / directory).rmdir()

    def add(
        self,
        activation: Activation,
        layer: LayerRecord,
        statistics: ChannelStatistics,
        labels: Sequence[str] | None,
    ) -> None:
        """Take a layer of the run that is under way."""
        self.journal.add_layer(layer, statistics)
        self._keep(activation, layer.layer, statistics, labels)
        self.observer.drawn(layer)
        count = len(statistics.minimum)
        if count > MOST_CHANNELS:
            rest = f"the strongest {LISTED:,} are in view.json, beside numbers of the whole"
            self.observer.noted(f"{layer.name} has {count:,} channels: {rest}")

    def end_run(
        self, run: RunRecord, feed: Feed, layers: Sequence[LayerRecord], place: int, tokens: TokenWords
    ) -> None:
        """Keep the run whose layers were added; `place` is that of its source among the inputs."""
        if self.report is not None:
            self.report.collected.end_run(ReportRun(run.name, run.source, feed.fed, run.top, tokens=tokens))
        self.journal.end_run(run, feed.fed, place)
        self.observer.ended(run, layers, self.path / run.directory)

    def forgets(self, number: int) -> bool:
        """Return whether the page or the arrays, which a later process begins anew, need this run once more."""
        return self.arrays is not None or (self.report is not None and number < MOST_RUNS)

    def recall(
        self,
        run: RunRecord,
        feed: Feed | None,
        layers: Iterable[tuple[Activation, Layer | None, Sequence[str] | None]],
        tokens: TokenWords,
    ) -> None:
        """Give a run that was done before to the page and the arrays again; without a feed it is only counted."""
        if self.arrays is not None:
            self.arrays.begin_run(run.directory)
        try:
            for activation, layer, labels in layers:
                self._keep(activation, layer, None, labels)
        except BaseException:
            self._drop_run()
            raise
        if self.report is not None:
            fed = () if feed is None else feed.fed
            self.report.collected.end_run(ReportRun(run.name, run.source, fed, run.top, tokens=tokens))

    def _keep(
        self,
        activation: Activation,
        layer: Layer | None,
        statistics: ChannelStatistics | None,
        labels: Sequence[str] | None,
    ) -> None:
        """Give a layer to the page and the arrays."""
        if self.report is not None:
            statistics = statistics or channel_statistics(activation.maps())
            self.report.collected.add(activation, layer, statistics, labels)
        if self.arrays is not None:
            self.arrays.add(activation)

    def _drop_run(self) -> None:
        if self.report is not None:
            self.report.collected.drop_run()
        if self.arrays is not None:
            self.arrays.drop_run()

    def look(self, style: Style, limits: Mapping[str, tuple[float, float]]) -> None:
        """Let the page begin to draw as the pictures are drawn."""
        if self.report is not None:
            self.report.collected.look = ReportLook(style, limits)

    def write_report(self, about: ReportModel, size: int) -> str:
        """Write the page of at most `size` bytes, if there is one, and return what was left out to keep to that."""
        if self.report is None:
            return ""
        several = [layer for layer in self.journal.pool.values() if self.journal.count > 1]
        self.report.collected.pooled = {(layer.name, layer.output): layer.health.totals for layer in several}
        return write_report(self.report.file, about, self.report.collected, size)


def open_outlets(stack: ExitStack, workplace: Workplace, folder: Folder, *, force: bool, observer: Observer) -> Outlets:
    """Open all files of a command before its work, so that one that may not be written is an error at once.

    The stack closes the files.

    Raises:
        OutputError: A file exists, or cannot be written.
    """
    arrays = stack.enter_context(RunArrays.open(folder.arrays, force=force)) if folder.arrays is not None else None
    report = None
    if folder.page is not None:
        page = workplace.folder / REPORT if folder.report == REPORT else folder.page
        file = stack.enter_context(writing(page, force=force))
        report = ReportOutlet(file, stack.enter_context(Collector(page.parent)))
    return Outlets(workplace.folder, folder.path, workplace.journal, arrays, report, observer)

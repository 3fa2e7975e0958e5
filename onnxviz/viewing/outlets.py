"""What is kept of the runs beside their pictures: `view.json`, the page to explore, the raw arrays."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from onnxviz.activations import Activation
from onnxviz.draw.scale import ChannelStatistics
from onnxviz.feed.feeds import Feed
from onnxviz.files import writing
from onnxviz.reporting.collect import Collector
from onnxviz.reporting.contents import ReportModel, ReportRun
from onnxviz.reporting.html_file import write_report
from onnxviz.viewing.journal import Journal
from onnxviz.viewing.options import ViewOptions
from onnxviz.viewing.places import REPORT, Places
from onnxviz.viewing.raw import RawRuns
from onnxviz.viewing.record import LISTING, LayerRecord, RunRecord, ViewRecord


@dataclass(frozen=True, slots=True)
class Page:
    """The page to explore: its open file, and what it will show."""

    file: BinaryIO
    collected: Collector


@dataclass(frozen=True, slots=True)
class Outlets:
    """Take a layer at a time and a run at its end; of a run that fails they keep nothing."""

    journal: Journal
    raw: RawRuns | None
    page: Page | None

    def add(
        self,
        activation: Activation,
        layer: LayerRecord,
        statistics: ChannelStatistics,
        labels: tuple[str, ...] | None,
    ) -> None:
        """Take a layer of the run that is under way."""
        self.journal.add_layer(layer, statistics)
        if self.page is not None:
            self.page.collected.add(activation, layer.layer, statistics, labels)
        if self.raw is not None:
            self.raw.add(activation)

    def end_run(self, run: RunRecord, feed: Feed) -> None:
        """Keep the run whose layers were added."""
        if self.raw is not None:
            self.raw.end_run(run.directory)
        if self.page is not None:
            self.page.collected.end_run(ReportRun(run.name, run.source, feed.fed, run.top))
        self.journal.end_run(run, feed.fed)

    def drop_run(self) -> None:
        """Let go of the run whose layers were added."""
        self.journal.drop_run()
        if self.page is not None:
            self.page.collected.drop_run()
        if self.raw is not None:
            self.raw.drop_run()

    def write_page(self, about: ReportModel, size: int) -> str:
        """Write the page of at most `size` bytes, if there is one, and return what it lacks to keep to that."""
        return "" if self.page is None else write_report(self.page.file, about, self.page.collected, size)

    def end(self, record: ViewRecord) -> None:
        """Write what is known of the whole."""
        self.journal.end(record)


def open_outlets(stack: ExitStack, folder: Path, places: Places, options: ViewOptions, model: str) -> Outlets:
    """Open all files of a call before its work, so that one that may not be written is told at once.

    The stack closes them.

    Raises:
        OutputError: A file exists, or cannot be written.
    """
    raw = stack.enter_context(RawRuns(places.raw, force=options.force)) if places.raw is not None else None
    page = None
    if options.html:
        place = places.page or folder / REPORT
        file = stack.enter_context(writing(place, force=options.force))
        page = Page(file, stack.enter_context(Collector(place.parent)))
    return Outlets(stack.enter_context(Journal(folder / LISTING, model)), raw, page)
